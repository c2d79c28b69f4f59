"""Index tables of one axis, worked out by hand from ``o = stride*i + dilation*j - lo``.

Four cells, three taps and a stride of 2 give nine cells: ``y[2t] = x[t]*w[0] +
x[t-1]*w[2]`` and ``y[2t+1] = x[t]*w[1]``.
"""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import subpixel, tap_rows
from mtconv.backends._numpy.col2im import Segment, segments
from mtconv.backends._numpy.phase_products import PhaseIndices, PhaseProduct, phase_products
from mtconv.backends.host.strided import landings, window_view
from mtconv.geometry import Axis, phases

AXIS = Axis(4, 9, 3, 2)


# ------------------------------------------------------------------------ kinds of phases


def test_phases_of_one_and_of_two_taps_are_two_kinds():
    two, single = phase_products((AXIS,), merge=False)
    assert single == PhaseProduct(
        axes=(Axis(4, 4, 1),),
        sizes=(4,),
        full=(4,),
        taps=(1,),
        phases=(
            PhaseIndices(
                taps=(..., slice(1, None, -2)),
                rows=(slice(0, None),),
                fewer=False,
                big=(..., slice(1, None, 2)),
                inner=(..., slice(0, 4)),
            ),
        ),
        alone=False,
        key=(0, 1, 2, 1),
    )
    assert two == PhaseProduct(
        axes=(Axis(5, 4, 2, 1, 1, 1),),
        sizes=(5,),
        full=(5,),
        taps=(2,),
        phases=(
            PhaseIndices(
                taps=(..., slice(2, None, -2)),
                rows=(slice(0, None),),
                fewer=False,
                big=(..., slice(0, None, 2)),
                inner=(..., slice(0, 5)),
            ),
        ),
        alone=False,
        key=(0, 0, 2, 2),
    )


def test_merged_they_are_one_kind_with_a_zero_before_the_lone_tap():
    (kind,) = phase_products((AXIS,), merge=True)
    even, odd = kind.phases
    assert kind.axes == (Axis(5, 4, 2, 1, 1, 1),)
    assert (even.rows, even.fewer, even.inner) == (
        (slice(0, None),),
        False,
        (..., slice(0, 5)),
    )
    assert (odd.rows, odd.fewer, odd.inner) == ((slice(1, None),), True, (..., slice(0, 4)))
    assert kind.key == (1, 0, 2, 2, 1, 2, 1)


def test_phases_that_begin_later_read_from_within():
    """One cell of padding: phase 1 begins with x[1]*w[0] + x[0]*w[2]."""
    (kind,) = phase_products((Axis(4, 8, 3, 2, 1, 1),), merge=True)
    assert [member.inner for member in kind.phases] == [
        (..., slice(0, 4)),
        (..., slice(1, 5)),
    ]


def test_phases_that_begin_two_cells_later_read_one_from_within():
    """Four cells of padding, a stride of 3: phases begin with x[1], x[1] and x[2]."""
    (kind,) = phase_products((Axis(6, 9, 4, 3, 1, 4),), merge=True)
    assert [member.inner for member in kind.phases] == [
        (..., slice(0, 3)),
        (..., slice(0, 3)),
        (..., slice(1, 4)),
    ]
    assert [member.rows for member in kind.phases] == [
        (slice(1, None),),
        (slice(1, None),),
        (slice(0, None),),
    ]
    (kind,) = phase_products((Axis(4, 11, 5, 2),), merge=True)  # three taps and two
    assert [member.rows for member in kind.phases] == [
        (slice(0, None),),
        (slice(1, None),),
    ]


def test_taps_of_a_phase_may_be_cells_apart():
    """A dilation of 3, a stride of 2: ``y[2t] = x[t]*w[0] + x[t-3]*w[2]``."""
    two, single = phase_products((Axis(4, 20, 3, 2, 3),), merge=False)
    assert two.axes == (Axis(10, 4, 2, 1, 3, 3),)
    assert single.axes == (Axis(10, 4, 1, 1, 3, 1),)


