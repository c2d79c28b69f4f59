"""Index tables of one axis, worked out by hand from ``o = stride*i + dilation*j - lo``.

Four cells, three taps and a stride of 2 give nine cells: ``y[2t] = x[t]*w[0] +
x[t-1]*w[2]`` and ``y[2t+1] = x[t]*w[1]``.
"""

from __future__ import annotations

from mtconv.backends.host.phase_sums import Segment, phase_sums, segments
from mtconv.geometry import Axis, phases

AXIS = Axis(4, 9, 3, 2)


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


def test_one_stretch_from_one_tap_needs_no_sum():
    """A kernel as long as its stride: every phase is one tap's cells."""
    even = phase_sums(Axis(4, 8, 2, 2), 0, 2)
    assert [step.alone is not None for step in even] == [True, True]
    assert [step.size for step in even] == [4, 4]
    for axis in (Axis(4, 5, 2), Axis(4, 9, 2, 2), Axis(4, 10, 4, 2)):
        assert phase_sums(axis, 0, 2)[0].alone is None
