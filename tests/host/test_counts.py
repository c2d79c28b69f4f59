"""Sizes of a piece, worked out by hand, and channels that are taken at a time.

Three samples of two groups are 6 leading items, with 5 channels of the other side and 4 of
the result's. The axis relates 7 small elements to 13 big ones by 3 taps, with a stride of
2.
"""

import pytest

from mtconv.backends.host.counts import Counts, at_a_time, channels_at_a_time
from mtconv.geometry import Axis

AXIS = Axis(7, 13, 3, 2, 1, 1)
PIECE = Counts(6, 2, 5, 4, (AXIS,), 8)


def test_sizes_of_a_piece():
    assert PIECE.result == 6 * 4 * 7
    assert PIECE._replace(transposed=True).result == 6 * 4 * 13
    assert (PIECE.taps, PIECE.phase, PIECE.phase_taps) == (3, 8, 2)
    # Taps three apart are in one of two phases; dilation 2 puts all into one.
    assert PIECE._replace(axes=(Axis(7, 20, 5, 4, 2),)).phase_taps == 3
    assert PIECE._replace(axes=(AXIS, Axis(2, 9, 4, 4))).phase == 8 * 4


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1000, (4 * 80, 4)),  # all channels at once
        (320, (4 * 80, 4)),
        (319, (2 * 3 * 80, 3)),  # what was done before lives on
        (1, (2 * 80, 1)),
    ],
)
def test_channels_that_a_limit_allows(limit, expected):
    assert at_a_time(limit, 10, 4, 8) == expected
    assert at_a_time(limit, 0, 0, 8)[1] == 1


def test_slices_of_channels_cover_all_of_them():
    assert channels_at_a_time(5, 20, 10) == [slice(0, 2), slice(2, 4), slice(4, 6)]
    assert channels_at_a_time(2, 5, 10) == [slice(0, 1), slice(1, 2)]
