"""Estimates of torch's own operations: what makes them larger."""

import pytest

from mtconv import ConvSpec
from mtconv.planning.native import native_seconds, product_seconds


def spec(x=(1, 64, 40, 40), kernel=(64, 64, 4, 4), **options):
    return ConvSpec.from_shapes(x, kernel, **{"stride": 2, **options})


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_more_work_takes_longer(form):
    one = native_seconds(spec(), form, 1, "float32")
    assert 7 * one < native_seconds(spec(), form, 8, "float32") < 8 * one
    assert one < native_seconds(spec(), form, 1, "float64") < 2 * one
    wide = spec(kernel=(64, 128, 4, 4))
    assert one < native_seconds(wide, form, 1, "float32") < 2 * one


def test_products_of_groups_and_of_single_channels_take_longer():
    """The same products: 64 * 64 of dense channels, 256 * 16 of groups, 4096 of planes."""
    dense = native_seconds(spec(), "conv_transpose", 1, "float32")
    grouped = spec((1, 256, 40, 40), (256, 16, 4, 4), groups=16)
    planes = spec((1, 4096, 40, 40), (4096, 1, 4, 4), groups=4096)
    times = [native_seconds(s, "conv_transpose", 1, "float32") for s in (grouped, planes)]
    assert dense < times[0] < times[1]


def test_transposed_convolutions_with_dilation_have_a_cost_of_their_own():
    plain, dilated = spec(), spec(dilation=3)
    for form, longer in (("conv_transpose", True), ("conv", False)):
        times = [native_seconds(s, form, 1, "float32") for s in (plain, dilated)]
        assert (times[1] > 1.5 * times[0]) == longer


def test_small_calls_have_no_onednn():
    small = spec((1, 2, 4), (2, 2, 2))
    assert native_seconds(small, "conv", 1, "float32") < 1e-5
    assert native_seconds(small, "kernel_grad", 1, "float32") < 2e-5
    assert 5e-5 < native_seconds(small, "conv", 2, "float32") < 6e-5


def test_products_of_integers_are_slow():
    times = [product_seconds(spec(), "conv", 1, d) for d in ("float32", "int64")]
    assert 10 * times[0] < times[1]
