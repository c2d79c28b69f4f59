"""`polyphase` as one matrix product: the phases of the big side become its channels.

Where every phase of an axis has as many taps as every other, all of them read the same
windows of the small side, only from other places. One product of the windows with the
kernel, sorted by phases, gives every phase at every place. The windows repeat a small
cell once for every tap *of a phase*; the columns of `gemm` do for every tap of the kernel.

    x        (batch, channels, *small)
    windows  (groups, taps, channels of one group, batch, *places)
    kernel   (groups, channels of one group * strides, taps, channels of one group)
    placed   (groups, channels of one group * strides, batch, *places)
    blocks   (channels, *strides, batch, *cells), as in `columns`

All but the product only rearranges, so the other two maps use the adjoints of its parts.
Batch and places stay separate axes, so a program that is sharded along them stays sharded.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import dot, shifted, split_channels
from mtconv.backends._jax.columns import cells, interleave, split
from mtconv.geometry import Axis, phase_groups
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Edges = list[tuple[int, int, int]]

# What the products have in common comes first in all their operands.
_GROUPS = ((0,), (0,))


def conv_transpose(spec: ConvSpec, x: Array, w: Array, precision: Any) -> Array:
    """Multiply the kernel's phases by the windows of x."""
    placed = dot(_sorted(spec, w), _windows(spec, x), ((2, 3), (1, 2)), _GROUPS, precision)
    return interleave(spec.axes, _blocks(spec, x.shape[0], placed))


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any) -> Array:
    """Multiply the placed phases of y by the kernel's, and add up the windows."""
    shape = (y.shape[0], spec.kernel_shape[0], *spec.small)
    windows = dot(_sorted(spec, w), _placed(spec, y), ((1,), (1,)), _GROUPS, precision)
    return _adjoint(lambda x: _windows(spec, x), shape, windows)


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply the placed phases of y by the windows of x."""
    over = range(2, 3 + spec.rank), range(3, 4 + spec.rank)  # batch and places
    kernel = dot(_placed(spec, y), _windows(spec, x), over, _GROUPS, precision)
    return _adjoint(lambda w: _sorted(spec, w), spec.kernel_shape, kernel)


class _Places(NamedTuple):
    """Where windows of one axis begin, and which phases take them from where."""

    number: int
    low: int  # of the first small cell that the first window's first tap reads
    taps: int
    step: int
    phases: tuple[tuple[int, int, int], ...]  # start, how many, first place


def _places(axis: Axis) -> _Places:
    (group,) = phase_groups(axis)  # all have as many taps
    together: list[tuple[int, int, int]] = []
    for start, phase in enumerate(group.phases):
        first = phase.shift - group.first
        if together and together[-1][2] == first:
            start, several, _ = together.pop()
            together.append((start, several + 1, first))
        else:
            together.append((start, 1, first))
    number = cells(axis) + max(first for *_, first in together)
    reads = group.reads
    return _Places(number, group.first, reads.kernel, reads.dilation, tuple(together))


def _windows(spec: ConvSpec, x: Array) -> Array:
    """Copy x once per tap of a phase."""
    x = jnp.moveaxis(split_channels(spec, x, 1), 0, 2)
    places = [_places(axis) for axis in spec.axes]
    parts = []
    for taps in product(*(range(place.taps) for place in places)):
        edges: Edges = [(0, 0, 0)] * 3
        for axis, place, tap in zip(spec.axes, places, taps, strict=True):
            first = place.low - tap * place.step
            edges.append((-first, first + place.number - axis.small, 0))
        parts.append(shifted(x, edges))
    return jnp.stack(parts, axis=1)


def _sorted(spec: ConvSpec, w: Array) -> Array:
    """Sort the taps of the kernel by phases."""
    small, share, *_ = w.shape
    w = split_channels(spec, w, 0)
    for number, axis in enumerate(spec.axes):
        at = 3 + 2 * number
        w = w.reshape(*w.shape[:at], -1, axis.stride, *w.shape[at + 1 :])
        first = axis.lo % axis.stride
        if first:  # phase r has the taps r + lo, r + lo + stride, ...
            head = lax.slice_in_dim(w, 0, first, axis=at + 1)
            tail = lax.slice_in_dim(w, first, axis.stride, axis=at + 1)
            w = jnp.concatenate((tail, head), axis=at + 1)
    order = (0, 2, *range(4, w.ndim, 2), *range(3, w.ndim, 2), 1)
    strides = prod(axis.stride for axis in spec.axes)
    taps = prod(axis.kernel // axis.stride for axis in spec.axes)
    shape = (spec.groups, share * strides, taps, small // spec.groups)
    return w.transpose(order).reshape(shape)


def _blocks(spec: ConvSpec, batch: int, placed: Array) -> Array:
    """Take every phase from the places where its windows are."""
    places = [_places(axis) for axis in spec.axes]
    strides = [axis.stride for axis in spec.axes]
    counts = [place.number for place in places]
    channels = spec.kernel_shape[1] * spec.groups
    return _taken(spec, places, placed.reshape(channels, *strides, batch, *counts), ())


def _taken(
    spec: ConvSpec,
    places: list[_Places],
    placed: Array,
    chosen: tuple[tuple[int, int, int], ...],
) -> Array:
    number = len(chosen)
    if number < spec.rank:
        parts = [
            _taken(spec, places, placed, (*chosen, phase))
            for phase in places[number].phases
        ]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1 + number)
    starts, stops = [0] * placed.ndim, list(placed.shape)
    for axis, (start, several, first) in enumerate(chosen):
        starts[1 + axis], stops[1 + axis] = start, start + several
        along = 2 + spec.rank + axis
        starts[along], stops[along] = first, first + cells(spec.axes[axis])
    return lax.slice(placed, starts, stops)


def _placed(spec: ConvSpec, y: Array) -> Array:
    """Put every phase of y where its windows are: the adjoint of `_blocks`."""
    blocks = split(spec.axes, y)
    strides = prod(axis.stride for axis in spec.axes)
    places = (_places(axis).number for axis in spec.axes)
    rows = spec.kernel_shape[1] * strides
    shape = (spec.groups, rows, y.shape[0], *places)
    return _adjoint(lambda placed: _blocks(spec, y.shape[0], placed), shape, blocks)


def _adjoint(function: Callable[[Array], Array], shape: tuple[int, ...], y: Array) -> Array:
    """Apply the adjoint of a rearrangement of arrays of a shape."""
    argument = jax.ShapeDtypeStruct(shape, y.dtype)
    (x,) = jax.linear_transpose(function, argument)(y)
    return cast("Array", x)
