"""What a padded axis repeats: the elements that padding modes read outside of it.

The convolution reads padded elements from their sources; its transpose adds its values for
the padded elements to those sources. Both use the stretches here, and so do the halos of
chunks and shards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from mtconv.sizes import at_least, larger, traced

__all__ = [
    "APART",
    "FoldStretches",
    "Stretch",
    "fold_index",
    "fold_margins",
    "fold_stretches",
    "most_folds",
    "open_stretches",
    "repeats_once",
    "source_element",
    "stretch_onto",
    "stretches",
]

# Elements of padding that are listed at most: the list of as many takes 32 GiB.
MOST_MARGINS = 2**30

# How much longer than its padding an axis has to be for no element to be repeated twice at
# one end. "replicate" repeats one element only, whatever the size is.
APART = {"circular": 0, "reflect": 1, "symmetric": 0, "replicate": None}


def fold_margins(
    size: int, lo: int, hi: int, mode: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Source elements of the ``lo`` elements before and the ``hi`` elements after an axis.

    Raises
    ------
    MemoryError
        If they are `MOST_MARGINS` or more; to list them would take as long as to run out.
    """
    if lo + hi >= MOST_MARGINS:
        msg = f"padding of {lo} and {hi} elements is too much to list"
        raise MemoryError(msg)
    return (
        tuple(source_element(o, size, mode) for o in range(-lo, 0)),
        tuple(source_element(o, size, mode) for o in range(size, size + hi)),
    )


@lru_cache(maxsize=16)
def fold_index(size: int, lo: int, hi: int, mode: str) -> tuple[int, ...]:
    """Source element of each element of an axis padded by ``lo`` and ``hi`` in this mode.

    `fold_stretches` says the same without a list as long as the axis.
    """
    before, after = fold_margins(size, lo, hi, mode)
    return (*before, *range(size), *after)


class Stretch(NamedTuple):
    """Padded elements from ``start`` on whose sources follow one another.

    Element ``start + t`` repeats element ``source + step*t``; ``step`` is 1, -1 or 0.
    """

    start: int
    cells: int
    source: int
    step: int


@dataclass(frozen=True)
class FoldStretches:
    """The stretches of an axis padded by ``lo`` and ``hi`` in this mode, in their order.

    They are worked out while they are read, so that padding many times as wide as its axis
    takes no memory.
    """

    size: int
    lo: int
    hi: int
    mode: str

    def __iter__(self) -> Iterator[Stretch]:
        return self.between(0, self.lo + self.size + self.hi)

    def between(self, start: int, stop: int) -> Iterator[Stretch]:
        """Yield the stretches of padded elements ``start..stop``, cut at both ends."""
        first = max(start, 0)
        last = min(stop, self.lo + self.size + self.hi)
        return _stretches_between(self.size, self.lo, self.mode, first, last)


def _stretches_between(
    size: int, lo: int, mode: str, start: int, stop: int
) -> Iterator[Stretch]:
    """Yield the stretches of elements ``start..stop`` of an axis padded without end."""
    while start < stop:
        o = start - lo
        step, last = _stretch_end(o, size, mode)
        cells = min(last + 1 + lo, stop) - start
        yield Stretch(start, cells, source_element(o, size, mode), step)
        start += cells


def fold_stretches(size: int, lo: int, hi: int, mode: str) -> FoldStretches:
    """Return the stretches of an axis padded by ``lo`` and ``hi`` in this mode.

    Examples
    --------
    >>> for stretch in fold_stretches(size=4, lo=2, hi=1, mode="reflect"):
    ...     print(*stretch)
    0 2 2 -1
    2 4 0 1
    6 1 2 -1
    """
    return FoldStretches(size, lo, hi, mode)


def repeats_once(size: int, lo: int, hi: int, mode: str) -> bool | None:
    """Return whether the padding repeats no element twice at one end.

    None if the constraints of symbols do not settle it.
    """
    apart = APART[mode]
    return True if apart is None else at_least(size, larger(lo, hi) + apart)


