"""`direct`: tap by tap and channel by channel, whole arrays at a time, no BLAS.

Nothing is padded and nothing clipped is multiplied, so infinities and NaN of the kernel
reach only the elements that their tap reaches. Sums are made of shorter sums, which keeps
rounding errors small.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.counts import Counts, at_a_time, channels_at_a_time
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.strided import Landing, landings
from mtconv.planning import tuning

__all__ = ["NAME", "TRANSFORMS", "add_products", "channels_of", "conv", "conv_transpose"]
__all__ += ["footprint", "kernel_grad", "sums"]

NAME = "direct"
TRANSFORMS = False


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Add every tap's multiples of x where they land."""
    x = x[:, :, None]
    # So many taps give each element of the result DIRECT_CHAIN terms.
    most = tuning.DIRECT_CHAIN * prod(axis.stride for axis in axes)
    for channels in channels_of(out):
        w = weights.array[:, :, channels]
        with space.frame():
            for taps, target in sums(axes, out[:, :, channels], most, space):
                for tap, small, big, _ in taps:
                    data = x[(..., *small)]
                    add_products(data, _factors(w, tap), target[(..., *big)], space)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Collect every tap's multiples of y."""
    y = y.transpose(1, 2, 0, *range(3, y.ndim))[:, :, None]
    for channels in channels_of(out):
        w = weights.array.swapaxes(1, 2)[:, :, channels]
        with space.frame():
            most = tuning.DIRECT_CHAIN
            for taps, target in sums(axes, out[:, :, channels], most, space):
                for tap, small, big, _ in taps:
                    data = y[(..., *big)]
                    add_products(data, _factors(w, tap), target[(..., *small)], space)


def channels_of(out: Array) -> list[slice]:
    """Cut the result's channels so that partial sums stay in the cache."""
    return channels_at_a_time(out.shape[2], tuning.PART_BYTES, out[:, :, :1].nbytes)


def sums(
    axes: Axes, out: Array, most: int, space: Workspace
) -> Iterator[tuple[tuple[Landing, ...], Array]]:
    """Yield ``most`` taps at a time and where to add them; in the end out is their sum."""
    target = out.transpose(1, 2, 0, *range(3, out.ndim))
    taps = landings(axes)
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


def add_products(data: Array, factors: Array, target: Array, space: Workspace) -> None:
    """Add the products of data and factors, summed over the second axis, to target."""
    count, chain = data.shape[1], tuning.DIRECT_CHAIN
    with space.frame():
        total = space.take(target.shape, target.dtype)
        term = space.take(target.shape, target.dtype)
        for start in range(0, count, chain):
            np.multiply(data[:, start], factors[:, start], out=total)
            for s in range(start + 1, min(count, start + chain)):
                np.multiply(data[:, s], factors[:, s], out=term)
                total += term
            target += total


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Sum the products of x and y that each tap joins."""
    y = y.transpose(1, 2, 0, *range(3, y.ndim))
    for tap, small, big, _ in landings(axes):
        data, met = x[(..., *small)], y[(..., *big)]
        with space.frame():
            terms = space.take((data.shape[0], *data.shape[2:]), out.dtype)
            for s in range(x.shape[1]):
                for b in range(y.shape[1]):
                    np.multiply(data[:, s], met[:, b], out=terms)
                    total = terms.reshape(terms.shape[0], -1).sum(axis=1, dtype=out.dtype)
                    out[(slice(None), s, b, *tap)] += total


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of products and partial sums."""
    if form == "kernel_grad":
        return c.itemsize * 2 * c.lead * c.small
    result = c.big if form == "conv_transpose" else c.small
    each = c.lead * result
    part, step = at_a_time(tuning.PART_BYTES, each, c.channels, c.itemsize)
    return part + 2 * c.itemsize * step * c.lead * min(result, c.small)
