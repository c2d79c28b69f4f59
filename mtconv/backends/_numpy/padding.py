"""Padding modes: pad y before a convolution, fold (the adjoint) after its transpose."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import fold_index
from mtconv.spec import ConvSpec

__all__ = ["fold_into", "pad_block"]

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


def fold_into(spec: ConvSpec, big: tuple[slice, ...], block: Array, y: Array) -> None:
    """Add cells ``big`` of a padded result to the cells of y they were read from."""
    for runs in product(*_runs_of(spec, big)):
        into, source = _indices(runs)
        part = block[into]
        for number, (_, cells) in enumerate(runs):
            if isinstance(cells, int):
                part = part.sum(axis=number + 3, keepdims=True, dtype=part.dtype)
        np.add(y[source], part, out=y[source], casting="unsafe")


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
    """Cut an index into stretches that step by 1, by -1 or not at all."""
    found: list[Run] = []
    start = 0
    while start < len(index):
        stop = start + 1
        step = index[stop] - index[start] if stop < len(index) else 1
        if abs(step) > 1:
            step = 1
        while stop < len(index) and index[stop] - index[stop - 1] == step:
            stop += 1
        found.append((slice(start, stop), _source(index[start], stop - start, step)))
        start = stop
    return tuple(found)


def _source(first: int, count: int, step: int) -> slice | int:
    if step == 0:
        return first
    last = first + step * count
    return slice(first, last if last >= 0 else None, step)
