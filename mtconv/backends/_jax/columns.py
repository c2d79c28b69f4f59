"""Between the big side and its columns: one column per tap, one cell per small cell.

The big side is first split into blocks, ``o = stride*t + r``, so that every tap, and
every run of neighbouring taps, is a shifted slice of them. In this order one transpose
interleaves or separates all strides at once, and no element is multiplied by an inserted
zero. Channels, batch and cells stay separate axes, so a program that is sharded along
any of them stays sharded.

    y       (batch, channels, *big)
    blocks  (channels, *strides, batch, *cells)
    columns (channels, *taps, batch, *small)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax import scattered
from mtconv.backends._jax.arrays import cells, shifted
from mtconv.geometry import Axis, Phase, TapRun, phases, runs
from mtconv.sizes import larger

__all__ = [
    "every_phase",
    "gather",
    "interleave",
    "margins",
    "overlap_add",
    "places",
    "split",
]

Axes = Sequence[Axis]
Edges = list[tuple[int, int, int]]

# More slices than these are not taken at once but axis by axis, and along an axis with
# more runs than these by a loop: unrolled programs take long to compile.
MOST_SLICES = 36
MOST_RUNS = 64


def every_phase(axis: Axis) -> tuple[Phase, ...]:
    """List one phase per block; blocks beyond a big side below the stride are empty."""
    filled = phases(axis)
    empty = (Phase(start, 0, 0, 1, 0, 0, 1) for start in range(len(filled), axis.stride))
    return (*filled, *empty)


def split(axes: Axes, y: Array) -> Array:
    """Split the big side into blocks; cells beyond its end are zero."""
    rank = len(axes)
    edges = [(0, cells(axis) * axis.stride - axis.big, 0) for axis in axes]
    y = shifted(y, [(0, 0, 0), (0, 0, 0), *edges])
    for number, axis in enumerate(axes):  # one axis at a time, as explicit meshes ask
        at = 2 + 2 * number
        y = y.reshape(*y.shape[:at], cells(axis), axis.stride, *y.shape[at + 1 :])
    strides = range(3, 3 + 2 * rank, 2)
    return y.transpose(1, *strides, 0, *(at - 1 for at in strides))


def interleave(axes: Axes, blocks: Array) -> Array:
    """Adjoint of `split`: the big side from its blocks."""
    rank = len(axes)
    order = [1 + rank, 0]
    for number in range(rank):
        order += [2 + rank + number, 1 + number]
    y = blocks.transpose(order)
    edges: Edges = [(0, 0, 0), (0, 0, 0)]
    for at, axis in enumerate(axes, start=2):
        full = cells(axis) * axis.stride
        y = y.reshape(*y.shape[:at], full, *y.shape[at + 2 :])
        edges.append((0, axis.big - full, 0))
    return shifted(y, edges)


def overlap_add(axes: Axes, columns: Array) -> Array:
    """Add up in blocks what lands on the same cell."""
    for together in _batches(axes):
        if _in_combs(axes, together):
            columns = scattered.overlap_add(axes, together[0], columns)
            continue
        if len(together) == 1 and len(runs(axes[together[0]])) > MOST_RUNS:
            columns = _overlap_add_by_loop(axes, columns, together[0])
            continue
        total = None
        for chosen in product(*(runs(axes[number]) for number in together)):
            part = columns
            edges: Edges = [(0, 0, 0)] * columns.ndim
            for number, run in zip(together, chosen, strict=True):
                part = _taps(part, number, run.tap, run.taps)
                _land(axes, number, run, edges)
            part = shifted(part, edges)
            total = part if total is None else total + part
        assert total is not None
        columns = total
    return columns


def gather(axes: Axes, blocks: Array) -> Array:
    """Adjoint of `overlap_add`: the columns that each tap reads."""
    for together in _batches(axes):
        if _in_combs(axes, together):
            blocks = scattered.gather(axes, together[0], blocks)
        elif len(together) == 1 and len(runs(axes[together[0]])) > MOST_RUNS:
            blocks = _gather_by_loop(axes, blocks, together[0])
        else:
            blocks = _gather(axes, blocks, together, ())
    return blocks


def _batches(axes: Axes) -> list[tuple[int, ...]]:
    """Say which axes are done at once: all, or one after the other."""
    every = tuple(range(len(axes)))
    few = prod(len(runs(axis)) for axis in axes) <= MOST_SLICES
    if few and not any(map(scattered.is_scattered, axes)):
        return [every]
    return [(number,) for number in every]


def _in_combs(axes: Axes, together: tuple[int, ...]) -> bool:
    axis = axes[together[0]]
    return scattered.is_scattered(axis) and scattered.terms(axis) <= MOST_RUNS


def _gather(
    axes: Axes, blocks: Array, together: tuple[int, ...], chosen: tuple[TapRun, ...]
) -> Array:
    if len(chosen) == len(together):
        edges: Edges = [(0, 0, 0)] * blocks.ndim
        part = blocks
        for number, run in zip(together, chosen, strict=True):
            part = _taps(part, number, run.residue, run.taps)
            _meet(axes, number, run, edges)
        return shifted(part, edges)
    number = together[len(chosen)]
    parts = [_gather(axes, blocks, together, (*chosen, run)) for run in runs(axes[number])]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1 + number)


def _land(axes: Axes, number: int, run: TapRun, edges: Edges) -> None:
    """Note where a run's columns land among the blocks of one axis."""
    axis = axes[number]
    edges[1 + number] = (run.residue, axis.stride - run.residue - run.taps, 0)
    room = cells(axis) - run.shift - axis.small
    edges[2 + len(axes) + number] = (run.shift, room, 0)


