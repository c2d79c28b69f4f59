"""`direct`: tap by tap and channel by channel, whole arrays at a time, no BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.gemm import landings
from mtconv.geometry import Axis

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Axes = tuple[Axis, ...]


def conv_transpose(axes: Axes, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Add every tap's multiples of x where they land."""
    _, small, share = w.shape[:3]
    y = np.zeros((*x.shape[:2], share, *(axis.big for axis in axes)), x.dtype)
    ones = (1,) * len(axes)
    for tap, cells, landing in landings(axes):
        weights = w[(..., *tap)].reshape(*w.shape[:3], *ones)
        for s in range(small):
            y[(..., *landing)] += x[(slice(None),) * 2 + (s, None, *cells)] * weights[:, s]
    return y


def conv(axes: Axes, y: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Collect every tap's multiples of y."""
    _, small, share = w.shape[:3]
    x = np.zeros((*y.shape[:2], small, *(axis.small for axis in axes)), y.dtype)
    ones = (1,) * len(axes)
    for tap, cells, landing in landings(axes):
        weights = w[(..., *tap)].reshape(*w.shape[:3], *ones)
        for b in range(share):
            x[(..., *cells)] += (
                y[(slice(None),) * 2 + (b, None, *landing)] * weights[:, :, b]
            )
    return x


def kernel_grad(axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Sum the products of x and y that each tap joins."""
    taps = tuple(axis.kernel for axis in axes)
    w = np.zeros((*x.shape[1:3], y.shape[2], *taps), x.dtype)
    space = tuple(range(2, 2 + len(axes)))
    for tap, cells, landing in landings(axes):
        for s in range(x.shape[2]):
            for b in range(y.shape[2]):
                joined = (
                    x[(slice(None), slice(None), s, *cells)]
                    * (y[(slice(None), slice(None), b, *landing)])
                )
                w[(slice(None), s, b, *tap)] = joined.sum(axis=(0, *space), dtype=w.dtype)
    return w
