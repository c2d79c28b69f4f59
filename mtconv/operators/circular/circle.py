"""The circles of an operator: where taps and elements lie on each periodic axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mtconv.backends.libraries import Library
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

__all__ = ["Circle", "circles_of", "divides", "from_circles", "onto_circles", "scattered"]


@dataclass(frozen=True)
class Circle:
    """One periodic axis of ``cells * stride`` elements.

    ``picks`` lists the elements that the small side consists of where it is no side of the
    circle itself, which then has stride 1; otherwise it is None.
    """

    cells: int
    stride: int
    taps: tuple[int, ...]
    picks: tuple[int, ...] | None

    @property
    def size(self) -> int:
        """Number of elements on the big side."""
        return self.cells * self.stride


def divides(spec: ConvSpec) -> bool:
    """Return whether the big side is the stride times the small one, all the way round."""
    return spec.padding_mode == "circular" and all(
        axis.big == axis.stride * axis.small for axis in spec.axes
    )


@lru_cache(maxsize=1024)
def circles_of(spec: ConvSpec) -> tuple[Circle, ...]:
    """Return the circle of each axis of a spec with circular padding."""
    return tuple(map(_circle, spec.axes))


def _circle(axis: Axis) -> Circle:
    taps = tuple((axis.dilation * j - axis.lo) % axis.big for j in range(axis.kernel))
    if axis.big == axis.stride * axis.small:
        return Circle(axis.small, axis.stride, taps, None)
    picks = tuple(axis.stride * i % axis.big for i in range(axis.small))
    return Circle(axis.big, 1, taps, picks)


@lru_cache(maxsize=1024)
def _levels(places: tuple[int, ...], size: int) -> tuple[tuple[int, ...], ...]:
    """For each element the numbers of its contributions, padded by ``len(places)``."""
    lists: list[list[int]] = [[] for _ in range(size)]
    for number, place in enumerate(places):
        lists[place].append(number)
    depth = max(map(len, lists), default=0)
    nothing = len(places)
    return tuple(
        tuple(numbers[level] if level < len(numbers) else nothing for numbers in lists)
        for level in range(depth)
    )


def scattered(
    library: Library, array: Any, axis: int, places: tuple[int, ...], size: int
) -> Any:
    """Add the elements of an axis onto places of another one of this size.

    Elements are read by index, never written, which some libraries do not allow.
    """
    shape = list(array.shape)
    shape[axis] = 1
    padded = library.concat([array, library.zeros(tuple(shape), array)], axis)
    total = None
    for numbers in _levels(places, size):
        index = library.native(_indices(numbers), array)
        part = library.take(padded, index, axis)
        total = part if total is None else total + part
    if total is None:
        shape[axis] = size
        return library.zeros(tuple(shape), array)
    return total


def onto_circles(library: Library, spec: ConvSpec, x: Any) -> Any:
    """Place the elements of x (batch, channels, *small) on circles that have more."""
    for axis, circle in enumerate(circles_of(spec), 2):
        if circle.picks is not None:
            x = scattered(library, x, axis, circle.picks, circle.size)
    return x


def from_circles(library: Library, spec: ConvSpec, x: Any) -> Any:
    """Read the elements of the small side from circles, the last axes, that have more."""
    for axis, circle in enumerate(circles_of(spec), -spec.rank):
        if circle.picks is not None:
            index = library.native(_indices(circle.picks), x)
            x = library.take(x, index, len(x.shape) + axis)
    return x


def _indices(places: tuple[int, ...]) -> Any:
    return np.asarray(places, np.int64)