def _meet(axes: Axes, number: int, run: TapRun, edges: Edges) -> None:
    """Note which cells of one axis a run reads."""
    axis = axes[number]
    excess = run.shift + axis.small - cells(axis)
    edges[2 + len(axes) + number] = (-run.shift, excess, 0)


def _taps(array: Array, number: int, start: int, size: int) -> Array:
    return lax.slice_in_dim(array, start, start + size, axis=1 + number)


def margins(axis: Axis) -> tuple[int, int]:
    """Cells before and behind the blocks that some tap reads or reaches."""
    shifts = [run.shift for run in runs(axis)]
    return max(0, -min(shifts)), larger(0, max(shifts) + axis.small - cells(axis))


def places(axis: Axis) -> tuple[list[int], list[int]]:
    """Residue and first cell of every tap, counted from the margin before the blocks."""
    before, _ = margins(axis)
    positions = [
        divmod(axis.dilation * tap - axis.lo, axis.stride) for tap in range(axis.kernel)
    ]
    return [residue for _, residue in positions], [shift + before for shift, _ in positions]


def _indices(axis: Axis) -> tuple[Array, ...]:
    return tuple(jnp.asarray(numbers, jnp.int32) for numbers in places(axis))


def _overlap_add_by_loop(axes: Axes, columns: Array, number: int) -> Array:
    """Overlap-add along one axis, tap by tap."""
    axis = axes[number]
    taps, along = 1 + number, 2 + len(axes) + number
    before, behind = margins(axis)
    shape = list(columns.shape)
    shape[taps] = axis.stride
    shape[along] = cells(axis) + before + behind

    def step(blocks: Array, tap: tuple[Array, Array, Array]) -> tuple[Array, None]:
        column, residue, shift = tap
        column = lax.expand_dims(column, (taps,))
        start: list[Any] = [jnp.zeros((), jnp.int32)] * blocks.ndim
        start[taps], start[along] = residue, shift
        old = lax.dynamic_slice(blocks, start, column.shape)
        return lax.dynamic_update_slice(blocks, old + column, start), None

    tapwise = jnp.moveaxis(columns, taps, 0), *_indices(axis)
    # Made from the columns, so that inside shard_map it varies as they do.
    start = jnp.zeros_like(columns, shape=shape)
    blocks, _ = lax.scan(step, start, tapwise)
    return lax.slice_in_dim(blocks, before, before + cells(axis), axis=along)


def _gather_by_loop(axes: Axes, blocks: Array, number: int) -> Array:
    """Gather the columns of one axis, tap by tap."""
    axis = axes[number]
    taps, along = 1 + number, 2 + len(axes) + number
    edges: Edges = [(0, 0, 0)] * blocks.ndim
    edges[along] = (*margins(axis), 0)
    blocks = shifted(blocks, edges)
    shape = list(blocks.shape)
    shape[taps], shape[along] = 1, axis.small

    def step(_: None, place: tuple[Array, Array]) -> tuple[None, Array]:
        start: list[Any] = [jnp.zeros((), jnp.int32)] * blocks.ndim
        start[taps], start[along] = place
        return None, lax.squeeze(lax.dynamic_slice(blocks, start, shape), (taps,))

    _, columns = lax.scan(step, None, _indices(axis))
    return jnp.moveaxis(columns, 0, taps)
