"""Padding modes: pad y before a convolution, fold (the adjoint) after its transpose.

Blocks of a folded result are blocks of y. Each takes the cells of the padded result that
are added to its own, so blocks share nothing, and every sum is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace
from mtconv.folds import fold_stretches, stretch_onto
from mtconv.geometry import Axis, padded_axis, restrict, taps_between, touched_small
from mtconv.planning import tuning
from mtconv.spec import ConvSpec

__all__ = ["FoldedPart", "fold_into", "folded_parts", "indices", "neighbours", "pad_block"]
__all__ += ["parts_of", "source_of"]

Array = NDArray[Any]

# Padding of so many times its axis is listed anew by every call, since lists are long.
MOST_ROUNDS_KEPT = 64

# A stretch of the padded axis and the cells it was read from: both as slices, or as a
# slice and one cell that all of it repeats.
FoldRun = tuple[slice, slice | int]


def pad_block(
    spec: ConvSpec, y: Array, big: tuple[slice, ...], dtype: np.dtype[Any], space: Workspace
) -> Array:
    """Return cells ``big`` of the padded y (b, g, co, *big)."""
    sizes = tuple(cells.stop - cells.start for cells in big)
    block = space.take((*y.shape[:3], *sizes), dtype)
    for runs in product(*_runs_of(spec, big)):
        target, source = indices(runs)
        block[target] = y[source]
    return block


class FoldedPart(NamedTuple):
    """Neighbouring padded cells of one axis that are all added to cells of one block.

    ``axis`` is their relation to ``small``; ``runs`` say to which cells they are added.
    """

    small: slice
    axis: Axis
    runs: tuple[FoldRun, ...]


def folded_parts(
    spec: ConvSpec, big: tuple[slice, ...], taps: tuple[slice, ...], nbytes: int
) -> Iterator[tuple[FoldedPart, ...]]:
    """List what some taps add to elements ``big`` of y by way of the padded result.

    Mostly that is a single part. Every padded element is in the parts of one block, which
    takes ``nbytes``.
    """
    ends = [(part.start, part.stop) for part in big]
    lengths = _longest_parts(spec, [stop - start for start, stop in ends], taps, nbytes)
    sides = zip(spec.axes, ends, taps, lengths, strict=True)
    return product(
        *(
            parts_of(axis, spec.padding_mode, part, (j.start, j.stop), length)
            for axis, part, j, length in sides
        )
    )


def _longest_parts(
    spec: ConvSpec, sizes: list[int], taps: tuple[slice, ...], nbytes: int
) -> list[int]:
    """Return the most elements of a part on each axis: twice those of the block.

    A part that takes few bytes may be longer, so that a margin many times as wide as its
    axis comes in few of them.
    """
    lengths = [2 * size for size in sizes]
    inputs = spec.kernel_shape[0] // max(spec.groups, 1)
    columns = prod(j.stop - j.start for j in taps) + inputs
    room = tuning.FOLDED_BYTES * prod(sizes) // max(nbytes * columns, 1)
    for number, length in enumerate(lengths):
        others = prod(lengths) // max(length, 1)
        lengths[number] = max(length, room // max(others, 1))
    return lengths


def fold_into(y: Array, padded: Array, parts: tuple[FoldedPart, ...]) -> None:
    """Add a part of the padded result to the block of y that it belongs to."""
    for runs in product(*(part.runs for part in parts)):
        target, source = indices(runs)
        cells = padded[target]
        for number, (_, repeated) in enumerate(runs):
            if isinstance(repeated, int):
                cells = cells.sum(axis=number + 3, keepdims=True, dtype=y.dtype)
        y[source] += cells


def parts_of(
    axis: Axis, mode: str, big: tuple[int, int], taps: tuple[int, int], longest: int
) -> tuple[FoldedPart, ...]:
    """List the parts of elements ``big`` of one axis that some of its taps reach."""
    few = axis.lo + axis.hi <= MOST_ROUNDS_KEPT * axis.big
    return (_kept_parts if few else _kept_parts.__wrapped__)(axis, mode, big, taps, longest)


@lru_cache(maxsize=1024)
def _kept_parts(
    axis: Axis, mode: str, big: tuple[int, int], taps: tuple[int, int], longest: int
) -> tuple[FoldedPart, ...]:
    start, stop = big
    stretches = fold_stretches(axis.big, axis.lo, max(axis.hi, 0), mode)
    pairs = (stretch_onto(stretch, start, stop) for stretch in stretches)
    inner = taps_between(padded_axis(axis), *taps)
    parts = []
    # Margins much wider than the block come in several parts, so that memory is bounded.
    for first, last in neighbours(filter(None, pairs), longest):
        small = touched_small(inner, first, last)
        if small[0] < small[1]:
            runs = tuple(
                (padded, s - start if isinstance(s, int) else _moved(s, start))
                for padded, s in _runs(axis, mode, first, last)
            )
            part = restrict(inner, small, (first, last))
            parts.append(FoldedPart(slice(*small), part, runs))
    return tuple(parts)


def _moved(cells: slice, start: int) -> slice:
    """Count cells from ``start`` on."""
    stop = None if cells.stop is None else cells.stop - start
    if stop is not None and stop < 0:
        stop = None
    return slice(cells.start - start, stop, cells.step)


def neighbours(pairs: Iterable[tuple[int, int]], longest: int) -> Iterator[tuple[int, int]]:
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


def indices(runs: tuple[FoldRun, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the indices of block and y; a repeated cell keeps its axis, of length 1."""
    source = (slice(c, c + 1) if isinstance(c, int) else c for _, c in runs)
    return (..., *(padded for padded, _ in runs)), (..., *source)


def _runs_of(spec: ConvSpec, big: tuple[slice, ...]) -> list[tuple[FoldRun, ...]]:
    return [
        _runs(axis, spec.padding_mode, cells.start, cells.stop)
        for axis, cells in zip(spec.axes, big, strict=True)
    ]


def _runs(axis: Axis, mode: str, start: int, stop: int) -> tuple[FoldRun, ...]:
    """Say where padded cells ``start..stop`` come from, as slices from ``start`` on."""
    few = stop - start <= MOST_ROUNDS_KEPT * axis.big
    return (_kept_runs if few else _kept_runs.__wrapped__)(axis, mode, start, stop)


@lru_cache(maxsize=1024)
def _kept_runs(axis: Axis, mode: str, start: int, stop: int) -> tuple[FoldRun, ...]:
    padded = fold_stretches(axis.big, axis.lo, max(axis.hi, 0), mode)
    return tuple(
        (
            slice(stretch.start - start, stretch.start - start + stretch.cells),
            source_of(stretch.source, stretch.cells, stretch.step),
        )
        for stretch in padded.between(start, stop)
    )


def source_of(first: int, count: int, step: int) -> slice | int:
    """Index ``count`` elements from ``first`` on; one that is repeated by its number."""
    if step == 0:
        return first
    last = first + step * count
    return slice(first, last if last >= 0 else None, step)
