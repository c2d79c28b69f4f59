"""`gemm`: one matrix product with all taps, then overlap-add (or its adjoint, gather).

The columns of all channels at once can be many times larger than the result. Where they
are, a loop over groups or over channels of the big side makes and uses up a part of them
at a time, in buffers that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import dot, split_channels
from mtconv.backends._jax.columns import gather, interleave, overlap_add, split
from mtconv.planning.ladders.jax import COLUMNS, columns
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad", "parts_for"]


def conv_transpose(
    spec: ConvSpec, x: Array, w: Array, precision: Any, parts: int = 1
) -> Array:
    """Add the columns ``w.T @ x`` of every tap where they land."""
    x, w = split_channels(spec, x, 1), split_channels(spec, w, 0)
    batch, _, inner, *size = x.shape
    few = not traced(x.shape) and batch * prod(size) <= inner

    def blocks(w: Array, x: Array) -> Array:
        if few:  # cells: then it is cheaper to transpose the columns than the kernel
            columns = dot(x, w, ((2,), (1,)), ((1,), (0,)), precision)
            cells, taps = range(1, 2 + spec.rank), range(2 + spec.rank, columns.ndim)
            columns = lax.optimization_barrier(columns).transpose(0, *taps, *cells)
        else:
            columns = dot(w, x, ((1,), (2,)), ((0,), (1,)), precision)
        return overlap_add(spec.axes, _merged(columns))

    if spec.groups > 1:
        blocks_of_y = _loop(blocks, parts, (w, 0), (x, 1))
    else:
        blocks_of_y = _loop(lambda w: blocks(w, x), parts, (w, 2))
    return interleave(spec.axes, _merged(blocks_of_y))


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any, parts: int = 1) -> Array:
    """Multiply the gathered columns of y by the kernel."""
    w = split_channels(spec, w, 0)
    rows = tuple(range(1, 2 + spec.rank))  # channels and taps of the columns
    contract = tuple(axis + 1 for axis in rows), rows

    def product(w: Array, blocks: Array) -> Array:
        return dot(w, _columns(spec, blocks), contract, ((0,), (0,)), precision)

    blocks = split_channels(spec, split(spec.axes, y), 0)
    if spec.groups > 1:
        x = _loop(product, parts, (w, 0), (blocks, 0))
    else:
        x = _loop(product, parts, (w, 2), (blocks, 1), add=True)
    return x.reshape(spec.kernel_shape[0], *x.shape[3:]).swapaxes(0, 1)


def kernel_grad(
    spec: ConvSpec, x: Array, y: Array, precision: Any, parts: int = 1
) -> Array:
    """Multiply x by the gathered columns of y, summed over the batch."""
    x = split_channels(spec, x, 1)
    cells = tuple(range(2 + spec.rank, 3 + 2 * spec.rank)), (0, *range(3, 3 + spec.rank))

    def product(x: Array, blocks: Array) -> Array:
        # The columns first: XLA's products are up to three times slower the other way.
        w = dot(_columns(spec, blocks), x, cells, ((0,), (1,)), precision)
        return jnp.moveaxis(lax.optimization_barrier(w), -1, 1)

    blocks = split_channels(spec, split(spec.axes, y), 0)
    if spec.groups > 1:
        w = _loop(product, parts, (x, 1), (blocks, 0))
    else:
        w = _loop(lambda blocks: product(x, blocks), parts, (blocks, 1))
        w = jnp.moveaxis(w, 0, 2)
    return w.reshape(spec.kernel_shape)


def parts_for(spec: ConvSpec, batch: Any, itemsize: int) -> int:
    """Say in how many parts to make the columns; 1 unless they are large."""
    if traced((batch, *spec.small)):
        return 1
    share = spec.kernel_shape[1]
    blocks = spec.groups * share * prod(spec.big)
    if columns(spec) < 2 * blocks:  # little more than the blocks, which are made whole
        return 1
    size = columns(spec) * batch * itemsize
    looped = spec.groups if spec.groups > 1 else share
    wanted = min(-(-size // COLUMNS), looped)
    return next(n for n in range(wanted, looped + 1) if looped % n == 0) if size else 1


def _loop(
    function: Callable[..., Array],
    parts: int,
    *arrays: tuple[Array, int],
    add: bool = False,
) -> Array:
    """Apply a function part by part along an axis of each array.

    Returns the results stacked along a new first axis, of length 1 where they are added.
    """
    if parts == 1:
        return function(*(array for array, _ in arrays))[None]

    def divided(array: Array, axis: int) -> Array:
        size = array.shape[axis] // parts
        shape = (*array.shape[:axis], parts, size, *array.shape[axis + 1 :])
        return jnp.moveaxis(array.reshape(shape), axis, 0)

    divisions = tuple(divided(array, axis) for array, axis in arrays)
    if not add:
        return lax.map(lambda part: function(*part), divisions)
    start = jnp.zeros_like(function(*(array[0] for array in divisions)))
    total, _ = lax.scan(lambda sum_, part: (sum_ + function(*part), None), start, divisions)
    return total[None]


def _columns(spec: ConvSpec, blocks: Array) -> Array:
    """Gather blocks (groups, channels, ...) as columns (groups, channels, ...)."""
    columns = gather(spec.axes, _merged(blocks))
    return columns.reshape(*blocks.shape[:2], *columns.shape[1:])


def _merged(array: Array) -> Array:
    """Make the first two axes one; nothing is left to be inferred where sizes are zero."""
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
