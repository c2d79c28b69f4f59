"""Kernel gradients by windows of x: results, copies, and what is not finite."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends import _numpy
from mtconv.backends._numpy import windows
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from mtconv.testing import reference_kernel_grad
from tests.numpy.test_shifted import LAYERS

MORE = [
    # batch, groups, channels of both sides, big sizes, taps, options
    (3, 1, (2, 5), (12, 9), (2, 3), {}),  # one phase, small samples
    (2, 1, (2, 5), (34, 40), (2, 3), {}),  # one phase, samples apart
    (1, 2, (1, 4), (16, 17), (3, 3), {"padding": 2}),  # y is read where it lies
    (2, 1, (1, 3), (9,), (2,), {"stride": 4}),  # phases without taps
    (2, 1, (2, 3), (4,), (5,), {"padding": 4, "stride": 2}),  # windows beyond y
]


@pytest.fixture
def by_windows(monkeypatch):
    """Compute all kernel gradients of "polyphase" by windows of x, and count pieces."""
    monkeypatch.setattr(_numpy, "gradient_way", lambda *_: "windows")
    pieces = []

    def kernel_grad(*args, compute=windows.kernel_grad):
        pieces.append(args[1].shape)
        compute(*args)

    monkeypatch.setattr(windows, "kernel_grad", kernel_grad)
    return pieces


def drawn(layer, dtype, seed=0):
    """Draw integer-valued x and y of a layer; also return all options."""
    batch, groups, (small, big), sizes, taps, options = layer
    rng = np.random.default_rng(seed)
    y = rng.integers(-4, 5, (batch, groups * big, *sizes)).astype(dtype)
    kernel = np.ones((groups * small, big, *taps), dtype)
    shape = mtconv.conv(y, kernel, groups=groups, **options).shape
    x = rng.integers(-4, 5, shape).astype(dtype)
    return x, y, {**options, "groups": groups, "kernel_size": taps}


@pytest.mark.parametrize("layer", [*LAYERS, *MORE], ids=str)
@pytest.mark.parametrize("together", [0, 10**9])
@pytest.mark.parametrize("at_a_time", [1, 2**22])
def test_gradients(layer, together, at_a_time, by_windows, monkeypatch, cut_anew):
    """Samples lie side by side or apart; one channel of y at a time, or all."""
    monkeypatch.setattr(windows.tuning, "FOLDED_ELEMENTS", together)
    monkeypatch.setattr(windows.tuning, "GATHER_BYTES", at_a_time)
    cut_anew()
    for dtype in (np.float32, np.float64, np.complex64):
        x, y, options = drawn(layer, dtype)
        got = mtconv.kernel_grad(x, y, algorithm="polyphase", backend="numpy", **options)
        assert np.array_equal(got, reference_kernel_grad(x, y, **options))
    assert by_windows


@pytest.mark.parametrize(
    ("options", "copied"), [({}, False), ({"stride": 2}, True), ({"dilation": 2}, False)]
)
def test_one_phase_of_y_is_multiplied_where_it_lies(options, copied, monkeypatch):
    seen = []
    monkeypatch.setattr(windows, "add_correlation", lambda *args: seen.append(args[1]))
    x, y, _ = drawn((2, 1, (2, 5), (40, 41), (2, 3), options), np.float32)
    axes = mtconv.ConvSpec.from_shapes(x.shape, (2, 5, 2, 3), **options).axes
    blocks = x[:, None].transpose(1, 2, 0, 3, 4), y[:, None]
    out = np.zeros((1, 2, 5, 2, 3), np.float32)
    windows.kernel_grad(axes, *blocks, out, Workspace())
    assert seen
    assert all(np.shares_memory(columns, y) != copied for columns in seen)


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
def test_products_of_phases_with_as_many_taps(taps, fitting, products, monkeypatch):
    """Rows, columns and elements; phases of so many channels fit the memory."""
    seen = []
    monkeypatch.setattr(windows, "add_correlation", lambda *args: seen.append(args))
    (axis,) = mtconv.ConvSpec.from_shapes((1, 2, 100), (2, 5, taps), stride=2).axes
    phases = 2 if taps == 8 else 1
    monkeypatch.setattr(windows.tuning, "GATHER_BYTES", int(fitting * 8 * 103 * phases))
    x, y = np.ones((1, 2, 1, 100)), np.ones((1, 1, 5, axis.big))
    out = np.zeros((1, 2, 5, taps))
    windows.kernel_grad((axis,), x, y, out, Workspace())
    shapes = [(rows.shape[2], *columns.shape[2:]) for rows, columns, *_ in seen]
    assert shapes == products


def test_few_channels_of_x_are_gathered_without_being_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(windows, "kernel_grad", lambda *args: seen.append(args[1].shape[1]))
    x, y = np.ones((2, 8, 79, 47), np.float32), np.ones((2, 120, 160, 96), np.float32)
    mtconv.kernel_grad(x, y, kernel_size=(4, 4), stride=2, backend="numpy")
    assert set(seen) == {8}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0, 7), (0, 1, 5, 0), (0, 1, 2, 3)])
@pytest.mark.usefixtures("by_windows")
def test_what_is_not_finite_in_y_reaches_its_taps_only(value, place):
    """Zeros at the ends of x meet elements of y that no tap joins to them."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 5, (1, 2, 3, 3)).astype(np.float32)
    y = rng.integers(1, 5, (1, 2, 6, 8)).astype(np.float32)
    y[place] = value
    options = {"stride": (2, 2), "kernel_size": (2, 4)}
    got = mtconv.kernel_grad(x, y, algorithm="polyphase", backend="numpy", **options)
    with np.errstate(invalid="ignore"):
        expected = reference_kernel_grad(x, y, **options)
    assert np.array_equal(got, expected, equal_nan=True)


def test_what_is_not_finite_in_x_reaches_its_taps_only(by_windows):
    x, y = np.array([np.inf, 1.0]), np.array([1.0, 1.0, 1.0])
    options = {"kernel_size": (4,), "padding": 1}
    grad = mtconv.kernel_grad(x, y, algorithm="polyphase", backend="numpy", **options)
    assert grad.tolist() == [1.0, np.inf, np.inf, np.inf]
    assert by_windows


def test_sums_of_many_small_samples_are_of_single_precision(by_windows):
    """Chains of additions stay short, whatever the number of samples."""
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 2, (20_000, 2, 3)).astype(np.float32)
    y = rng.uniform(1, 2, (20_000, 6, 4)).astype(np.float32)
    options = {"kernel_size": (2,), "algorithm": "polyphase", "backend": "numpy"}
    exact = np.einsum("bin,bonj->ioj", x.astype(float), _pairs(y.astype(float)))
    got = mtconv.kernel_grad(x, y, **options)
    assert np.abs(got / exact - 1).max() < 1e-5
    assert by_windows


def _pairs(y):
    """Stack what taps 0 and 1 meet of y (b, c, n + 1)."""
    return np.stack([y[..., :-1], y[..., 1:]], axis=-1)


@pytest.mark.parametrize("lo", [0, 3])
def test_taps_that_meet_no_element_add_nothing(lo):
    axes = (Axis(2, 3, 2, 1, 1, -5 - lo),)
    x, y = np.ones((1, 1, 1, 2)), np.ones((1, 1, 1, 3))
    out = np.full((1, 1, 1, 2), 7.0)
    windows.kernel_grad(axes, x, y, out, Workspace())
    assert (out == 7).all()
