"""One axis of the matrix: which columns each row has, and which taps stand there.

Away from its ends an axis repeats itself: row ``r + period`` has the columns of row
``r``, moved by ``shift``. So an axis is a few blocks of rows, each written down once
with the number of times that it repeats. Where a padding mode makes several taps read
one element, they share an entry; such sums of taps are numbered after the kernel's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv import geometry
from mtconv.folds import fold_margins
from mtconv.geometry import Axis

__all__ = ["AxisRows", "RowBlock", "RowRun", "axis_rows"]

Array = NDArray[Any]
Row = tuple[Array, Array]


class RowRun(NamedTuple):
    """Rows of equally many entries each: their columns, increasing, and their taps."""

    columns: Array
    taps: Array


class RowBlock(NamedTuple):
    """Rows that follow one another, and repeat ``times`` times moved by ``shift``."""

    runs: tuple[RowRun, ...]
    times: int
    shift: int

    @property
    def rows(self) -> int:
        """Rows of one repetition."""
        return sum(len(run.columns) for run in self.runs)

    @property
    def entries(self) -> int:
        """Entries of one repetition."""
        return sum(run.columns.size for run in self.runs)


class AxisRows(NamedTuple):
    """All rows of one axis, with the sums of taps that its entries need."""

    blocks: tuple[RowBlock, ...]
    width: int
    kernel: int
    sums: tuple[tuple[int, ...], ...]

    @property
    def taps(self) -> int:
        """Number of taps and of sums of taps."""
        return self.kernel + len(self.sums)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(block.rows * block.times for block in self.blocks)

    @property
    def entries(self) -> int:
        """Entries of all rows."""
        return sum(block.entries * block.times for block in self.blocks)


def axis_rows(axis: Axis, mode: str, *, by_big: bool) -> AxisRows:
    """Write down the rows of an axis: big elements by small ones, or the other way."""
    table = _BigRows(axis, mode) if by_big else _SmallRows(axis, mode)
    blocks: list[RowBlock] = []
    done = 0
    for start, stop in pairwise(table.edges()):
        times = (stop - start) // table.period
        if times > 1 and table.repeats(start):
            if done < start:
                blocks.append(RowBlock(_runs(table, done, start), 1, table.shift))
            runs = _runs(table, start, start + table.period)
            blocks.append(RowBlock(runs, times, table.shift))
            done = start + times * table.period
    if done < table.count:
        blocks.append(RowBlock(_runs(table, done, table.count), 1, table.shift))
    width = axis.small if by_big else axis.big
    return AxisRows(tuple(blocks), width, axis.kernel, tuple(table.sums))


def _runs(table: _BigRows | _SmallRows, start: int, stop: int) -> tuple[RowRun, ...]:
    """Write down some rows, those of equally many entries together."""
    runs: list[RowRun] = []
    live, done = table.live(start, stop), start
    # Neighbours in the list that are none in the axis have empty rows between them.
    for _, group in groupby(enumerate(live), key=lambda pair: pair[1] - pair[0]):
        together = [r for _, r in group]
        if done < together[0]:
            runs.append(_empty(together[0] - done))
        done = together[-1] + 1
        rows = [table.row(r) for r in together]
        # A kernel as long as the axis has as many entries here as in the matrix: be brief.
        runs += [
            RowRun(*(np.array(part, np.int32) for part in zip(*run, strict=True)))
            for _, run in groupby(rows, key=lambda row: len(row[0]))
        ]
    if done < stop:
        runs.append(_empty(stop - done))
    return tuple(runs)


def _empty(count: int) -> RowRun:
    """Rows without entries."""
    return RowRun(np.zeros((count, 0), np.int32), np.zeros((count, 0), np.int32))


class _Table:
    """What both directions share: the padding's source elements and the sums of taps."""

    def __init__(self, axis: Axis, mode: str) -> None:
        self.axis = axis
        self.folds = mode != "zeros"
        self.taps = np.arange(axis.kernel)
        self.sums: dict[tuple[int, ...], int] = {}
        self.before: Array = np.zeros(0, np.intp)
        self.after: Array = np.zeros(0, np.intp)
        if self.folds:
            margins = fold_margins(axis.big, axis.lo, max(axis.hi, 0), mode)
            self.before, self.after = (np.array(cells, np.intp) for cells in margins)

    def merged(self, columns: Array, taps: Array) -> Row:
        """Sort by column and let the taps of one column share an entry."""
        order = np.argsort(columns, kind="stable")
        columns, taps = columns[order], taps[order]
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        ends = [*first, len(columns)][1:]
        shared = taps[first]
        for entry, (start, stop) in enumerate(zip(first, ends, strict=True)):
            if stop - start > 1:
                key = tuple(sorted(taps[start:stop].tolist()))
                shared[entry] = self.sums.setdefault(key, self.axis.kernel + len(self.sums))
        return columns[first], shared


