"""The three maps by slices: gather columns axis by axis, multiply, put in order.

Output phases of an axis that read the same input elements share one product, so an axis
needs two or three products whatever its stride, and no inserted zero is multiplied.

Arrays are canonical: x (batch, channels, *small), y (batch, channels, *big), kernel
(small channels, big channels / groups, *k).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mtconv.backends._array_api.library import Library
from mtconv.folds import Stretch, open_stretches
from mtconv.geometry import Axis, phase_groups
from mtconv.sizes import cached, larger, smaller
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "fold", "kernel_grad", "pad"]

Table = tuple[int, ...]
Amounts = Sequence[tuple[int, int]]


class Reads(NamedTuple):
    """Slices of an axis, one per tap: ``cells`` elements from ``start``, ``step`` apart.

    Elements outside the axis count as zero.
    """

    starts: Table
    step: int
    cells: int


class Group(NamedTuple):
    """Output phases of an axis that read the same input elements."""

    residues: Table
    taps: Table  # the taps of each residue, one after the other
    reads: Reads


def conv_transpose(lib: Library, spec: ConvSpec, x: Any, w: Any) -> Any:
    """Compute each group of phases as one product and put the phases in order."""
    inner = spec if spec.padding_mode == "zeros" else spec.padded
    rank = spec.rank
    x, w = _grouped(lib, x, spec.groups), _grouped_kernel(lib, w, spec)
    turns = [smaller(axis.stride, axis.big) for axis in inner.axes]
    cells = [-(-axis.big // axis.stride) for axis in inner.axes]
    groups = [_groups(axis) for axis in inner.axes]
    batch, share = x.shape[0], w.shape[2]

    def block(chosen: tuple[Group, ...]) -> Any:
        counts = [len(group.reads.starts) for group in chosen]
        columns = _columns(lib, x, [group.reads for group in chosen])
        kernel = w
        for axis, group in enumerate(chosen):
            kernel = _take(lib, kernel, group.taps, 3 + axis)
        residues = [len(group.residues) for group in chosen]
        kernel = lib.reshape(kernel, (*kernel.shape[:3], *_pairs(residues, counts)))
        odd, even = range(3, 3 + 2 * rank, 2), range(4, 4 + 2 * rank, 2)
        kernel = lib.permute(kernel, (0, 2, *odd, 1, *even))
        rows = share * prod(residues)
        kernel = lib.reshape(kernel, (spec.groups, rows, columns.shape[2]))
        result = lib.matmul(kernel, columns)
        return lib.reshape(result, (batch, spec.groups, share, *residues, *cells))

    def assemble(chosen: tuple[Group, ...]) -> Any:
        """Join the groups of the next axis along its residues, in order."""
        axis = len(chosen)
        if axis == rank:
            return block(chosen)
        parts = [assemble((*chosen, group)) for group in groups[axis]]
        joined = parts[0] if len(parts) == 1 else lib.concat(parts, 3 + axis)
        places = [residue for group in groups[axis] for residue in group.residues]
        order = tuple(
            places.index(residue) if residue in places else len(places)
            for residue in range(turns[axis])
        )
        return _take(lib, joined, order, 3 + axis)

    pairs = [at for a in range(rank) for at in (3 + rank + a, 3 + a)]
    y = lib.permute(assemble(()), (0, 1, 2, *pairs))
    sizes = [cell * turn for cell, turn in zip(cells, turns, strict=True)]
    y = lib.reshape(y, (batch, spec.groups * share, *sizes))
    y = y[(..., *(slice(axis.big) for axis in inner.axes))]
    return y if inner is spec else fold(lib, spec, y)


def conv(lib: Library, spec: ConvSpec, y: Any, w: Any) -> Any:
    """Multiply the gathered columns of y by the kernel."""
    columns = _big_columns(lib, spec, y)
    kernel = _grouped_kernel(lib, w, spec)
    kernel = lib.reshape(kernel, (*kernel.shape[:2], prod(kernel.shape[2:])))
    result = lib.matmul(kernel, columns)
    return lib.reshape(result, (y.shape[0], kernel.shape[0] * kernel.shape[1], *spec.small))


def kernel_grad(lib: Library, spec: ConvSpec, x: Any, y: Any) -> Any:
    """Multiply x by the gathered columns of y, batch and elements in one sum."""
    columns = _big_columns(lib, spec, y)
    batch, groups, rows, cells = columns.shape
    columns = lib.reshape(lib.permute(columns, (1, 0, 3, 2)), (groups, batch * cells, rows))
    x = _grouped(lib, x, groups)
    x = lib.permute(x, (1, 2, 0, *range(3, 3 + spec.rank)))
    x = lib.reshape(x, (groups, x.shape[1], batch * cells))
    return lib.reshape(lib.matmul(x, columns), spec.kernel_shape)


def _big_columns(lib: Library, spec: ConvSpec, y: Any) -> Any:
    """Gather y as (batch, groups, channels * taps, small elements), padding filled in."""
    axes = spec.axes
    if spec.padding_mode != "zeros":
        y, axes = pad(lib, spec, y), spec.padded.axes
    reads = [
        Reads(
            tuple(axis.dilation * j - axis.lo for j in range(axis.kernel)),
            axis.stride,
            axis.small,
        )
        for axis in axes
    ]
    return _columns(lib, _grouped(lib, y, spec.groups), reads)


def _columns(lib: Library, array: Any, reads: list[Reads]) -> Any:
    """Slice along one axis after the other and bring all taps and all elements together."""
    for axis, read in enumerate(reads, 3):
        array = _slices(lib, array, read, axis)
    counts = [len(read.starts) for read in reads]
    cells = [read.cells for read in reads]
    rank = len(reads)
    lead = tuple(array.shape[:3])
    array = lib.reshape(array, (*lead, *_pairs(counts, cells)))
    odd, even = range(3, 3 + 2 * rank, 2), range(4, 4 + 2 * rank, 2)
    array = lib.permute(array, (0, 1, 2, *odd, *even))
    return lib.reshape(array, (*lead[:2], lead[2] * prod(counts), prod(cells)))


def _slices(lib: Library, array: Any, read: Reads, axis: int) -> Any:
    """Return the slices of one axis one after the other."""
    if not read.starts:
        return array[(*(slice(None),) * axis, slice(0), ...)]
    span = read.step * (read.cells - 1) + 1
    low = larger(0, -reduce(smaller, read.starts))
    high = larger(0, reduce(larger, read.starts) + span - array.shape[axis])
    array = lib.pad(array, low, high, axis)
    before = (slice(None),) * axis
    parts = [
        array[(*before, slice(start + low, start + low + span, read.step), ...)]
        for start in read.starts
    ]
    return parts[0] if len(parts) == 1 else lib.concat(parts, axis)


def _take(lib: Library, array: Any, table: Table, axis: int) -> Any:
    """Select elements of an axis; a number past its end stands for zero."""
    size = array.shape[axis]
    if len(table) == size and table == tuple(range(size)):
        return array
    if (step := _step(table)) and table[-1] < size:
        return array[(*(slice(None),) * axis, slice(table[0], table[-1] + 1, step), ...)]
    if table and max(table) >= size:
        array = lib.pad(array, 0, 1, axis)
    index = lib.from_numpy(np.asarray(table, np.int64), lib.device(array))
    return lib.take(array, index, axis)


def _step(table: Table) -> int:
    """Return the step of elements in even steps upwards, which are a slice; 0 for others.

    A slice needs no index, which would have to travel to the device.
    """
    if not table:
        return 0
    step = table[1] - table[0] if len(table) > 1 else 1
    even = table == tuple(range(table[0], table[0] + step * len(table), step or 1))
    return step if step > 0 and even else 0


def pad(lib: Library, spec: ConvSpec, y: Any, amounts: Amounts | None = None) -> Any:
    """Fill the padding of y (batch, channels, *big) as the padding mode says.

    ``amounts`` are the elements before and behind each axis: `lo` and `hi`, if left out.
    """
    if amounts is None:
        amounts = [(axis.lo, larger(axis.hi, 0)) for axis in spec.axes]
    for number, (axis, ends) in enumerate(zip(spec.axes, amounts, strict=True), 2):
        index = lib.open_sources(y, axis.big, *ends, spec.padding_mode)
        if index is not None:
            y = lib.take(y, index, number)
            continue
        stretches = open_stretches(axis.big, *ends, spec.padding_mode)
        parts = [_sources(lib, y, stretch, number) for stretch in stretches]
        y = parts[0] if len(parts) == 1 else lib.concat(parts, number)
    return y


def _sources(lib: Library, y: Any, stretch: Stretch, axis: int) -> Any:
    """Return the elements of an axis that a stretch repeats."""
    _, cells, source, step = stretch
    first = source - cells + 1 if step < 0 else source
    part = y[(*(slice(None),) * axis, slice(first, first + (cells if step else 1)), ...)]
    if step < 0:
        return lib.flip(part, axis)
    if step == 0:
        return lib.expand(part, (*part.shape[:axis], cells, *part.shape[axis + 1 :]))
    return part


def fold(lib: Library, spec: ConvSpec, padded: Any) -> Any:
    """Add the padding's elements to the elements they were read from."""
    for number, axis in enumerate(spec.axes, 2):
        hi = larger(axis.hi, 0)
        index = lib.open_sources(padded, axis.big, axis.lo, hi, spec.padding_mode)
        if index is not None:
            padded = lib.added(padded, index, axis.big, number)
            continue
        stretches = open_stretches(axis.big, axis.lo, hi, spec.padding_mode)
        parts = [_folded(lib, padded, stretch, axis.big, number) for stretch in stretches]
        padded = parts[0]
        for part in parts[1:]:
            padded = padded + part
    return padded


