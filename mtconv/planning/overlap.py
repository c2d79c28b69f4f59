"""Blocks of `fft`: overlap-save, with lengths of transforms that cost least.

A phase of the big side is a convolution of stride 1 over cells ``u``, of which the taps of
an axis span ``span``. A block of ``size`` cells of the result needs ``size + span - 1``
cells of the data, which are transformed together: that is the ``length`` of a block. Long
blocks waste little on what neighbours share; short ones stay in the caches.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from itertools import product
from math import log2, prod
from typing import NamedTuple

from mtconv.geometry import Axis, live_phases
from mtconv.planning import tuning

__all__ = ["Blocks", "blocks_of", "fast_length", "largest_block", "most_elements"]
__all__ += ["pass_cost", "places", "span_of"]

Axes = tuple[Axis, ...]

# Lengths that blocks may have, of few factors but two.
_LENGTHS = sorted(factor << power for factor in (1, 3) for power in range(3, 26))


class Blocks(NamedTuple):
    """Blocks of the result of an axis: cell ``first + size*b`` is the first of block b.

    Cells count from the first that a tap reaches, ``u`` of a phase or elements of the small
    side; ``cells`` is their number.
    """

    first: int
    cells: int
    span: int
    length: int

    @property
    def size(self) -> int:
        """Cells of a block that are right."""
        return self.length - self.span + 1

    @property
    def number(self) -> int:
        """Number of blocks."""
        return -(-self.cells // self.size)


@lru_cache(maxsize=4096)
def blocks_of(axes: Axes, transposed: bool, most: int) -> tuple[Blocks, ...]:
    """Cut all axes into blocks of about ``most`` elements at most.

    The cells are those of phases for a transposed convolution, small elements otherwise.
    """
    reaches = [places(axis) if transposed else (0, axis.small) for axis in axes]
    spans = tuple(map(span_of, axes))
    cells = tuple(max(stop - first, 1) for first, stop in reaches)
    lengths = _lengths(cells, spans, most)
    firsts = (first for first, _ in reaches)
    return tuple(map(Blocks, firsts, cells, spans, lengths))


def span_of(axis: Axis) -> int:
    """Count the cells of a phase from its first tap to its last, in the widest phase."""
    steps = ((phase.taps - 1) * phase.shift_step for phase in live_phases(axis))
    return 1 + max(steps, default=0)


def places(axis: Axis) -> tuple[int, int]:
    """Return the first cell ``u`` of any phase that is in the result, and the end."""
    live = live_phases(axis)
    first = min((max(phase.shift, 0) for phase in live), default=0)
    stop = max((phase.shift + phase.cells for phase in live), default=0)
    return first, max(first, min(stop, axis.small + span_of(axis) - 1))


def most_elements(itemsize: int, channels: int = 2) -> int:
    """Return how many elements a block has at most; fewer where channels are joined."""
    whole = tuning.SPECTRUM_BYTES // itemsize
    return max(whole // max(channels // 2, 1), tuning.LEAST_BLOCK)


def largest_block(axes: Axes, transposed: bool, most: int) -> tuple[int, bool]:
    """Bound the elements of a block of these axes, or of shorter ones with their taps.

    Also return whether that may be the only block.
    """
    spans = [span_of(axis) for axis in axes]
    whole = prod(
        fast_length(max(axis.small, 1) + (span - 1) * (1 + transposed))
        for axis, span in zip(axes, spans, strict=True)
    )
    several = max(most, prod(map(_least, spans)))
    return min(whole, several), whole <= several


@lru_cache(maxsize=4096)
def _lengths(cells: tuple[int, ...], spans: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Choose the lengths that cost least, of those with at most so many elements."""
    options = [_options(*axis) for axis in zip(cells, spans, strict=True)]
    best, least = tuple(axis[0][0] for axis in options), float("inf")
    for choice in product(*options):
        lengths, counts, passes = zip(*choice, strict=True)
        elements = prod(lengths)
        kernel = tuning.KERNEL_BLOCKS  # which is transformed once, and not back
        seconds = elements * (prod(counts) + kernel) * (sum(passes) + tuning.JOIN)
        if seconds < least and elements <= most:
            best, least = lengths, seconds
    return best


def _options(cells: int, span: int) -> list[tuple[int, int, float]]:
    """List lengths, their blocks, and the cost of a pass; longer ones are clearly less."""
    whole = fast_length(cells + span - 1)
    # Much longer blocks have hardly fewer elements.
    end = min(whole, max(tuning.MOST_SPANS * span, tuning.SHORT_ROW))
    lengths = _LENGTHS[bisect_left(_LENGTHS, _least(span)) : bisect_left(_LENGTHS, end)]
    options: list[tuple[int, int, float]] = []
    least = float("inf")
    for length in (*lengths, whole):
        count = -(-cells // (length - span + 1))
        if length * count < least:
            options.append((length, count, pass_cost(length)))
            least = length * count * tuning.CLEARLY_FEWER
    return options


@lru_cache(maxsize=4096)
def pass_cost(length: int) -> float:
    """Return what transforms cost for an element of a row, in those of a short row."""
    odd, rest = 0, length
    for factor in (3, 5):
        while rest % factor == 0:
            rest //= factor
            odd += 1
    longer = max(log2(length / tuning.SHORT_ROW), 0) * tuning.LONGER_ROW
    beyond = max(log2(length / tuning.CACHED_ROW), 0) * tuning.BEYOND_CACHE
    return (1 + longer + beyond) * (1 + tuning.ODD_FACTOR * odd)


def _least(span: int) -> int:
    """Return the least length of a block, where there are several."""
    least = span + span // 2
    place = bisect_left(_LENGTHS, least)
    return _LENGTHS[place] if place < len(_LENGTHS) else fast_length(least)


def fast_length(least: int) -> int:
    """Smallest product of 2, 3 and 5 that is at least ``least``."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best
