"""Wrong calls: each raises before any work, and the message says how to mend it.

A message has the form "function: `argument` rule; got what on axis name. Fix." The table
gives for each wrong call the argument, a part of the rule, what was got, the axis where
there is one, and a part of the fix where the rule alone does not say it.
"""

import numpy as np
import pytest

import mtconv
from mtconv import BackendError, GeometryError

X = np.ones((2, 4, 8, 8))
KERNEL = np.ones((4, 3, 3, 3))
SIGNAL = np.ones((1, 2, 5))
TAPS = np.ones((2, 3, 3))


def transposed(**options):
    return lambda: mtconv.conv_transpose(X, KERNEL, **options)


def signal(x, kernel, bias=None, **options):
    return lambda: mtconv.conv_transpose(x, kernel, bias, **options)


def forward(x, kernel, bias=None, **options):
    return lambda: mtconv.conv(x, kernel, bias, **options)


def gradient(x, y, **options):
    return lambda: mtconv.kernel_grad(np.ones(x), np.ones(y), **options)


INTEGER = "must be an integer"
ROUNDED = "Nothing is rounded"

GEOMETRY = {
    # Ranks
    "x of rank 1": (
        signal(np.ones(8), KERNEL),
        "x",
        "4 dimensions (N, C, *space) or 3",
        "1 dimension",
    ),
    "x of rank 5": (
        signal(np.ones((1, 1, 1, 8, 8)), KERNEL),
        "x",
        "4 dimensions",
        "5 dimensions",
    ),
    "image and kernel of a signal": (
        signal(np.ones((3, 3)), np.ones(3)),
        "x",
        "1 dimension, as many as the kernel",
        "2 dimensions",
    ),
    "batch of bare images": (
        signal(np.ones((9, 3, 3)), np.ones((3, 3))),
        "x",
        "2 dimensions",
        "3 dimensions",
        None,
        "'NHW'",
    ),
    "kernel without axes": (signal([1], 3), "kernel", "one spatial axis", "0 dimensions"),
    "x without elements": (
        signal(np.ones((1, 4, 0, 8)), KERNEL),
        "x",
        "at least one element",
        "size 0",
        "'H'",
    ),
    "empty list": (signal([], [1]), "x", "at least one element", "size 0"),
    "kernel without elements": (
        signal(X, np.ones((4, 3, 3, 0))),
        "kernel",
        "at least one element",
        "size 0",
        "'W'",
    ),
    # Channels and groups
    "channels": (
        signal(X, np.ones((5, 3, 3, 3))),
        "x",
        "as many channels as the kernel's I axis",
        "4 channels in x and 5 in the kernel",
        "'C'",
        "(C_in, C_out/groups, *k)",
    ),
    "channels of a convolution": (
        forward(X, np.ones((5, 3, 3, 3)), groups=1),
        "x",
        "times groups",
        "4 channels in x and 3 x 1 groups",
        "'C'",
        "(C_out, C_in/groups, *k)",
    ),
    "groups that do not divide x": (
        transposed(groups=3),
        "groups",
        "divide the channels of x",
        "groups=3 for 4",
        "'C'",
    ),
    "groups that do not divide the result": (
        forward(X, np.ones((3, 2, 3, 3)), groups=2),
        "groups",
        "divide the channels of the result",
        "groups=2 for 3",
        "'C'",
    ),
    "groups that do not divide y": (
        gradient((1, 2, 3), (1, 3, 5), kernel_size=3, groups=2),
        "groups",
        "divide the channels of y",
        "groups=2 for 3",
    ),
    "no group": (transposed(groups=0), "groups", "at least 1", "0"),
    "negative groups": (transposed(groups=-2), "groups", "at least 1", "-2"),
    "groups in a tuple": (transposed(groups=(2, 2)), "groups", INTEGER, "(2, 2) of type"),
    "groups as float": (transposed(groups=2.0), "groups", INTEGER, "2.0", None, ROUNDED),
    "groups as bool": (transposed(groups=True), "groups", INTEGER, "True of type bool"),
    "groups without channels": (
        signal([1, 2], [1, 2], groups=2),
        "groups",
        "must be 1 where the kernel has no channels",
        "2",
    ),
    # Stride and dilation
    "stride 0": (transposed(stride=0), "stride", "at least 1", "0", "'H'"),
    "negative stride": (transposed(stride=(1, -2)), "stride", "at least 1", "-2", "'W'"),
    "fractional stride": (
        transposed(stride=1.5),
        "stride",
        INTEGER,
        "1.5 of type float",
        None,
        ROUNDED,
    ),
    "whole float as stride": (
        transposed(stride=2.0),
        "stride",
        INTEGER,
        "2.0 of type float",
    ),
    "fraction in a tuple": (
        transposed(stride=(1, 2.5)),
        "stride",
        INTEGER,
        "2.5",
        "number 1",
    ),
    "stride nan": (transposed(stride=float("nan")), "stride", INTEGER, "nan"),
    "bool as stride": (transposed(stride=True), "stride", INTEGER, "True of type bool"),
    "NumPy bool as stride": (transposed(stride=np.True_), "stride", INTEGER, "np.True_"),
    "array of bools": (
        transposed(stride=np.array([True, True])),
        "stride",
        INTEGER,
        "np.True_",
        "number 0",
    ),
    "string as stride": (transposed(stride="2"), "stride", INTEGER, "'2' of type str"),
    "None as stride": (transposed(stride=None), "stride", INTEGER, "None"),
    "set as stride": (transposed(stride={1, 2}), "stride", INTEGER, "of type set"),
    "three strides": (
        transposed(stride=(1, 2, 3)),
        "stride",
        "one per spatial axis ('H', 'W')",
        "(1, 2, 3), of length 3",
        None,
        "2 in a tuple",
    ),
    "no strides": (transposed(stride=()), "stride", "one per spatial axis", "of length 0"),
    "nested strides": (transposed(stride=((1, 2), (3, 4))), "stride", INTEGER, "(1, 2)"),
    "dilation 0": (transposed(dilation=0), "dilation", "at least 1", "0", "'H'"),
    "negative dilation": (
        transposed(dilation=(1, -1)),
        "dilation",
        "at least 1",
        "-1",
        "'W'",
    ),
    "one dilation for two axes": (
        transposed(dilation=[1]),
        "dilation",
        "one per spatial axis",
        "(1,), of length 1",
    ),
    # Padding
    "fractional padding": (
        transposed(padding=0.5),
        "padding",
        INTEGER,
        "0.5",
        None,
        ROUNDED,
    ),
    "bool as padding": (
        transposed(padding=False),
        "padding",
        INTEGER,
        "False of type bool",
    ),
    "None as padding": (transposed(padding=None), "padding", "or one of 'valid'", "None"),
    "padding word in capitals": (
        transposed(padding="SAME"),
        "padding",
        "one of 'valid', 'same', 'same_lower'",
        "'SAME'",
        None,
        "Write 'same'.",
    ),
    "unknown padding word": (transposed(padding="full"), "padding", "one of", "'full'"),
    "three paddings": (transposed(padding=(1, 1, 1)), "padding", "per spatial axis", "3"),
    "one pair for two axes": (
        transposed(padding=((1, 2),)),
        "padding",
        "per spatial axis",
        "((1, 2),), of length 1",
    ),
    "triple as pair": (
        transposed(padding=((1, 2, 3), (1, 2))),
        "padding",
        "(lo, hi) pair",
        "(1, 2, 3) of length 3",
        "number 0",
        "padding=((1, 2), (0, 1))",
    ),
    "float in a pair": (
        transposed(padding=((0, 1), (1, 2.0))),
        "padding",
        INTEGER,
        "2.0",
        "number 1",
    ),
    "padding that leaves nothing": (
        transposed(padding=30),
        "padding",
        "leave at least one element",
        "padding=(30, 30), which leaves -50",
        "'H'",
        "Pad less",
    ),
    "padding where only another size is legal": (
        signal([1], [1], stride=3, padding=1),
        "padding",
        "leave at least one element",
        "which leaves -1",
        "'W'",
        "`output_size`, one of 1",
    ),
    "unknown padding mode": (
        transposed(padding_mode="wrap"),
        "padding_mode",
        "one of 'zeros', 'circular'",
        "'wrap'",
    ),
    "cropping with a padding mode": (
        forward(np.ones(3), np.ones(2), padding=-1, padding_mode="circular"),
        "padding",
        "at least 0",
        "(-1, -1)",
        "'W'",
        "'zeros' crops",
    ),
    # Sizes
    "output padding as large as the stride": (
        transposed(stride=2, output_padding=2),
        "output_padding",
        "less than the stride, 2",
        "2",
        "'H'",
    ),
    "negative output padding": (
        transposed(stride=2, output_padding=(0, -1)),
        "output_padding",
        "at least 0",
        "-1",
        "'W'",
    ),
    "three output paddings": (
        transposed(stride=2, output_padding=(1, 1, 1)),
        "output_padding",
        "per spatial axis",
        "of length 3",
    ),
    "output padding with same": (
        transposed(stride=2, padding="same", output_padding=1),
        "output_padding",
        "must be 0 with padding='same'",
        "1",
        "'H'",
        "`output_size` instead, from 15 to 16",
    ),
    "both ways to say the size": (
        transposed(stride=2, output_padding=1, output_size=18),
        "output_padding",
        "left out where `output_size` is given",
        "output_size=18",
    ),
    "illegal output size": (
        transposed(stride=3, output_size=(24, 27)),
        "output_size",
        "24, 25, 26",
        "27",
        "'W'",
        "Choose one of these",
    ),
    "illegal output size with same": (
        transposed(stride=2, padding="same", output_size=18),
        "output_size",
        "15, 16",
        "18",
        "'H'",
    ),
    "output size with batch and channels": (
        transposed(output_size=(2, 3, 10, 10)),
        "output_size",
        "per spatial axis",
        "(2, 3, 10, 10)",
        None,
        "Batch and channels are not part",
    ),
    "output size 0": (transposed(output_size=0), "output_size", "at least 1", "0", "'H'"),
    "output size as float": (transposed(output_size=10.0), "output_size", INTEGER, "10.0"),
    "kernel wider than the input": (
        forward(np.ones((1, 3, 2, 4)), KERNEL),
        "kernel",
        "not span more than the padded input",
        "dilation*(k - 1) + 1 = 3 and an input of 2 + 0 + 0 = 2",
        "'H'",
    ),
    "stride of 10**15": (
        signal(SIGNAL, TAPS, stride=10**15),
        "x",
        "2**47",
        "elements",
        None,
        "Check stride",
    ),
    "extension by 10**15": (
        signal(SIGNAL, TAPS, padding=-(10**15)),
        "x",
        "2**47",
        "elements",
    ),
    "dilation of 10**15": (signal(SIGNAL, TAPS, dilation=10**15), "x", "2**47", "elements"),
    "dilation of 10**15 in an empty batch": (
        signal(SIGNAL[:0], TAPS, dilation=10**15),
        "x",
        "2**47",
        "elements",
    ),
    # Layouts
    "unknown letter": (
        transposed(layout="NCXY"),
        "layout",
        "letters L, HW or DHW",
        "'NCXY'",
    ),
    "letter twice": (transposed(layout="NCHH"), "layout", "letters L, HW or DHW", "'NCHH'"),
    "lower-case letters": (
        transposed(layout="nchw"),
        "layout",
        "made of N, C",
        "'nchw'",
        None,
        "in capitals",
    ),
    "number as layout": (
        transposed(layout=3),
        "layout",
        "a string such as",
        "3 of type int",
    ),
    "empty layout": (transposed(layout=""), "layout", "made of N, C", "''"),
    "layout of a signal": (
        transposed(layout="NCL"),
        "kernel",
        "3 dimensions",
        "4 dimensions",
    ),
    "layout without batch": (
        transposed(layout="CHW"),
        "x",
        "3 dimensions, as layout 'CHW'",
        "4 dimensions",
    ),
    "kernel layout with one channel axis": (
        transposed(kernel_layout="IHW"),
        "kernel_layout",
        "made of I, O",
        "'IHW'",
        None,
        "'HWIO'",
    ),
    "layouts of other ranks": (
        transposed(layout="NHWC", kernel_layout="IOL"),
        "kernel_layout",
        "same spatial letters",
        "kernel_layout='IOL'",
    ),
    "kernel layout without channels": (
        transposed(layout="NHWC", kernel_layout="HW"),
        "kernel_layout",
        "I and O exactly when `layout` has C",
        "kernel_layout='HW'",
    ),
    # Bias
    "bias of the input channels": (
        signal(X, KERNEL, np.ones(4)),
        "bias",
        "one value per output channel, shape (3,)",
        "shape (4,)",
        "'C'",
    ),
    "bias ready to broadcast": (
        signal(X, KERNEL, np.ones((3, 1, 1))),
        "bias",
        "shape (3,)",
        "shape (3, 1, 1)",
    ),
    "bias of a convolution": (
        forward(np.ones((1, 3, 8, 8)), KERNEL, np.ones(3)),
        "bias",
        "shape (4,)",
        "shape (3,)",
    ),
    "bias without channels": (
        signal([1, 2], [1, 2], [1]),
        "bias",
        "left out where the kernel has no channels",
        "shape (1,)",
    ),
    # Kernel gradient
    "y of another size": (
        gradient((1, 2, 3), (1, 3, 5), kernel_size=2),
        "y",
        "maps to x's",
        "y of size 5, which gives 4, and x of size 3",
        "'W'",
    ),
    "y of another batch": (
        gradient((1, 2, 3), (2, 3, 5), kernel_size=3),
        "y",
        "as many items",
        "y of shape (2, 3, 5)",
    ),
    "no kernel": (
        gradient((1, 2, 3), (1, 3, 5), kernel_size=0),
        "kernel_size",
        "at least 1",
        "0",
    ),
    "kernel size as float": (
        gradient((1, 2, 3), (1, 3, 5), kernel_size=3.0),
        "kernel_size",
        INTEGER,
        "3.0",
    ),
    "rank that nothing says": (
        gradient((3, 4), (5, 6), kernel_size=3),
        "kernel_size",
        "must be a tuple",
        "3 for x of shape (3, 4)",
        None,
        "for example (3, 3)",
    ),
    # Algorithm
    "unknown algorithm": (
        transposed(algorithm="winograd"),
        "algorithm",
        "one of 'auto', 'exact', 'gemm'",
        "'winograd'",
    ),
    "an algorithm that was removed": (
        transposed(algorithm="fastfir"),
        "algorithm",
        "one of 'auto', 'exact', 'gemm'",
        "'fastfir'. 'fastfir' was removed; use 'auto' or 'polyphase'",
    ),
    "algorithm in a list": (
        transposed(algorithm=["gemm"]),
        "algorithm",
        "one of",
        "['gemm']",
    ),
}

