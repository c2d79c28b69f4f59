"""The tables of JAX: where one choice ends and the next begins, and what is said of it."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders.jax import ALGORITHMS, COLUMNS, columns

FORMS = ("conv_transpose", "conv", "kernel_grad")
THIN = "{} products at a time: too few for a matrix product"
PLAIN = "a plain convolution of images, which XLA has"
FEWER = "one matrix product with fewer columns than one with all taps"
PRODUCT = "one matrix product, and a transpose of the big side"


def chosen(spec, form="conv_transpose", batch=1, dtype="float32", **named):
    """Name the algorithm and its reason; all others have one and the same."""
    first, *others = choose_algorithm(spec, form, batch, dtype, "jax", **named)
    listed = [first.algorithm, *(other.algorithm for other in others)]
    assert sorted(listed) == sorted(ALGORITHMS)
    place = "GPUs" if named else "the CPU"
    assert {other.reason for other in others} == {f"slower on {place} where measured"}
    return first.algorithm, first.reason


def channels(small, big, groups=1, taps=(3,), stride=1, dilation=1):
    axes = (Axis(9, 40, count, stride, dilation) for count in taps)
    return ConvSpec(tuple(axes), groups, small, big * groups)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", ["auto", "exact"])
def test_four_products_at_a_time_are_too_few_for_a_matrix_product(form, algorithm):
    for spec, count in (
        (channels(4, 1), 4),
        (channels(2, 2), 4),
        (channels(1, 4), 4),
        (channels(8, 2, groups=4), 4),
        (channels(3, 1, groups=3), 1),
    ):
        first = choose_algorithm(spec, form, backend="jax", algorithm=algorithm)[0]
        assert first == ("direct", None, THIN.format(count))
    for spec in (channels(5, 1), channels(1, 5), channels(6, 2, groups=2)):
        assert chosen(spec, form) == ("gemm", PRODUCT)


@pytest.mark.parametrize("form", FORMS)
def test_a_single_tap_is_a_matrix_product(form):
    assert chosen(channels(1, 1, taps=(1,)), form) == ("gemm", PRODUCT)
    assert chosen(channels(1, 1, taps=(1, 2)), form) == ("direct", THIN.format(1))


@pytest.mark.parametrize(
    ("spec", "products"),
    [
        # Taps of one step of the stride are summed with the channels.
        (channels(1, 1, taps=(4,), stride=4), 4),
        (channels(1, 1, taps=(5,), stride=5), 5),
        (channels(1, 1, taps=(7,), stride=5), 5),
        (channels(1, 1, taps=(2, 2), stride=2), 4),
        (channels(1, 2, taps=(2, 3), stride=2), 8),
        (channels(1, 1, taps=(3, 3), stride=4), 9),
        (channels(1, 4, taps=(9,), stride=9, dilation=2), 4),
    ],
)
def test_a_convolution_sums_over_neighbouring_taps_too(spec, products):
    expected = ("direct", THIN.format(products)) if products <= 4 else ("gemm", PRODUCT)
    for form in ("conv", "kernel_grad"):
        assert chosen(spec, form) == expected
    thin = THIN.format(spec.kernel_shape[0] * spec.kernel_shape[1])
    assert chosen(spec, "conv_transpose") == ("direct", thin)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("spec", "dtype", "native"),
    [
        (channels(8, 8, taps=(3, 3)), "float32", True),
        (channels(8, 8, taps=(1, 2)), "float32", True),
        (channels(8, 8, taps=(1, 1)), "float32", False),
        (channels(8, 8, taps=(3, 3)), "float64", False),
        (channels(8, 8, taps=(3, 3)), "bfloat16", False),
        (channels(8, 8, taps=(3,)), "float32", False),
        (channels(8, 8, taps=(3, 3, 3)), "float32", False),
        (channels(8, 8, taps=(3, 3), groups=2), "float32", False),
        (ConvSpec((Axis(9, 40, 3), Axis(9, 40, 3, 2)), 1, 8, 8), "float32", False),
        (ConvSpec((Axis(9, 40, 3, 1, 2), Axis(9, 40, 3)), 1, 8, 8), "float32", False),
    ],
)
def test_plain_images_are_convolved_by_xla(form, spec, dtype, native):
    expected = ("native", PLAIN) if native else ("gemm", PRODUCT)
    assert chosen(spec, form, 2, dtype) == expected


def signal(size, small=2, big=4, kernel=4, stride=2, dilation=1):
    """As many columns as four times the windows: 16 and 4 for each element."""
    axis = Axis(size, stride * size, kernel, stride, dilation)
    return ConvSpec((axis,), 1, small, big)


def test_columns_are_counted_for_each_element_tap_and_channel():
    assert columns(signal(5)) == 5 * 4 * 4
    spec = ConvSpec((Axis(5, 11, 3, 2), Axis(7, 22, 4, 3)), 2, 6, 8)
    assert columns(spec) == 5 * 7 * 12 * 8


@pytest.mark.parametrize(
    ("batch", "dtype", "size"),
    [
        (1, "float32", COLUMNS // 64),
        (2, "float32", COLUMNS // 128),
        (1, "bfloat16", COLUMNS // 64),
        (1, "float64", COLUMNS // 128),
        (1, "complex128", COLUMNS // 256),
        (1, "int8", COLUMNS // 128),  # as any integer, counted as eight bytes
    ],
)
def test_columns_beyond_the_caches_are_made_of_phases(batch, dtype, size):
    for form in FORMS:
        assert chosen(signal(size), form, batch, dtype) == ("gemm", PRODUCT)
        summed = form == "kernel_grad" and batch > 1
        expected = ("gemm", PRODUCT) if summed else ("polyphase", FEWER)
        assert chosen(signal(size + 1), form, batch, dtype) == expected


class Symbol:
    """A batch that nobody knows yet."""

    def __mul__(self, _):
        return self


def test_a_symbolic_batch_is_not_compared():
    large = signal(2**19)
    assert chosen(large)[0] == "polyphase"
    assert chosen(large, batch=Symbol()) == ("gemm", PRODUCT)


@pytest.mark.parametrize(
    ("fewer", "spec"),
    [
        (True, signal(2**19)),
        (True, signal(2**19, big=5)),
        (False, signal(2**19, big=3)),  # 12 columns, 4 windows
        (False, signal(2**19, kernel=5)),  # phases of three and of two taps
        (False, signal(2**19, stride=1)),  # without phases
        (False, signal(2**19, dilation=2)),
        # Columns are 4 * 24, windows 1 * (4 / 2) * (6 / 3) of them.
        (True, ConvSpec((Axis(2**9, 2**10, 4, 2), Axis(2**9, 1536, 6, 3)), 1, 6, 4)),
        (False, ConvSpec((Axis(2**9, 2**10, 4, 2), Axis(2**9, 1536, 6, 3)), 1, 7, 4)),
        # An axis of stride 1 has all taps in its windows.
        (True, ConvSpec((Axis(2**9, 2**9, 3), Axis(2**9, 2**10, 4, 2)), 1, 2, 4)),
        (False, ConvSpec((Axis(2**9, 2**9, 3), Axis(2**9, 2**10, 4, 2)), 1, 3, 4)),
        # Groups have columns of their own.
        (True, ConvSpec((Axis(2**19, 2**20, 4, 2),), 2, 4, 8)),
        (False, ConvSpec((Axis(2**19, 2**20, 4, 2),), 2, 6, 8)),
    ],
)
def test_windows_of_phases_have_to_be_four_times_smaller_than_columns(fewer, spec):
    expected = ("polyphase", FEWER) if fewer else ("gemm", PRODUCT)
    assert chosen(spec) == expected


@pytest.mark.parametrize(
    ("dtype", "options", "algorithm", "reason"),
    [
        ("float16", {}, "native", "the platform's own convolutions"),
        ("bfloat16", {}, "native", "the platform's own convolutions"),
        ("float64", {"stride": 2}, "native", "the platform's own convolutions"),
        (
            "float32",
            {"stride": 2, "groups": 2},
            "polyphase",
            "'native' would multiply inserted zeros",
        ),
        (
            "float32",
            {"stride": 2, "dilation": 2},
            "polyphase",
            "'native' would multiply inserted zeros",
        ),
        ("int32", {}, "gemm", "no convolutions of int32 on GPUs and TPUs"),
        ("complex64", {}, "gemm", "no convolutions of complex64 on GPUs and TPUs"),
    ],
)
def test_accelerators_convolve_where_no_zeros_are_inserted(
    dtype, options, algorithm, reason
):
    spec = ConvSpec.from_shapes((1, 4, 9, 9), (4, 4, 3, 3), **options)
    named = {"dtype": dtype, "accelerator": True}
    assert chosen(spec, **named) == (algorithm, reason)
    other = (
        (algorithm, reason)
        if algorithm == "gemm"
        else ("native", "the platform's own convolutions")
    )
    for form in ("conv", "kernel_grad"):
        assert chosen(spec, form, **named) == other


@pytest.mark.parametrize("number", [0, 1])
def test_one_axis_with_a_stride_is_enough_to_insert_zeros(number):
    axes = [Axis(9, 40, 3), Axis(9, 40, 3)]
    axes[number] = Axis(9, 40, 3, 2)
    grouped = ConvSpec(tuple(axes), 2, 4, 4)
    assert chosen(grouped, accelerator=True)[0] == "polyphase"
    axes[1 - number] = Axis(9, 40, 3, 1, 2)
    assert chosen(ConvSpec(tuple(axes), 1, 4, 4), accelerator=True)[0] == "polyphase"
    plain = ConvSpec((Axis(9, 40, 3, 1, 2), Axis(9, 40, 3)), 2, 4, 4)
    assert chosen(plain, accelerator=True)[0] == "native"
