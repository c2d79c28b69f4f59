"""The matrix of a map in compressed sparse rows, by integer arithmetic alone.

Each spatial axis repeats itself, so only the rows at its ends and one period are
computed; everything else is a copy of a finished block, with the columns moved. The
arrays are written once, at nearly the speed of filling them with a constant.
"""

from __future__ import annotations

from functools import reduce
from itertools import accumulate
from math import prod
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import BackendError, message
from mtconv.matrix.rows import AxisRows, axis_rows
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
    _check_memory(function, layout, w.dtype.itemsize)
    weights = _weights(form, spec, layout, w)
    index = layout.index_dtype
    per, rows = layout.per_channel, layout.row_channels
    data = np.empty((rows, per), w.dtype)
    indices = np.empty((rows, per), index)
    if data.size:
        _Filler(layout, data, indices[:1], weights).fill()
        share = rows // layout.groups
        moved = layout.column_share * layout.column_cells
        offsets = (np.arange(1, rows, dtype=index) // share * moved).astype(index)
        np.add(indices[:1], offsets[:, None], out=indices[1:])
    indptr = _row_starts(layout, index)
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
        parts = [w] + [
            w.take(taps, axis=number + 2).sum(axis=number + 2, dtype=w.dtype, keepdims=True)
            for taps in axis.sums
        ]
        if len(parts) > 1:
            w = np.concatenate(parts, axis=number + 2)
    small, share, *taps = w.shape
    if form == "conv_transpose":
        grouped = w.reshape(spec.groups, small // spec.groups, share, prod(taps))
        w = grouped.swapaxes(1, 2)
    return w.reshape(layout.row_channels, layout.column_share * prod(taps))


def _row_starts(layout: _Layout, dtype: np.dtype[Any]) -> Array:
    counts = reduce(
        np.multiply.outer, (axis.counts().astype(dtype) for axis in layout.axes)
    )
    counts *= layout.column_share
    indptr = np.zeros(layout.shape[0] + 1, dtype)
    starts = indptr[1:].reshape(layout.row_channels, layout.row_cells)
    if starts.size:
        np.cumsum(counts, dtype=dtype, out=starts[0])
        offsets = np.arange(1, len(starts), dtype=dtype) * dtype.type(layout.per_channel)
        np.add(starts[:1], offsets[:, None], out=starts[1:])
    return indptr


class _Filler:
    """Writes values and columns, axis by axis from the outermost inwards.

    ``data`` has a row for each row channel; ``indices`` has the first channel's only.
    """

    def __init__(
        self, layout: _Layout, data: Array, indices: Array, weights: Array
    ) -> None:
        self.axes = layout.axes
        self.share = layout.column_share
        self.data, self.indices, self.weights = data, indices, weights
        self.entries = _strides([axis.entries for axis in self.axes])
        self.columns = _strides([axis.width for axis in self.axes])
        self.taps = _strides([axis.taps for axis in self.axes])

    def fill(self) -> None:
        channels = np.arange(self.share)
        self._fill(0, 0, channels * self.columns[0], channels * self.taps[0])

    def _fill(self, number: int, start: int, columns: Array, taps: Array) -> None:
        """Fill from ``start`` the rows of the axes from this one inwards.

        ``columns`` and ``taps`` are the entries that the axes outside contribute.
        """
        if number == len(self.axes):
            stop = start + len(columns)
            self.indices[0, start:stop] = columns
            self.data[:, start:stop] = self.weights.take(taps, axis=1)
            return
        inner = len(columns) * self.entries[number + 1]
        column_step, tap_step = self.columns[number + 1], self.taps[number + 1]
        for block in self.axes[number].blocks:
            begin = start
            for row in block.rows:
                self._fill(
                    number + 1,
                    start,
                    _outer_sum(columns, row.columns, column_step),
                    _outer_sum(taps, row.taps, tap_step),
                )
                start += inner * len(row.columns)
            length = start - begin
            _repeat(self.indices, begin, length, block.times, block.shift * column_step)
            _repeat(self.data, begin, length, block.times, 0)
            start = begin + length * block.times


def _outer_sum(outer: Array, inner: Array, step: int) -> Array:
    return (outer[:, None] + np.multiply(inner, step, dtype=np.intp)).reshape(-1)


def _repeat(array: Array, start: int, length: int, times: int, step: int) -> None:
    """Repeat a finished block along the rows, adding ``step`` more each time."""
    done = 1
    while length and done < times:
        size = done * length
        stop = start + size
        # Short blocks are doubled first, long ones are written as often as they fit.
        copies = (times - done) // done if size >= _CHUNK else 1
        if copies == 0 or done + done > times:
            size, copies = (times - done) * length, 1
        source = array[:, None, start : start + size]
        target = array[:, stop : stop + copies * size].reshape(len(array), copies, size)
        if step:
            moves = np.arange(1, copies + 1, dtype=array.dtype) * array.dtype.type(step)
            np.add(source, (moves * array.dtype.type(done))[:, None], out=target)
        else:
            target[...] = source
        done += copies * size // length


def _strides(sizes: list[int]) -> list[int]:
    """Elements that one step along each axis moves, and before them those of all."""
    return list(accumulate(sizes[::-1], mul, initial=1))[::-1]


def _check_memory(function: str, layout: _Layout, itemsize: int) -> None:
    needed, available = layout.nbytes(itemsize), _available_memory()
    if available is not None and needed > available:
        msg = message(
            function,
            "kernel",
            "must lead to a matrix that fits into the memory available, "
            f"{available / 2**30:.1f} GiB",
            f"{layout.entries} entries, which take {needed / 2**30:.1f} GiB",
            fix="Apply the map without its matrix, for example with backend='numpy'.",
        )
        raise BackendError(msg)


def _available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    available = fields.get("MemAvailable")
    return None if available is None else int(available.split()[0]) * 1024
