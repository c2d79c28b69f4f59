"""Chunks of one axis: where results are cut, and which parts of which chunks they need.

Integers only. What a block needs comes from `mtconv.geometry`; this module finds it in
the chunks there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from mtconv.folds import fold_index
from mtconv.geometry import Axis, padded_axis, restrict, touched_big, touched_small

__all__ = [
    "Need",
    "ResultBlock",
    "big_bounds",
    "bounds",
    "forward_blocks",
    "locate",
    "sizes",
    "small_bounds",
    "sources",
    "transposed_blocks",
    "unfolded",
    "unfolded_bounds",
    "within",
]

Cells = range | tuple[int, ...]


class Need(NamedTuple):
    """Parts of chunks, one after the other, and how to reorder their elements.

    ``parts`` has (chunk, start, stop) in the order of the axis; ``order`` is None where
    the joined parts are already the wanted elements.
    """

    parts: tuple[tuple[int, int, int], ...]
    order: tuple[int, ...] | None


class ResultBlock(NamedTuple):
    """One block of a result along one axis: what it needs, and its own relation."""

    need: Need
    axis: Axis


def bounds(chunks: Sequence[int]) -> tuple[int, ...]:
    """Return the elements where chunks start, and the end of the last one."""
    return tuple(accumulate(chunks, initial=0))


def sizes(edges: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of the chunks between edges."""
    return tuple(b - a for a, b in pairwise(edges))


def big_bounds(axis: Axis, small: Sequence[int]) -> tuple[int, ...]:
    """Cut the big side where the small side is cut: ``stride`` times as far.

    Regular chunks lead to regular chunks. Only where ``lo`` is outside of the kernel's
    span are the cuts shifted, so that the halo is never wider than the span asks for.
    """
    cuts = (axis.stride * i + _shift(axis) for i in small[1:-1])
    return within(cuts, axis.big)


def small_bounds(axis: Axis, big: Sequence[int]) -> tuple[int, ...]:
    """Cut the small side where the big side is cut, the inverse of `big_bounds`."""
    cuts = (-((_shift(axis) - o) // axis.stride) for o in big[1:-1])
    return within(cuts, axis.small)


def _shift(axis: Axis) -> int:
    return min(max(axis.lo, 0), axis.extent - 1) - axis.lo


def within(cuts: Iterable[int], size: int) -> tuple[int, ...]:
    """Keep the cuts strictly inside of an axis, in order, and add its ends."""
    return (0, *sorted({cut for cut in cuts if 0 < cut < size}), size)


def unfolded(axis: Axis, mode: str) -> Axis:
    """Return the zero-padded axis inside of one that is padded in this mode."""
    return axis if mode == "zeros" else padded_axis(axis)


def unfolded_bounds(axis: Axis, inner: Axis, big: Sequence[int]) -> tuple[int, ...]:
    """Cut the big side of `unfolded` as the axis is cut, with the padding on its own."""
    return within((o + axis.lo - inner.lo for o in big), inner.big)


def sources(axis: Axis, mode: str) -> tuple[int, ...]:
    """Return the element of the axis that each element of `unfolded` is read from."""
    return fold_index(axis.big, axis.lo, max(axis.hi, 0), mode)


def transposed_blocks(
    axis: Axis, small: Sequence[int], big: Sequence[int]
) -> tuple[ResultBlock, ...]:
    """Blocks of a transposed convolution: big elements between cuts, from chunks of x."""
    blocks = []
    for wanted in pairwise(big):
        halo = _at_least_one(touched_small(axis, *wanted), axis.small)
        blocks.append(
            ResultBlock(locate(small, range(*halo)), restrict(axis, halo, wanted))
        )
    return tuple(blocks)


def forward_blocks(
    axis: Axis, mode: str, big: Sequence[int], small: Sequence[int]
) -> tuple[ResultBlock, ...]:
    """Blocks of a convolution: small elements between cuts, from chunks of y."""
    inner = unfolded(axis, mode)
    blocks = []
    for wanted in pairwise(small):
        halo = _at_least_one(touched_big(inner, *wanted), inner.big)
        cells: Cells = range(*halo)
        if inner is not axis:
            cells = sources(axis, mode)[slice(*halo)]
        blocks.append(ResultBlock(locate(big, cells), restrict(inner, wanted, halo)))
    return tuple(blocks)


def _at_least_one(cells: tuple[int, int], size: int) -> tuple[int, int]:
    """Take one element where none is touched, so that no block is empty."""
    start, stop = cells
    start = min(start, size - 1)
    return start, max(stop, start + 1)


def locate(edges: Sequence[int], cells: Cells) -> Need:
    """Find elements of an axis in its chunks; each element is read once.

    ``cells`` may repeat and go in any order, as padding modes do. Where there are none,
    the part of the first chunk is empty.
    """
    wanted = cells if isinstance(cells, range) else tuple(sorted(set(cells)))
    parts: list[tuple[int, int, int]] = []
    for start, stop in _runs(wanted):
        while start < stop:
            chunk = bisect_right(edges, start) - 1
            end = min(stop, edges[chunk + 1])
            parts.append((chunk, start - edges[chunk], end - edges[chunk]))
            start = end
    if not parts:
        parts.append((0, 0, 0))
    if cells == wanted:
        return Need(tuple(parts), None)
    place = {cell: number for number, cell in enumerate(wanted)}
    return Need(tuple(parts), tuple(place[cell] for cell in cells))


def _runs(cells: Cells) -> list[tuple[int, int]]:
    """Join neighbouring elements, given in order, to (start, stop)."""
    if isinstance(cells, range):
        return [(cells.start, cells.stop)]
    members = set(cells)
    starts = (cell for cell in cells if cell - 1 not in members)
    stops = (cell + 1 for cell in cells if cell + 1 not in members)
    return list(zip(starts, stops, strict=True))
