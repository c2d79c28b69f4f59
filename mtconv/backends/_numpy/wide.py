"""Polyphase for wide strides: space first, so that a whole phase row is one run.

With a stride of 16 and more, writing every 16th cell is slow while a kernel row holds 16
taps side by side. Here one product gives, for each small cell, a block of ``stride``
cells per axis, and copies move runs of up to ``stride`` elements.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.columns import extend, place
from mtconv.backends._numpy.product import CHAIN, multiply
from mtconv.backends._numpy.strided import window_view
from mtconv.backends._numpy.weights import Weights
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis

__all__ = ["conv", "conv_transpose", "kernel_grad", "pays"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]

# Shorter runs cost more than strided writes.
LEAST_STRIDE = 16

RESULT_BYTES = 2**21


class Rows(NamedTuple):
    """Residues ``first..last`` of one axis, all with ``taps`` taps."""

    taps: int
    first: int
    last: int


class Part(NamedTuple):
    """Blocks ``cells``, residues ``low..high``; ``big`` is where residue 0 would be."""

    cells: slice
    low: int
    high: int
    big: int


def pays(axes: Axes) -> bool:
    """Return whether these axes are for this module."""
    return axes[-1].stride >= LEAST_STRIDE and all(axis.dilation == 1 for axis in axes)


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Run the transposed convolution; shapes as in `polyphase.conv_transpose`."""
    cells = tuple(_cells(axis) for axis in axes)
    for found in product(*(_rows(axis) for axis in axes)):
        parts = [_parts(axis, rows) for axis, rows in zip(axes, found, strict=True)]
        if not all(rows.taps for rows in found):
            for some in product(*parts):
                _blocks(axes, out, some)[...] = 0
            continue
        with space.frame():
            if len(axes) == 1 and len(x[0]) >= CHAIN:
                _add_taps(axes, found[0], cells[0], x, weights.array, out, parts[0], space)
                continue
            stack = _stack(axes, found, cells, x, space)
            _multiply(axes, found, stack, weights, out, parts, space)


