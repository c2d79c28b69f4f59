"""What is extended by zeros, and what is left alone."""

import numpy as np

from mtconv.backends.host.extension import extend
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
