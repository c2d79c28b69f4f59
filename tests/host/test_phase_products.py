"""Phases of one product, worked out by hand from ``o = stride*i + dilation*j - lo``.

Four cells, three taps and a stride of 2 give nine cells: ``y[2t] = x[t]*w[0] +
x[t-1]*w[2]`` and ``y[2t+1] = x[t]*w[1]``.
"""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host.phase_products import PhaseIndices, PhaseProduct, phase_products
from mtconv.geometry import Axis

AXIS = Axis(4, 9, 3, 2)


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
