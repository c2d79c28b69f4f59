"""Phases of the big side whose taps are shifts of the small one, as indices."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from mtconv.geometry import Axis, live_phases, phase_axis

__all__ = ["PhaseShifts", "phase_shifts"]

Index = tuple[Any, ...]
Axes = tuple[Axis, ...]


class PhaseShifts(NamedTuple):
    """One phase of y: its elements, its taps, and its shifts as axes of stride 1."""

    big: Index
    taps: Index
    axes: Axes


@lru_cache(maxsize=4096)
def phase_shifts(axes: Axes) -> tuple[tuple[PhaseShifts, ...], tuple[int, ...]]:
    """List the phases that have taps; also return how long rows have to be for all."""
    listed = []
    for phases in product(*(live_phases(axis) for axis in axes)):
        pairs = list(zip(axes, phases, strict=True))
        reads = tuple(phase_axis(axis, phase) for axis, phase in pairs)
        first, *rest = (slice(p.start, None, axis.stride) for axis, p in pairs)
        big = (..., first, slice(None), *rest)  # samples lie behind the first axis
        taps = (..., *(slice(p.tap, None, p.tap_step) for p in phases))
        listed.append(PhaseShifts(big, taps, reads))
    full = (max((s.axes[n].full for s in listed), default=0) for n in range(len(axes)))
    return tuple(listed), tuple(full)
