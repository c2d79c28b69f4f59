"""`gemm`: one matrix product with all taps, then overlap-add (or its adjoint, gather).

Columns are spread and gathered along one axis at a time, so that a kernel of ``k`` by
``k`` taps takes ``2*k`` array operations and not ``k**2``.
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator
from mtconv.geometry import Axis, windows
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]


def conv_transpose(spec: ConvSpec, x: Array, w: Array, precision: Any) -> Array:
    """Add the columns ``w.T @ x`` of every tap where they land."""
    x, w = _grouped(spec, x), _grouped_kernel(spec, w)
    groups, _, share, *taps = w.shape
    rows = share * prod(taps)
    columns = _dot(w.reshape(groups, -1, rows), x, ((1,), (2,)), ((0,), (1,)), precision)
    columns = columns.reshape(groups, share, *taps, x.shape[0], *spec.small)
    for axis in spec.axes:
        columns = _spread(axis, columns, 2, 2 + spec.rank)
    y = jnp.moveaxis(columns, 2, 0)
    return y.reshape(y.shape[0], groups * share, *spec.big)


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any) -> Array:
    """Multiply the gathered columns of y by the kernel."""
    columns, w = _columns(spec, y), _grouped_kernel(spec, w)
    every = tuple(range(1, 2 + spec.rank))
    contract = (tuple(axis + 1 for axis in every), every)
    x = _dot(w, columns, contract, ((0,), (0,)), precision)
    x = jnp.moveaxis(x, 2, 0)
    return x.reshape(x.shape[0], -1, *spec.small)


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply x by the gathered columns of y, summed over the batch."""
    x, columns = _grouped(spec, x), _columns(spec, y)
    rank = spec.rank
    left = (0, *range(3, 3 + rank))
    right = tuple(range(2 + rank, 3 + 2 * rank))
    w = _dot(x, columns, (left, right), ((1,), (0,)), precision)
    return w.reshape(-1, *w.shape[2:])


def _grouped(spec: ConvSpec, array: Array) -> Array:
    """Split channels: (batch, groups, channels of one group, *space)."""
    batch, channels, *space = array.shape
    return array.reshape(batch, spec.groups, channels // spec.groups, *space)


def _grouped_kernel(spec: ConvSpec, w: Array) -> Array:
    """Split channels: (groups, small channels, big channels, *taps)."""
    return w.reshape(spec.groups, w.shape[0] // spec.groups, *w.shape[1:])


def _dot(a: Array, b: Array, contract: Any, batch: Any, precision: Any) -> Array:
    return lax.dot_general(
        a,
        b,
        (contract, batch),
        precision=precision,
        preferred_element_type=accumulator(a.dtype),
    )


def _columns(spec: ConvSpec, y: Array) -> Array:
    """Gather y as (groups, channels, *taps, batch, *small)."""
    columns = jnp.moveaxis(_grouped(spec, y), 0, 2)
    for number, axis in enumerate(spec.axes):
        columns = _gather(axis, columns, 2 + number, 3 + 2 * number)
    return columns


def _spread(axis: Axis, columns: Array, taps: int, cells: int) -> Array:
    """Overlap-add along one axis: dimension ``taps`` goes, then ``cells`` becomes big."""
    total = None
    for window in windows(axis):
        part = lax.index_in_dim(columns, window.tap, taps, keepdims=False)
        part = lax.slice_in_dim(part, window.small_start, window.small_stop, axis=cells)
        reach = axis.stride * (window.cells - 1) + 1
        edges = (
            window.big_start,
            axis.big - window.big_start - reach,
            axis.stride - 1,
        )
        config = [edges if d == cells else (0, 0, 0) for d in range(part.ndim)]
        part = lax.pad(part, jnp.zeros((), part.dtype), config)
        total = part if total is None else total + part
    if total is None:
        shape = list(columns.shape)
        del shape[taps]
        shape[cells] = axis.big
        return jnp.zeros(shape, columns.dtype)
    return total


def _gather(axis: Axis, y: Array, taps: int, cells: int) -> Array:
    """Adjoint of `_spread`: ``cells`` becomes small, then ``taps`` is inserted."""
    found = {window.tap: window for window in windows(axis)}
    parts = []
    for tap in range(axis.kernel):
        if tap not in found:
            shape = list(y.shape)
            shape[cells] = axis.small
            parts.append(jnp.zeros(shape, y.dtype))
            continue
        window = found[tap]
        stop = window.big_start + axis.stride * (window.cells - 1) + 1
        part = lax.slice_in_dim(y, window.big_start, stop, axis.stride, cells)
        edges = (window.small_start, axis.small - window.small_stop, 0)
        config = [edges if d == cells else (0, 0, 0) for d in range(part.ndim)]
        parts.append(lax.pad(part, jnp.zeros((), part.dtype), config))
    return jnp.stack(parts, axis=taps)