BACKEND = {
    "algorithm of another backend": (
        transposed(algorithm="native", backend="numpy"),
        "algorithm",
        "one that the numpy backend has: 'gemm'",
        "'native'",
    ),
    "inexact algorithm for integers": (
        signal([1, 2], [1, 2], algorithm="fft", backend="numpy"),
        "algorithm",
        "exact for integers",
        "int64",
        None,
        "'auto'",
    ),
    "unknown backend": (
        transposed(backend="tensorflow"),
        "backend",
        "None or one of 'numpy', 'numba', 'jax'",
        "'tensorflow'",
    ),
    "number as backend": (transposed(backend=3), "backend", "None or one of", "3"),
    "string as array": (signal("abc", [1]), "x", "array of a known library", "str"),
    "None as array": (signal(None, [1]), "x", "array of a known library", "NoneType"),
    "None as kernel": (signal([1], None), "kernel", "array of a known library", "NoneType"),
    "set as array": (signal({1, 2}, [1]), "x", "array of a known library", "set"),
    "class of one's own": (
        signal(type("Frame", (), {})(), [1]),
        "x",
        "array of a known library",
        "Frame",
        None,
        "numpy.asarray",
    ),
    "objects": (
        signal(np.array([1, None]), [1]),
        "x",
        "integer, floating or complex",
        "dtype object",
    ),
    "bools": (signal([1], np.array([True])), "kernel", "integer, floating", "dtype bool"),
    "strings": (signal(np.array(["a"]), [1]), "x", "integer, floating", "dtype <U1"),
    "dates": (signal(np.array(["2020"], "M8[Y]"), [1]), "x", "integer", "datetime64"),
    "rows of different lengths": (
        signal([[1, 2], [3]], [[1]]),
        "x",
        "regular nested sequence",
        "inhomogeneous",
    ),
    "masked array": (
        signal(np.ma.array([1, 2], mask=[0, 1]), [1]),
        "x",
        "plain array",
        "MaskedArray",
        None,
        "mask would be lost",
    ),
    "matrix": (
        lambda: mtconv.conv_transpose(np.matrix([[1, 2]]), [[1]]),
        "x",
        "plain array",
        "matrix",
    ),
}


