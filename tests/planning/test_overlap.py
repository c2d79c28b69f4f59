"""Blocks of `fft`: their lengths, cells and costs, with numbers worked out by hand."""

from __future__ import annotations

import pytest

from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.planning.overlap import (
    Blocks,
    blocks_of,
    fast_length,
    largest_block,
    most_elements,
    pass_cost,
    places,
    span_of,
)

LARGE = 2**18


@pytest.mark.parametrize(
    ("least", "length"),
    [
        (1, 1),
        (2, 2),
        (7, 8),
        (11, 12),
        (13, 15),
        (17, 18),
        (19, 20),
        (21, 24),
        (31, 32),
        (33, 36),
        (49, 50),
        (65, 72),
        (76, 80),
        (91, 96),
        (121, 125),
        (217, 225),
        (1025, 1080),
        (4097, 4320),
    ],
)
def test_lengths_are_products_of_2_3_and_5(least, length):
    assert fast_length(least) == length


@pytest.mark.parametrize(
    ("axis", "span", "reach"),
    [
        (Axis(3, 9, 5, 2), 3, (0, 5)),  # taps 0, 2 and 4 are of one phase
        (Axis(4, 12, 6, 2), 3, (0, 6)),
        (Axis(4, 12, 5, 2, 3), 7, (0, 6)),  # two taps of a phase are three elements apart
        (Axis(9, 9, 1), 1, (0, 9)),
        (Axis(9, 5, 3, 1, 1, 4), 3, (4, 9)),  # four elements are cropped, and two
        (Axis(9, 20, 3, 1, 1, -5), 3, (0, 11)),  # nothing is in reach before and behind
    ],
)
def test_what_the_taps_of_a_phase_span_and_reach(axis, span, reach):
    assert span_of(axis) == span
    assert places(axis) == reach


def test_one_block_is_as_long_as_nothing_wraps():
    """Five cells, of which three more have to be known, are eight."""
    assert blocks_of((Axis(5, 8, 4),), False, LARGE) == (Blocks(0, 5, 4, 8),)
    # Transposed, eight cells are in reach: eleven, and so twelve.
    assert blocks_of((Axis(5, 8, 4),), True, LARGE) == (Blocks(0, 8, 4, 12),)


def test_cells_of_a_block_and_blocks_of_all_cells():
    blocks = Blocks(first=2, cells=100, span=5, length=32)
    assert (blocks.size, blocks.number) == (28, 4)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("small", [1, 100, 5000, 300_000])
@pytest.mark.parametrize("kernel", [1, 2, 30, 513])
def test_long_axes_are_cut_into_blocks_that_stay_in_the_caches(small, kernel, transposed):
    axis = Axis(small, small + kernel - 1, kernel)
    (blocks,) = blocks_of((axis,), transposed, LARGE)
    assert blocks.cells == (small + kernel - 1 if transposed else small)
    assert blocks.number * blocks.size >= blocks.cells > (blocks.number - 1) * blocks.size
    assert blocks.length <= max(64 * kernel, 2 * tuning.SHORT_ROW)


def test_blocks_keep_within_a_number_of_elements_if_they_can():
    axes = (Axis(1000, 1062, 63), Axis(1000, 1062, 63))
    for most in (2**18, 2**16, 2**15):
        lengths = [axis.length for axis in blocks_of(axes, True, most)]
        assert most / 8 < lengths[0] * lengths[1] <= most
    # One and a half times what the taps span is the least.
    assert [axis.length for axis in blocks_of(axes, True, 1)] == [96, 96]


def test_rows_cost_more_beyond_the_caches_and_with_odd_factors():
    assert pass_cost(16) == pass_cost(256) == 1
    assert pass_cost(512) == 1 + tuning.LONGER_ROW
    odd = 1 + 2 * tuning.ODD_FACTOR
    assert pass_cost(225) == pytest.approx(1 + 4 * tuning.ODD_FACTOR)
    assert pass_cost(2**8 * 9) == pytest.approx(odd * (1 + 3.17 * tuning.LONGER_ROW), 0.01)
    assert pass_cost(2**16) == 1 + 8 * tuning.LONGER_ROW + tuning.BEYOND_CACHE


def test_many_channels_have_smaller_blocks():
    assert most_elements(8) == tuning.SPECTRUM_BYTES // 8
    assert most_elements(8, 2) == most_elements(8)
    assert most_elements(8, 64) == most_elements(8) // 32
    assert most_elements(16, 10**6) == tuning.LEAST_BLOCK


def test_the_bound_of_a_block_holds_for_shorter_axes():
    for whole in (10, 300, 5000, 100_000):
        bound, _ = largest_block((Axis(whole, whole + 29, 30),), True, LARGE)
        for small in (1, whole // 3, whole):
            (blocks,) = blocks_of((Axis(small, small + 29, 30),), True, LARGE)
            assert blocks.length <= bound
    assert largest_block((Axis(5, 8, 4),), False, LARGE) == (8, True)
    # 5 cells, and three more on either side.
    assert largest_block((Axis(5, 8, 4),), True, LARGE) == (12, True)
    assert largest_block((Axis(10**6, 10**6, 1),), False, LARGE) == (LARGE, False)
