"""Padding modes: pad y before a convolution, fold (the adjoint) after its transpose.

Blocks of a folded result are blocks of y. Each takes the cells of the padded result that
are added to its own, so blocks share nothing, and every sum is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import (
    Axis,
    fold_index,
    fold_margins,
    padded_axis,
    restrict,
    stretches,
    touched_small,
)
from mtconv.spec import ConvSpec

__all__ = ["Part", "fold_into", "folded_parts", "pad_block"]

Array = NDArray[Any]

# A stretch of the padded axis and the cells it was read from: both as slices, or as a
# slice and one cell that all of it repeats.
Run = tuple[slice, slice | int]


def pad_block(
    spec: ConvSpec, y: Array, big: tuple[slice, ...], dtype: np.dtype[Any], space: Workspace
) -> Array:
    """Return cells ``big`` of the padded y (b, g, co, *big)."""
    sizes = tuple(cells.stop - cells.start for cells in big)
    block = space.take((*y.shape[:3], *sizes), dtype)
    for runs in product(*_runs_of(spec, big)):
        into, source = _indices(runs)
        block[into] = y[source]
    return block


class Part(NamedTuple):
    """Neighbouring padded cells of one axis that are all added to cells of one block.

    ``axis`` is their relation to ``small``; ``runs`` say to which cells they are added.
    """

    small: slice
    axis: Axis
    runs: tuple[Run, ...]


def folded_parts(spec: ConvSpec, big: tuple[slice, ...]) -> Iterator[tuple[Part, ...]]:
    """List what the padded result adds to cells ``big`` of y: mostly a single part.

    Every padded cell is in the parts of exactly one block.
    """
    return product(
        *(
            _parts(axis, spec.padding_mode, cells.start, cells.stop)
            for axis, cells in zip(spec.axes, big, strict=True)
        )
    )


def fold_into(y: Array, padded: Array, parts: tuple[Part, ...]) -> None:
    """Add a part of the padded result to the block of y that it belongs to."""
    for runs in product(*(part.runs for part in parts)):
        into, source = _indices(runs)
        cells = padded[into]
        for number, (_, found) in enumerate(runs):
            if isinstance(found, int):
                cells = cells.sum(axis=number + 3, keepdims=True, dtype=y.dtype)
        y[source] += cells


@lru_cache(maxsize=1024)
def _parts(axis: Axis, mode: str, start: int, stop: int) -> tuple[Part, ...]:
    """List the parts of cells ``start..stop`` of one axis."""
    hi = max(axis.hi, 0)
    before, after = fold_margins(axis.big, axis.lo, hi, mode)
    high = axis.lo + axis.big
    mine = [p for p, cell in enumerate(before) if start <= cell < stop]
    mine += range(axis.lo + start, axis.lo + stop)
    mine += [high + p for p, cell in enumerate(after) if start <= cell < stop]
    index = fold_index(axis.big, axis.lo, hi, mode)
    inner = padded_axis(axis)
    found = []
    # Margins much wider than the block come in several parts, so that memory is bounded.
    for first, last in _neighbours(mine, longest=2 * (stop - start)):
        small = touched_small(inner, first, last)
        if small[0] < small[1]:
            runs = _runs(tuple(cell - start for cell in index[first:last]))
            found.append(Part(slice(*small), restrict(inner, small, (first, last)), runs))
    return tuple(found)


def _neighbours(cells: list[int], longest: int) -> Iterator[tuple[int, int]]:
    """Cut ascending cells into stretches of neighbours, none of them too long."""
    first = 0
    for n in range(1, len(cells) + 1):
        ends = n == len(cells) or cells[n] != cells[n - 1] + 1
        if ends or n - first == longest:
            yield cells[first], cells[n - 1] + 1
            first = n


def _indices(runs: tuple[Run, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the indices of block and y; a repeated cell keeps its axis, of length 1."""
    source = (slice(c, c + 1) if isinstance(c, int) else c for _, c in runs)
    return (..., *(padded for padded, _ in runs)), (..., *source)


def _runs_of(spec: ConvSpec, big: tuple[slice, ...]) -> list[tuple[Run, ...]]:
    return [
        _runs(fold_index(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)[cells])
        for axis, cells in zip(spec.axes, big, strict=True)
    ]


@lru_cache(maxsize=1024)
def _runs(index: tuple[int, ...]) -> tuple[Run, ...]:
    """Turn the stretches of an index into slices."""
    return tuple(
        (slice(start, start + cells), _source(source, cells, step))
        for start, cells, source, step in stretches(index)
    )


def _source(first: int, count: int, step: int) -> slice | int:
    if step == 0:
        return first
    last = first + step * count
    return slice(first, last if last >= 0 else None, step)
