"""How much an algorithm takes at a time, and where it takes a shorter way.

Channels at a time are as many as have columns that fit; products of one term are no work
for BLAS; results are computed in place where BLAS can write to them. None of it changes
a value, so these tests look at what the parts are called with.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mtconv.backends._numpy import direct, gemm
from mtconv.backends._numpy.algorithms import BY_NAME
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis
from tests.numpy.blank import arrays, run, zeros


@pytest.mark.parametrize(
    ("axis", "batch", "groups", "share", "looked_up"),
    [
        (Axis(128, 135, 8), 1, 1, 16, True),  # 2**14 columns
        (Axis(113, 117, 5), 1, 1, 29, False),  # and one
        (Axis(32, 39, 8), 2, 4, 8, True),
        (Axis(32, 39, 8), 2, 4, 9, False),
        (Axis(1, 4096, 1), 1, 1, 1, True),  # cells of the result
        (Axis(1, 4097, 1), 1, 1, 1, False),
        (Axis(1, 1, 1), 1, 1, 1, True),
        (Axis(0, 5, 1), 1, 1, 1, False),  # a block that no cell of x reaches
    ],
)
def test_few_columns_are_added_up_by_one_look_up(
    axis, batch, groups, share, looked_up, watch
):
    x, w, out = arrays((axis,), batch, groups, 2, share)
    by_table, by_arrays = watch(gemm, "sum_by_table"), watch(gemm, "overlap_add")
    gemm.conv_transpose((axis,), x, Weights(w), out, Workspace())
    assert (len(by_table), len(by_arrays)) == (looked_up, not looked_up)


def test_items_far_apart_are_not_looked_up(watch):
    """They are not one matrix: each has a product of its own."""
    axis = Axis(5, 7, 3)
    x, w, out = arrays((axis,), 2, 3, 4, 1)
    by_table = watch(gemm, "sum_by_table")
    apart = np.moveaxis(zeros(2, 3, 4, 5), 0, 2)
    gemm.conv_transpose((axis,), apart, Weights(w), out, Workspace())
    assert not by_table
    items = gemm.samples_of(apart)
    assert items.shape == (2, 3, 4, 5)
    assert np.shares_memory(items, apart)
    assert gemm.samples_of(x).shape == (1, 3, 4, 10)
    assert np.shares_memory(gemm.samples_of(x), x)
    alone = apart[:, :, :1]
    assert gemm.samples_of(alone).shape == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("batch", "groups", "small", "share", "steps"),
    [
        # 8 taps of 1000 cells of 4 bytes: 2**21 bytes are the columns of 65.5 channels, and
        # there are as many steps as come nearest to that.
        (1, 1, 2, 98, [98]),
        (1, 1, 2, 99, [50, 49]),
        (1, 1, 255, 164, [55, 55, 54]),
        (1, 1, 256, 164, [164]),  # deep products are twice as large
        (1, 1, 257, 164, [164]),
        (1, 1, 256, 200, [100, 100]),
        (2, 3, 2, 16, [16]),
        (2, 3, 2, 17, [9, 8]),
        (9, 8, 2, 2, [1, 1]),  # more than fit, but one
    ],
)
def test_columns_of_so_many_channels_stay_in_the_cache(
    batch, groups, small, share, steps, watch
):
    axis = Axis(1000, 1007, 8)
    added = watch(gemm, "overlap_add")
    run(gemm, (axis,), *arrays((axis,), batch, groups, small, share))
    assert [call.args[1].shape[1] for call in added] == steps
    assert [call.args[2].shape[2] for call in added] == steps


@pytest.mark.parametrize("cells", [5, 600, 3000])
@pytest.mark.parametrize("apart", [False, True])
def test_products_of_items_side_by_side_and_apart(cells, apart):
    axis = Axis(cells, 2 * cells, 3, 2, 1, 1)
    x, w, out = arrays((axis,), 2, 3, 4, 5)
    rng = np.random.default_rng(cells)
    for array in (x, w):
        array[...] = rng.integers(-4, 5, array.shape)
    passed = np.moveaxis(np.moveaxis(x, 2, 0).copy(), 0, 2) if apart else x
    expected = np.zeros_like(out)
    gemm.conv_transpose((axis,), passed, Weights(w), out, Workspace())
    direct.conv_transpose((axis,), x, Weights(w), expected, Workspace())
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(("small", "products"), [(1, 0), (2, 1)])
def test_an_outer_product_is_no_work_for_blas(small, products, watch):
    axis = Axis(1000, 1007, 8)
    multiplied = watch(np, "matmul")
    run(gemm, (axis,), *arrays((axis,), 1, 1, small, 4))
    assert len(multiplied) == products


@pytest.mark.parametrize(
    ("batch", "groups", "small", "share", "steps"),
    [
        # 8 taps of 1000 cells of 4 bytes: 2**22 bytes are the columns of 131 channels.
        (1, 1, 2, 263, [131, 131, 1]),
        (2, 3, 2, 43, [21, 21, 1]),
        (150, 1, 2, 2, [1, 1]),
    ],
)
def test_a_convolution_gathers_so_many_channels(batch, groups, small, share, steps, watch):
    axis = Axis(1000, 1007, 8)
    x, w, y = arrays((axis,), batch, groups, small, share)
    gathered, multiplied = watch(gemm, "gather"), watch(gemm, "multiply")
    out = zeros(batch, groups, small, 1000)
    gemm.conv((axis,), y, Weights(w), out, Workspace())
    assert [call.args[1].shape[2] for call in gathered] == steps
    # The first product is written, the others are added, all of them in place.
    assert [named["add"] for _, named, _ in multiplied] == [False] + [True] * len(steps[1:])
    assert all(np.shares_memory(args[2], out) for args, *_ in multiplied)
    gathered.clear()
    gemm.kernel_grad((axis,), x, y, np.zeros_like(w), Workspace())
    assert [call.args[1].shape[2] for call in gathered] == steps


@pytest.mark.parametrize(("batch", "cells", "folded"), [(1, 5, False), (2, 511, True)])
def test_items_of_few_cells_are_multiplied_together(batch, cells, folded, watch):
    axis = Axis(cells, cells, 1)
    _, w, y = arrays((axis,), batch, 1, 3, 2)
    multiplied, stored = watch(gemm, "multiply"), watch(gemm, "store")
    gemm.conv((axis,), y, Weights(w), zeros(batch, 1, 3, cells), Workspace())
    ((args, *_),) = multiplied
    assert args[1].shape == (1, 1, 2, batch * cells)
    assert len(stored) == folded


@pytest.mark.parametrize(
    "algorithm", ["gemm", "polyphase", "windows", "subpixel", "direct"]
)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("axes", "groups", "small", "share"),
    [
        ((Axis(7, 13, 3, 2, 1, 1),), 2, 3, 4),
        ((Axis(40, 640, 2, 16),), 2, 3, 1),  # samples are apart
        ((Axis(2, 31, 5, 16, 1, 3), Axis(5, 70, 18, 16, 1, 2)), 3, 2, 1),
        ((Axis(3, 4, 2), Axis(2, 8, 3, 3, 1, 1), Axis(5, 9, 2, 2)), 2, 2, 3),
    ],
)
def test_gradients_of_groups_are_sums_over_all_pairs(
    algorithm, batch, axes, groups, small, share
):
    rng = np.random.default_rng(batch)
    x, w, y = arrays(axes, batch, groups, small, share)
    for array in (x, y):
        array[...] = rng.integers(-4, 5, array.shape)
    expected = np.full(w.shape, 2.0)
    for j in np.ndindex(w.shape[3:]):
        for i in np.ndindex(x.shape[3:]):
            o = [
                a.stride * n + a.dilation * t - a.lo
                for a, n, t in zip(axes, i, j, strict=True)
            ]
            if all(0 <= n < axis.big for n, axis in zip(o, axes, strict=True)):
                pairs = np.einsum("gib,bgo->gio", x[(..., *i)], y[(..., *o)])
                expected[(..., *j)] += pairs
    got = np.full_like(w, 2)
    BY_NAME[algorithm].kernel_grad(axes, x, y, got, Workspace())
    assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("shape", "edges"),
    [
        # Channels of 1000 cells of 4 bytes: 2**20 bytes are 262 of them.
        ((1, 1, 600, 10, 100), [0, 262, 524]),
        ((2, 3, 50, 10, 100), [0, 43]),
        ((300, 1, 2, 1000), [0, 1]),
        ((0, 1, 2, 1000), [0]),
    ],
)
def test_direct_sums_so_many_channels_at_a_time(shape, edges):
    got = list(direct.channels_of(zeros(*shape)))
    assert [own.start for own in got] == edges
    assert all(own.stop >= after.start for own, after in pairwise(got))
    assert got[-1].stop >= shape[2]


def test_a_channel_of_one_byte_is_a_channel():
    got = list(direct.channels_of(np.zeros((1, 1, 2**20 + 1, 1), np.int8)))
    assert got[0] == slice(0, 2**20)
    assert len(got) == 2
