"""Overlap-add of a column matrix.

Columns hold one value per small cell and tap. The overlap-add goes axis by axis: along
all axes but the last it adds contiguous planes, phase by phase; only along the last one
it writes with a stride, straight into the result. Cells that no tap reaches become zero.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.segments import segments
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis, has_holes, live_phases, windows

__all__ = ["Landing", "landings", "overlap_add", "sum_by_table", "terms"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]
Landing = tuple[Index, Index, Index, bool]


class Step(NamedTuple):
    """One phase of one axis, as indices: made once for a geometry, used in every call.

    ``big`` picks the phase's cells of the result; each of ``sums`` has the index of a
    stretch of them and those of the columns that it sums. ``alone`` is the index of the
    one stretch of columns that is the whole phase, where there is one.
    """

    cells: int
    big: Index
    sums: tuple[tuple[Index, tuple[Index, ...]], ...]
    alone: Index | None


@lru_cache(maxsize=4096)
def _steps(axis: Axis, number: int, left: int) -> tuple[Step, ...]:
    """Index tables of axis ``number`` with ``left`` axes to go, itself included.

    Columns are (g, co, *taps left, b, *cells done, *small left) and the planes that
    they are summed to have the same axes without this axis's taps.
    """
    every = slice(None)
    lead, between = (every, every), (every,) * (left + number)
    found = []
    for phase, parts in segments(axis):
        big = (*lead, *between[left - 1 :], slice(phase.start, None, axis.stride))
        sums = tuple(
            (
                (*lead, *between, slice(start, stop)),
                tuple(
                    (*lead, tap, *between, slice(small, small + stop - start))
                    for tap, small in sources
                ),
            )
            for start, stop, sources in parts
        )
        whole = len(sums) == 1 and len(sums[0][1]) == 1
        alone = sums[0][1][0] if whole else None
        found.append(Step(phase.cells, big, sums, alone))
    return tuple(found)


def overlap_add(axes: Axes, columns: Array, out: Array, space: Workspace) -> None:
    """Write the sum of ``columns`` (g, co, *taps, b, *small) to out (b, g, co, *big)."""
    if any(has_holes(axis) for axis in axes):
        out[...] = 0
    order = (1, 2, 0, *range(3, out.ndim))
    _fold(axes, 0, columns, out.transpose(order), space)


def _fold(axes: Axes, number: int, columns: Array, out: Array, space: Workspace) -> None:
    """Fold axis ``number``; ``out`` is (g, co, b, *cells done, *big left)."""
    left = len(axes) - number
    for step in _steps(axes[number], number, left):
        target = out[step.big]
        if left == 1:
            _sum(step, columns, target, space)
        elif step.alone is not None:
            _fold(axes, number + 1, columns[step.alone], target, space)
        else:
            with space.frame():
                shape = list(columns.shape[:2] + columns.shape[3:])
                shape[2 + left + number] = step.cells
                planes = space.take(tuple(shape), columns.dtype)
                _sum(step, columns, planes, space)
                _fold(axes, number + 1, planes, target, space)


def _sum(step: Step, columns: Array, target: Array, space: Workspace) -> None:
    for stretch, sources in step.sums:
        part = target[stretch]
        if not sources:
            part[...] = 0
        elif len(sources) == 1:
            part[...] = columns[sources[0]]
        elif len(sources) == 2 or part.strides[-1] == part.itemsize:
            _add_up(columns, sources, part)
        else:  # written with a stride once, not for every term
            with space.frame():
                total = space.take(part.shape, part.dtype)
                _add_up(columns, sources[:-1], total)
                np.add(total, columns[sources[-1]], out=part)


def _add_up(columns: Array, sources: tuple[Index, ...], out: Array) -> None:
    np.add(columns[sources[0]], columns[sources[1]], out=out)
    for source in sources[2:]:
        out += columns[source]


def sum_by_table(axes: Axes, columns: Array, out: Array, space: Workspace) -> None:
    """Do the overlap-add of few columns by one look-up and one sum.

    ``columns`` is flat, in the order of `overlap_add`, with one more element, 0, for the
    taps that a cell does not have.
    """
    table = _table(axes, out.shape)
    with space.frame():
        terms = space.take(table.shape, columns.dtype)
        columns.take(table, out=terms, mode="clip")
        if out.flags.c_contiguous:
            np.add.reduce(terms, axis=0, out=out.reshape(-1))
            return
        total = space.take(table.shape[1:], columns.dtype)
        np.add.reduce(terms, axis=0, out=total)
        out[...] = total.reshape(out.shape)


@lru_cache(maxsize=4096)
def terms(axes: Axes) -> int:
    """Count the terms that an element of the result sums at most, in each channel."""
    return prod(
        max((min(phase.taps, axis.small) for phase in live_phases(axis)), default=0)
        for axis in axes
    )


@lru_cache(maxsize=128)
def _table(axes: Axes, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """List the columns that each cell of out (b, g, co, *big) sums: (terms, cells)."""
    batch, groups, share = shape[:3]
    taps = tuple(axis.kernel for axis in axes)
    small = tuple(axis.small for axis in axes)
    columns = np.arange(prod((groups, share, *taps, batch, *small)))
    ordered = columns.reshape(groups, share, *taps, batch, *small)
    places = np.arange(prod(shape)).reshape(shape)
    seen = np.zeros(places.size, np.intp)
    table = np.full((max(terms(axes), 1), places.size), columns.size)
    for tap, cells, landing, _ in landings(axes):
        mine = np.moveaxis(ordered[(slice(None), slice(None), *tap)], 2, 0)
        place = places[(..., *landing)].ravel()
        table[seen[place], place] = mine[(..., *cells)].ravel()
        seen[place] += 1
    return table


@lru_cache(maxsize=1024)
def landings(axes: Axes) -> tuple[Landing, ...]:
    """List each tap, the small cells it reads, the big cells they meet, and if all do."""
    return tuple(
        (
            tuple(window.tap for window in found),
            tuple(slice(window.small_start, window.small_stop) for window in found),
            tuple(
                slice(
                    window.big_start,
                    window.big_start + axis.stride * (window.cells - 1) + 1,
                    axis.stride,
                )
                for window, axis in zip(found, axes, strict=True)
            ),
            all(
                window.cells == axis.small for window, axis in zip(found, axes, strict=True)
            ),
        )
        for found in product(*(windows(axis) for axis in axes))
    )
