"""im2col in rows of taps, where rows of space are short.

A copy costs a few nanoseconds for each run of neighbours. With channels as the last axis of
y, the taps of the last axis and the channels are one run, whatever the size of the rows.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.strided import place, window_view
from mtconv.planning.gathers import gathers

__all__ = ["gather_last", "short_rows", "taps_first"]


def short_rows(axes: Axes, planes: int, share: int, rows: int, form: str) -> bool:
    """Return whether runs of taps and channels are cheaper than rows of space.

    Bringing channels to the end costs a pass over y with all its zeros, and one over a
    kernel of so many ``rows``; see `mtconv.planning.gathers`.
    """
    moves = gathers(axes, planes, share, rows, 1, form)
    return moves.taps_last < moves.by_rows


def taps_first(weights: Weights, channels: slice, space: Workspace) -> Array:
    """Order the kernel as the columns are, (g, ci, taps * co)."""
    w = np.moveaxis(weights.array[:, :, channels], 2, -1)

    def fill(rows: Array) -> None:
        rows[...] = w

    rows = weights.packed(("taps", channels.start), w.shape, w.dtype, space, fill)
    return rows.reshape(*w.shape[:2], -1)


def gather_last(axes: Axes, y: Array, space: Workspace, *, folded: bool) -> Array:
    """Gather y as columns (n, g, taps * co, e), whose first axis in memory is e.

    Folded, all samples are one, whose elements are those of the first sample, the
    second, ...
    """
    rank = len(axes)
    batch, groups, share = y.shape[:3]
    turned = space.take((groups, batch, *(axis.full for axis in axes), share), y.dtype)
    extended = turned.transpose(1, 0, 2 + rank, *range(2, 2 + rank))
    place(y, tuple(-axis.lo for axis in axes), extended)
    whole = tuple(replace(axis, big=axis.full, lo=0) for axis in axes)
    view = window_view(extended, whole)  # (b, g, co, *small, *taps)
    view = view.transpose(1, 0, *range(3, 3 + 2 * rank), 2)
    columns = space.take(view.shape, y.dtype)
    columns[...] = view
    depth = share * prod(axis.kernel for axis in axes)
    if folded:
        return columns.reshape(1, groups, -1, depth).swapaxes(2, 3)
    return columns.reshape(groups, batch, -1, depth).transpose(1, 0, 3, 2)
