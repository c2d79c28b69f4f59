"""Phases as shifts, worked out by hand from ``o = stride*i + dilation*j - lo``.

Four elements, three taps and a stride of 2 give nine elements: ``y[2t] = x[t]*w[0] +
x[t-1]*w[2]`` and ``y[2t+1] = x[t]*w[1]``.
"""

from __future__ import annotations

from mtconv.backends.host.phase_shifts import phase_shifts
from mtconv.geometry import Axis

AXIS = Axis(4, 9, 3, 2)
EVERY_OTHER, ODD = slice(0, None, 2), slice(1, None, 2)


def test_phases_of_one_axis():
    """The longer phase has five elements."""
    (even, odd), full = phase_shifts((AXIS,))
    assert even == ((..., EVERY_OTHER, slice(None)), (..., EVERY_OTHER), (Axis(4, 5, 2),))
    assert odd == ((..., ODD, slice(None)), (..., ODD), (Axis(4, 4, 1),))
    assert full == (5,)


def test_samples_lie_behind_the_first_axis():
    """The second axis has one phase: two elements of x become three."""
    (even, odd), full = phase_shifts((AXIS, Axis(2, 3, 2)))
    every = slice(0, None, 1)
    assert even.big == (..., EVERY_OTHER, slice(None), every)
    assert odd.big == (..., ODD, slice(None), every)
    assert (even.taps, odd.taps) == ((..., EVERY_OTHER, every), (..., ODD, every))
    assert even.axes == (Axis(4, 5, 2), Axis(2, 3, 2))
    assert full == (5, 3)


def test_phases_without_taps_are_left_out():
    """One tap and a stride of 3: only every third element meets one."""
    (only,), full = phase_shifts((Axis(2, 6, 1, 3),))
    assert only.big == (..., slice(0, None, 3), slice(None))
    assert only.axes == (Axis(2, 2, 1),)
    assert full == (2,)
