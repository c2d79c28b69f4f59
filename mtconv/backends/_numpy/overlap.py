"""Overlap-add of a column matrix, and its adjoint, the gather of one.

Columns hold one value per small cell and tap. The overlap-add goes axis by axis: along
all axes but the last it adds contiguous planes, phase by phase; only along the last one
it writes with a stride, straight into the result. Cells that no tap reaches become zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.segments import Segment, segments
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, windows

__all__ = ["gather", "landings", "overlap_add"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]


def overlap_add(axes: Axes, columns: Array, out: Array, space: Workspace) -> None:
    """Write the sum of ``columns`` (g, co, *taps, b, *small) to out (b, g, co, *big)."""
    order = (1, 2, 0, *range(3, out.ndim))
    _fold(axes, 0, columns, out.transpose(order), space)


def _fold(axes: Axes, number: int, columns: Array, out: Array, space: Workspace) -> None:
    """Fold axis ``number``; columns are (g, co, *taps left, b, *cells done, *small left).

    ``out`` is (g, co, b, *cells done, *big left).
    """
    left = len(axes) - number
    axis = axes[number]
    before = (slice(None),) * (columns.ndim - 3 - left)  # axes between tap and this axis
    for phase, found in segments(axis):
        cells = (slice(None),) * (number + 3) + (slice(phase.start, None, axis.stride),)
        target = out[cells]
        if not phase.taps:
            target[...] = 0
        elif left == 1:
            _sum_segments(found, columns, before, target)
        else:
            with space.frame():
                planes = _planes(found, columns, before, phase.cells, space)
                _fold(axes, number + 1, planes, target, space)


def _planes(
    found: tuple[Segment, ...], columns: Array, before: Index, cells: int, space: Workspace
) -> Array:
    """Sum the taps of one phase into planes of their own."""
    if len(found) == 1 and len(found[0].sources) == 1:
        tap, start = found[0].sources[0]
        return columns[
            (slice(None), slice(None), tap, *before, slice(start, start + cells))
        ]
    shape = list(columns.shape[:2] + columns.shape[3:])
    shape[2 + len(before)] = cells
    planes = space.take(tuple(shape), columns.dtype)
    _sum_segments(found, columns, before, planes)
    return planes


def _sum_segments(
    found: tuple[Segment, ...], columns: Array, before: Index, target: Array
) -> None:
    lead = (slice(None), slice(None))
    for start, stop, sources in found:
        part = target[(*lead, *before, slice(start, stop))]
        size = stop - start
        terms = [columns[(*lead, t, *before, slice(s, s + size))] for t, s in sources]
        if not terms:
            part[...] = 0
        elif len(terms) == 1:
            part[...] = terms[0]
        else:
            np.add(terms[0], terms[1], out=part)
            for term in terms[2:]:
                part += term


def gather(axes: Axes, y: Array, columns: Array) -> None:
    """Fill columns (g, co, *taps, b, *small) from y (b, g, co, *big)."""
    y = y.transpose(1, 2, 0, *range(3, y.ndim))
    lead = (slice(None), slice(None))
    for tap, cells, landing, whole in landings(axes):
        target = columns[(*lead, *tap)]
        if not whole:
            target[...] = 0
        target[(..., *cells)] = y[(..., *landing)]
    _clear_unreached(axes, columns)


def _clear_unreached(axes: Axes, columns: Array) -> None:
    """Set the columns of taps that reach nothing to zero."""
    for number, axis in enumerate(axes):
        live = {window.tap for window in windows(axis)}
        for tap in range(axis.kernel):
            if tap not in live:
                columns[(slice(None),) * (2 + number) + (tap,)] = 0


def landings(axes: Axes) -> Iterator[tuple[Index, Index, Index, bool]]:
    """Yield each tap, the small cells it reads, the big cells they meet, and if all do."""
    for found in product(*(windows(axis) for axis in axes)):
        yield (
            tuple(window.tap for window in found),
            tuple(slice(window.small_start, window.small_stop) for window in found),
            tuple(
                slice(
                    window.big_start,
                    window.big_start + axis.stride * (window.cells - 1) + 1,
                    axis.stride,
                )
                for window, axis in zip(found, axes, strict=True)
            ),
            all(
                window.cells == axis.small for window, axis in zip(found, axes, strict=True)
            ),
        )
