"""The matrix of a map in compressed sparse rows, by integer arithmetic alone.

Each spatial axis repeats itself, so only the rows at its ends and one period are
computed; everything else is a copy of a finished block, with the columns moved. The
arrays are written once, at nearly the speed of filling them with a constant.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.matrix.memory import check_memory
from mtconv.matrix.rows import AxisRows, RowRun, axis_rows
from mtconv.spec import ConvSpec

__all__ = ["Csr", "build_csr", "csr_bytes"]

Array = NDArray[Any]

# Blocks are doubled up to this many entries before they are repeated in one go.
_CHUNK = 2048


class Csr(NamedTuple):
    """A matrix in compressed sparse rows: sorted columns, no entry twice."""

    data: Array
    indices: Array
    indptr: Array
    shape: tuple[int, int]

    @property
    def rows(self) -> Array:
        """The row of each entry."""
        numbers = np.arange(self.shape[0], dtype=self.indices.dtype)
        return np.repeat(numbers, np.diff(self.indptr))


class _Layout(NamedTuple):
    """The sizes of a matrix: its axes, channels of rows and columns, and entries."""

    axes: tuple[AxisRows, ...]
    groups: int
    row_channels: int
    row_cells: int
    column_share: int
    column_cells: int

    @property
    def shape(self) -> tuple[int, int]:
        return (
            self.row_channels * self.row_cells,
            self.groups * self.column_share * self.column_cells,
        )

    @property
    def per_channel(self) -> int:
        """Entries in the rows of one channel."""
        return self.column_share * prod(axis.entries for axis in self.axes)

    @property
    def entries(self) -> int:
        return self.row_channels * self.per_channel

    @property
    def index_dtype(self) -> np.dtype[Any]:
        most = max(*self.shape, self.entries)
        return np.dtype(np.int32 if most <= np.iinfo(np.int32).max else np.int64)

    def nbytes(self, itemsize: int) -> int:
        index = self.index_dtype.itemsize
        return self.entries * (itemsize + index) + (self.shape[0] + 1) * index


def build_csr(function: str, form: str, spec: ConvSpec, w: Array) -> Csr:
    """Build the matrix of "conv_transpose" or "conv" on raveled canonical arrays.

    Parameters
    ----------
    function : str
        Name of the caller, for messages.
    form : str
        "conv_transpose": big rows by small columns; "conv": its transpose.
    spec : ConvSpec
        The geometry.
    w : array, shape `spec.kernel_shape`
        The kernel; its dtype is that of the matrix.

    Raises
    ------
    BackendError
        If the matrix needs more memory than the machine has available.
    """
    layout = _layout(form, spec)
    fix = "Apply the map without its matrix, for example with backend='numpy'."
    needed = layout.nbytes(w.dtype.itemsize)
    check_memory(function, "kernel", layout.entries, needed, fix)
    weights = _weights(form, spec, layout, w)
    index = layout.index_dtype
    channels, per = layout.row_channels, layout.per_channel
    data = np.empty((channels, per), w.dtype)
    indices = np.empty((channels, per), index)
    indptr = np.empty(layout.shape[0] + 1, index)
    indptr[-1] = layout.entries
    starts = indptr[:-1].reshape(channels, layout.row_cells)
    if channels:
        _Filler(layout, data, indices[:1], starts[:1], weights).fill()
        # The other channels' rows differ by their group's columns and by their start.
        later = np.arange(1, channels, dtype=np.int64)
        group_cells = layout.column_share * layout.column_cells
        moved = later // (channels // layout.groups) * group_cells
        np.add(indices[:1], moved.astype(index)[:, None], out=indices[1:])
        np.add(starts[:1], (later * per).astype(index)[:, None], out=starts[1:])
    return Csr(data.reshape(-1), indices.reshape(-1), indptr, layout.shape)


def csr_bytes(form: str, spec: ConvSpec, itemsize: int) -> int:
    """Count the bytes of the matrix, without making any of it."""
    return _layout(form, spec).nbytes(itemsize)


def _layout(form: str, spec: ConvSpec) -> _Layout:
    by_big = form == "conv_transpose"
    axes = tuple(axis_rows(axis, spec.padding_mode, by_big=by_big) for axis in spec.axes)
    small, share = spec.kernel_shape[:2]
    row_channels, column_share = (
        (share * spec.groups, small // spec.groups) if by_big else (small, share)
    )
    cells = (prod(spec.big), prod(spec.small))
    row_cells, column_cells = cells if by_big else cells[::-1]
    return _Layout(axes, spec.groups, row_channels, row_cells, column_share, column_cells)


def _weights(form: str, spec: ConvSpec, layout: _Layout, w: Array) -> Array:
    """Arrange the kernel as (row channels, column share * taps), with sums of taps."""
    for number, axis in enumerate(layout.axes):
        sums = [
            w.take(taps, axis=number + 2).sum(axis=number + 2, dtype=w.dtype, keepdims=True)
            for taps in axis.sums
        ]
        if sums:
            w = np.concatenate([w, *sums], axis=number + 2)
    small, share, *taps = w.shape
    if form == "conv_transpose":
        grouped = w.reshape(spec.groups, small // spec.groups, share, prod(taps))
        w = grouped.swapaxes(1, 2)
    return w.reshape(layout.row_channels, layout.column_share * prod(taps))


class _Filler:
    """Writes values, columns and row starts, axis by axis from the outermost inwards.

    ``data`` has a row for each row channel; ``indices`` and ``starts`` have the first
    channel's only.
    """

    def __init__(
        self,
        layout: _Layout,
        data: Array,
        indices: Array,
        starts: Array,
        weights: Array,
    ) -> None:
        self.axes = layout.axes
        self.share = layout.column_share
        self.data, self.indices, self.starts = data, indices, starts
        self.weights = weights
        self.rows = _strides([axis.rows for axis in self.axes])
        self.entries = _strides([axis.entries for axis in self.axes])
        self.columns = _strides([axis.width for axis in self.axes])
        self.taps = _strides([axis.taps for axis in self.axes])

    def fill(self) -> None:
        channels = np.arange(self.share)
        self._axis(0, 0, 0, channels * self.columns[0], channels * self.taps[0])

    def _axis(self, number: int, row: int, start: int, columns: Array, taps: Array) -> None:
        """Fill the rows of this axis and those inside it, from row ``row`` on.

        ``start`` is where their entries begin; ``columns`` and ``taps`` are what the
        axes outside contribute to each of them.
        """
        step = self.columns[number + 1]
        for block in self.axes[number].blocks:
            first_row, first = row, start
            for run in block.runs:
                write = self._last if number + 1 == len(self.axes) else self._outer
                row, start = write(number, row, start, columns, taps, run)
            rows, length = row - first_row, start - first
            _repeat(self.starts, first_row, rows, block.times, length)
            _repeat(self.indices, first, length, block.times, block.shift * step)
            _repeat(self.data, first, length, block.times, 0)
            row = first_row + rows * block.times
            start = first + length * block.times

    def _outer(
        self, number: int, row: int, start: int, columns: Array, taps: Array, run: RowRun
    ) -> tuple[int, int]:
        """Fill inside each row of a run of an axis that is not the last."""
        inner = number + 1
        if not run.columns.size:
            stop = row + len(run.columns) * self.rows[inner]
            self.starts[0, row:stop] = start
            return stop, start
        for own_columns, own_taps in zip(*run, strict=True):
            inner_columns = columns[:, None] + _scaled(own_columns, self.columns[inner])
            inner_taps = taps[:, None] + _scaled(own_taps, self.taps[inner])
            self._axis(inner, row, start, inner_columns.ravel(), inner_taps.ravel())
            row += self.rows[inner]
            start += inner_columns.size * self.entries[inner]
        return row, start

    def _last(
        self, number: int, row: int, start: int, columns: Array, taps: Array, run: RowRun
    ) -> tuple[int, int]:
        """Write a run of rows of the last axis."""
        del number
        rows, entries = run.columns.shape
        length = len(columns) * entries
        stop = start + rows * length
        self.starts[0, row : row + rows] = (
            np.arange(start, stop, length) if length else start
        )
        target = self.indices[0, start:stop].reshape(rows, len(columns), entries)
        np.add(columns[:, None], run.columns[:, None], out=target, casting="same_kind")
        places = (taps[:, None] + run.taps[:, None]).ravel()
        self.data[:, start:stop] = self.weights.take(places, axis=1)
        return row + rows, stop


def _scaled(indices: Array, step: int) -> Array:
    return np.multiply(indices, step, dtype=np.intp)


def _repeat(array: Array, start: int, length: int, times: int, step: int) -> None:
    """Repeat a finished block along the rows, adding ``step`` more each time."""
    done = 1
    while length and done < times:
        stop = start + done * length
        blocks = min(done, times - done)
        size = blocks * length
        # Short blocks are doubled first, long ones are written as often as they fit.
        copies = max((times - done) // done, 1) if size >= _CHUNK else 1
        source = array[:, None, start : start + size]
        target = array[:, stop : stop + copies * size].reshape(len(array), copies, size)
        if step:
            moves = np.arange(1, copies + 1, dtype=array.dtype) * array.dtype.type(step)
            np.add(source, (moves * array.dtype.type(done))[:, None], out=target)
        else:
            target[...] = source
        done += copies * blocks


def _strides(sizes: list[int]) -> list[int]:
    """Elements that one step along each axis moves, and before them those of all."""
    return list(accumulate(sizes[::-1], mul, initial=1))[::-1]
