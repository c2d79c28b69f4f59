"""Kernels and options rewritten for another framework give the same result there."""

import re
from itertools import permutations

import numpy as np
import pytest

import mtconv
from mtconv import compat
from mtconv.compat.registry import FRAMEWORKS
from tests.compat.calls import CALLS, channels_first, drawn
from tests.compat.pins import ours

GROUPED = [name for name in CALLS if FRAMEWORKS[name].kernel.divided]

CIRCULAR = {"padding_mode": "CIRCULAR", "padding": "SAME"}

x = np.arange(1.0, 13).reshape(1, 2, 3, 2)


def call(name, kernel, options):
    """Run a framework's call on x; the result is channels first."""
    return channels_first(name, ours(drawn(name, x, kernel, options)))


@pytest.mark.parametrize(("src", "dst"), list(permutations(CALLS, 2)))
def test_a_kernel_comes_back_from_every_other_convention(src, dst, same):
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # as torch has it
    in_src = compat.convert_kernel(kernel, "torch", src)
    there = compat.convert_kernel(in_src, src, dst)
    same(there, compat.convert_kernel(kernel, "torch", dst))
    same(compat.convert_kernel(there, dst, src), in_src)


@pytest.mark.parametrize(("src", "dst"), list(permutations(GROUPED, 2)))
@pytest.mark.parametrize("groups", [2, 3])
def test_a_grouped_kernel_comes_back(src, dst, groups, same):
    kernel = np.arange(groups * 2 * 4 * 3).reshape(groups * 2, 4, 3)
    in_src = compat.convert_kernel(kernel, "torch", src, groups)
    there = compat.convert_kernel(in_src, src, dst, groups)
    same(there, compat.convert_kernel(kernel, "torch", dst, groups))
    same(compat.convert_kernel(there, dst, src, groups), in_src)


def test_a_grouped_kernel_of_equinox_is_regrouped(same):
    # Groups of two inputs and one output: torch (4, 1, k), equinox (2, 2, k), flipped.
    kernel = np.array([[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]])
    wanted = [[[2, 1], [4, 3]], [[6, 5], [8, 7]]]
    same(compat.convert_kernel(kernel, "torch", "equinox", groups=2), wanted)


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "matlab"])
def test_a_kernel_without_channels_goes_to_matlab_and_back(name, same):
    kernel = np.arange(6).reshape(2, 3)
    there = compat.convert_kernel(kernel, "matlab", name)
    same(compat.convert_kernel(there, name, "matlab"), kernel)


@pytest.mark.parametrize(("src", "dst"), list(permutations(CALLS, 2)))
def test_converted_calls_are_equal(src, dst, same):
    """n -> 2n for an even kernel and a stride of 2, which every framework can say."""
    kernel = np.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4) % 7
    size = {"kernel_size": (4, 4), "input_size": (3, 2)}
    options = compat.convert({"stride": 2, "padding": 1}, "torch", src, **size)
    converted = compat.convert(options, src, dst, **size)
    wanted = compat.torch.conv_transpose2d(x, kernel, stride=2, padding=1)
    in_src = compat.convert_kernel(kernel, "torch", src)
    same(call(src, in_src, options), wanted)
    same(call(dst, compat.convert_kernel(in_src, src, dst), converted), wanted)


# Of 200 random geometries, many can be said where pairs crop. Some frameworks can say none
# of them; `test_drawn_options_are_legal_and_lead_to_mtconv_and_back` has what each can say.
LEAST = dict.fromkeys(("mtconv", "jax", "equinox", "tinygrad"), 150)
LEAST |= dict.fromkeys(("jax_transpose_kernel", "flax", "flax_transpose_kernel"), 150)
LEAST |= {"torch": 40, "haiku": 5, "keras": 10, "tensorflow": 80, "onnx": 80}
LEAST |= {"paddle": 80, "mlx": 40}


