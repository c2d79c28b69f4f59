"""Kernel gradients of phases at shifts: layouts, samples inside or apart, and views."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import shifted
from mtconv.backends.host.strided import shifted_view
from mtconv.geometry import Axis
from mtconv.testing import reference_kernel_grad

LAYERS = [
    # batch, groups, channels of both sides, big sizes, taps, options
    (1, 1, (3, 2), (23,), (5,), {"stride": 2, "padding": 1}),
    (3, 2, (2, 3), (23,), (4,), {"stride": 3, "padding": ((2, 0),)}),
    (2, 1, (2, 2), (1300,), (3,), {"stride": 2}),
    (2, 3, (1, 1), (11, 14), (3, 4), {"stride": (2, 3), "padding": 1}),
    (1, 1, (2, 3), (9, 12), (3, 3), {"stride": (1, 2), "dilation": (2, 1)}),
    (2, 1, (2, 1), (7, 8, 9), (2, 3, 4), {"stride": (1, 2, 2), "padding": 1}),
    (2, 1, (1, 2), (9, 9), (2, 2), {"stride": 3, "dilation": 3}),
]


@pytest.mark.parametrize("layer", LAYERS, ids=[str(layer[3]) for layer in LAYERS])
@pytest.mark.parametrize("together", [0, 10**9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients(layer, together, dtype, monkeypatch):
    """Samples of fewer elements than ``FOLDED_ELEMENTS`` lie side by side."""
    monkeypatch.setattr(shifted.tuning, "FOLDED_ELEMENTS", together)
    batch, groups, (small, big), sizes, taps, options = layer
    rng = np.random.default_rng(batch + groups)
    y = rng.integers(-4, 5, (batch, groups * big, *sizes)).astype(dtype)
    kernel = np.ones((groups * small, big, *taps), dtype)
    shape = mtconv.conv(y, kernel, groups=groups, **options).shape
    x = rng.integers(-4, 5, shape).astype(dtype)
    options = {**options, "groups": groups, "kernel_size": taps}
    named = {**options, "algorithm": "polyphase", "backend": "numpy"}
    got = mtconv.kernel_grad(x, y, **named)
    assert np.array_equal(got, reference_kernel_grad(x, y, **options))


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


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0, 7), (0, 1, 5, 0), (0, 1, 2, 3)])
def test_what_is_not_finite_in_y_reaches_its_taps_only(value, place):
    """Row ends of x are zeros that meet elements of y which no tap joins to them."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 5, (1, 2, 3, 3)).astype(np.float32)
    y = rng.integers(1, 5, (1, 2, 6, 8)).astype(np.float32)
    y[place] = value
    options = {"stride": (2, 2), "kernel_size": (2, 4)}
    got = mtconv.kernel_grad(x, y, algorithm="polyphase", backend="numpy", **options)
    with np.errstate(invalid="ignore"):
        expected = reference_kernel_grad(x, y, **options)
    assert np.array_equal(got, expected, equal_nan=True)
    assert 0 < np.isfinite(got).sum() < got.size


def test_views_of_shifts_do_not_leave_the_array():
    flat = np.arange(20.0)
    view = shifted_view(flat, ((2, 6), (3, 2)), 10)
    assert view.shape == (2, 3, 10)
    assert [[row[0] for row in part] for part in view] == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(ValueError, match=r"^\(\(2, 6\), \(3, 2\)\) shift 11 elements "):
        shifted_view(flat, ((2, 6), (3, 2)), 11)
    with pytest.raises(ValueError, match="outside of 20"):
        shifted_view(flat, ((2, -1),), 3)
