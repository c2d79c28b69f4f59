"""Kernel gradients of phases at shifts: samples inside or apart, and views."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import shifted
from mtconv.backends.host.strided import shifted_view
from mtconv.geometry import Axis


@pytest.mark.parametrize(
    ("batch", "sizes", "apart"),
    [
        (1, (5,), True),
        (2, (511,), False),
        (2, (512,), True),
        (3, (16, 31), False),
        (3, (16, 32), True),
    ],
)
def test_samples_of_512_elements_lie_apart(batch, sizes, apart):
    axes = tuple(Axis(size, size, 1) for size in sizes)
    assert shifted.lies_apart(batch, axes) == apart


def test_views_of_shifts_do_not_leave_the_array():
    flat = np.arange(20.0)
    view = shifted_view(flat, ((2, 6), (3, 2)), 10)
    assert view.shape == (2, 3, 10)
    assert [[row[0] for row in part] for part in view] == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(ValueError, match=r"^\(\(2, 6\), \(3, 2\)\) shift 11 elements "):
        shifted_view(flat, ((2, 6), (3, 2)), 11)
    with pytest.raises(ValueError, match="outside of 20"):
        shifted_view(flat, ((2, -1),), 3)
