"""Columns in rows of taps: the same columns as in rows of space, in another order."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import gemm
from mtconv.backends._numpy.im2col import gather, rows_of
from mtconv.backends._numpy.taps_last import gather_last, short_rows
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from mtconv.testing import reference_conv, reference_kernel_grad

AXES = [
    (Axis(4, 9, 3, 2, 1, 1), Axis(5, 11, 4, 3, 1, 2)),
    (Axis(3, 5, 2, 2, 1, 0), Axis(4, 8, 3, 2, 2, -1)),  # elements that no tap reaches
    (Axis(2, 3, 4, 1, 1, 2), Axis(3, 2, 5, 1, 1, 3)),  # taps that reach nothing
    (Axis(6, 6, 3, 1, 2, 2),),
    (Axis(2, 4, 2, 2, 1, 0), Axis(3, 5, 3, 1, 1, 0), Axis(2, 3, 3, 2, 1, 1)),
]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("folded", [False, True])
def test_columns_are_those_of_gather_with_channels_last(axes, folded):
    shape = (2, 3, 2, *(axis.big for axis in axes))
    y = 1.0 + np.arange(prod(shape)).reshape(shape)
    expected = gather(axes, y, Workspace(), folded=folded)
    taps = prod(axis.kernel for axis in axes)
    by_channel = expected.reshape(*expected.shape[:2], 2, taps, -1)
    expected = by_channel.swapaxes(2, 3).reshape(expected.shape)
    assert np.array_equal(gather_last(axes, y, Workspace(), folded=folded), expected)


@pytest.mark.parametrize(
    ("axis", "share", "rows", "short"),
    [
        (Axis(3, 7, 3, 2, 1, 1), 64, 1, True),  # rows of 3, runs of 192
        (Axis(400, 801, 3, 2, 1, 1), 64, 1, False),
        (Axis(3, 7, 3, 2, 1, 1), 64, 8, False),  # the kernel is larger than the columns
        (Axis(100, 402, 4, 4, 1, 1), 64, 1, False),  # each element moves once either way
        (Axis(3, 7, 3, 2, 2, 1), 1, 1, False),  # a dilation parts neighbours
        (Axis(3, 4000, 2, 1999, 1, 0), 64, 1, False),  # mostly zeros would be moved
    ],
)
@pytest.mark.parametrize("form", ["conv", "kernel_grad"])
def test_rows_are_short_beside_runs_of_taps_and_channels(axis, share, rows, short, form):
    assert short_rows((axis,), share, share, rows, form) == short


@pytest.mark.parametrize(
    ("batch", "elements", "columns", "items"),
    [(3, 20, 21, 1), (3, 20, 20, 3), (3, 511, 9999, 1), (3, 512, 9999, 3), (1, 20, 21, 1)],
)
def test_samples_are_side_by_side_where_many_columns_meet_them(
    batch, elements, columns, items
):
    x = np.arange(2.0 * 4 * batch * elements).reshape(batch, 2, 4, elements)
    rows = rows_of(x.transpose(1, 2, 0, 3), columns, Workspace())
    assert rows.shape == (items, 2, 4, batch * elements // items)
    parts = x if items > 1 else np.concatenate(list(x), axis=-1)[None]
    assert np.array_equal(rows, parts)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_and_gradients_of_short_rows(batch, groups, monkeypatch):
    taken = []

    def noted(*arguments, **options):
        taken.append(arguments[0])
        return gather_last(*arguments, **options)

    monkeypatch.setattr(gemm, "gather_last", noted)
    rng = np.random.default_rng(5)
    x = rng.integers(-4, 5, (batch, 4 * groups, 4, 3, 3)).astype(np.float32)
    kernel = rng.integers(-4, 5, (4 * groups, 40, 3, 3, 3)).astype(np.float32)
    y = rng.integers(-4, 5, (batch, 40 * groups, 7, 5, 6)).astype(np.float32)
    options = {"stride": 2, "padding": 1, "groups": groups}
    named = {**options, "algorithm": "gemm", "backend": "numpy"}
    assert np.array_equal(
        mtconv.conv(y, kernel, **named), reference_conv(y, kernel, **options)
    )
    grad = mtconv.kernel_grad(x, y, kernel_size=(3, 3, 3), **named)
    assert np.array_equal(
        grad, reference_kernel_grad(x, y, kernel_size=(3, 3, 3), **options)
    )
    assert len(taken) >= 2