@pytest.mark.parametrize("dst", ["mtconv", *CALLS])
def test_a_converted_geometry_is_the_same_or_refused(dst):
    """Random crops: what is not refused reads back as the very same relations."""
    rng, words = np.random.default_rng(5), 0
    for _ in range(200):
        stride, spread, taps = (tuple(map(int, rng.integers(1, 5, 2))) for _ in range(3))
        pads = tuple(tuple(map(int, pair)) for pair in rng.integers(-1, 3, (2, 2)))
        options = {"stride": stride, "dilation": spread, "padding": pads}
        size = {"kernel_size": taps, "input_size": (6, 7)}
        try:
            there = compat.convert(options, "mtconv", dst, **size)
        except mtconv.GeometryError as error:
            fixes = ("Run ", "leave at least one", "Put dilation - 1 zeros")
            assert any(fix in str(error) for fix in fixes)  # noqa: PT017
            continue
        words += 1
        back = compat.convert(there, dst, "mtconv", **size)
        spec = mtconv.ConvSpec.from_shapes((1, 1, 6, 7), (1, 1, *taps), **options)
        assert mtconv.ConvSpec.from_shapes((1, 1, 6, 7), (1, 1, *taps), **back) == spec
    assert words > LEAST.get(dst, -1)


def test_circular_padding_goes_between_flax_and_equinox():
    options = {"strides": 2, "padding": "CIRCULAR"}
    there = compat.convert(options, "flax", "equinox", kernel_size=(5,))
    assert there["padding"] == "SAME"
    assert there["padding_mode"] == "CIRCULAR"
    back = compat.convert(there, "equinox", "flax", kernel_size=(5,))
    assert back["padding"] == "CIRCULAR"


def test_onnx_has_no_output_padding_of_a_stride():
    # Its standard goes up to the dilation, onnxruntime does not.
    for amount, stride in ((1, 2), (2, 3)):
        options = {"stride": stride, "dilation": 3, "output_padding": amount}
        got = compat.convert(options, "torch", "onnx", kernel_size=(2,))
        assert got["output_padding"] == [amount]
        options["stride"] = amount
        with pytest.raises(mtconv.GeometryError, match="is less than the stride"):
            compat.convert(options, "torch", "onnx", kernel_size=(2,))


def test_attributes_of_onnx_are_converted_as_onnx_has_them():
    attributes = {
        "auto_pad": b"SAME_UPPER",
        "strides": np.array([2, 2]),
        "kernel_shape": [3, 3],
        "dilations": np.array([1, 1]),
        "group": np.int64(1),
    }
    size = {"kernel_size": (3, 3)}
    there = compat.convert(attributes, "onnx", "equinox", **size)
    assert there["padding"] == ((0, 1), (0, 1))
    with pytest.raises(mtconv.GeometryError, match=r"`kernel_shape` must be W's own, \(3,"):
        compat.convert(attributes | {"kernel_shape": [3, 4]}, "onnx", "torch", **size)


def test_attributes_read_by_onnx_itself():
    helper = pytest.importorskip("onnx").helper
    node = helper.make_node(
        "ConvTranspose",
        ["X", "W"],
        ["Y"],
        auto_pad="SAME_LOWER",
        strides=[2],
        kernel_shape=[3],
        output_padding=[1],
    )
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert attributes["auto_pad"] == b"SAME_LOWER"
    there = compat.convert(attributes, "onnx", "equinox", kernel_size=(3,))
    assert there["padding"] == ((1, 0),)


@pytest.mark.parametrize("dst", CALLS)
def test_the_run_and_the_slices_of_a_refusal_give_the_result(dst, same):
    """Follow the fixes: run what is written, drop and add what is written."""
    rng, followed = np.random.default_rng(8), 0
    for _ in range(60):
        stride, taps = (tuple(map(int, rng.integers(1, 4, 2))) for _ in range(2))
        pads = tuple(tuple(map(int, pair)) for pair in rng.integers(-2, 3, (2, 2)))
        options = {"stride": stride, "padding": pads}
        kernel = rng.integers(-4, 5, (2, 3, *taps)).astype(float)
        size = {"kernel_size": taps, "input_size": (3, 2)}
        try:
            wanted = mtconv.conv_transpose(x, kernel, **options)
            compat.convert(options, "mtconv", dst, **size)
        except mtconv.GeometryError as error:
            fix = re.search(
                r"Run \w+ with (.*) and then, before any bias, (.*)\.$", str(error)
            )
            if fix is None:
                assert "leave" in str(error) or "legal" in str(error)  # noqa: PT017
                continue
            there = compat.convert_kernel(kernel, "mtconv", dst)
            got = call(dst, there, eval(f"dict({fix[1]})"))
            same(sliced(got, fix[2]), wanted)
            followed += 1
    assert followed or dst.split("_")[0] in ("jax", "flax", "haiku", "equinox", "tinygrad")


