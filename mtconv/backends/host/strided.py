"""Where taps land: as views with strides of their own, checked first, and as indices."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mtconv.geometry import Axis, windows

__all__ = ["Landing", "block_view", "landings", "shifted_view", "window_view"]

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
    """View y (..., *big) as (..., *small, *taps): the elements that each tap meets.

    Read-only unless asked for, since several taps may meet an element.

    Raises
    ------
    ValueError
        If y has other sizes than the axes, or if a tap would meet an element outside.
    """
    big, index, sizes, steps = _windows(axes)
    lead = y.ndim - len(axes)
    if y.shape[lead:] != big:
        msg = f"y of shape {y.shape} does not have the big sizes of {axes}"
        raise ValueError(msg)
    strides = list(y.strides)
    # Steps of small elements, then of taps, in bytes.
    strides[lead:] = [step * n for step, n in zip(steps, 2 * y.strides[lead:], strict=True)]
    shape = (*y.shape[:lead], *sizes)
    return as_strided(y[index], shape, strides, writeable=writeable)


def shifted_view(
    flat: NDArray[Any], shifts: tuple[tuple[int, int], ...], count: int
) -> NDArray[Any]:
    """View flat (..., elements) as (..., *taps, count): a run from each sum of shifts.

    ``shifts`` has for each axis of taps their number and the step from tap to tap.
    Read-only, since runs overlap.

    Raises
    ------
    ValueError
        If a run would end behind the last element, or a step is negative.
    """
    last = sum((taps - 1) * step for taps, step in shifts) + count
    if last > flat.shape[-1] or any(taps < 1 or step < 0 for taps, step in shifts):
        msg = f"{shifts} shift {count} elements outside of {flat.shape[-1]}"
        raise ValueError(msg)
    step = flat.strides[-1]
    shape = (*flat.shape[:-1], *(taps for taps, _ in shifts), count)
    strides = (*flat.strides[:-1], *(n * step for _, n in shifts), step)
    return as_strided(flat, shape, strides, writeable=False)


def block_view(
    array: NDArray[Any], sizes: tuple[int, ...], steps: tuple[int, ...]
) -> NDArray[Any]:
    """View the last axes (..., *space) as (..., *blocks, *sizes): blocks a step apart.

    As many blocks as fit; read-only where they may overlap.

    Raises
    ------
    ValueError
        If not one block fits, or a step is below 1.
    """
    lead = array.ndim - len(sizes)
    space, strides = array.shape[lead:], array.strides[lead:]
    triples = list(zip(space, sizes, steps, strict=True))
    if any(size > length or step < 1 for length, size, step in triples):
        msg = f"blocks of {sizes}, {steps} apart, do not fit {space}"
        raise ValueError(msg)
    counts = tuple((length - size) // step + 1 for length, size, step in triples)
    apart = tuple(stride * step for stride, step in zip(strides, steps, strict=True))
    overlap = any(step < size for _, size, step in triples)
    return as_strided(
        array,
        (*array.shape[:lead], *counts, *sizes),
        (*array.strides[:lead], *apart, *strides),
        writeable=not overlap and array.flags.writeable,
    )


@lru_cache(maxsize=4096)
def _windows(
    axes: tuple[Axis, ...],
) -> tuple[tuple[int, ...], Index, tuple[int, ...], tuple[int, ...]]:
    """Return big sizes, the first element that is met, sizes of the view, and its steps.

    A step that is never taken is 0, for it may lead beyond any address.
    """
    for axis in axes:
        first = -axis.lo
        last = axis.stride * (axis.small - 1) + axis.dilation * (axis.kernel - 1) - axis.lo
        if min(axis.small, axis.kernel) < 1 or first < 0 or last >= axis.big:
            msg = f"{axis} has taps outside its big side, or none"
            raise ValueError(msg)
    small = tuple(axis.small for axis in axes)
    taps = tuple(axis.kernel for axis in axes)
    return (
        tuple(axis.big for axis in axes),
        (..., *(slice(-axis.lo, None) for axis in axes)),
        (*small, *taps),
        (
            *(axis.stride * (axis.small > 1) for axis in axes),
            *(axis.dilation * (axis.kernel > 1) for axis in axes),
        ),
    )


def place(source: NDArray[Any], first: tuple[int, ...], target: NDArray[Any]) -> None:
    """Copy the elements from ``first`` on to target; what the source lacks is zero."""
    rank = len(first)
    taken, placed = common(first, target.shape[-rank:], source.shape[-rank:])
    target[...] = 0
    target[placed] = source[taken]


@lru_cache(maxsize=4096)
def common(
    first: tuple[int, ...], lengths: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[Index, Index]:
    """Index what a source has of ``lengths`` elements from ``first`` on, in both arrays."""
    taken: list[Any] = []
    placed: list[Any] = []
    for start, length, size in zip(first, lengths, sizes, strict=True):
        begin = min(max(start, 0), size)
        end = max(begin, min(start + length, size))
        taken.append(slice(begin, end))
        placed.append(slice(begin - start, end - start))
    return (..., *taken), (..., *placed)
