"""Tables of one axis for the overlap-add: which taps feed which stretch of a phase."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from mtconv.geometry import Axis, Phase, live_phases

__all__ = ["Segment", "segments"]


class Segment(NamedTuple):
    """Cells ``start..stop`` of a phase and what they sum.

    Cell ``start + t`` is the sum over ``sources`` of tap ``tap`` at small cell
    ``small_start + t``.
    """

    start: int
    stop: int
    sources: tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)
def segments(axis: Axis) -> tuple[tuple[Phase, tuple[Segment, ...]], ...]:
    """Cut every phase of an axis that has taps where the set of them changes."""
    return tuple((phase, _cut(axis, phase)) for phase in live_phases(axis))


def _cut(axis: Axis, phase: Phase) -> tuple[Segment, ...]:
    reaches = []
    for m in range(phase.taps):
        shift = phase.shift - m * phase.shift_step
        start, stop = max(0, -shift), min(phase.cells, axis.small - shift)
        if start < stop:
            reaches.append((start, stop, phase.tap + m * phase.tap_step, shift))
    edges = {0, phase.cells}
    edges.update(start for start, *_ in reaches)
    edges.update(stop for _, stop, *_ in reaches)
    ordered = sorted(edges)
    return tuple(
        Segment(
            first,
            last,
            tuple((tap, first + shift) for a, b, tap, shift in reaches if a <= first < b),
        )
        for first, last in pairwise(ordered)
    )
