"""The part of a result that is worked out at a time: bands of the first two axes.

The first axis is applied to all that a tile reads, the second to what came out, and so on;
the last one writes the result. Only the first two axes are cut, so that what lies between
is small, and no element of it is worked out twice but where tiles of the second axis meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, gapless, store
from mtconv.backends.host.strided import window_view
from mtconv.geometry import Axis
from mtconv.operators.separable.bands import AxisBands, Band, BandPart, BandRun, runs_of

__all__ = ["Tile", "tiles_of"]

Array = NDArray[Any]

# Neighbouring columns, by where they start and stop.
Pieces = tuple[tuple[int, int], ...]

# What lies between the axes of a tile, if one band of the second axis leaves it so small.
_SCRATCH_BYTES = 2**22

# Tiles along the first axis at least, so that threads have something to share.
_LEAST_TILES = 4


class Tile(NamedTuple):
    """Neighbouring bands of the first axis, and some of the second.

    ``pieces`` are the columns that they read, without overlap. The bands have the rows that
    they have in the tile. Those of ``second`` and ``copied`` have its columns too; those of
    ``first`` have the columns of the data, which are read as they are where they can be.
    """

    rows: tuple[slice, slice]
    first: tuple[BandRun, ...]
    copied: tuple[BandRun, ...]
    second: tuple[BandRun, ...]
    pieces: tuple[Pieces, Pieces]

    def apply(
        self,
        later: Sequence[tuple[BandRun, ...]],
        data: Array,
        out: Array,
        dtype: np.dtype[Any],
        space: Workspace,
    ) -> None:
        """Work out the tile of ``out`` in a dtype; ``later`` are the other axes."""
        target = out[self.rows]
        between = self._first(data, len(target), dtype, space)
        for axis, runs in enumerate((self.second, *later), 1):
            shape = (*target.shape[: axis + 1], *data.shape[axis + 1 :])
            direct = axis == data.ndim - 1 and gapless(target, dtype)
            result = target if direct else space.take(shape, dtype)
            _multiply(runs, between, result, axis)
            between = result
        if between is not target:
            store(between, target)

    def _first(
        self, data: Array, rows: int, dtype: np.dtype[Any], space: Workspace
    ) -> Array:
        """Apply the first axis to what the tile reads."""
        total = _length(self.pieces[1])
        between = space.take((rows, total, *data.shape[2:]), dtype)
        direct = data.dtype == dtype and data.flags.c_contiguous and data.flags.aligned
        place = 0
        for start, stop in self.pieces[1]:
            part = between[:, place : place + stop - start]
            with space.frame():
                columns = data[:, start:stop]
                if not direct:
                    columns = _copied(columns, self.pieces[0], dtype, space)
                _multiply(self.first if direct else self.copied, columns, part, 0)
            place += stop - start
        return between


def _copied(data: Array, pieces: Pieces, dtype: np.dtype[Any], space: Workspace) -> Array:
    """Copy pieces of the first axis, one after another."""
    copy = space.take((_length(pieces), *data.shape[1:]), dtype)
    place = 0
    for start, stop in pieces:
        part = copy[place : place + stop - start]
        np.copyto(part, data[start:stop], casting="unsafe")
        place += stop - start
    return copy


def tiles_of(axes: Sequence[AxisBands], itemsize: int) -> list[Tile]:
    """Cut the first two axes; ``itemsize`` bytes lie behind each element of the second."""
    first, second = axes[0].bands, axes[1].bands
    groups: list[list[Band]] = [[]]
    for band in second:
        wider = [*groups[-1], band]
        if groups[-1] and _elements(first[:1], wider) * itemsize > _SCRATCH_BYTES:
            groups.append([band])
        else:
            groups[-1] = wider
    # As many bands of the first axis as fit, but something for each of a few threads.
    count = -(-len(first) // _LEAST_TILES)
    while count > 1 and _elements(first[:count], groups[0]) * itemsize > _SCRATCH_BYTES:
        count //= 2
    leading = [first[n : n + count] for n in range(0, len(first), count)]
    return [_tile(lead, group) for lead in leading for group in groups]


def _elements(first: Sequence[Band], second: Sequence[Band]) -> int:
    """Count what a tile reads and what it makes of that, without the axes behind."""
    reads, read = (_length(_pieces(bands)) for bands in (first, second))
    rows, row = (bands[-1].stop - bands[0].start for bands in (first, second))
    return rows * (row + read) + reads * read


def _tile(first: Sequence[Band], second: Sequence[Band]) -> Tile:
    rows = (_rows(first), _rows(second))
    pieces = (_pieces(first), _pieces(second))
    lead = (Band(a - rows[0].start, b - rows[0].start, parts) for a, b, parts in first)
    copied, inner = (
        runs_of(_moved(*pair)) for pair in zip((first, second), pieces, strict=True)
    )
    return Tile(rows, runs_of(lead), copied, inner, pieces)


def _rows(bands: Sequence[Band]) -> slice:
    return slice(bands[0].start, bands[-1].stop)


def _length(pieces: Pieces) -> int:
    return sum(stop - start for start, stop in pieces)


def _moved(bands: Sequence[Band], pieces: Pieces) -> Iterator[Band]:
    """Give bands by their places in a tile that reads these columns."""
    begin = bands[0].start
    for start, stop, parts in bands:
        moved = []
        for part in parts:
            first = _place(part.start, pieces)
            moved.append(BandPart(first, first + part.stop - part.start, part.matrix))
        yield Band(start - begin, stop - begin, tuple(moved))


def _place(column: int, pieces: Pieces) -> int:
    """Return the place of a column among those that are read."""
    before = sum(stop - start for start, stop in pieces if stop <= column)
    return before + next(column - a for a, b in pieces if a <= column < b)


def _pieces(bands: Sequence[Band]) -> Pieces:
    """Join the columns that bands read."""
    spans = sorted((part.start, part.stop) for band in bands for part in band.parts)
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return tuple(joined)


def _multiply(runs: tuple[BandRun, ...], data: Array, out: Array, axis: int) -> None:
    """Multiply an axis by its bands.

    All axes after it lie in C order without gaps, so that they can be viewed as one.
    """
    rank, shape = data.ndim, data.shape[:axis]
    if axis < rank - 1:
        rest = prod(data.shape[axis + 1 :])
        data = data.reshape(*shape, data.shape[axis], rest)
        out = out.reshape(*shape, out.shape[axis], rest)
    last = axis == rank - 1
    for run in runs:
        if run.repeats > 1:
            _multiply_run(run, data, out, last=last)
            continue
        if last:
            target = out[..., run.rows]
            pairs = [(data[..., a:b], matrix) for a, b, matrix in run.first.parts]
        else:
            target = out[..., run.rows, :]
            pairs = [(matrix, data[..., a:b, :]) for a, b, matrix in run.first.parts]
        _sum_of_products(pairs, target)


def _multiply_run(run: BandRun, data: Array, out: Array, *, last: bool) -> None:
    """Multiply all bands of a run at once, as a stack of matrices that overlap."""
    part = run.first.parts[0]
    columns = data if last else data.swapaxes(-1, -2)
    size, width = columns.shape[-1], part.stop - part.start
    axis = Axis(run.repeats, size, width, run.shift, 1, -part.start)
    windows = np.moveaxis(window_view(columns, (axis,)), -2, 0)
    if last:
        target = out[..., run.rows].reshape(*out.shape[:-1], run.repeats, -1)
        np.matmul(windows, part.matrix, out=np.moveaxis(target, -2, 0))
    else:
        target = out[..., run.rows, :]
        target = target.reshape(*out.shape[:-2], run.repeats, -1, out.shape[-1])
        left = windows.swapaxes(-1, -2)
        np.matmul(part.matrix, left, out=np.moveaxis(target, -3, 0))


def _sum_of_products(pairs: list[tuple[Array, Array]], out: Array) -> None:
    if not pairs:
        out[...] = 0
    for number, (left, right) in enumerate(pairs):
        if number:
            out += np.matmul(left, right)
        else:
            np.matmul(left, right, out=out)
