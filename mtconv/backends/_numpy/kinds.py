"""Phases of a transposed convolution, sorted into kinds that share copies of x.

A phase is a convolution of stride 1 along x; phases with as many taps are convolutions
along the same axes and differ in their kernels alone, so one product makes them all.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from mtconv.geometry import Axis, Phase, live_phases

__all__ = ["Kind", "Member", "class_axes", "kinds"]

Axes = tuple[Axis, ...]
Index = tuple[Any, ...]


class Member(NamedTuple):
    """One phase of a kind, as indices.

    Its ``taps`` are those of the kernel, last one first, and fill the ``rows`` of the
    kind's; they may be ``fewer``. Of what is computed, ``inner`` belongs to its ``cells``.
    """

    taps: Index
    rows: Index
    fewer: bool
    cells: Index
    inner: Index


class Kind(NamedTuple):
    """Phases that are convolutions of x along the same ``axes``; one may be all of out.

    ``key`` tells the kernels of one kind from those of another.
    """

    axes: Axes
    members: tuple[Member, ...]
    alone: bool
    key: tuple[int, ...]


class _Class(NamedTuple):
    """Phases of one axis that read x along ``axis``.

    Cell ``t`` of a phase reads ``x[t + phase.shift - m*shift_step]`` and is small cell
    ``t + phase.shift - first`` of the axis, whose taps count m backwards.
    """

    first: int
    axis: Axis
    phases: tuple[Phase, ...]


@lru_cache(maxsize=4096)
def kinds(axes: Axes, *, merge: bool) -> tuple[Kind, ...]:
    """Sort the phases of all axes that have taps by their numbers of taps.

    To ``merge`` is to make one kind of them all, some with fewer taps than the others.
    """
    found = []
    for classes in product(*(_classes(axis, merge) for axis in axes)):
        groups = list(product(*(one.phases for one in classes)))
        members = tuple(_member(axes, classes, phases) for phases in groups)
        reads = tuple(one.axis for one in classes)
        alone = all(axis.stride == 1 for axis in axes)
        key = tuple(n for group in groups for phase in group for n in phase[2:5])
        found.append(Kind(reads, members, alone, (int(merge), *key)))
    return tuple(found)


def class_axes(axis: Axis, *, merge: bool) -> list[Axis]:
    """List the axes along which phases of an axis are convolutions of x."""
    return [one.axis for one in _classes(axis, merge)]


def _classes(axis: Axis, merge: bool) -> list[_Class]:
    live = live_phases(axis)
    if not live:
        return []
    counts = sorted({phase.taps for phase in live})
    found = []
    for taps in counts[-1:] if merge else counts:
        mine = tuple(phase for phase in live if merge or phase.taps == taps)
        first = min(phase.shift for phase in mine)
        cells = max(phase.shift + phase.cells for phase in mine) - first
        step = mine[0].shift_step
        reads = Axis(cells, axis.small, taps, 1, step, (taps - 1) * step - first)
        found.append(_Class(first, reads, mine))
    return found


def _member(axes: Axes, classes: tuple[_Class, ...], phases: tuple[Phase, ...]) -> Member:
    taps, rows, cells, inner = [], [], [], []
    for axis, one, phase in zip(axes, classes, phases, strict=True):
        last = phase.tap + (phase.taps - 1) * phase.tap_step
        taps.append(slice(last, None, -phase.tap_step))
        rows.append(slice(one.axis.kernel - phase.taps, None))
        cells.append(slice(phase.start, None, axis.stride))
        start = phase.shift - one.first
        inner.append(slice(start, start + phase.cells))
    fewer = any(row.start for row in rows)
    return Member((..., *taps), tuple(rows), fewer, (..., *cells), (..., *inner))
