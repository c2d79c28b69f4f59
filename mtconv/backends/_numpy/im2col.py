"""im2col: the elements that every tap meets, gathered for a matrix product.

The array is extended by zeros once, so that one strided copy gathers all taps.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.extension import clips, extend
from mtconv.backends.host.memory import Workspace, copied
from mtconv.backends.host.row_runs import row_runs
from mtconv.backends.host.strided import landings, place, window_view
from mtconv.geometry import Axis, live_phases, phase_axis, windows
from mtconv.planning import tuning
from mtconv.planning.gathers import gathers

__all__ = ["fill", "folds", "gather", "gather_runs", "rows_of", "runs_are_short"]
__all__ += ["samples_of"]

Index = tuple[Any, ...]


def folds(batch: int, elements: int) -> bool:
    """Return whether samples are so small that they are put side by side."""
    return batch > 1 and elements < tuning.FOLDED_ELEMENTS


def samples_of(x: Array) -> Array:
    """View x as (b, g, ci, e), or (1, g, ci, b * e) where samples are side by side."""
    groups, small, batch = x.shape[:3]
    elements = prod(x.shape[3:])
    if x.flags.c_contiguous:
        return x.reshape(1, groups, small, batch * elements)
    ordered = x.transpose(2, 0, 1, *range(3, x.ndim))
    return ordered.reshape(batch, groups, small, elements)


def rows_of(x: Array, columns: int, space: Workspace) -> Array:
    """View x (g, ci, b, *small) as (n, g, ci, e) for a product with so many columns.

    Samples are copied side by side where that costs less than a product for each.
    """
    elements = prod(x.shape[3:])
    if folds(x.shape[2], elements) and elements < columns:
        x = copied(x, x.dtype, space)
    return samples_of(x)


def gather(axes: Axes, y: Array, space: Workspace, *, folded: bool) -> Array:
    """Gather y as columns (n, g, co * taps, e).

    Folded, all samples are one, whose elements are those of the first sample, the
    second, ...
    """
    count = prod(y.shape[:3]) * prod(axis.kernel * axis.small for axis in axes)
    if max(count, y.size) > tuning.FEW_COLUMNS:
        return _gather(axes, y, space, folded)
    places = table(axes, y.shape, folded)
    columns = space.take(places.shape, y.dtype)
    with space.frame():
        flat = space.take((1 + y.size,), y.dtype)
        flat[0] = 0
        flat[1:].reshape(y.shape)[...] = y
        flat.take(places, out=columns, mode="clip")
    return columns


@lru_cache(maxsize=128)
def table(axes: Axes, shape: tuple[int, ...], folded: bool) -> NDArray[np.intp]:
    """List the element of y, counted from 1, of each column's; 0 where there is none."""
    places = 1 + np.arange(prod(shape)).reshape(shape)
    listed: NDArray[np.intp] = _gather(axes, places, Workspace(kept=0), folded).copy()
    return listed


def _gather(axes: Axes, y: Array, space: Workspace, folded: bool) -> Array:
    batch, groups, share = y.shape[:3]
    taps = tuple(axis.kernel for axis in axes)
    small = tuple(axis.small for axis in axes)
    depth = share * prod(taps)
    if folded:
        columns = space.take((groups, share, *taps, batch, *small), y.dtype)
        fill(axes, y, np.moveaxis(columns, 2 + len(taps), 0), space)
        return columns.reshape(1, groups, depth, -1)
    columns = space.take((batch, groups, share, *taps, *small), y.dtype)
    fill(axes, y, columns, space)
    return columns.reshape(batch, groups, depth, -1)


def gather_runs(axes: Axes, y: Array, space: Workspace) -> Array:
    """Gather y as `gather` does, for axes of stride 1, in runs that go on at a row's end.

    All axes but the first have ``full`` elements; those past ``small`` mean nothing.
    """
    batch, groups, share = y.shape[:3]
    sizes, first, last, starts = row_runs(axes)
    columns = space.take((*y.shape[:3], len(starts), last.kernel, last.small), y.dtype)
    with space.frame():
        extended = space.take((*y.shape[:3], *sizes), y.dtype)
        place(y, first, extended)
        flat = extended.reshape(batch, groups, share, -1)
        for number, start in enumerate(starts):
            view = window_view(flat[..., start : start + last.big], (last,))
            columns[:, :, :, number] = view.swapaxes(-1, -2)
    return columns.reshape(batch, groups, -1, last.small)


def runs_are_short(axes: Axes, elements: int) -> bool:
    """Return whether `gather_runs` extends y to little more than the columns of a tap.

    Where taps are far apart, most of what lies between them would be zeros.
    """
    return prod(row_runs(axes).sizes) <= max(4 * elements, tuning.FEW_ZEROS)


def fill(axes: Axes, y: Array, columns: Array, space: Workspace) -> None:
    """Fill columns (b, g, co, *taps, *small) from y."""
    *outer, last = axes
    moves = gathers(axes, prod(y.shape[:3]), y.shape[2])
    if moves.direct <= moves.by_phase or not _all_live(last):
        _fill(axes, y, columns, space, copy=False)
        return
    # Several taps read an element: what lies a stride apart is put side by side for them.
    spare = (slice(None),) * len(outer)
    for phase in live_phases(last):
        taps: Index = (..., slice(phase.tap, None, phase.tap_step), *spare, slice(None))
        reads = (*outer, phase_axis(last, phase))
        elements = y[..., phase.start :: last.stride]
        _fill(reads, elements, columns[taps], space, copy=True)


def _fill(axes: Axes, y: Array, columns: Array, space: Workspace, *, copy: bool) -> None:
    rank = len(axes)
    with space.frame():
        axes, y = extend(axes, y, space, copy=copy)
        if not any(clips(axis) for axis in axes):
            view = window_view(y, axes)  # (b, g, co, *small, *taps)
            order = (*range(3 + rank, 3 + 2 * rank), *range(3, 3 + rank))
            columns[...] = view.transpose(0, 1, 2, *order)
            return
    lead = (slice(None),) * 3
    for landing in landings(axes):
        target = columns[(*lead, *landing.tap)]
        if not landing.whole:
            target[...] = 0
        target[(..., *landing.small)] = y[(..., *landing.big)]
    for number, axis in enumerate(axes):  # taps that reach nothing
        live = {window.tap for window in windows(axis)}
        for j in range(axis.kernel):
            if j not in live:
                columns[(slice(None),) * (3 + number) + (j,)] = 0


@lru_cache(maxsize=4096)
def _all_live(axis: Axis) -> bool:
    """Return whether every tap belongs to a phase that y has elements of."""
    return sum(phase.taps for phase in live_phases(axis)) == axis.kernel