def _folded(lib: Library, padded: Any, stretch: Stretch, size: int, axis: int) -> Any:
    """Put the padded elements of a stretch where they were read from, among zeros."""
    start, cells, source, step = stretch
    part = padded[(*(slice(None),) * axis, slice(start, start + cells), ...)]
    if step == 0:
        part, cells = lib.sum(part, axis), 1
    elif step < 0:
        part, source = lib.flip(part, axis), source - cells + 1
    return lib.pad(part, source, size - source - cells, axis)


def _grouped(lib: Library, array: Any, groups: int) -> Any:
    batch, channels, *space = array.shape
    return lib.reshape(array, (batch, groups, channels // groups, *space))


def _grouped_kernel(lib: Library, w: Any, spec: ConvSpec) -> Any:
    small, share, *taps = spec.kernel_shape
    return lib.reshape(w, (spec.groups, small // spec.groups, share, *taps))


def _pairs(first: list[int], second: list[int]) -> list[int]:
    return [size for pair in zip(first, second, strict=True) for size in pair]


@cached(1024)
def _groups(axis: Axis) -> tuple[Group, ...]:
    """Group the phases of an axis that have taps by the input elements they read.

    Where none has taps, all are one group of zero taps: an empty sum, so that libraries
    that differentiate still see a function of x and kernel.
    """
    cells = -(-axis.big // axis.stride)
    groups = [group.phases for group in phase_groups(axis, "reads")]
    if not groups:
        return (
            Group(tuple(range(smaller(axis.stride, axis.big))), (), Reads((), 1, cells)),
        )
    return tuple(
        Group(
            tuple(phase.start for phase in members),
            tuple(
                phase.tap + m * phase.tap_step
                for phase in members
                for m in range(phase.taps)
            ),
            Reads(
                tuple(first.shift - m * first.shift_step for m in range(first.taps)),
                1,
                cells,
            ),
        )
        for members in groups
        for first in members[:1]
    )
