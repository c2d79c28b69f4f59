"""`polyphase`: one dense convolution of stride 1 per output phase.

The shifted copies of x that feed a phase are put side by side, so that BLAS sums over
channels and taps in one product; no inserted zero is multiplied and every result cell is
written once. Phases with as many taps share their copies and one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import shifts, wide
from mtconv.backends._numpy.gemm import COLUMN_BYTES
from mtconv.backends._numpy.product import as_matrices, multiply
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, Phase, has_holes, live_phases

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]


class PhaseClass(NamedTuple):
    """Phases of one axis with as many taps: all read x from cell ``first`` on.

    Cell ``t`` of a phase reads ``x[t + phase.shift - m*shift_step]``; counted from
    ``first`` that is cell ``t + phase.shift - first`` of ``cells``.
    """

    taps: int
    shift_step: int
    first: int
    cells: int
    phases: tuple[Phase, ...]


@lru_cache(maxsize=4096)
def classes(axis: Axis) -> tuple[PhaseClass, ...]:
    """Sort the phases of an axis that have taps by their number."""
    found = []
    for taps in sorted({phase.taps for phase in live_phases(axis)}):
        mine = tuple(phase for phase in live_phases(axis) if phase.taps == taps)
        first = min(phase.shift for phase in mine)
        last = max(phase.shift + phase.cells for phase in mine)
        found.append(PhaseClass(taps, mine[0].shift_step, first, last - first, mine))
    return tuple(found)


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Compute each class of phases from the shifted copies of x that feed it.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    if wide.pays(axes):
        wide.conv_transpose(axes, x, w, out, space)
        return
    if shifts.pays(axes, w, transposed=True):
        shifts.conv_transpose(axes, x, w, out, space)
        return
    out = out.transpose(1, 2, 0, *range(3, out.ndim))
    if any(has_holes(axis) for axis in axes):
        out[...] = 0
    for found in product(*(classes(axis) for axis in axes)):
        with space.frame():
            stack = _stack(axes, found, x, space)
            _phases_of_class(axes, found, stack, w, out, space)


def _stack(axes: Axes, found: tuple[PhaseClass, ...], x: Array, space: Workspace) -> Array:
    """Put the shifted copies of x side by side: (g, *taps, ci, b, *cells)."""
    counts = tuple(one.taps for one in found)
    cells = tuple(one.cells for one in found)
    groups, small, batch = x.shape[:3]
    stack = space.take((groups, *counts, small, batch, *cells), x.dtype)
    for number in np.ndindex(*counts):
        copy = stack[(slice(None), *number)]
        source: list[Any] = []
        target: list[Any] = []
        whole = True
        for m, one, axis in zip(number, found, axes, strict=True):
            shift = one.first - m * one.shift_step
            start = min(max(0, -shift), one.cells)
            stop = max(start, min(one.cells, axis.small - shift))
            target.append(slice(start, stop))
            source.append(slice(start + shift, stop + shift))
            whole = whole and stop - start == one.cells
        if not whole:
            copy[...] = 0
        copy[(..., *target)] = x[(..., *source)]
    return stack


def _phases_of_class(
    axes: Axes,
    found: tuple[PhaseClass, ...],
    stack: Array,
    w: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Multiply the stack by the taps of all phases of a class, and write the phases."""
    groups, small, share = w.shape[:3]
    rank = len(axes)
    counts, cells = stack.shape[1 : 1 + rank], stack.shape[2 + rank :]
    depth = prod(counts) * small
    matrix = stack.reshape(groups, depth, prod(cells))
    members = list(product(*(one.phases for one in found)))
    each = groups * len(members) * prod(cells) * stack.itemsize
    step = max(1, COLUMN_BYTES // max(each, 1))
    for start in range(0, share, step):
        part = w[:, :, start : start + step]
        with space.frame():
            flat = _pack(members, counts, part, start, space)
            in_place = _as_matrix(axes, out[:, start : start + step], found)
            if in_place is not None and depth > 1:
                multiply(flat, matrix, in_place, space)
                continue
            result = space.take((groups, flat.shape[1], prod(cells)), w.dtype)
            if depth == 1:
                np.multiply(flat, matrix, out=result)
            else:
                multiply(flat, matrix, result, space, cut=len(members) == 1)
            planes = result.reshape(groups, len(members), part.shape[2], *cells)
            for number, group in enumerate(members):
                inner: Index = tuple(
                    slice(phase.shift - one.first, phase.shift - one.first + phase.cells)
                    for phase, one in zip(group, found, strict=True)
                )
                target = out[:, start : start + step]
                target[(..., *_cells(axes, group))] = planes[
                    (slice(None), number, ..., *inner)
                ]


def _as_matrix(axes: Axes, out: Array, found: tuple[PhaseClass, ...]) -> Array | None:
    """View out (g, co, b, *big) as (g, co, cells) where one phase is all of it."""
    if any(axis.stride != 1 for axis in axes):
        return None
    if any(len(one.phases) > 1 or one.cells != one.phases[0].cells for one in found):
        return None
    return as_matrices(out.transpose(2, 0, 1, *range(3, out.ndim)))


def _pack(
    members: list[tuple[Phase, ...]],
    counts: tuple[int, ...],
    w: Array,
    start: int,
    space: Workspace,
) -> Array:
    """Order the taps of some phases as (g, phase * co, tap * ci)."""
    groups, small, share = w.shape[:3]

    def fill(rows: Array) -> None:
        for number, group in enumerate(members):
            taps = w[(..., *_taps(group))]
            target = rows[:, number].reshape(groups, share, *counts, small)
            target[...] = np.moveaxis(taps, 1, -1)

    found = tuple((phase.tap, phase.taps) for group in members for phase in group)
    shape = (groups, len(members), share, prod(counts) * small)
    rows = space.packed((found, start), shape, w.dtype, fill)
    return rows.reshape(groups, len(members) * share, -1)


def conv(axes: Axes, y: Array, w: Array, out: Array, space: Workspace) -> None:
    """Add up what each phase of y gives.

    y is (b, g, co, *big), w (g, ci, co, *taps), out (b, g, ci, *small).
    """
    if wide.pays(axes):
        wide.conv(axes, y, w, out, space)
        return
    if shifts.pays(axes, w, transposed=False):
        shifts.conv(axes, y, w, out, space)
        return
    groups, small = w.shape[:2]
    sizes = (out.shape[0], *out.shape[3:])
    result = in_place = as_matrices(out)
    if result is None:
        result = space.take((groups, small, prod(sizes)), out.dtype)
    result[...] = 0
    for found in _live(axes):
        with space.frame():
            columns = _columns(axes, found, y, space)
            kernel = w[(..., *_taps(found))].reshape(groups, small, -1)
            multiply(kernel, columns, result, space, add=True)
    if in_place is None:
        ordered = result.reshape(groups, small, *sizes)
        out[...] = ordered.transpose(2, 0, 1, *range(3, ordered.ndim))


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
            columns = _columns(axes, found, y, space)
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


def _columns(axes: Axes, found: tuple[Phase, ...], y: Array, space: Workspace) -> Array:
    """Gather one phase of y as (g, co * taps, b * small cells)."""
    phase_of_y = y[(..., *_cells(axes, found))].transpose(1, 2, 0, *range(3, y.ndim))
    counts = tuple(phase.taps for phase in found)
    sizes = tuple(axis.small for axis in axes)
    columns = space.take((*phase_of_y.shape[:2], *counts, y.shape[0], *sizes), y.dtype)
    columns[...] = 0
    for number in np.ndindex(*counts):
        source: list[Any] = []
        target: list[Any] = []
        for m, phase, axis in zip(number, found, axes, strict=True):
            shift = phase.shift - m * phase.shift_step
            start = max(0, -shift)
            stop = max(start, min(phase.cells, axis.small - shift))
            target.append(slice(start, stop))
            source.append(slice(start + shift, stop + shift))
        into = columns[(slice(None), slice(None), *number)]
        into[(..., *source)] = phase_of_y[(..., *target)]
    return columns.reshape(*phase_of_y.shape[:2][:1], -1, y.shape[0] * prod(sizes))
