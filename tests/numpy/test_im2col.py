"""Columns for matrix products: extended, by phase and in long runs."""

from itertools import product

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy.im2col import gather, gather_runs, runs_are_short
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


@pytest.mark.parametrize(
    ("axes", "few", "elements", "short"),
    [
        ((Axis(4, 7, 4),), 0, 2, True),  # 7 elements and one more row are 4 times 2
        ((Axis(4, 8, 5),), 0, 2, False),
        ((Axis(4, 8, 5),), 9, 0, True),
        ((Axis(4, 8, 5),), 8, 0, False),
        ((Axis(2, 3, 2), Axis(3, 5, 2, 1, 2)), 0, 5, True),  # 4 rows of 5
        ((Axis(2, 3, 2), Axis(3, 5, 2, 1, 2)), 0, 4, False),
    ],
)
def test_runs_are_short_where_y_grows_to_four_times_a_tap(
    axes, few, elements, short, monkeypatch
):
    monkeypatch.setattr(tuning, "FEW_ZEROS", few)
    assert runs_are_short(axes, elements) == short


def test_results_of_channels_last_layouts_are_written():
    """Blocks whose results are not matrices in memory are computed beside them."""
    rng = np.random.default_rng(0)
    y, kernel = rng.integers(-4, 5, (2, 24, 26, 3)), rng.integers(-4, 5, (5, 3, 4, 3))
    options = {"stride": 2, "padding": 1}
    expected = mtconv.conv(np.moveaxis(y, -1, 1), kernel, algorithm="direct", **options)
    for algorithm in ("gemm", "polyphase"):
        got = mtconv.conv(y, kernel, layout="NHWC", algorithm=algorithm, **options)
        assert np.array_equal(np.moveaxis(got, -1, 1), expected)
