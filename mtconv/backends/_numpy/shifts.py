"""Polyphase for groups of one channel on both sides: multiply-adds of shifted planes.

A matrix product with one row, or with an inner dimension of a few taps, is no work for
BLAS. Here a plane is copied once to rows padded with zeros; then every tap is the same
plane shifted, one long run that is multiplied and added as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, phases

__all__ = ["conv", "conv_transpose", "pays"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]

# More taps are summed faster, and in shorter chains, by a matrix product.
MOST_TAPS = 64

# Bytes of the result that are summed at a time.
TILE_BYTES = 2**18


def pays(axes: Axes, w: Array, *, transposed: bool) -> bool:
    """Tell whether a block is for this module.

    Phases with equal numbers of taps share one matrix product, which is as fast.
    """
    even = all(axis.kernel % axis.stride == 0 for axis in axes)
    if len(axes) == 1 or (transposed and even):
        return False
    if w.shape[1:3] != (1, 1) or prod(axis.kernel for axis in axes) > MOST_TAPS:
        return False
    padded = prod(axis.small + axis.dilation * (axis.kernel - 1) for axis in axes[1:])
    return padded <= 2 * prod(axis.small for axis in axes[1:])


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Run the transposed convolution; shapes as in `polyphase.conv_transpose`."""
    out = out[:, :, 0].swapaxes(0, 1)  # (g, b, *big)
    reach = [_reach(axis) for axis in axes]
    lengths = [stop - start for start, stop in reach]
    plane = _plane(x[:, 0], [start for start, _ in reach], lengths, space)
    for found in product(*(phases(axis) for axis in axes)):
        big: Index = tuple(
            slice(phase.start, None, axis.stride)
            for phase, axis in zip(found, axes, strict=True)
        )
        target = out[(..., *big)]
        if not all(phase.taps for phase in found):
            target[...] = 0
            continue
        places = [
            [
                (phase.tap + m * phase.tap_step, phase.shift - m * phase.shift_step - start)
                for m in range(phase.taps)
            ]
            for phase, (start, _) in zip(found, reach, strict=True)
        ]
        _sum([(plane, places)], w, lengths, target, space)


def conv(axes: Axes, y: Array, w: Array, out: Array, space: Workspace) -> None:
    """Run the convolution; shapes as in `polyphase.conv`."""
    y = y[:, :, 0].swapaxes(0, 1)
    found = [[phase for phase in phases(axis) if phase.taps] for axis in axes]
    lengths = [
        axis.small + max(((p.taps - 1) * p.shift_step for p in some), default=0)
        for axis, some in zip(axes, found, strict=True)
    ]
    planes = []
    for some in product(*found):
        big: Index = tuple(
            slice(phase.start, None, axis.stride)
            for phase, axis in zip(some, axes, strict=True)
        )
        plane = _plane(y[(..., *big)], [-phase.shift for phase in some], lengths, space)
        places = [
            [(p.tap + m * p.tap_step, m * p.shift_step) for m in range(p.taps)]
            for p in some
        ]
        planes.append((plane, places))
    _sum(planes, w, lengths, out[:, :, 0].swapaxes(0, 1), space)


def _reach(axis: Axis) -> tuple[int, int]:
    """First cell of x that some phase reads, and the one after the last."""
    found = [phase for phase in phases(axis) if phase.taps]
    return (
        min((p.shift - (p.taps - 1) * p.shift_step for p in found), default=0),
        max((p.shift + p.cells for p in found), default=1),
    )


def _plane(
    source: Array, first: Sequence[int], lengths: Sequence[int], space: Workspace
) -> Array:
    """Copy cells from ``first`` on to rows (g, b, cells); what source lacks is zero.

    One more row of zeros follows, for shifts along the inner axes to run into.
    """
    plane = space.take(
        (*source.shape[:2], (lengths[0] + 1) * prod(lengths[1:])), source.dtype
    )
    plane[...] = 0
    rows = plane[..., : prod(lengths)].reshape(*source.shape[:2], *lengths)
    taken: list[Any] = []
    placed: list[Any] = []
    for start, length, size in zip(first, lengths, source.shape[2:], strict=True):
        begin = min(max(start, 0), size)
        end = max(begin, min(start + length, size))
        taken.append(slice(begin, end))
        placed.append(slice(begin - start, end - start))
    rows[(..., *placed)] = source[(..., *taken)]
    return plane


def _sum(
    planes: list[tuple[Array, list[list[tuple[int, int]]]]],
    w: Array,
    lengths: Sequence[int],
    target: Array,
    space: Workspace,
) -> None:
    """Write to target (g, b, *cells) the sum of all taps times their shifted planes.

    With each plane come, for each axis, the taps and by how many cells they shift it.
    """
    row = prod(lengths[1:])
    steps = [prod(lengths[number + 1 :]) for number in range(len(lengths))]
    terms = []
    for plane, places in planes:
        for chosen in product(*places):
            at: Index = (slice(None), 0, 0, *(tap for tap, _ in chosen))
            offset = sum(shift * s for (_, shift), s in zip(chosen, steps, strict=True))
            terms.append((plane, offset, w[at][:, None, None]))
    cells: Index = tuple(slice(size) for size in target.shape[3:])
    lead = target.shape[:2]
    height = max(1, TILE_BYTES // max(prod(lead) * row * target.itemsize, 1))
    for start in range(0, target.shape[2], height):
        part = target[:, :, start : start + height]
        with space.frame():
            total = space.take((*lead, part.shape[2] * row), target.dtype)
            _add_up(terms, start * row, total, space)
            rows = total.reshape(*lead, part.shape[2], *lengths[1:])
            part[...] = rows[(..., *cells)]


def _add_up(
    terms: Iterable[tuple[Array, int, Array]], start: int, total: Array, space: Workspace
) -> None:
    more = space.take(total.shape, total.dtype)
    into = total
    for plane, offset, weights in terms:
        first = start + offset
        np.multiply(plane[..., first : first + total.shape[2]], weights, out=into)
        if into is more:
            total += more
        into = more
    if into is total:
        total[...] = 0
