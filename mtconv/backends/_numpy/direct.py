"""`direct`: tap by tap and channel by channel, whole arrays at a time, no BLAS.

Nothing is padded and nothing clipped is multiplied, so infinities and NaN of the kernel
reach only the cells that their tap reaches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.overlap import landings
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Add every tap's multiples of x where they land.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    out[...] = 0
    target = out.transpose(1, 2, 0, *range(3, out.ndim))
    for tap, cells, landing, _ in landings(axes):
        weights = _weights(w, tap)
        for s in range(w.shape[1]):
            _add_product(
                x[(slice(None), s, None, slice(None), *cells)],
                weights[:, s],
                target[(..., *landing)],
                space,
            )


def conv(axes: Axes, y: Array, w: Array, out: Array, space: Workspace) -> None:
    """Collect every tap's multiples of y.

    y is (b, g, co, *big), w (g, ci, co, *taps), out (b, g, ci, *small).
    """
    out[...] = 0
    target = out.transpose(1, 2, 0, *range(3, out.ndim))
    y = y.transpose(1, 2, 0, *range(3, y.ndim))
    for tap, cells, landing, _ in landings(axes):
        weights = _weights(w, tap)
        for b in range(w.shape[2]):
            _add_product(
                y[(slice(None), b, None, slice(None), *landing)],
                weights[:, :, b],
                target[(..., *cells)],
                space,
            )


def _weights(w: Array, tap: tuple[Any, ...]) -> Array:
    """Return one tap as (g, ci, co, 1, *ones)."""
    weights = w[(..., *tap)]
    return weights.reshape(*weights.shape, *(1,) * (1 + len(tap)))


def _add_product(data: Array, weights: Array, target: Array, space: Workspace) -> None:
    with space.frame():
        terms = space.take(target.shape, target.dtype)
        np.multiply(data, weights, out=terms)
        target += terms


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Sum the products of x and y that each tap joins.

    x is (g, ci, b, *small), y (b, g, co, *big), out (g, ci, co, *taps).
    """
    y = y.transpose(1, 2, 0, *range(3, y.ndim))
    for tap, cells, landing, _ in landings(axes):
        mine = x[(..., *cells)]
        met = y[(..., *landing)]
        with space.frame():
            terms = space.take((mine.shape[0], *mine.shape[2:]), out.dtype)
            for s in range(x.shape[1]):
                for b in range(y.shape[1]):
                    np.multiply(mine[:, s], met[:, b], out=terms)
                    sums = terms.reshape(terms.shape[0], -1).sum(axis=1, dtype=out.dtype)
                    out[(slice(None), s, b, *tap)] += sums