class _SmallRows(_Table):
    """Row ``i`` of a convolution: ``o = stride*i + dilation*j - lo`` for every tap."""

    period = 1

    def __init__(self, axis: Axis, mode: str) -> None:
        super().__init__(axis, mode)
        self.count = axis.small
        self.shift = axis.stride

    def edges(self) -> list[int]:
        """Rows at which some tap begins or ceases to meet an element of the axis."""
        axis = self.axis
        offset = axis.dilation * self.taps - axis.lo
        begin = -(offset // axis.stride)
        end = (axis.big - 1 - offset) // axis.stride + 1
        return _edges((begin, end), axis.small)

    def live(self, start: int, stop: int) -> Sequence[int]:
        """Rows among ``start..stop`` that may have entries."""
        return range(start, stop)

    def repeats(self, i: int) -> bool:
        """Return whether the row reads no padding, or the padding is zero."""
        axis = self.axis
        first = axis.stride * i - axis.lo
        return not self.folds or (first >= 0 and first + axis.extent <= axis.big)

    def row(self, i: int) -> Row:
        """Columns and taps of row ``i``."""
        axis = self.axis
        cells = axis.stride * i - axis.lo + axis.dilation * self.taps
        inside = (cells >= 0) & (cells < axis.big)
        if not self.folds or inside.all():
            return cells[inside], self.taps[inside]
        below, above = cells < 0, cells >= axis.big
        cells[below] = self.before[cells[below] + axis.lo]
        cells[above] = self.after[cells[above] - axis.big]
        return self.merged(cells, self.taps)


class _BigRows(_Table):
    """Row ``o`` of a transposed convolution: every ``i`` and tap that reach it."""

    shift = 1

    def __init__(self, axis: Axis, mode: str) -> None:
        super().__init__(axis, mode)
        self.count = axis.big
        self.period = axis.stride
        self.copies: dict[int, list[int]] = {}
        padding = [*range(-axis.lo, 0), *range(axis.big, axis.big + len(self.after))]
        sources = [*self.before.tolist(), *self.after.tolist()]
        for cell, source in zip(padding if self.folds else (), sources, strict=True):
            self.copies.setdefault(source, []).append(cell)

    def edges(self) -> list[int]:
        """Rows at which some tap begins or ceases to reach, and those with copies."""
        axis = self.axis
        begin = axis.dilation * self.taps - axis.lo
        end = begin + axis.stride * (axis.small - 1) + 1
        copied = np.array(list(self.copies), np.intp)
        return _edges((begin, end, copied, copied + 1), axis.big)

    def live(self, start: int, stop: int) -> Sequence[int]:
        """Rows among ``start..stop`` that may have entries."""
        axis = self.axis
        if not geometry.has_holes(axis):
            return range(start, stop)
        rows = {cell for cell in self.copies if start <= cell < stop}
        for phase in geometry.live_phases(axis):
            first = start + (phase.start - start) % axis.stride
            rows.update(range(first, stop, axis.stride))
        return sorted(rows)

    def repeats(self, o: int) -> bool:
        """Return whether the row is that of no padding."""
        return o not in self.copies

    def row(self, o: int) -> Row:
        """Columns and taps of row ``o``."""
        axis = self.axis
        parts = []
        for cell in (o, *self.copies.get(o, ())):
            reach = cell + axis.lo - axis.dilation * self.taps[::-1]
            columns, rest = np.divmod(reach, axis.stride)
            met = (rest == 0) & (columns >= 0) & (columns < axis.small)
            parts.append((columns[met], self.taps[::-1][met]))
        if len(parts) == 1:
            return parts[0]
        columns, taps = (np.concatenate(side) for side in zip(*parts, strict=True))
        return self.merged(columns, taps)


def _edges(places: tuple[Array, ...], count: int) -> list[int]:
    inside = [np.clip(place, 0, count) for place in places]
    edges: list[int] = np.unique(np.concatenate([*inside, [0, count]])).tolist()
    return edges
