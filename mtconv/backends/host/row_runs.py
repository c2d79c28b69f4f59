"""What taps meet of an array, in runs of elements that go on past the ends of rows."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from mtconv.geometry import Axis

__all__ = ["RowRuns", "row_runs"]


class RowRuns(NamedTuple):
    """Runs in an array that is extended by zeros to ``sizes``, from element ``first`` on.

    Elements are counted along memory. ``starts`` are the first elements that the taps of
    the outer axes meet. From each on, ``last`` relates a run to the taps of the last axis.
    """

    sizes: tuple[int, ...]
    first: tuple[int, ...]
    last: Axis
    starts: tuple[int, ...]


@lru_cache(maxsize=4096)
def row_runs(axes: tuple[Axis, ...]) -> RowRuns:
    """Find the runs of axes of stride 1."""
    *outer, last = axes
    inner = [axis.full for axis in axes[1:]]
    steps = [prod(inner[number:]) for number in range(len(axes))]
    starts = (
        sum(j * a.dilation * step for j, a, step in zip(tap, outer, steps, strict=False))
        for tap in product(*(range(axis.kernel) for axis in outer))
    )
    # One row more, for the last runs to end in.
    sizes = (axes[0].full + 1, *inner)
    first = tuple(-axis.lo for axis in axes)
    elements = axes[0].small * steps[0]
    run = Axis(elements, elements + last.extent - 1, last.kernel, 1, last.dilation)
    return RowRuns(sizes, first, run, tuple(starts))
