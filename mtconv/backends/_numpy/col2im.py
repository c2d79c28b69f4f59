"""col2im: the overlap-add of planes, which hold one value per small element and tap.

It goes axis by axis: along all axes but the last it adds contiguous planes, phase by phase;
only along the last one it writes with a stride, straight into the result. Elements that no
tap reaches become zero.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.phase_sums import PhaseSum, phase_sums
from mtconv.backends.host.strided import landings
from mtconv.geometry import has_holes, live_phases

__all__ = ["overlap_add", "sum_by_table", "table", "terms"]

Index = tuple[Any, ...]


def overlap_add(axes: Axes, planes: Array, out: Array, space: Workspace) -> None:
    """Write the sum of ``planes`` (g, co, *taps, b, *small) to out (b, g, co, *big)."""
    if any(has_holes(axis) for axis in axes):
        out[...] = 0
    order = (1, 2, 0, *range(3, out.ndim))
    _fold(axes, 0, planes, out.transpose(order), space)


def _fold(axes: Axes, number: int, planes: Array, out: Array, space: Workspace) -> None:
    """Fold axis ``number``; ``out`` is (g, co, b, *elements done, *big left)."""
    left = len(axes) - number
    for phase in phase_sums(axes[number], number, left):
        target = out[phase.big]
        if left == 1:
            _sum(phase, planes, target, space)
        elif phase.alone is not None:
            _fold(axes, number + 1, planes[phase.alone], target, space)
        else:
            with space.frame():
                shape = list(planes.shape[:2] + planes.shape[3:])
                shape[2 + left + number] = phase.size
                total = space.take(tuple(shape), planes.dtype)
                _sum(phase, planes, total, space)
                _fold(axes, number + 1, total, target, space)


def _sum(phase: PhaseSum, planes: Array, target: Array, space: Workspace) -> None:
    for stretch, sources in phase.sums:
        part = target[stretch]
        if not sources:
            part[...] = 0
        elif len(sources) == 1:
            part[...] = planes[sources[0]]
        elif len(sources) == 2 or part.strides[-1] == part.itemsize:
            _add_up(planes, sources, part)
        else:  # written with a stride once, not for every term
            with space.frame():
                total = space.take(part.shape, part.dtype)
                _add_up(planes, sources[:-1], total)
                np.add(total, planes[sources[-1]], out=part)


def _add_up(planes: Array, sources: tuple[Index, ...], out: Array) -> None:
    np.add(planes[sources[0]], planes[sources[1]], out=out)
    for source in sources[2:]:
        out += planes[source]


def sum_by_table(axes: Axes, planes: Array, out: Array, space: Workspace) -> None:
    """Do the overlap-add of few planes by one look-up and one sum.

    ``planes`` is flat, in the order of `overlap_add`, with one more element, 0, for the
    taps that an element does not have.
    """
    places = table(axes, out.shape)
    with space.frame():
        values = space.take(places.shape, planes.dtype)
        planes.take(places, out=values, mode="clip")
        if out.flags.c_contiguous:
            np.add.reduce(values, axis=0, out=out.reshape(-1))
            return
        total = space.take(places.shape[1:], planes.dtype)
        np.add.reduce(values, axis=0, out=total)
        out[...] = total.reshape(out.shape)


@lru_cache(maxsize=4096)
def terms(axes: Axes) -> int:
    """Count the terms that an element of the result sums at most, in each channel."""
    return prod(
        max((min(phase.taps, axis.small) for phase in live_phases(axis)), default=0)
        for axis in axes
    )


@lru_cache(maxsize=128)
def table(axes: Axes, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """List what each element of out (b, g, co, *big) sums: (terms, elements)."""
    batch, groups, share = shape[:3]
    taps = tuple(axis.kernel for axis in axes)
    small = tuple(axis.small for axis in axes)
    planes = np.arange(prod((groups, share, *taps, batch, *small)))
    ordered = planes.reshape(groups, share, *taps, batch, *small)
    places = np.arange(prod(shape)).reshape(shape)
    seen = np.zeros(places.size, np.intp)
    listed = np.full((max(terms(axes), 1), places.size), planes.size)
    for landing in landings(axes):
        plane = np.moveaxis(ordered[(slice(None), slice(None), *landing.tap)], 2, 0)
        place = places[(..., *landing.big)].ravel()
        listed[seen[place], place] = plane[(..., *landing.small)].ravel()
        seen[place] += 1
    return listed
