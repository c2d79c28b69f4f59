"""Columns for matrix products: extended, by phase, in long runs, and thin products."""

from itertools import product

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import matmul as product_of
from mtconv.backends._numpy.im2col import extend, gather, gather_runs
from mtconv.backends._numpy.matmul import as_matrices, matmul
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from mtconv.planning import tuning

AXES = [
    (Axis(4, 9, 3, 2, 1, 1), Axis(5, 11, 4, 3, 1, 2)),  # phases of the last axis
    (Axis(3, 5, 2, 2, 1, 0), Axis(4, 8, 3, 2, 2, -1)),  # cells that no tap reaches
    (Axis(2, 3, 4, 1, 1, 2), Axis(3, 2, 5, 1, 1, 3)),  # taps that no cell is there for
    (Axis(3, 1, 2, 10**6, 1, 0), Axis(2, 3, 2, 1, 1, 0)),  # too far apart to extend
    (Axis(6, 6, 3, 1, 2, 2),),
    (Axis(2, 4, 2, 2, 1, 0), Axis(3, 5, 3, 1, 1, 0), Axis(2, 3, 3, 2, 1, 1)),
    # Both: taps of the second axis that no cell is there for.
    (Axis(3, 1, 2, 10**6, 1, 0), Axis(2, 3, 4, 1, 1, 3)),
]


def by_loops(axes, y):
    """Columns (b, g, co, *taps, *small) as the relation says."""
    taps = tuple(axis.kernel for axis in axes)
    small = tuple(axis.small for axis in axes)
    got = np.zeros((*y.shape[:3], *taps, *small))
    for j, i in product(np.ndindex(*taps), np.ndindex(*small)):
        o = [
            a.stride * n + a.dilation * t - a.lo for a, n, t in zip(axes, i, j, strict=True)
        ]
        if all(0 <= cell < axis.big for cell, axis in zip(o, axes, strict=True)):
            got[(..., *j, *i)] = y[(..., *o)]
    return got


def numbered(axes):
    shape = (2, 3, 2, *(axis.big for axis in axes))
    return 1.0 + np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("few", [0, tuning.FEW_COLUMNS])
def test_gather_follows_the_relation(axes, folded, few, monkeypatch):
    monkeypatch.setattr(tuning, "FEW_COLUMNS", few)  # above, and below, a look-up
    y = numbered(axes)
    expected = by_loops(axes, y).reshape(2, 3, -1, np.prod([a.small for a in axes]))
    if folded:  # items side by side
        expected = np.concatenate(list(expected), axis=-1)[None]
    assert np.array_equal(gather(axes, y, Workspace(), folded=folded), expected)


@pytest.mark.parametrize("axes", [axes for axes in AXES if axes[-1].stride == 1][::2])
def test_runs_hold_the_same_cells_at_the_beginning_of_each_row(axes):
    axes = tuple(Axis(a.small, a.big, a.kernel, 1, a.dilation, a.lo) for a in axes)
    y = numbered(axes)
    taps = tuple(axis.kernel for axis in axes)
    rows = (axes[0].small, *(axis.full for axis in axes[1:]))
    got = gather_runs(axes, y, Workspace()).reshape(*y.shape[:3], *taps, *rows)
    cells = tuple(slice(axis.small) for axis in axes)
    assert np.array_equal(got[(..., *cells)], by_loops(axes, y))


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
    ("count", "depth", "cells"),
    [(48, 24, 700), (256, 64, 300), (8, 200, 5000), (7, 16, 64), (64, 300, 64)],
)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_thin_products_are_exact(count, depth, cells, lead):
    """Whole numbers, so that every order of summation gives the same."""
    rng = np.random.default_rng(depth)
    rows, cells_of = (
        rng.integers(-4, 5, shape).astype(np.float32)
        for shape in ((depth, count), (*lead, depth, cells))
    )
    out = np.full((*lead, count, cells), np.nan, np.float32)
    matmul(rows.T, cells_of, out)
    assert np.array_equal(out, np.matmul(rows.T, cells_of))


def test_a_view_for_blas_shares_its_memory_or_is_none():
    out = np.zeros((2, 1, 3, 4, 5))
    view = as_matrices(out)
    view[...] = 7
    assert (out == 7).all()
    assert as_matrices(out[..., :4]) is None  # rows with gaps
    assert as_matrices(np.zeros((2, 1, 4, 5, 3)).transpose(0, 1, 4, 2, 3)) is None


def test_results_of_channels_last_layouts_are_written():
    """Blocks whose results are not matrices in memory are computed beside them."""
    rng = np.random.default_rng(0)
    y, kernel = rng.integers(-4, 5, (2, 24, 26, 3)), rng.integers(-4, 5, (5, 3, 4, 3))
    options = {"stride": 2, "padding": 1}
    expected = mtconv.conv(np.moveaxis(y, -1, 1), kernel, algorithm="direct", **options)
    for algorithm in ("gemm", "polyphase"):
        got = mtconv.conv(y, kernel, layout="NHWC", algorithm=algorithm, **options)
        assert np.array_equal(np.moveaxis(got, -1, 1), expected)


@pytest.mark.parametrize(
    ("count", "depth", "cells", "tile"),
    [
        (256, 64, 300, (128, 96)),  # 786432 multiply-adds; 128 cells would be too many
        (48, 24, 700, (48, 256)),  # no more cells than 256
        (8, 200, 5000, (8, 256)),
        (64, 256, 400, (32, 96)),
        (65, 256, 5000, None),  # not thin
        (64, 257, 5000, None),  # nor so
        (7, 16, 5000, None),  # too few rows
        (16, 7, 5000, None),  # an outer product, nearly
        (64, 64, 224, None),  # one tile
    ],
)
def test_tiles_of_thin_products(count, depth, cells, tile):
    assert product_of.tile_of(count, depth, cells) == tile
