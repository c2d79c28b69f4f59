"""`gemm`: one matrix product with all taps, then overlap-add (or its adjoint, gather)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis, windows

__all__ = ["conv", "conv_transpose", "kernel_grad", "landings"]

Axes = tuple[Axis, ...]
Index = tuple[Any, ...]


def conv_transpose(axes: Axes, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Add the columns ``w.T @ x`` of every tap where they land."""
    groups, small, share, *taps = w.shape
    columns = np.matmul(
        w.reshape(groups, small, -1).swapaxes(1, 2),
        x.reshape(*x.shape[:2], small, -1),
    ).reshape(x.shape[0], groups, share, *taps, *x.shape[3:])
    y = np.zeros((*x.shape[:2], share, *(axis.big for axis in axes)), x.dtype)
    for tap, cells, landing in landings(axes):
        y[(..., *landing)] += columns[(..., *tap, *cells)]
    return y


def conv(axes: Axes, y: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Multiply the gathered columns of y by the kernel."""
    groups, small, _, *taps = w.shape
    columns = _gather(axes, y, tuple(taps))
    x = np.matmul(
        w.reshape(groups, small, -1), columns.reshape(*y.shape[:2], w[0, 0].size, -1)
    )
    result: NDArray[Any] = x.reshape(*x.shape[:3], *(axis.small for axis in axes))
    return result


def kernel_grad(axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Multiply x by the gathered columns of y, summed over the batch."""
    taps = tuple(axis.kernel for axis in axes)
    columns = _gather(axes, y, taps)
    share = y.shape[2]
    rows = int(np.prod(taps)) * share
    w: NDArray[Any] = np.matmul(
        x.reshape(*x.shape[:3], -1),
        columns.reshape(*y.shape[:2], rows, -1).swapaxes(2, 3),
    ).sum(axis=0, dtype=x.dtype)
    return w.reshape(*x.shape[1:3], share, *taps)


def _gather(axes: Axes, y: NDArray[Any], taps: tuple[int, ...]) -> NDArray[Any]:
    small = tuple(axis.small for axis in axes)
    columns = np.zeros((*y.shape[:3], *taps, *small), y.dtype)
    for tap, cells, landing in landings(axes):
        columns[(..., *tap, *cells)] = y[(..., *landing)]
    return columns


def landings(axes: Axes) -> Iterator[tuple[Index, Index, Index]]:
    """Yield each tap with the small cells it reads and the big cells they meet."""
    for found in product(*(windows(axis) for axis in axes)):
        yield (
            tuple(window.tap for window in found),
            tuple(slice(window.small_start, window.small_stop) for window in found),
            tuple(
                slice(
                    window.big_start,
                    window.big_start + axis.stride * (window.cells - 1) + 1,
                    axis.stride,
                )
                for window, axis in zip(found, axes, strict=True)
            ),
        )