def open_stretches(size: int, lo: int, hi: int, mode: str) -> Iterable[Stretch]:
    """List the same stretches where the size may be a symbol.

    If the padding repeats no element twice at one end, they are the same three for every
    size. Otherwise the size has to be known, and torch settles for the one it traces.
    """
    if not traced((size, lo, hi)):
        return fold_stretches(size, lo, hi, mode)
    if not repeats_once(size, lo, hi, mode):
        return fold_stretches(size, lo, hi, mode)
    before, behind, step = {
        "circular": (size - lo, 0, 1),
        "reflect": (lo, size - 2, -1),
        "symmetric": (lo - 1, size - 1, -1),
        "replicate": (0, size - 1, 0),
    }[mode]
    three = (
        Stretch(0, lo, before, step),
        Stretch(lo, size, 0, 1),
        Stretch(lo + size, hi, behind, step),
    )
    return tuple(s for s in three if type(s.cells) is not int or s.cells)


def _stretch_end(o: int, size: int, mode: str) -> tuple[int, int]:
    """Step of the stretch that element ``o`` is in, and its last element."""
    if mode == "replicate" or size == 1:
        if 0 <= o < size and size > 1:
            return 1, size - 1
        return 0, -1 if o < 0 and size > 1 else sys.maxsize
    if mode == "circular":
        return 1, o - o % size + size - 1
    period = _period(size, mode)
    place = o % period
    if place < size:
        return 1, o - place + size - 1
    return -1, o - place + period - 1


def stretch_onto(stretch: Stretch, start: int, stop: int) -> tuple[int, int] | None:
    """Find the padded elements of a stretch whose sources are ``start..stop``."""
    if stretch.step == 0:
        inside = start <= stretch.source < stop
        return (stretch.start, stretch.start + stretch.cells) if inside else None
    if stretch.step == 1:
        first, last = start - stretch.source, stop - stretch.source
    else:
        first, last = stretch.source - stop + 1, stretch.source - start + 1
    first, last = max(first, 0), min(last, stretch.cells)
    if first >= last:
        return None
    return stretch.start + first, stretch.start + last


def most_folds(size: int, lo: int, hi: int, mode: str) -> int:
    """Count the padded elements that repeat one element of the axis, at most.

    Sources repeat after a period, so one period and what is left after the last whole one
    are enough to look at.
    """
    if mode == "replicate" or size == 1:
        return max(1 + lo, 1 + hi) if size > 1 else 1 + lo + hi
    period = _period(size, mode)
    rounds, rest = divmod(lo + size + hi, period)
    counts: dict[int, int] = {}
    for stop, weight in ((period, rounds), (rest, 1)):
        for _, cells, source, step in _stretches_between(size, lo, mode, 0, stop):
            other = source + step * (cells - 1)
            first, end = min(source, other), max(source, other) + 1
            counts[first] = counts.get(first, 0) + weight
            counts[end] = counts.get(end, 0) - weight
    return max(accumulate(counts[cell] for cell in sorted(counts)))


def _period(size: int, mode: str) -> int:
    """Return after how many padded elements the sources repeat."""
    return {"circular": size, "symmetric": 2 * size, "reflect": 2 * (size - 1)}[mode]


def stretches(index: tuple[int, ...]) -> tuple[Stretch, ...]:
    """Cut source elements, such as those of `fold_index`, into few stretches.

    Examples
    --------
    >>> for stretch in stretches(fold_index(size=4, lo=2, hi=1, mode="reflect")):
    ...     print(*stretch)
    0 3 2 -1
    3 3 1 1
    6 1 2 1
    """
    pieces = []
    start = 0
    while start < len(index):
        stop = start + 1
        step = index[stop] - index[start] if stop < len(index) else 1
        if abs(step) > 1:
            step = 1
        while stop < len(index) and index[stop] - index[stop - 1] == step:
            stop += 1
        pieces.append(Stretch(start, stop - start, index[start], step))
        start = stop
    return tuple(pieces)


def source_element(o: Any, size: Any, mode: str) -> Any:
    """Element of an axis of ``size`` elements that element ``o`` outside of it repeats.

    Both are integers or arrays of integers.
    """
    if mode == "circular":
        return o % size
    if mode == "replicate":
        return _least(_greatest(o, 0), size - 1)
    if mode == "reflect":
        period = _greatest(2 * (size - 1), 1)
        return _least(o % period, period - o % period)
    if mode == "symmetric":
        return _least(o % (2 * size), 2 * size - 1 - o % (2 * size))
    raise ValueError(mode)


def _least(a: Any, b: Any) -> Any:
    """Return the smaller of two integers, or of each two of two arrays."""
    return (a + b - abs(a - b)) // 2


def _greatest(a: Any, b: Any) -> Any:
    """Return the larger of two integers, or of each two of two arrays."""
    return -_least(-a, -b)
