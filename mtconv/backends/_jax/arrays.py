"""Arrays on their way through a map: dtypes of sums, groups, padding modes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.folds import fold_index, fold_margins, stretches
from mtconv.planning.candidate import computing_dtype
from mtconv.spec import ConvSpec

__all__ = ["accumulator", "dot", "fold", "pad", "split_channels"]


def accumulator(dtype: Any) -> Any:
    """Return the dtype in which sums of products of this dtype are kept."""
    return jnp.dtype(computing_dtype(jnp.dtype(dtype).name))


def dot(a: Array, b: Array, contract: Any, batch: Any, precision: Any) -> Array:
    """Multiply matrices with sums kept in the accumulator's dtype."""
    return lax.dot_general(
        a,
        b,
        (contract, batch),
        precision=precision,
        preferred_element_type=accumulator(a.dtype),
    )


def split_channels(spec: ConvSpec, array: Array, axis: int) -> Array:
    """Split the axis of channels into groups and the channels of one group."""
    size = array.shape[axis] // spec.groups
    shape = (*array.shape[:axis], spec.groups, size, *array.shape[axis + 1 :])
    return array.reshape(shape)


def pad(spec: ConvSpec, y: Array) -> Array:
    """Fill the padding of y (batch, channels, *big) as the padding mode says."""
    for number, axis in enumerate(spec.axes, 2):
        index = fold_index(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        pieces = []
        for _, cells, source, step in stretches(index):
            first = source - cells + 1 if step < 0 else source
            stop = first + (cells if step else 1)
            piece = lax.slice_in_dim(y, first, stop, axis=number)
            if step < 0:
                piece = lax.rev(piece, (number,))
            elif step == 0:
                piece = jnp.repeat(piece, cells, axis=number)
            pieces.append(piece)
        y = lax.concatenate(pieces, number)
    return y


def fold(spec: ConvSpec, padded: Array) -> Array:
    """Add the padding's elements to the cells they were read from: the adjoint of pad.

    Slices of static bounds: a scatter-add, which the transpose of `pad` by an index
    would be, runs element by element on the CPU.
    """
    y = padded.astype(accumulator(padded.dtype))
    for number, axis in enumerate(spec.axes, 2):
        high = axis.lo + axis.big
        before, after = fold_margins(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        margins = [
            *stretches(before),
            *(s._replace(start=s.start + high) for s in stretches(after)),
        ]
        total = lax.slice_in_dim(y, axis.lo, high, axis=number)
        for start, cells, source, step in margins:
            piece = lax.slice_in_dim(y, start, start + cells, axis=number)
            first = source
            if step < 0:
                piece, first = lax.rev(piece, (number,)), source - cells + 1
            elif step == 0:
                piece = piece.sum(number, keepdims=True, dtype=y.dtype)
            around = [(0, 0, 0)] * y.ndim
            around[number] = (first, axis.big - first - piece.shape[number], 0)
            total += lax.pad(piece, jnp.zeros((), y.dtype), around)
        y = total
    return y.astype(padded.dtype)