def sliced(full, steps):
    """Drop and add what the steps of a message say, axis by axis."""
    for axis, step in zip((2, 3), steps.split("; "), strict=True):
        for verb, amount, end in re.findall(r"(drop|add) (\d+) at the (\w+) end", step):
            low, count = end == "low", int(amount)
            if verb == "add":
                widths = [(0, 0)] * 4
                widths[axis] = (count, 0) if low else (0, count)
                full = np.pad(full, widths)
            else:
                index = slice(count, None) if low else slice(None, -count)
                full = full[(slice(None),) * axis + (index,)]
    return full


def test_a_refusal_says_what_to_run_and_slice():
    with pytest.raises(mtconv.GeometryError) as refusal:
        compat.convert({"padding": ((2, 0),)}, "mtconv", "torch", kernel_size=(5,))
    text = str(refusal.value)
    assert "cannot be said in torch" in text
    assert "drop 2 at the low end" in text


def test_the_slice_of_a_refusal_gives_the_result(same):
    kernel = np.arange(5.0).reshape(1, 1, 5)
    signal = np.arange(1.0, 4).reshape(1, 1, 3)
    full = compat.torch.conv_transpose1d(signal, kernel, stride=2)
    wanted = mtconv.conv_transpose(signal, kernel, stride=2, padding=((2, 0),))
    same(full[:, :, 2:], wanted)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("torch", "jaxx"), "convert_kernel: `dst` must be one of 'mtconv', 'torch'"),
        (("torch", "keras", 2), "keras has no groups"),
        (("jax", "torch", 2), "has no groups"),
        (("torch", "mlx", 3), "`groups` must divide"),
        (("torch", "matlab"), "one channel on each side"),
    ],
)
def test_kernels_that_cannot_be_converted_are_refused(arguments, words):
    with pytest.raises(mtconv.GeometryError, match=words):
        compat.convert_kernel(np.zeros((4, 2, 3)), *arguments)


@pytest.mark.parametrize(
    ("options", "src", "dst", "words"),
    [
        ({"strides": 2}, "torch", "jax", "must be options of torch: stride, padding"),
        ({"stride": 2}, "torch", "tensorflow", "`input_size` must be given"),
        ({"output_size": 5}, "mtconv", "torch", "`input_size` must be given"),
        ({"dilation": 2}, "torch", "haiku", "it has no dilation"),
        ({"dilation": 2}, "torch", "matlab", "it has no dilation"),
        ({"stride": 2}, "torch", "matlab", "it has no stride"),
        ({"padding": 1}, "torch", "matlab", "two axes, stride 1 and no padding"),
        ({"stride": 2, "padding": 3}, "torch", "mlx", "where padding exceeds the kernel"),
        (CIRCULAR, "equinox", "torch", "it pads with zeros only"),
        (CIRCULAR, "equinox", "tinygrad", "it pads with zeros only"),
        (CIRCULAR, "equinox", "haiku", "it pads with zeros only"),
        ({"groups": 2}, "torch", "haiku", "it has no groups"),
        (
            CIRCULAR | {"padding": "SAME_LOWER", "stride": 2},
            "equinox",
            "flax",
            "splits the",
        ),
    ],
)
def test_options_that_cannot_be_converted_are_refused(options, src, dst, words):
    with pytest.raises(mtconv.GeometryError, match=words):
        compat.convert(options, src, dst, kernel_size=(3,))


def test_some_targets_have_fewer_axes():
    with pytest.raises(mtconv.GeometryError, match="one and two dimensions only"):
        compat.convert({"groups": 2}, "torch", "mlx", kernel_size=(3, 3, 3))
    with pytest.raises(mtconv.GeometryError, match="two axes, stride 1 and no padding"):
        compat.convert(
            {"padding": 1}, "torch", "matlab", kernel_size=(3, 3), input_size=(3, 3)
        )


def test_what_has_no_stride_or_dilation_says_what_to_do_instead():
    size = {"kernel_size": (3, 3), "input_size": (3, 3)}
    with pytest.raises(mtconv.GeometryError) as refusal:
        compat.convert({"dilation": (1, 2)}, "torch", "haiku", **size)
    assert str(refusal.value) == (
        "convert: `options` cannot be said in haiku: it has no dilation; got crops (lo, "
        "hi) = ((0, 0), (0, 0)), dilation=(1, 2), groups=1, padding_mode='zeros'. Put "
        "dilation - 1 zeros between the taps of the kernel instead."
    )
    with pytest.raises(mtconv.GeometryError) as refusal:
        compat.convert({"stride": (1, 2)}, "torch", "matlab", **size)
    assert str(refusal.value) == (
        "convert: `options` cannot be said in matlab: it has no stride; got crops (lo, hi) "
        "= ((0, 0), (0, 0)), stride=(1, 2), dilation=(1, 1), groups=1, "
        "padding_mode='zeros'. Put stride - 1 zeros between the elements of the input "
        "instead."
    )


