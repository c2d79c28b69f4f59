"""Arrays extended by zeros, until every tap meets an element."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.strided import place
from mtconv.geometry import Axis
from mtconv.planning import tuning

__all__ = ["clips", "extend"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]


def extend(
    axes: Axes, y: Array, space: Workspace, *, always: bool = False, copy: bool = False
) -> tuple[Axes, Array]:
    """Extend y (..., *big) by zeros until every tap meets an element; relate it anew.

    Where that would take much more memory than y, it is only done ``always``; where y has
    all elements, it is copied only if ``copy``.
    """
    sizes, first, extended_axes = _extension(axes)
    if extended_axes == axes and not copy:
        return axes, y
    lead = y.shape[: y.ndim - len(axes)]
    if not always and prod(lead) * prod(sizes) > max(2 * y.size, tuning.FEW_ZEROS):
        return axes, y
    extended = space.take((*lead, *sizes), y.dtype)
    place(y, first, extended)
    return extended_axes, extended


@lru_cache(maxsize=4096)
def _extension(axes: Axes) -> tuple[tuple[int, ...], tuple[int, ...], Axes]:
    """Return sizes, first element and axes of the extended y; as they are if none lacks."""
    if not any(clips(axis) for axis in axes):
        sizes = tuple(axis.big for axis in axes)
        return sizes, (0,) * len(axes), axes
    sizes = tuple(axis.full for axis in axes)
    first = tuple(-axis.lo for axis in axes)
    return sizes, first, tuple(replace(a, big=a.full, lo=0) for a in axes)


def clips(axis: Axis) -> bool:
    """Return whether some taps have no element to meet."""
    return axis.lo > 0 or axis.hi > 0
