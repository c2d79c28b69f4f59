"""`polyphase` as matrix products: the phases of the big side become its channels.

Phases of an axis that have as many taps read the same windows of the small side, only from
other places. One product of the windows with the kernel, sorted by phases, gives every such
phase at every place. An axis has at most two numbers of taps, so there are at most two
products an axis. The windows repeat a small cell once for every tap *of a phase*; the
columns of `gemm` do for every tap of the kernel.

    x        (batch, channels, *small)
    windows  (groups, taps, channels of one group, batch, *places)
    kernel   (groups, channels of one group * phases, taps, channels of one group)
    placed   (groups, channels of one group * phases, batch, *places)
    blocks   (channels, *strides, batch, *cells), as in `columns`

All but the products only rearranges, so the other two maps use the adjoints of its parts.
Batch and places stay separate axes, so a program that is sharded along them stays sharded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax import gemm
from mtconv.backends._jax.arrays import cells, dot, shifted, split_channels
from mtconv.backends._jax.columns import interleave, split
from mtconv.geometry import Axis, PhaseGroup, phase_groups
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Edges = list[tuple[int, int, int]]

# What the products have in common comes first in all their operands.
_GROUPS = ((0,), (0,))


class _Stretch(NamedTuple):
    """Neighbouring phases that take their windows from one place on."""

    start: int  # the first phase
    number: int
    place: int


class _Places(NamedTuple):
    """Where windows of one axis begin, and which phases take them from where."""

    number: int
    low: int  # of the first small cell that the first window's first tap reads
    taps: int
    step: int
    stretches: tuple[_Stretch, ...]

    @property
    def phases(self) -> int:
        """Number of phases."""
        return sum(stretch.number for stretch in self.stretches)


def conv_transpose(spec: ConvSpec, x: Array, w: Array, precision: Any) -> Array:
    """Multiply the kernel's phases by the windows of x."""
    placed = [
        dot(_sorted(spec, p, w), _windows(spec, p, x), ((2, 3), (1, 2)), _GROUPS, precision)
        for p in _products(spec)
    ]
    return interleave(spec.axes, _blocks(spec, x.shape[0], placed))


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any) -> Array:
    """Multiply the placed phases of y by the kernel's, and add up the windows."""
    shape = (y.shape[0], spec.kernel_shape[0], *spec.small)
    total = None
    for places, placed in zip(_products(spec), _placed(spec, y), strict=True):
        kernel = _sorted(spec, places, w)
        windows = dot(kernel, placed, ((1,), (1,)), _GROUPS, precision)
        x = _adjoint(partial(_windows, spec, places), shape, windows)
        total = x if total is None else total + x
    assert total is not None
    return total


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply the placed phases of y by the windows of x.

    Windows have zeros beyond both ends of x. Where they meet infinity or NaN of y, the
    result has NaN for taps that do not reach it: then columns, which have no such zeros,
    give the result instead.
    """
    w = _kernel_grad(spec, x, y, precision)
    if not jnp.issubdtype(w.dtype, jnp.inexact):
        return w
    instead = partial(gemm.kernel_grad, spec, x, y, precision)
    result: Array = lax.cond(jnp.isnan(w).any(), instead, lambda: w)
    return result


def _kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    over = range(2, 3 + spec.rank), range(3, 4 + spec.rank)  # batch and places
    total = None
    for places, placed in zip(_products(spec), _placed(spec, y), strict=True):
        kernel = dot(placed, _windows(spec, places, x), over, _GROUPS, precision)
        w = _adjoint(partial(_sorted, spec, places), spec.kernel_shape, kernel)
        total = w if total is None else total + w
    assert total is not None
    return total


def _products(spec: ConvSpec) -> list[tuple[_Places, ...]]:
    """List the products: for every axis the phases of one number of taps."""
    groups = ([_places(axis, g) for g in phase_groups(axis)] for axis in spec.axes)
    return list(product(*groups))


def _places(axis: Axis, group: PhaseGroup) -> _Places:
    together: list[_Stretch] = []
    for phase in group.phases:
        place = phase.shift - group.first
        last = together[-1] if together else None
        if last and last.place == place and last.start + last.number == phase.start:
            together[-1] = last._replace(number=last.number + 1)
        else:
            together.append(_Stretch(phase.start, 1, place))
    number = cells(axis) + max(stretch.place for stretch in together)
    reads = group.reads
    return _Places(number, group.first, reads.kernel, reads.dilation, tuple(together))


def _windows(spec: ConvSpec, places: tuple[_Places, ...], x: Array) -> Array:
    """Copy x once per tap of a phase."""
    x = jnp.moveaxis(split_channels(spec, x, 1), 0, 2)
    parts = []
    for taps in product(*(range(place.taps) for place in places)):
        edges: Edges = [(0, 0, 0)] * 3
        for axis, place, tap in zip(spec.axes, places, taps, strict=True):
            first = place.low - tap * place.step
            edges.append((-first, first + place.number - axis.small, 0))
        parts.append(shifted(x, edges))
    return jnp.stack(parts, axis=1)


def _sorted(spec: ConvSpec, places: tuple[_Places, ...], w: Array) -> Array:
    """Take the taps of these phases, sorted by phases."""
    small, share, *_ = w.shape
    w = split_channels(spec, w, 0)
    for number, (axis, place) in enumerate(zip(spec.axes, places, strict=True)):
        at, stride = 3 + 2 * number, axis.stride
        # Rows of one tap of each phase; what fills the last one is not taken.
        edges: Edges = [(0, 0, 0)] * w.ndim
        edges[at] = (0, -axis.kernel % stride, 0)
        w = shifted(w, edges)
        w = w.reshape(*w.shape[:at], -(-axis.kernel // stride), stride, *w.shape[at + 1 :])
        w = lax.slice_in_dim(w, 0, place.taps, axis=at)
        phases = [
            (stretch.start + n + axis.lo) % stride
            for stretch in place.stretches
            for n in range(stretch.number)
        ]
        w = _rotated(w, phases, at + 1)
    order = (0, 2, *range(4, w.ndim, 2), *range(3, w.ndim, 2), 1)
    phases_of_all = prod(place.phases for place in places)
    taps = prod(place.taps for place in places)
    shape = (spec.groups, share * phases_of_all, taps, small // spec.groups)
    return w.transpose(order).reshape(shape)


def _rotated(w: Array, residues: list[int], at: int) -> Array:
    """Take residues that are two stretches at most along an axis."""
    starts = [
        n for n, residue in enumerate(residues) if not n or residue != residues[n - 1] + 1
    ]
    parts = [
        lax.slice_in_dim(w, residues[first], residues[last - 1] + 1, axis=at)
        for first, last in zip(starts, [*starts[1:], len(residues)], strict=True)
    ]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=at)


def _blocks(spec: ConvSpec, batch: int, placed: list[Array]) -> Array:
    """Take every phase from the places where its windows are."""
    pieces: dict[tuple[int, ...], Array] = {}
    for places, array in zip(_products(spec), placed, strict=True):
        channels = spec.kernel_shape[1] * spec.groups
        phases = (place.phases for place in places)
        counts = (place.number for place in places)
        array = array.reshape(channels, *phases, batch, *counts)
        for row in product(*(place.stretches for place in places)):
            starts = tuple(stretch.start for stretch in row)
            pieces[starts] = _piece(spec, places, array, row)

    def joined(starts: tuple[int, ...]) -> Array:
        number = len(starts)
        if number == spec.rank:
            return pieces[starts]
        following = {key[number] for key in pieces if key[:number] == starts}
        parts = [joined((*starts, start)) for start in sorted(following)]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1 + number)

    return joined(())


def _piece(
    spec: ConvSpec, places: tuple[_Places, ...], placed: Array, row: tuple[_Stretch, ...]
) -> Array:
    """Take some neighbouring phases of each axis."""
    starts, stops = [0] * placed.ndim, list(placed.shape)
    for number, (place, stretch) in enumerate(zip(places, row, strict=True)):
        before = place.stretches[: place.stretches.index(stretch)]
        starts[1 + number] = sum(other.number for other in before)
        stops[1 + number] = starts[1 + number] + stretch.number
        along = 2 + spec.rank + number
        starts[along] = stretch.place
        stops[along] = stretch.place + cells(spec.axes[number])
    return lax.slice(placed, starts, stops)


def _placed(spec: ConvSpec, y: Array) -> list[Array]:
    """Put every phase of y where its windows are: the adjoint of `_blocks`."""
    share, batch = spec.kernel_shape[1], y.shape[0]
    shapes = [
        (
            spec.groups,
            share * prod(place.phases for place in places),
            batch,
            *(place.number for place in places),
        )
        for places in _products(spec)
    ]
    arguments = [jax.ShapeDtypeStruct(shape, y.dtype) for shape in shapes]
    function = partial(_blocks, spec, batch)
    (placed,) = jax.linear_transpose(function, arguments)(split(spec.axes, y))
    return list(placed)


def _adjoint(function: Callable[[Array], Array], shape: tuple[int, ...], y: Array) -> Array:
    """Apply the adjoint of a rearrangement of arrays of a shape."""
    argument = jax.ShapeDtypeStruct(shape, y.dtype)
    (x,) = jax.linear_transpose(function, argument)(y)
    return x
