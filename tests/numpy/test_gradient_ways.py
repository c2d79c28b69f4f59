"""Kernel gradients of `polyphase`, by shifts and by windows of x: both give the same."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends import _numpy
from mtconv.backends._numpy import polyphase, windows
from mtconv.planning import tuning
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
    (3, 1, (2, 5), (12, 9), (2, 3), {}),  # one phase, small samples
    (2, 1, (2, 5), (34, 40), (2, 3), {}),  # one phase, samples apart
    (1, 2, (1, 4), (16, 17), (3, 3), {"padding": 2}),  # y is read where it lies
    (2, 1, (1, 3), (9,), (2,), {"stride": 4}),  # phases without taps
    (2, 1, (2, 3), (4,), (5,), {"padding": 4, "stride": 2}),  # windows beyond y
]


@pytest.fixture(params=["shifts", "windows"])
def pieces(request, monkeypatch, watch, cut_anew):
    """Compute all kernel gradients of "polyphase" in one way, and note its pieces."""
    cut_anew()  # plans keep their way
    monkeypatch.setattr(_numpy, "gradient_way", lambda *_: request.param)
    return watch({"shifts": polyphase, "windows": windows}[request.param], "kernel_grad")


def gradient(x, y, **options):
    return mtconv.kernel_grad(x, y, algorithm="polyphase", backend="numpy", **options)


def drawn(layer, dtype, seed=0):
    """Draw integer-valued x and y of a layer; also return all options."""
    batch, groups, (small, big), sizes, taps, options = layer
    rng = np.random.default_rng(seed)
    y = rng.integers(-4, 5, (batch, groups * big, *sizes)).astype(dtype)
    kernel = np.ones((groups * small, big, *taps), dtype)
    shape = mtconv.conv(y, kernel, groups=groups, **options).shape
    x = rng.integers(-4, 5, shape).astype(dtype)
    return x, y, {**options, "groups": groups, "kernel_size": taps}


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("together", [0, 10**9])
@pytest.mark.parametrize("at_a_time", [1, 2**22])
def test_gradients(layer, together, at_a_time, pieces, monkeypatch):
    """Samples lie side by side or apart; one channel of y at a time, or all."""
    monkeypatch.setattr(tuning, "FOLDED_ELEMENTS", together)
    monkeypatch.setattr(tuning, "GATHER_BYTES", at_a_time)
    for dtype in (np.float32, np.float64, np.complex64):
        x, y, options = drawn(layer, dtype)
        assert np.array_equal(
            gradient(x, y, **options), reference_kernel_grad(x, y, **options)
        )
    assert pieces


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0, 7), (0, 1, 5, 0), (0, 1, 2, 3)])
def test_what_is_not_finite_in_y_reaches_its_taps_only(value, place, pieces):
    """Zeros at the ends of x meet elements of y that no tap joins to them."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 5, (1, 2, 3, 3)).astype(np.float32)
    y = rng.integers(1, 5, (1, 2, 6, 8)).astype(np.float32)
    y[place] = value
    options = {"stride": (2, 2), "kernel_size": (2, 4)}
    got = gradient(x, y, **options)
    with np.errstate(invalid="ignore"):
        expected = reference_kernel_grad(x, y, **options)
    assert np.array_equal(got, expected, equal_nan=True)
    assert 0 < np.isfinite(got).sum() < got.size
    assert pieces


def test_what_is_not_finite_in_x_reaches_its_taps_only(pieces):
    x, y = np.array([np.inf, 1.0]), np.array([1.0, 1.0, 1.0])
    grad = gradient(x, y, kernel_size=(4,), padding=1)
    assert grad.tolist() == [1.0, np.inf, np.inf, np.inf]
    assert pieces


def test_sums_of_many_small_samples_are_of_single_precision(pieces):
    """Chains of additions stay short, whatever the number of samples."""
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 2, (20_000, 2, 3)).astype(np.float32)
    y = rng.uniform(1, 2, (20_000, 6, 4)).astype(np.float32)
    exact = np.einsum("bin,bonj->ioj", x.astype(float), _pairs(y.astype(float)))
    got = gradient(x, y, kernel_size=(2,))
    assert np.abs(got / exact - 1).max() < 1e-5
    assert pieces


def _pairs(y):
    """Stack what taps 0 and 1 meet of y (b, c, n + 1)."""
    return np.stack([y[..., :-1], y[..., 1:]], axis=-1)


@pytest.mark.parametrize(
    ("dtype", "largest", "computing"),
    [
        ("float16", 1, "float32"),
        ("float64", 1, "float64"),
        ("int32", 1, "float64"),
        ("int64", 2**40, "int64"),  # sums may be 2**53 and more
    ],
)
def test_the_way_is_chosen_for_the_dtype_of_sums(
    dtype, largest, computing, monkeypatch, cut_anew
):
    asked = []

    def way(_spec, batch, dtype):
        asked.append((batch, dtype))
        return "shifts"

    monkeypatch.setattr(_numpy, "gradient_way", way)
    cut_anew()
    x, y = np.full((3, 2, 4), largest, dtype), np.full((3, 2, 5), largest, dtype)
    gradient(x, y, kernel_size=(2,))
    gradient(x, y, kernel_size=(2,))  # the plan keeps it
    assert asked == [(3, computing)]
