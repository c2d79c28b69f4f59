"""Padding modes: pad y before a convolution, fold (the adjoint) after its transpose.

Blocks of a folded result are blocks of y. Each takes the cells of the padded result that
are added to its own, so blocks share nothing, and every sum is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.workspace import Workspace
from mtconv.folds import clip_stretch, fold_stretches, stretch_onto
from mtconv.geometry import Axis, padded_axis, restrict, touched_small
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
    padded = fold_stretches(axis.big, axis.lo, hi, mode)
    pairs = (stretch_onto(stretch, start, stop) for stretch in padded)
    inner = padded_axis(axis)
    found = []
    # Margins much wider than the block come in several parts, so that memory is bounded.
    for first, last in _neighbours(filter(None, pairs), longest=2 * (stop - start)):
        small = touched_small(inner, first, last)
        if small[0] < small[1]:
            runs = tuple(
                (into, source - start if isinstance(source, int) else _moved(source, start))
                for into, source in _runs(axis, mode, first, last)
            )
            found.append(Part(slice(*small), restrict(inner, small, (first, last)), runs))
    return tuple(found)


def _moved(cells: slice, start: int) -> slice:
    """Count cells from ``start`` on."""
    stop = None if cells.stop is None else cells.stop - start
    if stop is not None and stop < 0:
        stop = None
    return slice(cells.start - start, stop, cells.step)


def _neighbours(
    pairs: Iterable[tuple[int, int]], longest: int
) -> Iterator[tuple[int, int]]:
    """Join ranges of cells that touch, and cut what is too long."""
    joined: list[tuple[int, int]] = []
    for first, last in pairs:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    for first, last in joined:
        for begin in range(first, last, longest):
            yield begin, min(begin + longest, last)


def _indices(runs: tuple[Run, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the indices of block and y; a repeated cell keeps its axis, of length 1."""
    source = (slice(c, c + 1) if isinstance(c, int) else c for _, c in runs)
    return (..., *(padded for padded, _ in runs)), (..., *source)


def _runs_of(spec: ConvSpec, big: tuple[slice, ...]) -> list[tuple[Run, ...]]:
    return [
        _runs(axis, spec.padding_mode, cells.start, cells.stop)
        for axis, cells in zip(spec.axes, big, strict=True)
    ]


@lru_cache(maxsize=1024)
def _runs(axis: Axis, mode: str, start: int, stop: int) -> tuple[Run, ...]:
    """Say where padded cells ``start..stop`` come from, as slices from ``start`` on."""
    padded = fold_stretches(axis.big, axis.lo, max(axis.hi, 0), mode)
    clipped = (clip_stretch(stretch, start, stop) for stretch in padded)
    return tuple(
        (
            slice(stretch.start - start, stretch.start - start + stretch.cells),
            _source(stretch.source, stretch.cells, stretch.step),
        )
        for stretch in clipped
        if stretch is not None
    )


def _source(first: int, count: int, step: int) -> slice | int:
    if step == 0:
        return first
    last = first + step * count
    return slice(first, last if last >= 0 else None, step)
