"""Runs of what taps meet, worked out by hand: where they start, and what they read."""

from __future__ import annotations

from mtconv.backends.host.row_runs import row_runs
from mtconv.geometry import Axis


def test_runs_of_two_axes():
    """Rows have five elements; tap 1 of the first axis meets what lies a row further.

    Both runs have two rows. Tap 1 of the last axis reads two elements further.
    """
    sizes, first, last, starts = row_runs((Axis(2, 3, 2), Axis(3, 5, 2, 1, 2)))
    assert sizes == (3 + 1, 5)
    assert first == (0, 0)
    assert starts == (0, 5)
    assert last == Axis(10, 12, 2, 1, 2)


def test_runs_of_three_axes_begin_in_the_padding():
    """Planes have 3 rows of 4: dilated taps of the first axis are two planes apart."""
    axes = (Axis(2, 3, 2, 1, 2, 1), Axis(2, 3, 2), Axis(3, 4, 2, 1, 1, 2))
    sizes, first, last, starts = row_runs(axes)
    assert sizes == (4 + 1, 3, 4)
    assert first == (-1, 0, -2)
    assert starts == (0, 4, 24, 28)
    assert last == Axis(24, 25, 2)


def test_one_axis_is_one_run():
    sizes, first, last, starts = row_runs((Axis(4, 6, 3, 1, 1, 1),))
    assert (sizes, first, starts) == ((7,), (-1,), (0,))
    assert last == Axis(4, 6, 3)
