"""Options of hostile types: an error of the library's own, or what a plain value gives."""

import enum

import numpy as np
import pytest

import mtconv
from mtconv import BackendError, GeometryError

X = np.array([[[1, 2, 0, 3]]])
KERNEL = np.array([[[1, 10, 100]]])
MODES = "'zeros', 'circular', 'reflect', 'replicate', 'symmetric'"
ALGORITHMS = "'auto', 'exact', 'gemm', 'polyphase', 'subpixel', 'direct', 'fft', 'native'"
BACKENDS = "'numpy', 'numba', 'jax', 'sparse', 'torch', 'cupy', 'dask', 'array_api'"


class Word(str, enum.Enum):  # noqa: UP042 - it prints its name
    """An enumeration of words, which hashes and prints like none of them."""

    MODE = "circular"
    ALGORITHM = "direct"
    BACKEND = "numpy"
    LAYOUT = "NCW"
    KERNEL_LAYOUT = "IOW"
    PADDING = "same"
    FORM = "conv"


def operator(name):
    return lambda **options: getattr(mtconv, name)(KERNEL, input_size=4, **options)


def gradient(**options):
    return mtconv.kernel_grad(X, np.ones((1, 1, 6), int), kernel_size=3, **options)


SPEC = mtconv.ConvSpec.from_shapes(X.shape, KERNEL.shape)
# Functions with the name that their messages have, and the words that they take.
GEOMETRY = {"padding_mode": MODES, "layout": None, "kernel_layout": None}
PUBLIC = {
    "conv_transpose": (
        lambda **options: mtconv.conv_transpose(X, KERNEL, **options),
        "conv_transpose",
        ("geometry", "algorithm", "backend"),
    ),
    "conv": (
        lambda **options: mtconv.conv(X, KERNEL, **options),
        "conv",
        ("geometry", "algorithm", "backend"),
    ),
    "kernel_grad": (gradient, "kernel_grad", ("geometry", "algorithm", "backend")),
    "Conv": (operator("Conv"), "Conv", ("geometry", "algorithm", "backend")),
    "ConvTranspose": (
        operator("ConvTranspose"),
        "ConvTranspose",
        ("geometry", "algorithm", "backend"),
    ),
    "a spec": (
        lambda **how: SPEC.conv_transpose(X, KERNEL, **how),
        "conv_transpose",
        ("algorithm", "backend"),
    ),
    "from_shapes": (
        lambda **options: mtconv.ConvSpec.from_shapes(X.shape, KERNEL.shape, **options),
        "ConvSpec.from_shapes",
        ("geometry",),
    ),
    "conv_transpose_shape": (
        lambda **options: mtconv.conv_transpose_shape(X.shape, KERNEL.shape, **options),
        "conv_transpose_shape",
        ("geometry",),
    ),
    "conv_shape": (
        lambda **options: mtconv.conv_shape(X.shape, KERNEL.shape, **options),
        "conv_shape",
        ("geometry",),
    ),
    "overlap_count": (
        lambda **options: mtconv.overlap_count(X.shape, KERNEL.shape, **options),
        "overlap_count",
        ("geometry",),
    ),
    "explain": (
        lambda **options: mtconv.explain(X.shape, KERNEL.shape, **options),
        "explain",
        ("geometry", "algorithm"),
    ),
}
NO_WORDS = [
    np.array("zeros"),
    np.array(["zeros"]),
    np.array([]),
    b"zeros",
    ["auto"],
    {"auto"},
    {},
    7,
    float("nan"),
    object,
]


def refused(call, error, text):
    for _ in range(2):  # a second call must not find the first one's plan
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == text


@pytest.mark.parametrize("value", NO_WORDS, ids=repr)
@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_no_string_is_no_word(name, value):
    function, said, kinds = PUBLIC[name]
    if "geometry" in kinds:
        refused(
            lambda: function(padding_mode=value),
            GeometryError,
            f"{said}: `padding_mode` must be one of {MODES}; got {value!r}.",
        )
        for argument in ("layout", "kernel_layout"):
            refused(
                lambda argument=argument: function(**{argument: value}),
                GeometryError,
                f"{said}: `{argument}` must be a string such as 'NCHW' or None; got "
                f"{value!r} of type {type(value).__name__}. Leave it out for channels "
                "first.",
            )
    if "algorithm" in kinds:
        refused(
            lambda: function(algorithm=value),
            GeometryError,
            f"{said}: `algorithm` must be one of {ALGORITHMS}; got {value!r}.",
        )
    if "backend" in kinds:
        refused(
            lambda: function(backend=value),
            BackendError,
            f"{said}: `backend` must be None or one of {BACKENDS}; got {value!r}.",
        )


@pytest.mark.parametrize("value", NO_WORDS, ids=repr)
def test_other_words_are_strings_too(value):
    A = mtconv.Conv(KERNEL, input_size=4)
    for call, error, text in (
        (
            lambda: mtconv.explain(X.shape, KERNEL.shape, backend=value),
            BackendError,
            f"explain: `backend` must be one of {BACKENDS}",
        ),
        (
            lambda: mtconv.explain(X.shape, KERNEL.shape, form=value),
            GeometryError,
            "explain: `form` must be one of 'conv_transpose', 'conv', 'kernel_grad'",
        ),
        (
            lambda: mtconv.input_sizes(8, 3, form=value),
            GeometryError,
            "input_sizes: `form` must be one of 'conv_transpose', 'conv'",
        ),
        (
            lambda: A.to_sparse(value),
            GeometryError,
            "to_sparse: `format` must be one of 'csr', 'csc', 'coo', 'bsr', 'bcoo'",
        ),
        (
            lambda: A.to_sparse(order=value),
            GeometryError,
            "to_sparse: `order` must be one of 'C', 'F'",
        ),
    ):
        refused(call, error, f"{text}; got {value!r}.")


