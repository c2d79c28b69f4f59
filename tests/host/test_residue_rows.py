"""The first axis of a convolution by residue: runs of taps, and rows that they share."""

from __future__ import annotations

from mtconv.backends.host.residue_rows import residue_rows
from mtconv.geometry import Axis


def test_rows_of_y_are_cut_by_residue():
    """Taps 0 and 1 read rows 2i - 1 and 2i; taps 2 and 3 those one further, and so on."""
    rows = residue_rows(Axis(4, 9, 5, 2, 1, 1))
    assert [tuple(run) for run in rows.runs] == [(0, 2, 0, 0), (2, 2, 0, 1), (4, 1, 0, 2)]
    assert rows.residues == (0, 1)
    assert rows.height == 6
    assert rows.axes == ((1, Axis(6, 4, 1, 1, 1, 1)), (0, Axis(6, 5, 1)))


def test_taps_of_a_dilation_that_divides_the_stride_are_neighbours_among_their_rows():
    """Taps 0 to 2 read rows 6i - 1, 6i + 1 and 6i + 3; tap 3 reads 6(i + 1) - 1."""
    rows = residue_rows(Axis(2, 11, 4, 6, 2, 1))
    assert [tuple(run) for run in rows.runs] == [(0, 3, 0, 0), (3, 1, 0, 1)]
    assert rows.residues == (0, 1, 2)
    assert rows.height == 3
    # Of eleven rows these are 5; 1 and 7; 3 and 9.
    own = [(5, Axis(3, 1, 1, 1, 1, 1)), (1, Axis(3, 2, 1)), (3, Axis(3, 2, 1))]
    assert list(rows.axes) == own


def test_a_residue_that_y_has_no_rows_of_is_none():
    rows = residue_rows(Axis(1, 1, 2, 2))
    assert rows.axes == ((0, Axis(1, 1, 1)), None)
