"""Moves of each way to gather columns, counted by hand.

Six planes (two samples of three channels) of 11 by 22 elements have columns of 5 by 7
elements for 3 by 4 taps with strides of 2 and 3: 6 * 12 * 35 = 2520 elements in rows of 7.
"""

from __future__ import annotations

from math import inf

import pytest

from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.planning.gathers import (
    extended_elements,
    gathers,
    shared_columns,
    shared_rows,
)

AXES = (Axis(5, 11, 3, 2), Axis(7, 22, 4, 3))
PLANES, COLUMNS, Y = 6, 2520, 6 * 242
RUN = tuning.RUN_MOVES


def moves_of(*axes, planes=1, share=1, **options):
    return gathers(axes, planes, share, **options)


def test_each_element_is_read_with_the_stride():
    each = tuning.STRIDED_MOVES + 3 * tuning.WIDE_MOVES
    expected = COLUMNS * (each + RUN / 7)
    assert moves_of(*AXES, planes=PLANES, share=3).direct == pytest.approx(expected)


def test_a_stride_of_one_makes_long_runs():
    assert moves_of(Axis(10, 12, 3)).direct == pytest.approx(30 * (1 + RUN / 10))


def test_from_a_stride_of_16_on_each_element_has_a_line_of_its_own():
    wide = [moves_of(Axis(10, 9 * s + 3, 3, s)).direct for s in (15, 16, 17, 400)]
    assert wide[1] - wide[0] == pytest.approx(30 * tuning.WIDE_MOVES)
    assert wide[1] == wide[2] == wide[3]


def test_y_is_extended_where_taps_are_clipped():
    """With a padding of 1 on both sides 12 elements are read of 10."""
    clipped, whole = moves_of(Axis(10, 10, 3, lo=1)), moves_of(Axis(10, 12, 3))
    extended = 12 * (tuning.EXTENDED_MOVES + RUN / 12)
    assert clipped.direct == pytest.approx(whole.direct + extended)
    low = moves_of(Axis(10, 11, 3, lo=1)), moves_of(Axis(10, 11, 3))
    assert low[0].direct == low[1].direct == clipped.direct
    assert moves_of(Axis(10, 13, 3)).direct == whole.direct  # y is longer than that


def test_by_phase_y_is_put_side_by_side_once():
    expected = Y * (tuning.PHASE_MOVES + RUN / 22) + COLUMNS * (1 + RUN / 7)
    for calls in (1, 2):
        got = moves_of(*AXES, planes=PLANES, share=3, calls=calls).by_phase
        assert got == pytest.approx(expected + calls * 3 * tuning.PHASE_CALL)


def test_with_a_dilation_only_some_phases_have_taps():
    """Taps 2 apart meet one of two phases of a stride of 2, and three of three."""
    half = moves_of(Axis(10, 23, 3, 2, 2)).by_phase
    expected = 23 / 2 * (tuning.PHASE_MOVES + RUN / 23) + 30 * (1 + RUN / 10)
    assert half == pytest.approx(expected + tuning.PHASE_CALL)
    third = moves_of(Axis(10, 34, 4, 3, 2)).by_phase
    expected = 34 * (tuning.PHASE_MOVES + RUN / 34) + 40 * (1 + RUN / 10)
    assert third == pytest.approx(expected + 3 * tuning.PHASE_CALL)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2), (3, 4)])
def test_phases_are_for_taps_that_share_elements(kernel, stride):
    assert moves_of(Axis(10, 60, kernel, stride)).by_phase == inf


@pytest.mark.parametrize(
    ("form", "packed"), [("conv", tuning.PACK_COLUMN), ("kernel_grad", 0)]
)
def test_taps_last_bring_channels_to_the_end(form, packed):
    """Runs are four taps of three channels; a kernel of two rows changes its order."""
    got = moves_of(*AXES, planes=PLANES, share=3, rows=2, form=form).taps_last
    expected = Y * (1 + tuning.TURN_MOVES + RUN / 3)
    expected += COLUMNS * (2 + RUN / 12 + packed) + 2 * 3 * 12 * tuning.KERNEL_MOVES
    assert got == pytest.approx(expected)


def test_taps_last_of_a_single_channel_are_read_in_rows_of_y():
    got = moves_of(Axis(10, 12, 3)).taps_last
    read, run = tuning.TURN_MOVES + RUN / 12, 2 + RUN / 3
    assert got == pytest.approx(12 * (1 + read) + 30 * (run + tuning.PACK_COLUMN))


def test_a_dilation_parts_neighbouring_taps():
    apart, near = (
        moves_of(Axis(10, 14, 3, 1, 2), planes=4, share=4),
        moves_of(Axis(10, 12, 3), planes=4, share=4),
    )
    turned = 2 * 4 * (1 + tuning.TURN_MOVES + RUN / 4)
    assert apart.taps_last - near.taps_last == pytest.approx(
        turned + 120 * RUN * (1 / 4 - 1 / 12)
    )


def test_mostly_zeros_are_not_moved():
    """Taps so far apart leave elements between them that nothing needs."""
    assert moves_of(Axis(3, 4000, 2, 1999)).taps_last == inf
    assert moves_of(Axis(10, 12, 0)).taps_last == inf  # without a tap there are no columns


def test_the_cheaper_way_in_rows_of_space():
    assert gathers(AXES, PLANES, 3).by_rows == gathers(AXES, PLANES, 3).direct
    large = gathers((Axis(10**6, 2 * 10**6 + 7, 9, 2),), 1, 1)
    assert large.by_rows == large.by_phase < large.direct


def test_elements_that_taps_meet():
    assert extended_elements(AXES) == 11 * 22
    assert extended_elements((Axis(0, 3, 1, 2),)) == 0


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis(10, 33, 6, 3), (3, 11)),  # taps 0 to 2, and 3 to 5 a row on
        (Axis(10, 34, 7, 3), (3, 12)),  # tap 6 is two rows on
        (Axis(10, 10, 1), (1, 10)),
        (Axis(10, 20, 2, 4), (2, 10)),  # two residues of four
        (Axis(10, 26, 3, 2, 4), (1, 14)),  # taps are two rows apart, all of one residue
        (Axis(3, 103, 2, 1, 100), (1, 6)),  # two runs that share nothing
        (Axis(0, 0, 3, 2), (2, 0)),
    ],
)
def test_rows_that_taps_share(axis, expected):
    assert shared_rows(axis) == expected


def test_columns_of_rows_that_taps_share():
    """Of 33 elements for ten, seven taps of the other axis and two channels make 462."""
    axes = (Axis(10, 33, 6, 3), Axis(5, 17, 7, 2))
    assert shared_columns(axes, 2) == 47
    assert shared_columns((Axis(0, 0, 3, 2),), 2) == 0
