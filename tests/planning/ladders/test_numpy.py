"""The ladder of NumPy: rates by width, wide strides, and fallbacks at their boundaries."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.candidate import Fallback
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders.numpy import precautions, rates_of
from mtconv.planning.rates import SHIPPED


@pytest.mark.parametrize(
    ("itemsize", "wider", "strided"),
    [(4, 1, 1), (6, 1.5, 1), (8, 2, 4 / 3), (16, 4, 8 / 3)],
)
def test_wider_elements_are_slower(itemsize, wider, strided):
    """In proportion; with a stride a line of the cache is half used anyway."""
    rates = rates_of(itemsize)
    assert 1 / rates.gemm == pytest.approx(SHIPPED.product * wider)
    assert rates.element == pytest.approx(SHIPPED.element * wider)
    assert rates.strided == pytest.approx(SHIPPED.strided * strided)
    assert rates.call == SHIPPED.call


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
@pytest.mark.parametrize("stride", [1, 15, 16, 17, 46])
def test_strides_of_16_and_more_are_wide(form, stride):
    """As the page on algorithms says."""
    spec = ConvSpec((Axis(9, 900, 60, stride),), 1, 64, 64)
    refused = "subpixel" if stride < 16 else "polyphase"
    *ranked, last = choose_algorithm(spec, form, dtype="int16")[:4]
    assert last.algorithm == refused
    assert {c.algorithm for c in ranked} == {"gemm", "polyphase", "subpixel", "direct"} - {
        refused
    }


def pads(form, spec, algorithm="gemm"):
    """Return whether infinite values have a fallback, since zeros are multiplied."""
    computing, fallbacks = precautions(spec, form, "float32", algorithm, algorithm)
    assert computing == "float32"
    condition = "infinite kernel"
    if form == "kernel_grad":
        condition = "infinite data" if algorithm == "polyphase" else "infinite x"
    assert fallbacks in ((), (Fallback(condition, "direct", "float32"),))
    return bool(fallbacks)


@pytest.mark.parametrize(
    ("axis", "clipped"),
    [
        (Axis(5, 7, 3), False),
        (Axis(5, 8, 3), False),  # an element that no tap reaches
        (Axis(5, 6, 3), True),  # the last tap has four elements of x
        (Axis(5, 7, 3, lo=1), True),
        (Axis(5, 7, 3, lo=-1), True),
        (Axis(1, 2, 3), True),  # the last tap has none
        (Axis(4, 9, 3, 2), False),
        (Axis(4, 8, 3, 2), True),
    ],
)
def test_clipped_taps_are_zeros_of_convolutions_alone(axis, clipped):
    """On one axis of two is enough; an overlap-add drops what is clipped."""
    for axes in ((axis,), (axis, Axis(5, 7, 3)), (Axis(5, 7, 3), axis)):
        spec = ConvSpec(axes)
        assert pads("conv", spec) == clipped
        assert pads("kernel_grad", spec) == clipped
        assert not pads("conv_transpose", spec)
        for form in ("conv_transpose", "conv", "kernel_grad"):
            assert pads(form, spec, "polyphase")
            assert pads(form, spec, "subpixel")
            assert not pads(form, spec, "direct")


def test_padding_that_repeats_elements_clips_nothing():
    """The padded array is as long as the taps reach."""
    zeros = ConvSpec((Axis(5, 5, 3, lo=1),))
    reflected = ConvSpec((Axis(5, 5, 3, lo=1),), padding_mode="reflect")
    assert pads("conv", zeros)
    assert not pads("conv", reflected)


@pytest.mark.parametrize(
    ("dtype", "itemsize"),
    [
        ("float16", 4),  # halves are computed in single precision
        ("bfloat16", 4),
        ("float64", 8),
        ("complex64", 8),
        ("complex128", 16),
        ("int8", 8),  # integers in float64
        ("uint64", 8),
    ],
)
def test_bytes_are_those_of_the_computing_dtype(dtype, itemsize):
    spec = ConvSpec.from_shapes((1, 64, 32, 32), (64, 64, 4, 4), stride=2)
    single = {c.algorithm: c.cost.bytes_moved for c in choose_algorithm(spec)}
    for candidate in choose_algorithm(spec, dtype=dtype):
        expected = single[candidate.algorithm] * itemsize // 4
        assert candidate.cost.bytes_moved == expected
