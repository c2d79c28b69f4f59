"""Passes over pieces of arrays, one after another, each piece on one thread.

What a piece is depends on sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

from mtconv.backends.host.memory import odd_lines
from mtconv.backends.host.threads import run_stages, workers_at_most

__all__ = ["Index", "Stage", "in_caches", "pieces", "row_length", "run_passes"]

Index = tuple[slice, ...]

# A piece has at most so many elements that it stays in the caches of a processor. An array
# is cut into so many pieces, for threads to share, if each has enough elements.
_MOST = 2**17
_LEAST = 2**14
_PIECES = 4

# Elements of all planes from which on threads are worth their start.
_THREADED = 2**16


def in_caches(elements: int) -> bool:
    """Return whether so many elements can be a piece."""
    return elements <= _MOST


def row_length(columns: int) -> int:
    """Return how many complex numbers lie from one row to the next, for so many columns.

    A cache line holds four; the rows of a column are in different sets of the caches.
    """
    return odd_lines(columns, 4)


class Stage(NamedTuple):
    """Tasks that do not depend on each other, and the number of their elements.

    ``function`` gets a task, and how many threads it may use itself.
    """

    function: Callable[[Any, int], None]
    tasks: Sequence[Any]
    total: int


def run_passes(stages: Sequence[Stage], *, multiplies: bool = True) -> None:
    """Run one stage after another, on threads where there are enough elements.

    ``multiplies`` says whether tasks call BLAS.
    """
    largest = max(stage.total for stage in stages)
    threads = workers_at_most() if largest >= _THREADED else 1

    def calls(stage: Stage) -> list[tuple[Stage, Any, int]]:
        inner = max(1, threads // max(len(stage.tasks), 1))
        return [(stage, task, inner) for task in stage.tasks]

    calls_of_stages = [calls(stage) for stage in stages]
    run_stages(_call, calls_of_stages, threads, multiplies=multiplies)


def _call(task: tuple[Stage, Any, int]) -> None:
    stage, piece, workers = task
    stage.function(piece, workers)


def pieces(
    shape: tuple[int, ...], whole: int, least: int | None = None
) -> tuple[Index, ...]:
    """Cut a shape into pieces; the last ``whole`` axes are not cut.

    There are a few pieces, or fewer so that each has about ``least`` elements, or more so
    that the caches hold each.
    """
    most = min(max(prod(shape) // _PIECES, least or _LEAST), _MOST)
    return _cut(shape, len(shape) - whole, most)


@lru_cache(maxsize=1024)
def _cut(shape: tuple[int, ...], axes: int, most: int) -> tuple[Index, ...]:
    """Cut the first axes of a shape into pieces of at most so many elements, if they can.

    An axis is cut once the axes before it are cut to single elements.
    """
    sizes = [prod(shape[axis + 1 :]) for axis in range(axes)]
    last = next((n for n, size in enumerate(sizes) if size <= most), axes - 1)
    step = _step(shape[last], most // max(sizes[last], 1))
    steps = (*(1,) * last, step, *shape[last + 1 : axes])
    return tuple(product(*map(_slices, shape[:axes], steps)))


def _step(size: int, most: int) -> int:
    """Return the length of parts of nearly the same length, of at most so many elements."""
    parts = -(-size // max(most, 1))
    return -(-size // max(parts, 1))


def _slices(size: int, step: int) -> list[slice]:
    return [slice(n, min(n + step, size)) for n in range(0, size, max(step, 1))]
