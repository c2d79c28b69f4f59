"""Kernel gradients by windows of x: what is copied, and what products are made."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import windows
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from mtconv.planning import tuning


@pytest.mark.parametrize(
    ("options", "copied"), [({}, False), ({"stride": 2}, True), ({"dilation": 2}, False)]
)
def test_one_phase_of_y_is_multiplied_where_it_lies(options, copied, watch):
    added = watch(windows, "add_correlation")
    axes = mtconv.ConvSpec.from_shapes((2, 2, 20, 30), (2, 5, 2, 3), **options).axes
    x, y = np.ones((1, 2, 2, 20, 30)), np.ones((2, 1, 5, *(axis.big for axis in axes)))
    windows.kernel_grad(axes, x, y, np.zeros((1, 2, 5, 2, 3)), Workspace())
    assert added
    assert all(np.shares_memory(call.args[1], y) != copied for call in added)


@pytest.mark.parametrize(
    ("taps", "fitting", "products"),
    [
        # Two phases of four taps and 103 elements, of four of five channels at a time.
        (8, 4, [(8, 8, 103), (8, 2, 103)]),
        (8, 3.9, [(8, 6, 103), (8, 4, 103)]),
        # A phase of taps 0 and 2, and one of tap 1.
        (3, 5, [(4, 5, 101), (2, 5, 100)]),
    ],
)
def test_products_of_phases_with_as_many_taps(taps, fitting, products, watch, monkeypatch):
    """Rows, columns and elements; phases of so many channels fit the memory."""
    added = watch(windows, "add_correlation")
    (axis,) = mtconv.ConvSpec.from_shapes((1, 2, 100), (2, 5, taps), stride=2).axes
    phases = 2 if taps == 8 else 1
    monkeypatch.setattr(tuning, "GATHER_BYTES", int(fitting * 8 * 103 * phases))
    x, y = np.ones((1, 2, 1, 100)), np.ones((1, 1, 5, axis.big))
    out = np.zeros((1, 2, 5, taps))
    windows.kernel_grad((axis,), x, y, out, Workspace())
    shapes = [(rows.shape[2], *columns.shape[2:]) for (rows, columns, *_), *_ in added]
    assert shapes == products


def test_few_channels_of_x_are_gathered_without_being_asked(watch):
    pieces = watch(windows, "kernel_grad")
    x, y = np.ones((2, 8, 79, 47), np.float32), np.ones((2, 120, 160, 96), np.float32)
    mtconv.kernel_grad(x, y, kernel_size=(4, 4), stride=2, backend="numpy")
    assert {piece.args[1].shape[1] for piece in pieces} == {8}


@pytest.mark.parametrize("lo", [0, 3])
def test_taps_that_meet_no_element_add_nothing(lo):
    axes = (Axis(2, 3, 2, 1, 1, -5 - lo),)
    x, y = np.ones((1, 1, 1, 2)), np.ones((1, 1, 1, 3))
    out = np.full((1, 1, 1, 2), 7.0)
    windows.kernel_grad(axes, x, y, out, Workspace())
    assert (out == 7).all()
