"""Arrays on their way through a map: dtypes of sums, groups, padding modes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.folds import Stretch, open_stretches, repeats_once, source_element
from mtconv.geometry import Axis
from mtconv.planning.candidate import computing_dtype
from mtconv.sizes import at_least, larger
from mtconv.spec import ConvSpec

__all__ = ["accumulator", "cells", "dot", "fold", "pad", "shifted", "split_channels"]


def accumulator(dtype: Any) -> Any:
    """Return the dtype in which sums of products of this dtype are kept."""
    return jnp.dtype(computing_dtype(jnp.dtype(dtype).name))


def dot(a: Array, b: Array, contract: Any, batch: Any, precision: Any) -> Array:
    """Multiply matrices with sums kept in the accumulator's dtype."""
    kept = accumulator(a.dtype)
    axes = (contract, batch)
    return lax.dot_general(a, b, axes, precision=precision, preferred_element_type=kept)


def cells(axis: Axis) -> int:
    """Count the strides that cover the big side."""
    return -(-axis.big // axis.stride)


def split_channels(spec: ConvSpec, array: Array, axis: int) -> Array:
    """Split the axis of channels into groups and the channels of one group."""
    size = array.shape[axis] // spec.groups
    shape = (*array.shape[:axis], spec.groups, size, *array.shape[axis + 1 :])
    return array.reshape(shape)


def shifted(array: Array, edges: Sequence[tuple[int, int, int]]) -> Array:
    """Pad by zeros and crop, whichever the signs say."""
    if all(edge == (0, 0, 0) for edge in edges):
        return array
    cropped = (
        at_least(0, low) and at_least(0, high) and step == 0 for low, high, step in edges
    )
    if all(cropped):
        starts = [-low for low, _, _ in edges]
        stops = [size + high for size, (_, high, _) in zip(array.shape, edges, strict=True)]
        return lax.slice(array, starts, stops)
    return lax.pad(array, jnp.zeros((), array.dtype), edges)


def pad(spec: ConvSpec, y: Array) -> Array:
    """Fill the padding of y (batch, channels, *big) as the padding mode says."""
    if spec.padding_mode == "zeros":
        ends = ((axis.lo, larger(axis.hi, 0), 0) for axis in spec.axes)
        return shifted(y, [(0, 0, 0), (0, 0, 0), *ends])
    for number, axis in enumerate(spec.axes, 2):
        index = _open_sources(spec, axis)
        if index is not None:
            y = jnp.take(y, index, axis=number)
            continue
        pieces = []
        for _, cells, source, step in _stretches(spec, axis):
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
    """Add the padding's elements to the elements they were read from: the adjoint of pad.

    Slices of static bounds: a scatter-add, which the transpose of `pad` by an index
    would be, runs element by element on the CPU.
    """
    if spec.padding_mode == "zeros":
        ends = ((-axis.lo, -larger(axis.hi, 0), 0) for axis in spec.axes)
        return shifted(padded, [(0, 0, 0), (0, 0, 0), *ends])
    y = padded.astype(accumulator(padded.dtype))
    for number, axis in enumerate(spec.axes, 2):
        index = _open_sources(spec, axis)
        if index is not None:
            y = _added(y, index, axis.big, number)
            continue
        total = None
        for start, cells, source, step in _stretches(spec, axis):
            piece = lax.slice_in_dim(y, start, start + cells, axis=number)
            first = source
            if step < 0:
                piece, first = lax.rev(piece, (number,)), source - cells + 1
            elif step == 0:
                piece = piece.sum(number, keepdims=True, dtype=y.dtype)
            around = [(0, 0, 0)] * y.ndim
            around[number] = (first, axis.big - first - piece.shape[number], 0)
            piece = shifted(piece, around)
            total = piece if total is None else total + piece
        assert total is not None
        y = total
    return y.astype(padded.dtype)


def _open_sources(spec: ConvSpec, axis: Axis) -> Array | None:
    """Return what the padded axis reads, if symbols leave open how often it goes round."""
    lo, hi = axis.lo, larger(axis.hi, 0)
    if repeats_once(axis.big, lo, hi, spec.padding_mode) is not None:
        return None
    places = jnp.arange(lo + axis.big + hi) - lo
    index: Array = source_element(places, jnp.asarray(axis.big), spec.padding_mode)
    return index


def _added(y: Array, index: Array, size: int, number: int) -> Array:
    """Add the elements of an axis to those of another one that their index says."""
    y = jnp.moveaxis(y, number, 0)
    total = jnp.zeros((size, *y.shape[1:]), y.dtype).at[index].add(y)
    return jnp.moveaxis(total, 0, number)


def _stretches(spec: ConvSpec, axis: Axis) -> Iterable[Stretch]:
    """List what the padded axis reads, as a few stretches of the big side."""
    return open_stretches(axis.big, axis.lo, larger(axis.hi, 0), spec.padding_mode)
