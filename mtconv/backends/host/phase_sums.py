"""What elements of each phase of an axis sum, as indices: for an overlap-add of planes."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from mtconv.geometry import Axis, Phase, live_phases

__all__ = ["PhaseSum", "Segment", "phase_sums", "segments"]

Index = tuple[Any, ...]


class Segment(NamedTuple):
    """Elements ``start..stop`` of a phase and what they sum.

    Element ``start + t`` is the sum over ``sources`` of tap ``tap`` at small element
    ``small_start + t``.
    """

    start: int
    stop: int
    sources: tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)
def segments(axis: Axis) -> tuple[tuple[Phase, tuple[Segment, ...]], ...]:
    """Cut every phase of an axis that has taps where the set of them changes."""
    return tuple((phase, _segments(axis, phase)) for phase in live_phases(axis))


def _segments(axis: Axis, phase: Phase) -> tuple[Segment, ...]:
    reaches = []
    for m in range(phase.taps):
        shift = phase.shift - m * phase.shift_step
        start, stop = max(0, -shift), min(phase.cells, axis.small - shift)
        if start < stop:
            reaches.append((start, stop, phase.tap + m * phase.tap_step, shift))
    edges = {0, phase.cells}
    edges.update(start for start, *_ in reaches)
    edges.update(stop for _, stop, *_ in reaches)
    return tuple(
        Segment(
            first,
            last,
            tuple((tap, first + shift) for a, b, tap, shift in reaches if a <= first < b),
        )
        for first, last in pairwise(sorted(edges))
    )


class PhaseSum(NamedTuple):
    """One phase of one axis, as indices: made once for a geometry, used in every call.

    ``big`` picks the phase's elements of the result; each of ``sums`` has the index of a
    stretch of them and those of the planes that it sums. ``alone`` is the index of the one
    stretch of planes that is the whole phase, if there is one.
    """

    size: int
    big: Index
    sums: tuple[tuple[Index, tuple[Index, ...]], ...]
    alone: Index | None


@lru_cache(maxsize=4096)
def phase_sums(axis: Axis, number: int, left: int) -> tuple[PhaseSum, ...]:
    """Index tables of axis ``number`` with ``left`` axes to go, itself included.

    Planes are (g, co, *taps left, b, *elements done, *small left), and what they are
    summed to has the same axes without this axis's taps.
    """
    every = slice(None)
    lead, between = (every, every), (every,) * (left + number)
    tables = []
    for phase, parts in segments(axis):
        big = (*lead, *between[left - 1 :], slice(phase.start, None, axis.stride))
        sums = tuple(
            (
                (*lead, *between, slice(start, stop)),
                tuple(
                    (*lead, tap, *between, slice(small, small + stop - start))
                    for tap, small in sources
                ),
            )
            for start, stop, sources in parts
        )
        whole = len(sums) == 1 and len(sums[0][1]) == 1
        alone = sums[0][1][0] if whole else None
        tables.append(PhaseSum(phase.cells, big, sums, alone))
    return tuple(tables)
