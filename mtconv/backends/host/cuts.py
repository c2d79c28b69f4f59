"""Cuts of sizes and axes: equal slices, halves, and edges where phases begin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

from mtconv.geometry import Axis, restrict, taps_between, touched_big, touched_small
from mtconv.planning import tuning

__all__ = [
    "AxisPiece",
    "axis_pieces",
    "axis_slices",
    "between_phases",
    "finer",
    "halved",
    "longest",
    "slices",
]


class AxisPiece(NamedTuple):
    """Part of one axis: elements of both sides and taps, and their relation."""

    small: slice
    big: slice
    taps: slice
    axis: Axis


def slices(whole: int, size: int) -> list[slice]:
    """Cut into equal slices of at most ``size``."""
    count = -(-whole // size) if size else 0
    return [slice(whole * n // count, whole * (n + 1) // count) for n in range(count)]


def finer(whole: int, size: int, count: int, blocks: int) -> tuple[int, int]:
    """Cut slices of ``size`` further for so many blocks; return size and count."""
    now = max(1, -(-whole // max(size, 1)))
    if count < blocks:
        size = max(1, -(-whole * count // (now * blocks)))
    return size, count // now * max(1, -(-whole // max(size, 1)))


def halved(
    whole: Sequence[int], limit: int, least: Sequence[int], count: int | None = None
) -> tuple[int, ...]:
    """Halve the outermost axis that may be, until at most ``limit`` elements are left.

    Only the first ``count`` axes are halved, and none below its ``least`` size.
    """
    sizes = list(whole)
    while prod(sizes) > max(limit, 1):
        outer = range(len(sizes) if count is None else count)
        longer = (n for n in outer if sizes[n] > max(1, 2 * least[n] - 1))
        axis = next(longer, None)
        if axis is None:
            break
        sizes[axis] = -(-sizes[axis] // 2)
    return tuple(sizes)


def between_phases(axis: Axis, size: int) -> bool:
    """Return whether blocks of about so many elements are cut where phases begin."""
    return axis.stride <= tuning.SHORT_STRIDE or size >= axis.stride


def longest(axis: Axis, size: int) -> int:
    """Bound the elements of a block of about so many, after edges were moved."""
    return size + axis.stride - 1 if between_phases(axis, size) else size


def axis_slices(axis: Axis, size: int, transposed: bool) -> list[slice]:
    """Cut the result's side of an axis into blocks of about ``size`` elements."""
    if not transposed:
        return slices(axis.small, size)
    edges = [0, *(cut.stop for cut in slices(axis.big, size))]
    if between_phases(axis, size):
        # Edges between phases leave no halo where kernel and stride are equal.
        shift = axis.lo % axis.stride
        inner = {(e + shift) // axis.stride * axis.stride - shift for e in edges[1:-1]}
        edges = [0, *sorted(e for e in inner if 0 < e < axis.big), axis.big]
    return [slice(*pair) for pair in pairwise(edges)]


def axis_pieces(
    axis: Axis, size: int, taps: int, transposed: bool
) -> list[list[AxisPiece]]:
    """Cut one axis into blocks of about ``size`` elements, and each by its taps."""
    return [
        [_axis_piece(axis, block, part, transposed) for part in slices(axis.kernel, taps)]
        for block in axis_slices(axis, size, transposed)
    ]


def _axis_piece(axis: Axis, block: slice, taps: slice, transposed: bool) -> AxisPiece:
    ends = (block.start, block.stop)
    axis = taps_between(axis, taps.start, taps.stop)
    if transposed:
        small, big = touched_small(axis, *ends), ends
    else:
        small, big = ends, touched_big(axis, *ends)
    return AxisPiece(slice(*small), slice(*big), taps, restrict(axis, small, big))
