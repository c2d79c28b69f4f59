"""What is extended by zeros, and what is left alone."""

import numpy as np
import pytest

from mtconv.backends.host.extension import clips, extend
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis


def test_extend_leaves_alone_what_is_whole_and_what_would_be_much_larger():
    whole = (Axis(3, 7, 3, 2, 1, 0),)
    y = np.arange(7.0).reshape(1, 1, 1, 7)
    assert extend(whole, y, Workspace())[1] is y
    far = (Axis(3, 7, 3, 10**6, 1, 0),)
    assert extend(far, y, Workspace())[1] is y
    clipped = (Axis(3, 4, 3, 2, 1, 1),)
    (axis,), extended = extend(clipped, y[..., :4], Workspace())
    assert axis == Axis(3, 7, 3, 2, 1, 0)
    assert extended.ravel().tolist() == [0, 0, 1, 2, 3, 0, 0]


@pytest.mark.parametrize(
    ("axis", "lead", "extended"),
    [
        # 2**16 cells are extended to, whatever the size of y, and twice as many as y has.
        (Axis(1000, 1, 2**16 - 999, 1, 1, 5), (), True),
        (Axis(1000, 1, 2**16 - 998, 1, 1, 5), (), False),
        (Axis(1000, 40000, 79001, 1, 1, 5), (), True),  # 80000
        (Axis(1000, 40000, 79002, 1, 1, 5), (), False),
        (Axis(1000, 1, 2**14 - 999, 1, 1, 5), (2, 2), True),
        (Axis(1000, 1, 2**14 - 998, 1, 1, 5), (2, 2), False),
    ],
)
def test_y_is_extended_by_zeros_up_to_a_size(axis, lead, extended):
    y = np.zeros((*lead, axis.big))
    (got,), array = extend((axis,), y, Workspace())
    assert (array is not y) == extended
    assert array.shape[-1] == (axis.full if extended else axis.big)
    assert got == (Axis(1000, axis.full, axis.kernel) if extended else axis)
    (got,), array = extend((axis,), y, Workspace(), always=True)
    assert array.shape[-1] == axis.full


def test_a_whole_y_is_copied_if_asked():
    axis = Axis(3, 9, 3, 2, 1, 0)  # and two cells that no tap reaches
    y = np.arange(9.0)
    for copy in (False, True):
        axes, got = extend((axis,), y, Workspace(), copy=copy)
        assert axes == (axis,)
        assert (got is y) != copy
        assert np.array_equal(got, y)


@pytest.mark.parametrize(
    ("axis", "clipped"),
    [
        (Axis(3, 5, 3), False),
        (Axis(3, 6, 3), False),
        (Axis(3, 4, 3), True),  # one cell too few at the end
        (Axis(3, 5, 3, 1, 1, 1), True),  # at the beginning
        (Axis(3, 6, 3, 1, 1, -1), False),
        (Axis(3, 5, 3, 1, 1, -1), True),
    ],
)
def test_taps_are_clipped_at_either_end(axis, clipped):
    assert clips(axis) == clipped
