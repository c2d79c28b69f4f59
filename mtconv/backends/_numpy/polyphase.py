"""`polyphase`: one dense convolution of stride 1 per output phase.

The shifted copies of x that feed a phase are put side by side, so that BLAS sums over
channels and taps in one product; no inserted zero is multiplied and every result cell is
written once. Phases with as many taps share their copies and one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import wide
from mtconv.backends._numpy.columns import (
    fill,
    folds,
    gather,
    gather_runs,
    phase_axis,
    runs_are_short,
)
from mtconv.backends._numpy.kinds import Kind, kinds
from mtconv.backends._numpy.product import as_matrices, matrices_for, multiply, store
from mtconv.backends._numpy.values import all_finite
from mtconv.backends._numpy.weights import Weights
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis, Phase, Run, has_holes, live_phases, runs

__all__ = ["NAME", "STACK_BYTES", "conv", "conv_transpose", "far_apart", "kernel_grad"]

NAME = "polyphase"

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]

# Bytes of the shifted copies of x of a block, and of the phases made of them at a time:
# what threads that take turns with Python are busy with for long enough.
STACK_BYTES = 2**22
RESULT_BYTES = 2**22

# Products per cell that are worth one copy in long runs instead of short rows.
MOST_WASTE = 12

# Rows of a kernel up to which its phases are all made to have as many taps.
MOST_ROWS = 16


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Compute each class of phases from the shifted copies of x that feed it.

    x is (g, ci, b, *small), the weights (g, ci, co, *taps), out (b, g, co, *big).
    """
    if wide.pays(axes):
        wide.conv_transpose(axes, x, weights, out, space)
        return
    if any(has_holes(axis) for axis in axes):
        out[...] = 0
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    for kind in _kinds(axes, x, weights.array.shape[2]):
        with space.frame():
            _phases_of_kind(kind, x, weights, out, space)


def _kinds(axes: Axes, x: Array, share: int) -> tuple[Kind, ...]:
    """Choose between many kinds of phases and one, some of whose taps are zero.

    Kernels of few rows cost copies of x, not products; a zero must not meet an infinity.
    """
    found = kinds(axes, merge=False)
    few = share * prod(axis.stride for axis in axes) <= MOST_ROWS
    if len(found) > 1 and few and all_finite(x):
        return kinds(axes, merge=True)
    return found