@pytest.mark.parametrize("word", [np.str_, Word], ids=["np.str_", "enumeration"])
def test_strings_of_other_classes_are_the_words_that_they_equal(word):
    words = {
        "padding_mode": word("circular"),
        "algorithm": word("direct"),
        "backend": word("numpy"),
        "layout": word("NCW"),
        "kernel_layout": word("IOW"),
    }
    plain = {name: str.__str__(value) for name, value in words.items()}
    # Copies of 1 10 100 around each cell, wrapped round: 1 2 0 3 tenfold, 2 0 3 1 from
    # behind, and a hundredfold 3 1 2 0 from before.
    expected = [[[312, 120, 203, 31]]]
    x, kernel, pads = X, KERNEL, {"padding": 1}
    for options in (plain, words):
        got = mtconv.conv_transpose(x, kernel, **pads, **options)
        assert got.tolist() == expected
        A = mtconv.ConvTranspose(kernel, input_size=4, **pads, **options)
        assert A(x).tolist() == expected
        assert type(A.computing.algorithm) is type(A.computing.backend) is str
        assert type(A.spec.padding_mode) is type(A.spec.layout) is str
    assert mtconv.conv_transpose(x, kernel, padding=word("same")).shape == (1, 1, 4)
    assert mtconv.explain(X.shape, KERNEL.shape, form=word("conv")).plan.form == "conv"


def test_a_dtype_for_explain_may_be_anything():
    for value in (np.array([1, 2]), [("a", 1)], {}, "", object(), "2020"):
        with pytest.raises(BackendError, match="explain: `dtype` must be an integer, fl"):
            mtconv.explain(X.shape, KERNEL.shape, dtype=value)


HUGE = 10**5000  # more digits than Python writes down
BITS = "must have at most 3000 bits; got an integer of 16610 bits."
BARE, TAPS = X[0, 0], KERNEL[0, 0]
LARGE = {
    "stride": (lambda n: mtconv.conv_transpose(BARE, TAPS, stride=n), "conv_transpose"),
    "dilation": (lambda n: mtconv.conv(BARE, TAPS, dilation=(n,)), "conv"),
    "padding": (lambda n: mtconv.conv(BARE, TAPS, padding=((0, -n),)), "conv"),
    "output_padding": (
        lambda n: mtconv.conv_transpose(BARE, TAPS, output_padding=n),
        "conv_transpose",
    ),
    "groups": (lambda n: mtconv.conv(BARE, TAPS, groups=n), "conv"),
    "output_size": (
        lambda n: mtconv.conv_transpose(BARE, TAPS, output_size=n),
        "conv_transpose",
    ),
    "kernel_size": (
        lambda n: mtconv.kernel_grad(BARE, BARE, kernel_size=n),
        "kernel_grad",
    ),
    "input_size": (lambda n: mtconv.Conv(TAPS, input_size=n), "Conv"),
    "size": (lambda n: mtconv.input_sizes(n, 3), "input_sizes"),
    "x_shape": (lambda n: mtconv.conv_shape((n,), (3,)), "conv_shape"),
}


# A negative size of x is refused as such.
SIGNED = [
    (name, sign) for name in LARGE for sign in (1, -1) if (name, sign) != ("x_shape", -1)
]


@pytest.mark.parametrize(("name", "sign"), SIGNED)
def test_an_integer_that_python_does_not_write_down(name, sign):
    call, function = LARGE[name]
    refused(lambda: call(sign * HUGE), GeometryError, f"{function}: `{name}` {BITS}")


def test_values_are_shortened_in_messages():
    refused(
        lambda: mtconv.conv(X, KERNEL, padding_mode="x" * 10000),
        GeometryError,
        f"conv: `padding_mode` must be one of {MODES}; got '{'x' * 199}... of 10002 "
        "characters.",
    )
    refused(
        lambda: mtconv.conv(X, KERNEL, backend=HUGE),
        BackendError,
        f"conv: `backend` must be None or one of {BACKENDS}; got an object of type int.",
    )


@pytest.mark.parametrize(
    ("options", "argument", "step"),
    [
        ({"dilation": 2**255}, "dilation", str(2**256 + 1)),
        ({"dilation": 10**400}, "dilation", f"2{'0' * 199}... of 401 characters"),
    ],
)
def test_offsets_that_no_array_has(options, argument, step):
    refused(
        lambda: mtconv.conv_transpose(BARE, TAPS, padding="same", **options),
        GeometryError,
        f"conv_transpose: `{argument}` must not lead to offsets of more than 2**256; got "
        f"{step}.",
    )


def test_a_count_of_more_cells_than_any_machine_has():
    refused(
        lambda: mtconv.overlap_count((2,), (1,), stride=2**63),
        GeometryError,
        "overlap_count: `x_shape` must not lead to more than 2**47 = 140737488355328 "
        f"cells; got a result of sizes ({2**63 + 1},). Check stride, padding and "
        "output_size.",
    )


@pytest.mark.parametrize("algorithm", ["auto", "gemm", "direct"])
@pytest.mark.parametrize("dilation", [2**62, 2**63, 2**100, 2**255 - 1])
def test_taps_that_land_outside_may_be_as_far_away_as_can_be(dilation, algorithm):
    # Of three taps with "same" only the middle one meets a cell.
    options = {"padding": "same", "dilation": dilation, "algorithm": algorithm}
    assert mtconv.conv_transpose(BARE, TAPS, **options).tolist() == [10, 20, 0, 30]
    assert mtconv.conv(BARE, TAPS, **options).tolist() == [10, 20, 0, 30]