def test_what_has_no_groups_says_what_to_do_instead(same):
    """The fix gives the result: one group at a time."""
    options = {"stride": 2, "groups": 2}
    with pytest.raises(mtconv.GeometryError) as refusal:
        compat.convert(options, "torch", "flax", kernel_size=(2,))
    assert str(refusal.value) == (
        "convert: `options` cannot be said in flax: it has no groups; got crops (lo, hi) = "
        "((0, 0),), groups=2, padding_mode='zeros'. Convert and run one group at a time."
    )
    signal, kernel = np.array([[[1.0, 2], [3, 4]]]), np.array([[[1.0, 10]], [[1, 100]]])
    there = compat.convert({"stride": 2}, "torch", "flax", kernel_size=(2,))
    parts = [
        compat.flax.conv_transpose(
            signal[:, g : g + 1].swapaxes(1, 2),
            compat.convert_kernel(kernel[g : g + 1], "torch", "flax"),
            **there,
        )
        for g in range(2)
    ]
    result = np.concatenate(parts, -1)[0].T
    same(result, np.array([[1.0, 10, 2, 20], [3, 300, 4, 400]]))


def test_zeros_in_kernel_and_input_stand_for_dilation_and_stride(same):
    """The fixes give the result: values by hand."""
    signal, kernel = np.array([1.0, 2]).reshape(1, 2, 1), [[[1.0]], [[0]], [[10]]]
    wanted = np.array([1.0, 2, 10, 20])  # taps 1 and 10, two apart
    dilated = compat.torch.conv_transpose1d([[[1.0, 2]]], [[[1.0, 10]]], dilation=2)
    same(dilated[0, 0], wanted)
    theirs = compat.convert({}, "torch", "haiku", kernel_size=(3,))
    there = compat.convert_kernel(np.array(kernel).T, "torch", "haiku")
    same(compat.haiku.conv_transpose(signal, there, **theirs)[0, :, 0], wanted)
    matrix = compat.matlab.convmtx2([[1.0, 10, 100]], 1, 3)  # of the input 1 0 2
    strided = compat.torch.conv_transpose1d([[[1.0, 2]]], [[[1.0, 10, 100]]], stride=2)
    same(matrix @ np.array([1.0, 0, 2]), np.array([1.0, 10, 102, 20, 200]))
    same(strided[0, 0], np.array([1.0, 10, 102, 20, 200]))


def test_matlab_sizes():
    sizes = {"m": 4, "n": 5}
    there = compat.convert(sizes, "matlab", "torch", kernel_size=(2, 3), input_size=(4, 5))
    assert there["stride"] == (1, 1)
    back = compat.convert(there, "torch", "matlab", kernel_size=(2, 3), input_size=(4, 5))
    assert back == sizes


def test_convmtx2_is_conv2_of_columns(same):
    """By the definition: T*X(:) is the full two-dimensional convolution, columns first."""
    kernel = np.array([[1, 2, 3], [4, 5, 6]])
    image = np.arange(20).reshape(4, 5) - 7
    wanted = np.zeros((5, 7), int)
    for (a, b), tap in np.ndenumerate(kernel):
        wanted[a : a + 4, b : b + 5] += tap * image
    matrix = compat.matlab.convmtx2(kernel, 4, 5)
    assert matrix.shape == (35, 20)
    same((matrix @ image.ravel(order="F")).reshape(5, 7, order="F"), wanted)
    same(compat.matlab.convmtx2(kernel, (4, 5)).toarray(), matrix.toarray())


def test_axes_of_any_number_of_dimensions(same):
    signal = np.arange(16.0).reshape(1, 1, 2, 2, 2, 2)
    kernel = np.arange(16.0).reshape(1, 1, 2, 2, 2, 2)
    wanted = mtconv.conv_transpose(signal, kernel)
    flipped = compat.convert_kernel(kernel, "torch", "equinox")
    same(compat.equinox.conv_transpose(signal[0], flipped), wanted[0])
    same(compat.tinygrad.conv_transpose2d(signal, kernel), wanted)
