"""Groups of one channel on both sides: `polyphase` shifts planes, exactly."""

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import shifts

CASES = [
    ((7, 5), (3, 4), (2, 3), (1, 1)),  # phases with unequal numbers of taps
    ((6, 9), (3, 4), (2, 2), (3, 1)),
    ((3, 4, 5), (2, 3, 1), (1, 2, 3), (1, 2, 1)),
    ((9, 8), (3, 3), (4, 4), (2, 2)),  # some phases have no taps
]


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


@pytest.fixture
def used(monkeypatch):
    """Count the blocks that the module computes, in tiles of few rows."""
    calls = []
    add_up = shifts._add_up
    monkeypatch.setattr(shifts, "TILE_BYTES", 512)
    monkeypatch.setattr(shifts, "_add_up", lambda *args: (calls.append(1), add_up(*args)))
    return calls


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("sizes", "taps", "stride", "dilation"), CASES)
def test_equals_direct_sums(used, sizes, taps, stride, dilation, batch):
    x = integers((batch, 4, *sizes))
    kernel = integers((4, 1, *taps), seed=1)
    options = {"stride": stride, "dilation": dilation, "padding": 1, "groups": 4}
    y = mtconv.conv_transpose(x, kernel, algorithm="direct", **options)
    result = mtconv.conv_transpose(x, kernel, algorithm="polyphase", **options)
    assert (result == y).all()
    assert used
    used.clear()
    back = mtconv.conv(y, kernel, algorithm="direct", **options)
    assert (mtconv.conv(y, kernel, algorithm="polyphase", **options) == back).all()
    assert used
