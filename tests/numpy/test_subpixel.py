"""How much `subpixel` takes at a time, with strides of 16 and more."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import direct, subpixel
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis
from mtconv.planning import tuning
from tests.numpy.blank import arrays, run, zeros

WIDE = (Axis(500, 8000, 32, 16),)


@pytest.mark.parametrize(
    ("batch", "groups", "share", "steps"),
    [
        # 501 blocks of 16 cells of 4 bytes: 2**21 bytes are those of 65 channels.
        (1, 1, 131, [65, 65, 1]),
        (2, 3, 21, [10, 10, 1]),
        (80, 1, 2, [1, 1]),
    ],
)
def test_wide_strides_make_blocks_of_so_many_channels(batch, groups, share, steps, watch):
    written = watch(subpixel, "_write")
    x, w, out = arrays((Axis(500, 8016, 32, 16),), batch, groups, 2, share)
    subpixel.conv_transpose((Axis(500, 8016, 32, 16),), x, Weights(w), out, Workspace())
    assert [call.args[3].shape[2] for call in written] == steps


@pytest.mark.parametrize(
    ("batch", "groups", "share", "steps"),
    [
        # 32 taps of 500 cells of 4 bytes: 2**22 bytes are columns of 65 channels.
        (1, 1, 131, [65, 65, 1]),
        (2, 3, 21, [10, 10, 1]),
    ],
)
def test_wide_strides_gather_so_many_channels(batch, groups, share, steps, watch):
    gathered = watch(subpixel, "_columns")
    x, w, y = arrays(WIDE, batch, groups, 2, share)
    subpixel.conv(WIDE, y, Weights(w), zeros(batch, groups, 2, 500), Workspace())
    subpixel.kernel_grad(WIDE, x, y, np.zeros_like(w), Workspace())
    assert [call.args[1].shape[2] for call in gathered] == [*steps, *steps]


def test_channels_gathered_one_by_one_are_added_up(monkeypatch):
    monkeypatch.setattr(tuning, "SUBPIXEL_BYTES", 1)
    axes = (Axis(4, 60, 20, 16, 1, 3),)
    x, w, y = arrays(axes, 2, 2, 3, 5)
    rng = np.random.default_rng(0)
    for array in (x, w, y):
        array[...] = rng.integers(-4, 5, array.shape)
    got = [zeros(2, 2, 3, 4) + 7, np.ones_like(w)]
    expected = [zeros(2, 2, 3, 4), np.ones_like(w)]
    for module, (out, grad) in ((subpixel, got), (direct, expected)):
        module.conv(axes, y, Weights(w), out, Workspace())
        module.kernel_grad(axes, x, y, grad, Workspace())
    assert all(map(np.array_equal, got, expected))


@pytest.mark.parametrize(
    "axes",
    [
        (Axis(4, 70, 42, 18, 1, 3),),  # residues from 6 on begin within bits of the stride
        (Axis(3, 58, 42, 18, 1, 7), Axis(2, 31, 25, 17)),
        (Axis(2, 31, 25, 17), Axis(2, 3, 2), Axis(2, 40, 21, 19, 1, -1)),
    ],
)
def test_strides_that_are_no_power_of_two(axes):
    x, w, y = arrays(axes, 2, 3, 2, 4)
    rng = np.random.default_rng(len(axes))
    for array in (x, w, y):
        array[...] = rng.integers(-4, 5, array.shape)
    got, expected = [], []
    for module, results in ((subpixel, got), (direct, expected)):
        out, grad = np.zeros_like(y), np.ones_like(w)
        back = zeros(2, 3, 2, *(axis.small for axis in axes))
        module.conv_transpose(axes, x, Weights(w), out, Workspace())
        module.conv(axes, y, Weights(w), back, Workspace())
        module.kernel_grad(axes, x, y, grad, Workspace())
        results += [out, back, grad]
    assert all(map(np.array_equal, got, expected))


@pytest.mark.parametrize(
    ("stride", "kernel", "count"), [(16, 32, 1), (16, 20, 2), (16, 16, 1), (16, 5, 1)]
)
def test_one_term_is_no_work_for_blas(stride, kernel, count, watch):
    """One product for the residues with as many taps; none where they have one each."""
    axes = (Axis(9, 9 * stride, kernel, stride),)
    multiplied = watch(np, "matmul")
    for small in (1, 2):
        run(subpixel, axes, *arrays(axes, 1, 1, small, 3))
    ones = kernel <= stride
    alone = 0 if ones else 1
    assert len(multiplied) == alone + count


@pytest.mark.parametrize("channels", [127, 128, 131])
@pytest.mark.parametrize(("kernel", "lo"), [(5, 0), (16, 3), (32, 7), (41, -3), (41, 40)])
def test_many_channels_are_added_up_tap_by_tap(channels, kernel, lo, watch):
    added = watch(subpixel, "_add_taps")
    axes = (Axis(4, 60, kernel, 16, 1, lo),)
    x, w, out = arrays(axes, 3, 2, channels, 3)
    rng = np.random.default_rng(kernel)
    for array in (x, w):
        array[...] = rng.integers(-4, 5, array.shape)
    expected = np.zeros_like(out)
    direct.conv_transpose(axes, x, Weights(w), expected, Workspace())
    subpixel.conv_transpose(axes, x, Weights(w), out, Workspace())
    assert np.array_equal(out, expected)
    assert bool(added) == (channels >= 128)


def test_images_are_not_added_up_tap_by_tap(watch):
    added = watch(subpixel, "_add_taps")
    axes = (Axis(2, 2, 1), Axis(2, 32, 16, 16))
    run(subpixel, axes, *arrays(axes, 1, 1, 128, 2))
    assert not added


@pytest.mark.parametrize(
    ("size", "steps"),
    [(7 * 2304, [7]), (3 * 2304, [3, 3, 1]), (2304, [1] * 7), (1, [1] * 7)],
)
def test_taps_are_added_up_for_so_many_channels(size, steps, watch, monkeypatch):
    """2 groups of 3 items of 6 cells, one more than blocks, of 16 residues: 2304 bytes."""
    monkeypatch.setattr(tuning, "SUBPIXEL_BYTES", size)
    written, multiplied = watch(subpixel, "_write"), watch(subpixel, "multiply")
    axes = (Axis(4, 60, 32, 16, 1, 7),)
    run(subpixel, axes, *arrays(axes, 3, 2, 128, 7))
    assert [call.args[3].shape[2] for call in written] == steps
    assert [call.named["add"] for call in multiplied] == [False, True] * len(steps)
    assert not any(call.named["cut"] for call in multiplied)
