"""The part of a result that is worked out at a time: bands of the first two axes.

The first axis is applied to all that a tile reads, the second to what came out, and so on;
the last one writes the result. Only the first two axes are cut, so that what lies between
is small, and no element of it is worked out twice but where tiles of the second axis meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, gapless, store
from mtconv.backends.host.strided import window_view
from mtconv.geometry import Axis
from mtconv.operators.separable.bands import AxisBands, Band, BandRun, runs_of
from mtconv.operators.separable.columns import Pieces, ReadColumns, moved

__all__ = ["Tile", "tiles_of"]

Array = NDArray[Any]

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


class _CutBands(NamedTuple):
    """Bands of an axis that a tile has: as they are, and by their places in the tile."""

    rows: slice
    plain: tuple[BandRun, ...]
    copied: tuple[BandRun, ...]
    pieces: Pieces


class _Extent(NamedTuple):
    """How many rows neighbouring bands have, and how many columns they read."""

    rows: int
    reads: int


def tiles_of(axes: Sequence[AxisBands], itemsize: int) -> list[Tile]:
    """Cut the first two axes; ``itemsize`` bytes lie behind each element of the second."""
    first, second = axes[0].bands, axes[1].bands
    groups = _groups(_extent(first[:1]), second, itemsize)
    # As many bands of the first axis as fit, but something for each of a few threads.
    count, row = -(-len(first) // _LEAST_TILES), _extent(groups[0])
    while count > 1 and _elements(_extent(first[:count]), row) * itemsize > _SCRATCH_BYTES:
        count //= 2
    leads = [_cut(first[n : n + count]) for n in range(0, len(first), count)]
    cuts = [_cut(group) for group in groups]
    return [
        Tile((a.rows, b.rows), a.plain, a.copied, b.copied, (a.pieces, b.pieces))
        for a in leads
        for b in cuts
    ]


def _groups(lead: _Extent, bands: Sequence[Band], itemsize: int) -> list[list[Band]]:
    """Cut the second axis, as much of it at a time as fits with a lead of the first."""
    groups: list[list[Band]] = []
    columns = ReadColumns()
    for band in bands:
        columns.add(band)
        wider = _Extent(band.stop - groups[-1][0].start, columns.length) if groups else None
        if wider is None or _elements(lead, wider) * itemsize > _SCRATCH_BYTES:
            groups.append([band])
            columns = ReadColumns([band])
        else:
            groups[-1].append(band)
    return groups


def _elements(first: _Extent, second: _Extent) -> int:
    """Count what a tile reads and what it makes of that, without the axes behind."""
    return first.rows * (second.rows + second.reads) + first.reads * second.reads


def _extent(bands: Sequence[Band]) -> _Extent:
    """Return the extent of the first bands of an axis."""
    return _Extent(bands[-1].stop, ReadColumns(bands).length)


def _cut(bands: Sequence[Band]) -> _CutBands:
    begin, pieces = bands[0].start, ReadColumns(bands).pieces
    plain = (Band(a - begin, b - begin, parts) for a, b, parts in bands)
    copied = runs_of(moved(bands, pieces, begin))
    return _CutBands(slice(begin, bands[-1].stop), runs_of(plain), copied, pieces)


def _length(pieces: Pieces) -> int:
    return sum(stop - start for start, stop in pieces)


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