def check(call, error, argument, rule, got, axis=None, fix=""):
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    function, rest = text.split(": ", 1)
    assert function in ("conv_transpose", "conv", "kernel_grad")
    assert rest.startswith(f"`{argument}` must ")
    words, actual = rest.split("; got ", 1)
    assert rule in words
    assert got in actual
    assert axis is None or f" on axis {axis}." in actual
    assert fix in actual
    assert text.endswith(".")
    assert ".." not in text.replace("...", "")


@pytest.mark.parametrize("name", GEOMETRY)
def test_wrong_geometry(name):
    call, *expected = GEOMETRY[name]
    check(call, GeometryError, *expected)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", BACKEND)
def test_wrong_arrays(name):
    call, *expected = BACKEND[name]
    check(call, BackendError, *expected)


def test_there_are_at_least_sixty():
    assert len(GEOMETRY) + len(BACKEND) >= 60


def test_the_two_errors_are_the_builtin_ones_too():
    assert issubclass(GeometryError, ValueError)
    assert issubclass(BackendError, TypeError)


def test_two_libraries_do_not_mix(jax_numpy):
    check(
        lambda: mtconv.conv_transpose(jax_numpy.ones(3), [1.0], backend="numpy"),
        BackendError,
        "backend",
        "'jax' or None for an array of jax",
        "'numpy'",
        fix="Convert `x` to NumPy first",
    )
    strict = pytest.importorskip("array_api_strict")
    check(
        lambda: mtconv.conv_transpose(jax_numpy.ones(3), strict.ones(2)),
        BackendError,
        "x",
        "same array library",
        "x of jax, kernel of array_api",
    )