def _add_taps(
    axes: Axes,
    rows: Rows,
    cells: tuple[int, int],
    x: Array,
    w: Array,
    out: Array,
    parts: list[Part],
    space: Workspace,
) -> None:
    """Add up the products of each tap: so many channels are as many products anyway.

    Neither cells nor taps need to lie side by side then, so that BLAS takes the kernel as
    it is and one copy of x serves all taps.
    """
    (axis,) = axes
    groups, small, batch = x.shape[:3]
    width = rows.last - rows.first
    first, spots = cells[0] - rows.taps + 1, cells[1] - cells[0]
    room = space.take((groups, small, batch, spots + rows.taps - 1), x.dtype)
    place(x, (first,), room)
    turned = space.take((groups, batch, room.shape[3], small), x.dtype)
    turned[...] = room.transpose(0, 2, 3, 1)
    each = turned[..., 0].nbytes * width
    step = max(1, RESULT_BYTES // max(each, 1))
    for start in range(0, w.shape[2], step):
        with space.frame():
            part = w[:, :, start : start + step].swapaxes(1, 2)[:, :, None]
            result = space.take((groups, part.shape[1], batch, spots, width), w.dtype)
            for m in range(rows.taps):
                taps = slice(m * axis.stride + rows.first, m * axis.stride + rows.last)
                shifted = turned[:, None, :, rows.taps - 1 - m :][..., :spots, :]
                multiply(shifted, part[..., taps], result, space, cut=False, add=m > 0)
            blocks = result.transpose(2, 0, 1, 3, 4)
            _write(axes, (rows,), blocks, out[:, :, start : start + step], [parts])


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Run the convolution; shapes as in `polyphase.conv`."""
    w = weights.array
    groups, small, share = w.shape[:3]
    rank = len(axes)
    cells = out.shape[0] * prod(out.shape[3:])
    result = space.take((groups, cells, small), out.dtype)
    result[...] = 0
    for channels in _channels(axes, share, groups * cells * y.itemsize):
        with space.frame():
            rows = w[:, :, channels].reshape(groups, small, -1)
            columns = _columns(axes, y[:, :, channels], space)
            multiply(columns, rows.swapaxes(1, 2), result, space, add=True)
    ordered = result.reshape(groups, out.shape[0], *out.shape[3:], small)
    out[...] = ordered.transpose(1, 0, 2 + rank, *range(2, 2 + rank))


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Add up the kernel gradient; shapes as in `polyphase.kernel_grad`."""
    groups, small, share = out.shape[:3]
    rows = x.reshape(groups, small, -1)
    for channels in _channels(axes, share, groups * rows.shape[2] * y.itemsize):
        with space.frame():
            columns = _columns(axes, y[:, :, channels], space)
            part = out[:, :, channels]
            more = space.take((groups, small, columns.shape[2]), out.dtype)
            np.matmul(rows, columns, out=more)
            part += more.reshape(part.shape)


def _channels(axes: Axes, share: int, each: int) -> list[slice]:
    """Cut the channels of the big side so that columns stay small."""
    step = max(1, 2 * RESULT_BYTES // max(1, each * prod(axis.kernel for axis in axes)))
    return [slice(start, start + step) for start in range(0, share, step)]


def _columns(axes: Axes, y: Array, space: Workspace) -> Array:
    """Gather y (b, g, co, *big) as (g, b * small cells, co * taps)."""
    rank = len(axes)
    axes, y = extend(axes, y, space, always=True)
    view = window_view(y, axes)  # (b, g, co, *small, *taps)
    order = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    ordered = view.transpose(order)
    columns = space.take(ordered.shape, y.dtype)
    columns[...] = ordered
    taps = prod(axis.kernel for axis in axes)
    return columns.reshape(y.shape[1], -1, y.shape[2] * taps)


def _multiply(
    axes: Axes,
    found: tuple[Rows, ...],
    stack: Array,
    weights: Weights,
    out: Array,
    parts: list[list[Part]],
    space: Workspace,
) -> None:
    w = weights.array
    groups, small, share = w.shape[:3]
    rank = len(axes)
    spots = stack.shape[1 : 2 + rank]  # b, *cells
    widths = tuple(rows.last - rows.first for rows in found)
    depth = prod(rows.taps for rows in found) * small
    matrix = stack.reshape(groups, prod(spots), depth)
    each = groups * prod(spots) * prod(widths) * w.itemsize
    step = max(1, RESULT_BYTES // max(each, 1))
    for start in range(0, share, step):
        with space.frame():
            kernel = _kernel(axes, found, weights, slice(start, start + step), space)
            count = kernel.shape[2 + rank]
            result = space.take((groups, prod(spots), count * prod(widths)), w.dtype)
            flat = kernel.reshape(groups, depth, -1)
            if depth == 1:
                np.multiply(matrix, flat, out=result)
            else:
                multiply(matrix, flat, result, space)
            blocks = result.reshape(groups, *spots, count, *widths)
            # (b, g, co, cell, residue, cell, residue ...)
            order = [1, 0, 2 + rank]
            for axis in range(rank):
                order += [2 + axis, 3 + rank + axis]
            blocks = blocks.transpose(order)
            _write(axes, found, blocks, out[:, :, start : start + step], parts)


def _write(
    axes: Axes,
    found: tuple[Rows, ...],
    blocks: Array,
    out: Array,
    parts: list[list[Part]],
) -> None:
    """Write blocks (b, g, co, cell, residue, cell, residue ...) where they belong."""
    for some in product(*parts):
        index: list[Any] = []
        for part, rows in zip(some, found, strict=True):
            low, high = part.low - rows.first, part.high - rows.first
            index += [part.cells, slice(low, high)]
        _blocks(axes, out, some)[...] = blocks[(..., *index)]


def _rows(axis: Axis) -> list[Rows]:
    """Residues modulo the stride with equal numbers of taps."""
    taps, extra = divmod(axis.kernel, axis.stride)
    found = [Rows(taps + 1, 0, extra), Rows(taps, extra, axis.stride)]
    return [rows for rows in found if rows.first < rows.last]


def _cells(axis: Axis) -> tuple[int, int]:
    """First and last block of ``stride`` cells that the big side touches."""
    return axis.lo // axis.stride, (axis.lo + axis.big - 1) // axis.stride + 1


def _parts(axis: Axis, rows: Rows) -> list[Part]:
    """Cut the blocks of some residues where the big side cuts them."""
    start, stop, stride = axis.lo, axis.lo + axis.big, axis.stride
    origin = start // stride
    whole = (-(-start // stride), stop // stride)
    spans = [whole] if whole[0] < whole[1] else []
    spans += [
        (q, q + 1) for q in sorted({origin, stop // stride}) if not whole[0] <= q < whole[1]
    ]
    found = []
    for q, end in spans:
        low = max(rows.first, start - q * stride)
        high = min(rows.last, stop - (end - 1) * stride)
        if low < high:
            cells = slice(q - origin, end - origin)
            found.append(Part(cells, low, high, q * stride - start))
    return found


def _blocks(axes: Axes, out: Array, parts: tuple[Part, ...]) -> Array:
    """View part of out as (b, g, co, cell, residue, cell, residue ...)."""
    for number, (axis, part) in enumerate(zip(axes, parts, strict=True)):
        lead = (slice(None),) * (3 + 2 * number)
        count = part.cells.stop - part.cells.start
        if count == 1:
            out = out[(*lead, None, slice(part.big + part.low, part.big + part.high))]
        else:
            out = out[(*lead, slice(part.big, part.big + count * axis.stride))]
            split = (
                *out.shape[: len(lead)],
                count,
                axis.stride,
                *out.shape[len(lead) + 1 :],
            )
            out = out.reshape(split)[(*lead, slice(None), slice(part.low, part.high))]
    return out


def _stack(
    axes: Axes,
    found: tuple[Rows, ...],
    cells: tuple[tuple[int, int], ...],
    x: Array,
    space: Workspace,
) -> Array:
    """Put the cells that feed each block side by side: (g, b, *cells, *taps, ci)."""
    counts = tuple(rows.taps for rows in found)
    spots = tuple(last - first for first, last in cells)
    x = x.transpose(0, 2, *range(3, x.ndim), 1)  # (g, b, *small, ci)
    stack = space.take((*x.shape[:2], *spots, *counts, x.shape[-1]), x.dtype)
    stack[...] = 0
    for number in np.ndindex(*counts):
        source, target = [], []
        for m, axis, (first, last) in zip(number, axes, cells, strict=True):
            start = max(first, m)
            stop = max(start, min(last, axis.small + m))
            source.append(slice(start - m, stop - m))
            target.append(slice(start - first, stop - first))
        stack[(slice(None), slice(None), *target, *number)] = x[
            (slice(None), slice(None), *source)
        ]
    return stack


def _kernel(
    axes: Axes,
    found: tuple[Rows, ...],
    weights: Weights,
    channels: slice,
    space: Workspace,
) -> Array:
    """Order the taps of these residues as (g, *taps, ci, co, *residues)."""
    w = weights.array[:, :, channels]
    counts = tuple(rows.taps for rows in found)
    widths = tuple(rows.last - rows.first for rows in found)

    def fill(kernel: Array) -> None:
        for number in np.ndindex(*counts):
            taps: Index = tuple(
                slice(m * axis.stride + rows.first, m * axis.stride + rows.last)
                for m, axis, rows in zip(number, axes, found, strict=True)
            )
            kernel[(slice(None), *number)] = w[(..., *taps)]

    shape = (w.shape[0], *counts, w.shape[1], w.shape[2], *widths)
    return weights.packed((found, channels.start), shape, w.dtype, space, fill)
