"""Overlap-add: what is summed where, and what is copied on the way."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mtconv.backends._numpy import col2im
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from tests.numpy.blank import zeros


def test_planes_of_one_tap_are_not_copied(watch):
    sums = watch(col2im, "_sum")
    axes = (Axis(4, 8, 2, 2), Axis(3, 6, 2, 2))
    col2im.overlap_add(axes, zeros(1, 1, 2, 2, 1, 4, 3), zeros(1, 1, 1, 8, 6), Workspace())
    assert len(sums) == 4  # two phases of the last axis for each of the first
    assert all(np.shares_memory(args[1], args[2]) is False for args, *_ in sums)


def test_only_results_with_holes_are_cleared():
    """Cells without a tap become zero, all the others are written once."""
    out = np.full((1, 1, 1, 5), np.nan)
    col2im.overlap_add((Axis(3, 5, 1, 2),), np.ones((1, 1, 1, 1, 3)), out, Workspace())
    assert out.ravel().tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(("taps", "strided"), [(1, 0), (2, 0), (3, 1), (5, 1)])
def test_a_strided_result_is_written_once(taps, strided, watch):
    """Sums of more than two terms are made beside it; only the last term goes there."""
    added = watch(col2im, "_add_up")
    axis = Axis(9, 2 * 8 + 2 * taps, 2 * taps, 2)
    out = np.zeros((1, 1, 1, axis.big))
    col2im.overlap_add((axis,), np.ones((1, 1, 2 * taps, 1, 9)), out, Workspace())
    beside = [args for args, *_ in added if not np.shares_memory(args[2], out)]
    assert bool(beside) == strided
    assert out[0, 0, 0, taps + 7] == min(taps, 9)


@pytest.mark.parametrize("taps", [1, 2, 3, 5])
def test_a_contiguous_result_is_added_to(taps, watch):
    added = watch(col2im, "_add_up")
    axis = Axis(9, 8 + taps, taps)
    out = np.zeros((1, 1, 1, axis.big))
    col2im.overlap_add((axis,), np.ones((1, 1, taps, 1, 9)), out, Workspace())
    assert all(np.shares_memory(call.args[2], out) for call in added)
    assert bool(added) == (taps > 1)
    assert out[0, 0, 0].tolist() == [min(n, taps) for n in range(1, 10)] + list(
        range(taps - 1, 0, -1)
    )


def test_tables_of_look_ups_have_a_row_for_each_term():
    table = col2im.table((Axis(3, 5, 3),), (1, 1, 1, 5))
    # Columns are counted tap by tap, 9 is the zero behind them.
    assert table.tolist() == [[0, 1, 2, 5, 8], [9, 3, 4, 7, 9], [9, 9, 6, 9, 9]]
    nothing = col2im.table((Axis(3, 5, 3, 1, 1, -9),), (1, 1, 1, 5))
    assert set(nothing.ravel().tolist()) == {9}
    lone = col2im.table((Axis(4, 8, 2, 2),), (1, 1, 1, 8))
    assert lone.tolist() == [[0, 4, 1, 5, 2, 6, 3, 7]]


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_columns_land_where_the_relation_says(rank):
    """The same by one look-up: o = stride*i + dilation*j - lo on every axis."""
    every = (Axis(3, 6, 3, 2), Axis(3, 5, 3), Axis(2, 4, 2, 2), Axis(2, 5, 3, 3, 2, 1))
    axes = every[:rank]
    taps, small = ([getattr(axis, side) for axis in axes] for side in ("kernel", "small"))
    shape = (2, 2, *taps, 3, *small)
    columns = np.random.default_rng(rank).integers(-4, 5, shape).astype(float)
    expected = np.zeros((3, 2, 2, *(axis.big for axis in axes)))
    for j, i in product(np.ndindex(*taps), np.ndindex(*small)):
        cell = tuple(
            a.stride * n + a.dilation * t - a.lo for a, n, t in zip(axes, i, j, strict=True)
        )
        if all(0 <= o < axis.big for o, axis in zip(cell, axes, strict=True)):
            landed = columns[(slice(None), slice(None), *j, slice(None), *i)]
            expected[(..., *cell)] += np.moveaxis(landed, 2, 0)
    out, again = (np.full(expected.shape, np.nan) for _ in range(2))
    col2im.overlap_add(axes, columns, out, Workspace())
    col2im.sum_by_table(axes, np.append(columns, 0), again, Workspace())
    assert np.array_equal(out, expected)
    assert np.array_equal(again, expected)
