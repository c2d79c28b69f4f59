"""`subpixel`: strides of 16 and more without dilation, in runs of whole strides.

With a wide stride, writing every 16th element is slow while a row of the kernel holds 16
taps side by side. Here one product gives, for each small element, a block of ``stride``
big elements per axis, as sub-pixel convolutions do, and copies move runs of up to
``stride`` elements.
"""

from __future__ import annotations

from itertools import chain, product
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.im2col import rows_of
from mtconv.backends.host.counts import Counts, at_a_time, channels_at_a_time
from mtconv.backends.host.extension import extend
from mtconv.backends.host.matmul import multiply
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.stride_blocks import (
    Residues,
    blocks_of,
    residues_of,
    spans_of,
    strides_of,
)
from mtconv.backends.host.strided import place, window_view
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.planning.gathers import extended_elements

__all__ = ["NAME", "TRANSFORMS", "conv", "conv_transpose", "footprint", "kernel_grad"]

NAME = "subpixel"
TRANSFORMS = False


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply what feeds each stride of the result, and write blocks of residues."""
    for residues in product(*(residues_of(axis) for axis in axes)):
        spans = [spans_of(axis, r) for axis, r in zip(axes, residues, strict=True)]
        if not all(r.taps for r in residues):
            for part in product(*spans):
                blocks_of(axes, out, part)[...] = 0
            continue
        with space.frame():
            if len(axes) == 1 and len(x[0]) >= tuning.CHAIN:
                _add_taps(axes[0], residues[0], x, weights.array, out, space)
            else:
                _multiply(axes, residues, x, weights, out, space)


def _add_taps(
    axis: Axis, residues: Residues, x: Array, w: Array, out: Array, space: Workspace
) -> None:
    """Add up the products of each tap: so many channels are as many products anyway.

    Neither elements nor taps need to lie side by side then, so that BLAS takes the kernel
    as it is and one copy of x serves all taps.
    """
    width = residues.last - residues.first
    turned = _channels_last(axis, residues.taps, x, space)
    groups, batch, length, small = turned.shape
    count = length - residues.taps + 1
    each = turned.nbytes // small * width
    for channels in channels_at_a_time(w.shape[2], tuning.SUBPIXEL_BYTES, each):
        with space.frame():
            part = w[:, :, channels].swapaxes(1, 2)[:, :, None]
            result = space.take((groups, part.shape[1], batch, count, width), w.dtype)
            for m in range(residues.taps):
                first = m * axis.stride + residues.first
                kernel = part[..., first : first + width]
                shifted = turned[:, None, :, residues.taps - 1 - m :][..., :count, :]
                multiply(shifted, kernel, result, space, cut=False, add=m > 0)
            blocks = result.transpose(2, 0, 1, 3, 4)
            _write((axis,), (residues,), blocks, out[:, :, channels])


def _channels_last(axis: Axis, taps: int, x: Array, space: Workspace) -> Array:
    """Copy the elements that any stride meets as (g, b, e, ci)."""
    start, stop = strides_of(axis)
    room = space.take((*x.shape[:3], stop - start + taps - 1), x.dtype)
    place(x, (start - taps + 1,), room)
    turned = space.take((len(x), x.shape[2], room.shape[3], x.shape[1]), x.dtype)
    turned[...] = room.transpose(0, 2, 3, 1)
    return turned


def _multiply(
    axes: Axes,
    residues: tuple[Residues, ...],
    x: Array,
    weights: Weights,
    out: Array,
    space: Workspace,
) -> None:
    """Multiply the elements that feed each stride, side by side, by the taps."""
    stack = _stack(axes, residues, x, space)
    rank, share = len(axes), weights.array.shape[2]
    widths = [r.last - r.first for r in residues]
    matrix = stack.reshape(len(stack), prod(stack.shape[1 : 2 + rank]), -1)
    each = matrix[..., :1].nbytes * prod(widths)
    # (b, g, co, stride, residue, stride, residue ...)
    pairs = ((2 + axis, 3 + rank + axis) for axis in range(rank))
    order = (1, 0, 2 + rank, *chain.from_iterable(pairs))
    for channels in channels_at_a_time(share, tuning.SUBPIXEL_BYTES, each):
        with space.frame():
            kernel = _pack(axes, residues, weights, channels, space)
            shape = (*matrix.shape[:2], kernel.shape[2 + rank] * prod(widths))
            result = space.take(shape, kernel.dtype)
            multiply(
                matrix, kernel.reshape(len(matrix), matrix.shape[2], -1), result, space
            )
            blocks = result.reshape(*stack.shape[: 2 + rank], -1, *widths).transpose(order)
            _write(axes, residues, blocks, out[:, :, channels])


def _write(axes: Axes, residues: tuple[Residues, ...], blocks: Array, out: Array) -> None:
    """Write blocks (b, g, co, stride, residue, ...) where they belong."""
    spans = [spans_of(axis, r) for axis, r in zip(axes, residues, strict=True)]
    for part in product(*spans):
        index: list[Any] = []
        for span, r in zip(part, residues, strict=True):
            index += [span.strides, slice(span.low - r.first, span.high - r.first)]
        blocks_of(axes, out, part)[...] = blocks[(..., *index)]


def _stack(axes: Axes, residues: tuple[Residues, ...], x: Array, space: Workspace) -> Array:
    """Put what feeds each stride side by side: (g, b, *strides, *taps, ci)."""
    counts = [r.taps for r in residues]
    ends = [strides_of(axis) for axis in axes]
    spots = [stop - start for start, stop in ends]
    x = x.transpose(0, 2, *range(3, x.ndim), 1)  # (g, b, *small, ci)
    stack = space.take((*x.shape[:2], *spots, *counts, x.shape[-1]), x.dtype)
    stack[...] = 0
    every = (slice(None), slice(None))
    for taps in np.ndindex(*counts):
        source, target = [], []
        for m, axis, (first, last) in zip(taps, axes, ends, strict=True):
            start = max(first, m)
            stop = max(start, min(last, axis.small + m))
            source.append(slice(start - m, stop - m))
            target.append(slice(start - first, stop - first))
        stack[(*every, *target, *taps)] = x[(*every, *source)]
    return stack


def _pack(
    axes: Axes,
    residues: tuple[Residues, ...],
    weights: Weights,
    channels: slice,
    space: Workspace,
) -> Array:
    """Order the taps of these residues as (g, *taps, ci, co, *residues)."""
    w = weights.array[:, :, channels]
    counts = [r.taps for r in residues]

    def fill(kernel: Array) -> None:
        for number in np.ndindex(*counts):
            taps: tuple[Any, ...] = tuple(
                slice(m * axis.stride + r.first, m * axis.stride + r.last)
                for m, axis, r in zip(number, axes, residues, strict=True)
            )
            kernel[(slice(None), *number)] = w[(..., *taps)]

    widths = [r.last - r.first for r in residues]
    shape = (w.shape[0], *counts, w.shape[1], w.shape[2], *widths)
    return weights.packed((residues, channels.start), shape, w.dtype, space, fill)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Multiply gathered rows of taps, space first, by the kernel."""
    groups, small, share = weights.array.shape[:3]
    rank = len(axes)
    elements = out.shape[0] * prod(out.shape[3:])
    result = space.take((groups, elements, small), out.dtype)
    result[...] = 0
    for channels in _channels(axes, share, groups * elements * y.itemsize):
        with space.frame():
            rows = weights.array[:, :, channels].reshape(groups, small, -1)
            columns = _columns(axes, y[:, :, channels], space)
            multiply(columns, rows.swapaxes(1, 2), result, space, add=True)
    ordered = result.reshape(groups, out.shape[0], *out.shape[3:], small)
    out[...] = ordered.transpose(1, 0, 2 + rank, *range(2, 2 + rank))


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Multiply x by gathered rows of taps, space first."""
    groups, small, share = out.shape[:3]
    rows = rows_of(x, out[0, 0].size, space)
    count = rows.shape[3]
    for channels in _channels(axes, share, groups * len(rows) * count * y.itemsize):
        with space.frame():
            columns = _columns(axes, y[:, :, channels], space)
            target = out[:, :, channels]
            product = space.take((groups, small, columns.shape[2]), out.dtype)
            for number, sample in enumerate(rows):
                part = columns[:, number * count : (number + 1) * count]
                np.matmul(sample, part, out=product)
                target += product.reshape(target.shape)


def _channels(axes: Axes, share: int, each: int) -> list[slice]:
    """Cut the channels of the big side so that columns stay small."""
    each *= prod(axis.kernel for axis in axes)
    return channels_at_a_time(share, 2 * tuning.SUBPIXEL_BYTES, each)


def _columns(axes: Axes, y: Array, space: Workspace) -> Array:
    """Gather y (b, g, co, *big) as (g, b * small elements, co * taps)."""
    rank = len(axes)
    axes, y = extend(axes, y, space, always=True)
    view = window_view(y, axes)  # (b, g, co, *small, *taps)
    order = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    ordered = view.transpose(order)
    columns = space.take(ordered.shape, y.dtype)
    columns[...] = ordered
    taps = prod(axis.kernel for axis in axes)
    return columns.reshape(y.shape[1], -1, y.shape[2] * taps)


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of blocks, or of gathered columns, beside the loaded arrays."""
    if form == "conv_transpose":
        strides = c.lead * prod(axis.big // axis.stride + 2 for axis in c.axes)
        depth = c.others * prod(-(-axis.kernel // axis.stride) for axis in c.axes)
        each = strides * prod(axis.stride for axis in c.axes)
        result, step = at_a_time(tuning.SUBPIXEL_BYTES, each, c.channels, c.itemsize)
        packed = c.groups * c.others * step * c.taps
        return c.itemsize * (2 * depth * strides + packed) + 2 * result
    channels = c.others if form == "conv" else c.channels
    each = c.lead * c.taps * c.small
    limit = 2 * tuning.SUBPIXEL_BYTES
    gathered, step = at_a_time(limit, each, channels, c.itemsize)
    extended = step * c.lead * extended_elements(c.axes)
    kept = 2 * c.lead * c.channels * c.small
    if form == "kernel_grad":
        kept = c.groups * c.others * c.channels * c.taps + c.lead * c.others * c.small
    return gathered + c.itemsize * (extended + kept)
