"""Which problems are worth threads, at the sizes where that changes."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.scale import Scale, scale_of
from mtconv.planning.tuning import SMALL_ELEMENTS

OTHERS = ("conv_transpose", "kernel_grad")


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize(
    ("axis", "channels", "groups", "batch", "small"),
    [
        # 2**24 multiply-adds are no small problem, one less is: 241 * 69615.
        (Axis(69615, 69855, 241), (1, 1), 1, 1, True),
        (Axis(2**16, 2**16 + 255, 256), (1, 1), 1, 1, False),
        (Axis(2**10, 2**10, 1), (2**8, 2**2), 1, 16, False),
        (Axis(2**10 - 1, 2**10 - 1, 1), (2**8, 2**2), 1, 16, True),
        # Nor are so many cells of the result, most of them without a tap.
        (Axis(1, SMALL_ELEMENTS, 1), (1, 1), 1, 1, False),
        (Axis(1, SMALL_ELEMENTS - 1, 1), (1, 1), 1, 1, True),
        (Axis(1, SMALL_ELEMENTS + 1, 1), (1, 1), 1, 1, False),
        # 2 items of 4 groups of 8 channels.
        (Axis(1, SMALL_ELEMENTS // 64, 1), (4, 32), 4, 2, False),
        (Axis(1, SMALL_ELEMENTS // 64 - 1, 1), (4, 32), 4, 2, True),
    ],
)
def test_a_small_problem_is_so_in_work_and_in_cells(
    axis, channels, groups, batch, small, form
):
    spec = ConvSpec((axis,), groups, *channels)
    assert (scale_of(spec, batch, form) < Scale.LARGE) == small


def test_a_small_convolution_has_fewer_than_2_25_multiply_adds():
    spec = ConvSpec((Axis(2**16, 2**16 + 255, 256),))
    assert scale_of(spec, 1, "conv") is Scale.SMALL
    assert scale_of(spec, 2, "conv") is Scale.LARGE
    spec = ConvSpec((Axis(2**10 - 1, 2**10 - 1, 1),), 1, 2**8, 2**3)
    assert scale_of(spec, 16, "conv") is Scale.SMALL
    cells = ConvSpec((Axis(1, SMALL_ELEMENTS, 1),))
    assert scale_of(cells, 1, "conv") is Scale.LARGE


@pytest.mark.parametrize("form", OTHERS)
def test_a_signal_without_axes_of_channels_has_one(form):
    assert scale_of(ConvSpec((Axis(69615, 69855, 241),)), 1, form) is Scale.SMALL
    assert scale_of(ConvSpec((Axis(69615, 69855, 241),)), 2, form) is Scale.LARGE


@pytest.mark.parametrize("form", [*OTHERS, "conv"])
def test_a_tiny_problem_has_fewer_than_2_13_multiply_adds(form):
    axis = Axis(2**5, 2**5, 1)
    assert scale_of(ConvSpec((axis,), 1, 2**5, 2**3), 1, form) is Scale.SMALL
    assert scale_of(ConvSpec((axis,), 1, 2**5, 2**3 - 1), 1, form) is Scale.TINY
    assert scale_of(ConvSpec((axis,), 1, 2**4, 2**3), 2, form) is Scale.SMALL