def test_kinds_of_two_axes_are_all_pairs():
    got = phase_products((AXIS, AXIS), merge=False)
    assert [[axis.kernel for axis in kind.axes] for kind in got] == [
        [2, 2],
        [2, 1],
        [1, 2],
        [1, 1],
    ]
    assert [len(kind.phases) for kind in got] == [1, 1, 1, 1]
    (kind,) = phase_products((AXIS, AXIS), merge=True)
    assert [member.fewer for member in kind.phases] == [False, True, True, True]


@pytest.mark.parametrize(
    ("axis", "alone"),
    [
        (Axis(4, 6, 3), True),
        (Axis(4, 4, 3, 1, 1, 1), True),
        (Axis(4, 1, 3, 5), False),  # one phase, but every fifth cell
        (Axis(4, 8, 2, 2), False),
    ],
)
def test_one_phase_is_alone_if_it_is_all_of_the_result(axis, alone):
    (kind,) = phase_products((axis,), merge=False)
    assert kind.alone == alone


def test_an_axis_without_taps_has_no_kinds():
    assert phase_products((Axis(4, 2, 1, 5, 1, -1),), merge=False) != ()
    assert phase_products((Axis(4, 1, 1, 5, 1, -2),), merge=False) == ()
    assert phase_products((Axis(4, 1, 1, 5, 1, -2), AXIS), merge=True) == ()


def test_taps_are_read_backwards():
    (kind,) = phase_products((Axis(4, 10, 7),), merge=False)
    kernel = np.arange(7)
    assert kernel[kind.phases[0].taps].tolist() == [6, 5, 4, 3, 2, 1, 0]
    got = {
        tuple(kernel[member.taps].tolist())
        for kind in phase_products((Axis(4, 20, 7, 3),), merge=False)
        for member in kind.phases
    }
    assert got == {(6, 3, 0), (4, 1), (5, 2)}


# ----------------------------------------------------------------------- segments, landings


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


def test_landings_are_pairs_of_windows():
    got = landings((Axis(4, 8, 3, 2, 1, 1), Axis(2, 2, 1)))
    assert got == (
        ((0, 0), (slice(1, 4), slice(0, 2)), (slice(1, 6, 2), slice(0, 2, 1)), False),
        ((1, 0), (slice(0, 4), slice(0, 2)), (slice(0, 7, 2), slice(0, 2, 1)), True),
        ((2, 0), (slice(0, 4), slice(0, 2)), (slice(1, 8, 2), slice(0, 2, 1)), True),
    )


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


def test_a_residue_that_y_has_no_rows_of_is_none():
    rows = tap_rows.residue_rows(Axis(1, 1, 2, 2))
    assert rows.axes == ((0, Axis(1, 1, 1)), None)


# -------------------------------------------------------------------------- strided views


def test_windows_are_views_whose_steps_are_taken():
    y = np.arange(24).reshape(2, 12)
    view = window_view(y, (Axis(4, 12, 3, 2, 2, -1),))
    assert view.shape == (2, 4, 3)
    assert view.strides == (12 * 8, 16, 16)
    assert view[1].tolist() == [[13 + 2 * i + 2 * j for j in range(3)] for i in range(4)]
    assert np.shares_memory(view, y)
    assert not view.flags.writeable


def test_steps_that_are_never_taken_are_zero():
    """They may be beyond any address: strides of one cell, dilations of one tap."""
    y = np.arange(5.0)
    assert window_view(y, (Axis(1, 5, 3, 2**70, 1),)).strides == (0, 8)
    assert window_view(y, (Axis(3, 5, 1, 1, 2**70),)).strides == (8, 0)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(3, 4, 3),  # the last tap is outside
        Axis(5, 5, 3),
        Axis(3, 5, 3, 1, 1, 1),  # the first
        Axis(3, 5, 3, 1, 1, -1),
        Axis(0, 5, 3),
        Axis(3, 5, 0),
        Axis(3, 6, 3),  # another size
    ],
)
def test_views_that_would_leave_their_array_are_refused(axis):
    with pytest.raises(ValueError, match=r"taps outside|big sizes"):
        window_view(np.zeros(5 if axis.big != 4 else 4), (axis,))
