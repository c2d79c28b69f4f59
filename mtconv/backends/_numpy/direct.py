"""`direct`: tap by tap and channel by channel, whole arrays at a time, no BLAS.

Nothing is padded and nothing clipped is multiplied, so infinities and NaN of the kernel
reach only the cells that their tap reaches. Sums are made of shorter sums, which keeps
rounding errors small.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.overlap import Landing, landings
from mtconv.backends._numpy.weights import Weights
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis

__all__ = ["NAME", "conv", "conv_transpose", "kernel_grad"]

NAME = "direct"

Array = NDArray[Any]
Axes = tuple[Axis, ...]

# Terms that one running sum takes. The rounding error of a sum grows with the length of
# its chains of additions: sums of sums of few terms keep it small.
CHAIN = 32

# Bytes of the result that are summed at a time.
PART_BYTES = 2**20


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Add every tap's multiples of x where they land.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    w = weights.array
    x = x[:, :, None]
    # So many taps give each cell of the result CHAIN terms.
    most = CHAIN * prod(axis.stride for axis in axes)
    for mine in _channels(out):
        with space.frame():
            for taps, target in _sums(axes, out[:, :, mine], most, space):
                for tap, cells, landing, _ in taps:
                    factors = _factors(w[:, :, mine], tap)
                    _add_products(x[(..., *cells)], factors, target[(..., *landing)], space)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Collect every tap's multiples of y.

    y is (b, g, co, *big), w (g, ci, co, *taps), out (b, g, ci, *small).
    """
    y = y.transpose(1, 2, 0, *range(3, y.ndim))[:, :, None]
    w = weights.array.swapaxes(1, 2)
    for mine in _channels(out):
        with space.frame():
            for taps, target in _sums(axes, out[:, :, mine], CHAIN, space):
                for tap, cells, landing, _ in taps:
                    factors = _factors(w[:, :, mine], tap)
                    _add_products(y[(..., *landing)], factors, target[(..., *cells)], space)


def _channels(out: Array) -> Iterator[slice]:
    """Cut the result's channels so that partial sums stay in the cache."""
    step = max(1, PART_BYTES // max(out[:, :, :1].nbytes, 1))
    for start in range(0, out.shape[2], step):
        yield slice(start, start + step)


def _sums(
    axes: Axes, out: Array, most: int, space: Workspace
) -> Iterator[tuple[list[Landing], Array]]:
    """Yield ``most`` taps at a time and where to add them; in the end out is their sum."""
    target = out.transpose(1, 2, 0, *range(3, out.ndim))
    taps = list(landings(axes))
    target[...] = 0
    if len(taps) <= most:
        yield taps, target
        return
    part = space.take(target.shape, target.dtype)
    for start in range(0, len(taps), most):
        part[...] = 0
        yield taps[start : start + most], part
        target += part


def _factors(w: Array, tap: tuple[Any, ...]) -> Array:
    """Return one tap as (g, channels summed over, channels of the result, 1, *ones)."""
    factors = w[(..., *tap)]
    return factors.reshape(*factors.shape, *(1,) * (1 + len(tap)))


def _add_products(data: Array, factors: Array, target: Array, space: Workspace) -> None:
    """Add the products of data and factors, summed over the second axis, to target."""
    count = data.shape[1]
    with space.frame():
        total = space.take(target.shape, target.dtype)
        term = space.take(target.shape, target.dtype)
        for start in range(0, count, CHAIN):
            np.multiply(data[:, start], factors[:, start], out=total)
            for s in range(start + 1, min(count, start + CHAIN)):
                np.multiply(data[:, s], factors[:, s], out=term)
                total += term
            target += total


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
