"""The arrays of one step: what a chunk must be like, and which elements go together."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from mtconv.errors import BackendError, GeometryError, message
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec
from mtconv.streaming import arrays
from mtconv.streaming.timeline import Timeline

__all__ = [
    "are_plain",
    "check_chunk",
    "check_dtype",
    "gather",
    "holding",
    "newest",
    "with_axis",
]


@lru_cache(maxsize=1024)
def holding(timeline: Timeline, held: int) -> Timeline:
    """Return the timeline of a state that holds so many outputs back."""
    return replace(timeline, held=held)


@lru_cache(maxsize=4096)
def with_axis(spec: ConvSpec, number: int, axis: Axis) -> ConvSpec:
    """Return a spec with another relation along one spatial axis."""
    axes = (*spec.axes[:number], axis, *spec.axes[number + 1 :])
    return replace(spec, axes=axes)


def are_plain(cells: Any, chunk: Any, kernel: Any) -> bool:
    """Return whether all are arrays of NumPy, the chunk like the state; most calls."""
    return (
        type(cells) is np.ndarray
        and type(kernel) is np.ndarray
        and cells.dtype.kind in "iufc"
        and (chunk is None or (type(chunk) is np.ndarray and chunk.dtype == cells.dtype))
    )


def check_chunk(
    function: str, cells: tuple[int, ...], shape: tuple[int, ...], axis: int
) -> None:
    """Check that a chunk has the shape that the state was made for.

    ``axis`` is the axis of time in ``cells``, the shape of the array of the state.
    """
    fits = len(cells) == len(shape) and all(
        cells[place] == shape[place] for place in range(len(cells)) if place != axis
    )
    if not fits:
        wanted = [str(size) for size in cells]
        wanted[axis] = "any"
        msg = message(
            function,
            "chunk",
            f"must have the shape that the stream was started for, ({', '.join(wanted)})",
            f"shape {tuple(shape)}",
            fix="Start another stream for chunks of another shape.",
        )
        raise GeometryError(msg)


def check_dtype(function: str, cells: Any, chunk: Any) -> None:
    """Check that a chunk has the dtype that the state was made for."""
    if cells.dtype == chunk.dtype:
        return
    names = [arrays.dtype_name(array.dtype) for array in (cells, chunk)]
    if names[0] != names[1]:
        msg = message(
            function,
            "chunk",
            f"must have the dtype that the stream was started for, {names[0]}",
            f"dtype {names[1]}",
            fix="Name the dtype in `start`, or convert the chunks.",
        )
        raise BackendError(msg)


def gather(cells: Any, chunk: Any, start: int, stop: int, axis: int) -> Any:
    """Return the elements from start to stop, counted from the first of the chunk."""
    fresh = arrays.along(chunk, axis, max(start, 0), stop) if stop > 0 else None
    if start >= 0:
        return fresh
    halo = cells.shape[axis]
    old = arrays.along(cells, axis, halo + start, halo + min(stop, 0))
    return old if fresh is None else arrays.joined([old, fresh], axis)


def newest(cells: Any, chunk: Any, axis: int) -> Any:
    """Return the last elements that have come, as many as the state holds."""
    halo, size = cells.shape[axis], chunk.shape[axis]
    if size == 0:
        return cells
    old = arrays.along(cells, axis, min(size, halo), halo)
    fresh = arrays.along(chunk, axis, max(size - halo, 0), size)
    return arrays.joined([old, fresh], axis)
