"""Where taps land: as views with strides of their own, checked first, and as indices."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mtconv.geometry import Axis, windows

__all__ = ["Landing", "landings", "window_view"]

Index = tuple[Any, ...]


class Landing(NamedTuple):
    """One tap, the small and the big elements it joins, and whether all small ones are."""

    tap: Index
    small: Index
    big: Index
    whole: bool


@lru_cache(maxsize=1024)
def landings(axes: tuple[Axis, ...]) -> tuple[Landing, ...]:
    """List the taps that join any elements."""
    return tuple(
        Landing(
            tuple(window.tap for window in taps),
            tuple(slice(window.small_start, window.small_stop) for window in taps),
            tuple(
                slice(w.big_start, w.big_start + a.stride * (w.cells - 1) + 1, a.stride)
                for w, a in zip(taps, axes, strict=True)
            ),
            all(w.cells == a.small for w, a in zip(taps, axes, strict=True)),
        )
        for taps in product(*(windows(axis) for axis in axes))
    )


def window_view(
    y: NDArray[Any], axes: tuple[Axis, ...], *, writeable: bool = False
) -> NDArray[Any]:
    """View y (..., *big) as (..., *small, *taps): the cells each tap meets.

    Read-only unless asked for, since several taps may meet a cell.

    Raises
    ------
    ValueError
        If y has other sizes than the axes, or if a tap would meet a cell outside.
    """
    rank = len(axes)
    if y.shape[y.ndim - rank :] != tuple(axis.big for axis in axes):
        msg = f"y of shape {y.shape} does not have the big sizes of {axes}"
        raise ValueError(msg)
    for axis in axes:
        first = -axis.lo
        last = axis.stride * (axis.small - 1) + axis.dilation * (axis.kernel - 1) - axis.lo
        if min(axis.small, axis.kernel) < 1 or first < 0 or last >= axis.big:
            msg = f"{axis} has taps outside its big side, or none"
            raise ValueError(msg)
    cells: tuple[Any, ...] = tuple(slice(-axis.lo, None) for axis in axes)
    start = y[(..., *cells)]
    strides = y.strides[y.ndim - rank :]
    lead = y.ndim - rank
    return as_strided(
        start,
        (
            *y.shape[:lead],
            *(axis.small for axis in axes),
            *(axis.kernel for axis in axes),
        ),
        (
            *y.strides[:lead],
            *(_step(a.small, a.stride, s) for a, s in zip(axes, strides, strict=True)),
            *(_step(a.kernel, a.dilation, s) for a, s in zip(axes, strides, strict=True)),
        ),
        writeable=writeable,
    )


def _step(count: int, cells: int, stride: int) -> int:
    """Bytes from one entry to the next; a step never taken may be beyond any address."""
    return cells * stride if count > 1 else 0
