"""Index tables of one axis, worked out by hand from ``o = stride*i + dilation*j - lo``.

Four cells, three taps and a stride of 2 give nine cells: ``y[2t] = x[t]*w[0] +
x[t-1]*w[2]`` and ``y[2t+1] = x[t]*w[1]``.
"""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import subpixel, tap_rows
from mtconv.backends._numpy.col2im import Segment, segments
from mtconv.geometry import Axis, phases

AXIS = Axis(4, 9, 3, 2)


# ---------------------------------------------------------------------- segments


def test_a_phase_is_cut_where_its_taps_change():
    (even, parts), (odd, lone) = segments(AXIS)
    assert (even, odd) == phases(AXIS)
    assert parts == (
        Segment(0, 1, ((0, 0),)),
        Segment(1, 4, ((0, 1), (2, 0))),
        Segment(4, 5, ((2, 3),)),
    )
    assert lone == (Segment(0, 4, ((1, 0),)),)


def test_cells_that_no_tap_reaches_are_segments_without_sources():
    ((_, parts),) = segments(Axis(2, 7, 1, 1, 1, -3))
    assert parts == (Segment(0, 3, ()), Segment(3, 5, ((0, 0),)), Segment(5, 7, ()))
    ((_, parts),) = segments(Axis(2, 2, 1, 1, 1, 5))
    assert parts == (Segment(0, 2, ()),)


# --------------------------------------------------------------------------- wide strides


def test_residues_with_as_many_taps_are_rows_of_one_product():
    """40 taps are two strides of 16, and 8 of a third."""
    assert subpixel.residues_of(Axis(3, 60, 40, 16)) == [(3, 0, 8), (2, 8, 16)]
    assert subpixel.residues_of(Axis(3, 60, 32, 16)) == [(2, 0, 16)]
    assert subpixel.residues_of(Axis(3, 60, 5, 16)) == [(1, 0, 5), (0, 5, 16)]


@pytest.mark.parametrize(
    ("lo", "big", "cells"),
    [(0, 32, (0, 2)), (0, 33, (0, 3)), (5, 60, (0, 5)), (16, 16, (1, 2)), (-3, 4, (-1, 1))],
)
def test_blocks_of_a_stride_that_a_result_touches(lo, big, cells):
    assert subpixel.strides_of(Axis(3, big, 40, 16, 1, lo)) == cells


def test_blocks_that_the_ends_cut_are_parts_of_their_own():
    """A result of 60 cells from cell 5 on: 11 of block 0, blocks 1 to 3, one of block 4."""
    axis = Axis(3, 60, 40, 16, 1, 5)
    first, last = subpixel.residues_of(axis)
    assert subpixel.spans_of(axis, first) == [
        (slice(1, 4), 0, 8, 11),
        (slice(0, 1), 5, 8, -5),
        (slice(4, 5), 0, 1, 59),
    ]
    assert subpixel.spans_of(axis, last) == [
        (slice(1, 4), 8, 16, 11),
        (slice(0, 1), 8, 16, -5),
    ]


def test_a_result_within_one_block_is_one_part():
    axis = Axis(3, 4, 16, 16, 1, 21)
    assert subpixel.strides_of(axis) == (1, 2)
    assert subpixel.spans_of(axis, subpixel.residues_of(axis)[0]) == [
        (slice(0, 1), 5, 9, -5)
    ]
    axis = Axis(3, 10, 16, 16, 1, 11)  # two blocks, and neither of them whole
    assert subpixel.spans_of(axis, subpixel.residues_of(axis)[0]) == [
        (slice(0, 1), 11, 16, -11),
        (slice(1, 2), 0, 5, 5),
    ]
    axis = Axis(3, 32, 16, 16, 1, 16)
    assert subpixel.spans_of(axis, subpixel.residues_of(axis)[0]) == [
        (slice(0, 2), 0, 16, 0)
    ]


@pytest.mark.parametrize(
    ("part", "first"),
    [
        (subpixel.Span(slice(1, 4), 2, 5, 11), 13),
        (subpixel.Span(slice(0, 1), 6, 9, -5), 1),
        (subpixel.Span(slice(4, 5), 0, 1, 59), 59),
        (subpixel.Span(slice(1, 4), 4, 16, 16), 20),
    ],
)
def test_parts_are_views_of_the_result(part, first):
    axis = Axis(3, 64, 40, 16, 1, 5)
    out = np.arange(64).reshape(1, 1, 1, 64)
    got = subpixel.blocks_of((axis,), out, (part,))
    count, width = part.strides.stop - part.strides.start, part.high - part.low
    expected = [[first + 16 * q + n for n in range(width)] for q in range(count)]
    assert got[0, 0, 0].tolist() == expected
    assert np.shares_memory(got, out)


# ------------------------------------------------------------------- rows of a convolution


def test_rows_of_y_are_cut_by_residue():
    """Taps 0 and 1 read rows 2i - 1 and 2i; taps 2 and 3 those one further, and so on."""
    rows = tap_rows.residue_rows(Axis(4, 9, 5, 2, 1, 1))
    assert [tuple(run) for run in rows.runs] == [(0, 2, 0, 0), (2, 2, 0, 1), (4, 1, 0, 2)]
    assert rows.residues == (0, 1)
    assert rows.height == 6
    assert rows.axes == ((1, Axis(6, 4, 1, 1, 1, 1)), (0, Axis(6, 5, 1)))


def test_taps_of_a_dilation_that_divides_the_stride_are_neighbours_among_their_rows():
    """Taps 0 to 2 read rows 6i - 1, 6i + 1 and 6i + 3; tap 3 reads 6(i + 1) - 1."""
    rows = tap_rows.residue_rows(Axis(2, 11, 4, 6, 2, 1))
    assert [tuple(run) for run in rows.runs] == [(0, 3, 0, 0), (3, 1, 0, 1)]
    assert rows.residues == (0, 1, 2)
    assert rows.height == 3
    # Of eleven rows these are 5; 1 and 7; 3 and 9.
    own = [(5, Axis(3, 1, 1, 1, 1, 1)), (1, Axis(3, 2, 1)), (3, Axis(3, 2, 1))]
    assert list(rows.axes) == own


def test_a_residue_that_y_has_no_rows_of_is_none():
    rows = tap_rows.residue_rows(Axis(1, 1, 2, 2))
    assert rows.axes == ((0, Axis(1, 1, 1)), None)
