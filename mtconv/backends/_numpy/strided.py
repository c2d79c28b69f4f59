"""The one place where views with strides of their own are made, checked before they are."""

from __future__ import annotations

from typing import Any

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mtconv.geometry import Axis

__all__ = ["window_view"]


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
        msg = f"y of shape {y.shape} has not the big sizes of {axes}"
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