@pytest.mark.parametrize(
    ("function", "option"),
    [
        (mtconv.conv_transpose_shape, "strides"),
        (mtconv.conv_shape, "output_size"),
        (mtconv.conv_shape, "output_padding"),
    ],
)
def test_shapes_take_the_options_of_their_map(function, option):
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\).*'{option}'"):
        function((1, 2, 5), (2, 3, 3), **{option: 1})


@pytest.mark.parametrize(
    ("shape", "got"),
    [("abc", "'abc'"), ((1, -2, 5), "(1, -2, 5)"), (3, "3"), ((1.0,), "1.0")],
)
def test_shapes_are_sequences_of_sizes(shape, got):
    with pytest.raises(
        GeometryError, match=r"conv_transpose_shape: `x_shape` must"
    ) as error:
        mtconv.conv_transpose_shape(shape, (2, 3, 3))
    assert got in str(error.value)


def test_errors_are_not_cached_away():
    for _ in range(3):
        with pytest.raises(GeometryError, match="`stride`"):
            mtconv.conv_transpose(X, KERNEL, stride=0)
    # True and 2.0 hash like 1 and 2: they must not find the plans of those.
    mtconv.conv_transpose(SIGNAL, TAPS, stride=1)
    mtconv.conv_transpose(SIGNAL, TAPS, stride=2)
    for wrong in (True, 2.0, (True,), (2.0,)):
        with pytest.raises(GeometryError, match="must be an integer"):
            mtconv.conv_transpose(SIGNAL, TAPS, stride=wrong)
