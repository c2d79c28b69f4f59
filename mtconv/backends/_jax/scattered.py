"""Columns of an axis whose stride and dilation are above 1, where no taps are neighbours.

Tap after tap would be padded to a whole stride of blocks, most of it zeros. But taps are
alike: with ``g = gcd(stride, dilation)`` those that are ``stride // g`` apart land on the
same cell of a stride, ``dilation // g`` strides apart. So the first ``stride // g`` taps
say where all of them land. Those that land within one stride are a comb, a run of taps that
are ``dilation`` cells apart, and whole combs are added or read at a time.

The order of axes is that of `mtconv.backends._jax.columns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import cells, shifted
from mtconv.geometry import Axis, TapRun, runs

__all__ = ["gather", "is_scattered", "overlap_add", "terms"]


def is_scattered(axis: Axis) -> bool:
    """Return whether an axis has several taps, and its stride and dilation are above 1."""
    return axis.stride > 1 and axis.dilation > 1 and axis.kernel > 1


def terms(axis: Axis) -> int:
    """Count the combs of all taps."""
    return sum(1 for comb in _combs(axis) for _ in _repeated(axis, comb))


def _combs(axis: Axis) -> list[TapRun]:
    """List the combs of the first taps, each of which is a run of its own."""
    listed: list[TapRun] = []
    for run in runs(axis)[: _period(axis)]:
        if listed and listed[-1].shift == run.shift:
            listed[-1] = listed[-1]._replace(taps=listed[-1].taps + 1)
        else:
            listed.append(run)
    return listed


def _repeated(axis: Axis, comb: TapRun) -> Iterator[TapRun]:
    """List a comb and its repetitions, the last of which may be cut off."""
    step = axis.dilation // gcd(axis.stride, axis.dilation)
    for number, tap in enumerate(range(comb.tap, axis.kernel, _period(axis))):
        taps = min(comb.taps, axis.kernel - tap)
        yield TapRun(tap, taps, comb.residue, comb.shift + number * step)


def _period(axis: Axis) -> int:
    return axis.stride // gcd(axis.stride, axis.dilation)


def overlap_add(axes: Sequence[Axis], number: int, columns: Array) -> Array:
    """Add up along one axis what lands on the same cell: combs alike first."""
    axis, rank = axes[number], len(axes)
    at, along = 1 + number, 2 + rank + number
    total = None
    for comb in _combs(axis):
        alike = None
        for part in _repeated(axis, comb):
            edges = [(0, 0, 0)] * columns.ndim
            edges[at] = (0, comb.taps - part.taps, 0)
            edges[along] = (part.shift, cells(axis) - part.shift - axis.small, 0)
            taps = lax.slice_in_dim(columns, part.tap, part.tap + part.taps, axis=at)
            taps = shifted(taps, edges)
            alike = taps if alike is None else alike + taps
        assert alike is not None
        edges = [(0, 0, 0)] * columns.ndim
        last = comb.residue + (comb.taps - 1) * axis.dilation
        between = axis.dilation - 1 if comb.taps > 1 else 0
        edges[at] = (comb.residue, axis.stride - 1 - last, between)
        spread = lax.pad(alike, jnp.zeros((), alike.dtype), edges)
        total = spread if total is None else total + spread
    assert total is not None
    return total


def gather(axes: Sequence[Axis], number: int, blocks: Array) -> Array:
    """Adjoint of `overlap_add`: the columns along one axis."""
    axis, rank = axes[number], len(axes)
    at, along = 1 + number, 2 + rank + number
    every = [part for comb in _combs(axis) for part in _repeated(axis, comb)]
    pieces = []
    for part in sorted(every):
        last = part.residue + (part.taps - 1) * axis.dilation
        piece = lax.slice_in_dim(blocks, part.residue, last + 1, axis.dilation, axis=at)
        edges = [(0, 0, 0)] * blocks.ndim
        edges[along] = (-part.shift, part.shift + axis.small - cells(axis), 0)
        pieces.append(shifted(piece, edges))
    return pieces[0] if len(pieces) == 1 else lax.concatenate(pieces, at)