def _phases_of_kind(
    kind: Kind, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the copies of x by the taps of all phases of a kind; write the phases."""
    groups, _, share = weights.array.shape[:3]
    count = len(kind.members)
    stack, sizes = _stack(kind, x, count * share, space)
    items, _, depth, cells = stack.shape
    whole = items == len(out) and cells == prod(out.shape[3:])
    alone = kind.alone and whole and depth > 1
    step = max(1, RESULT_BYTES // (stack.nbytes // depth * count))
    for start in range(0, share, step):
        part = out[:, :, start : start + step]
        channels = part.shape[2]
        with space.frame():
            rows = _pack(kind, weights, slice(start, start + step), space)
            if alone:
                in_place = as_matrices(part)
                if in_place is not None:
                    multiply(rows, stack, in_place, space)
                    continue
            result = space.take((items, groups, rows.shape[1], cells), x.dtype)
            if depth == 1:
                np.multiply(rows, stack, out=result)
            else:
                multiply(rows, stack, result, space, cut=count == 1)
            if items == len(out):
                planes = result.reshape(items, groups, count, channels, *sizes)
            else:
                planes = result.reshape(groups, count, channels, len(out), *sizes)
                planes = np.moveaxis(planes, 3, 0)
            for number, member in enumerate(kind.members):
                part[member.cells] = planes[:, :, number][member.inner]


def _stack(
    kind: Kind, x: Array, products: int, space: Workspace
) -> tuple[Array, tuple[int, ...]]:
    """Gather the copies of x (b, g, ci, *small) for a kind; also returns their sizes.

    Many products per cell are worth short rows; for few, rows go on past their ends.
    """
    sizes = tuple(axis.small for axis in kind.axes)
    full = (sizes[0], *(axis.full for axis in kind.axes[1:]))
    cells = prod(sizes)
    if folds(len(x), cells):
        return gather(kind.axes, x, space, folded=True), sizes
    wasted = (prod(full) - cells) * products
    if wasted < MOST_WASTE * cells and runs_are_short(kind.axes, cells):
        return gather_runs(kind.axes, x, space), full
    return gather(kind.axes, x, space, folded=False), sizes


def _pack(kind: Kind, weights: Weights, channels: slice, space: Workspace) -> Array:
    """Order the taps of some phases, last ones first, as (g, phase * co, ci * tap)."""
    w = weights.array[:, :, channels]
    groups, small, share = w.shape[:3]
    counts = tuple(axis.kernel for axis in kind.axes)

    def fill(rows: Array) -> None:
        for number, member in enumerate(kind.members):
            if member.fewer:
                rows[:, number] = 0
            target = rows[(slice(None), number, ..., *member.rows)]
            target[...] = w[member.taps].swapaxes(1, 2)

    shape = (groups, len(kind.members), share, small, *counts)
    form = (kind.key, channels.start)
    rows = weights.packed(form, shape, w.dtype, space, fill)
    return rows.reshape(groups, len(kind.members) * share, -1)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Add up what each phase of y gives.

    y is (b, g, co, *big), the weights (g, ci, co, *taps), out (b, g, ci, *small).
    """
    if wide.pays(axes):
        wide.conv(axes, y, weights, out, space)
        return
    first = axes[0]
    rows = _rows(first)
    folded = folds(len(out), prod(out.shape[3:]))
    result, in_place = matrices_for(out, space, folded=folded)
    if far_apart(first):
        for number, run in enumerate(rows.runs):
            with space.frame():
                part = gather((_run_axis(first, run), *axes[1:]), y, space, folded=folded)
                taps = weights.array[:, :, :, run.tap : run.tap + run.taps]
                matrices = taps.reshape(*taps.shape[:2], -1)
                multiply(matrices, part, result, space, add=number > 0)
        if not in_place:
            store(result, out)
        return
    columns, inside = _gather_rows(rows, axes, y, space, folded=folded)
    depth = columns.shape[2] // len(rows.residues)
    for number, run in enumerate(rows.runs):
        start = rows.residues.index(run.residue)
        part = columns[
            ...,
            start * depth : (start + run.taps) * depth,
            run.shift * inside : (run.shift + first.small) * inside,
        ]
        with space.frame():
            multiply(_pack_rows(run, weights, space), part, result, space, add=number > 0)
    if folded:
        ordered = result.reshape(*out.shape[1:3], first.small, len(out), *out.shape[4:])
        out[...] = np.moveaxis(ordered, 3, 0)
    elif not in_place:
        store(result, out)


def far_apart(axis: Axis) -> bool:
    """Return whether most rows between those that runs of taps read are not needed."""
    rows = _rows(axis)
    return rows.height > 2 * axis.small * len(rows.runs)


def _run_axis(axis: Axis, run: Run) -> Axis:
    """Relate the rows of an axis to the taps of one run."""
    return replace(axis, kernel=run.taps, lo=axis.lo - axis.dilation * run.tap)


class Residue(NamedTuple):
    """Rows ``first + stride*t`` of the big side, as an axis of stride 1 with one tap."""

    first: int
    rows: Axis


class Rows(NamedTuple):
    """The first axis of y, cut by residue modulo its stride.

    Small cell ``i`` meets row ``i + run.shift`` of a residue through each run of the taps;
    ``axes`` are the residues' own, None for one that y has no rows of.
    """

    runs: tuple[Run, ...]
    residues: tuple[int, ...]
    axes: tuple[Residue | None, ...]
    height: int


@lru_cache(maxsize=4096)
def _rows(axis: Axis) -> Rows:
    found = runs(replace(axis, lo=0))
    residues = sorted({run.residue + t for run in found for t in range(run.taps)})
    height = axis.small + max(run.shift for run in found)
    axes: list[Residue | None] = []
    for residue in residues:
        mine = Axis(height, axis.big, 1, axis.stride, 1, axis.lo - residue)
        live = live_phases(mine)
        axes.append(Residue(live[0].start, phase_axis(mine, live[0])) if live else None)
    return Rows(found, tuple(residues), tuple(axes), height)


def _pack_rows(run: Run, weights: Weights, space: Workspace) -> Array:
    """Order the taps of a run as (g, ci, residue * co * other taps)."""
    w = weights.array
    taps = w[:, :, :, run.tap : run.tap + run.taps]

    def fill(rows: Array) -> None:
        rows[...] = np.moveaxis(taps, 3, 2)

    shape = (*w.shape[:2], run.taps, w.shape[2], *w.shape[4:])
    rows = weights.packed(("rows", run.tap), shape, w.dtype, space, fill)
    return rows.reshape(*w.shape[:2], -1)


def _gather_rows(
    rows: Rows, axes: Axes, y: Array, space: Workspace, *, folded: bool
) -> tuple[Array, int]:
    """Gather y by the residues of its first axis: (items, g, residue * co * taps, cells).

    Cells are rows of the first axis times small cells of the others; also returns how
    many cells a row has. Folded, the items lie inside a row, and there is one.
    """
    first, *rest = axes
    batch, groups, share = y.shape[:3]
    taps = [axis.kernel for axis in rest]
    small = [axis.small for axis in rest]
    lead = (groups, len(rows.residues), share, *taps)
    inside = prod(small)
    if folded:
        inside *= batch
        columns = space.take((1, *lead, rows.height, batch, *small), y.dtype)
        view = np.moveaxis(columns[0], 3 + len(taps) + 1, 0)
    else:
        columns = view = space.take((batch, *lead, rows.height, *small), y.dtype)
    for number, axis in enumerate(rows.axes):
        target = view[:, :, number, :, None]
        if axis is None:
            target[...] = 0
        else:
            mine = y[:, :, :, axis.first :: first.stride]
            fill((axis.rows, *rest), mine, target, space)
    return columns.reshape(len(columns), groups, -1, rows.height * inside), inside


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Join x with each phase of y; every tap belongs to one phase.

    x is (g, ci, b, *small), y (b, g, co, *big), out (g, ci, co, *taps).
    """
    if wide.pays(axes):
        wide.kernel_grad(axes, x, y, out, space)
        return
    rows = x.reshape(*x.shape[:2], -1)
    for found in _live(axes):
        with space.frame():
            reads = tuple(phase_axis(a, p) for a, p in zip(axes, found, strict=True))
            cells = y[(..., *_cells(axes, found))]
            (columns,) = gather(reads, cells, space, folded=True)
            target = out[(..., *_taps(found))]
            target += np.matmul(rows, columns.swapaxes(1, 2)).reshape(target.shape)


def _live(axes: Axes) -> Iterator[tuple[Phase, ...]]:
    """Yield the phases that have taps, as one phase per axis."""
    yield from product(*(live_phases(axis) for axis in axes))


def _taps(found: tuple[Phase, ...]) -> Index:
    return tuple(slice(phase.tap, None, phase.tap_step) for phase in found)


def _cells(axes: Axes, found: tuple[Phase, ...]) -> Index:
    return tuple(
        slice(phase.start, None, axis.stride)
        for phase, axis in zip(found, axes, strict=True)
    )
