"""Make a failing call smaller, one step at a time, as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.problem.shapes import conv_transpose_shape
from mtconv.testing.case import Case
from mtconv.testing.memory import laid_out, memory_of, native

__all__ = ["shrunk"]

# Steps that are tried in all; most cases need fewer than a hundred.
_MOST_STEPS = 600


def shrunk(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Return the smallest case that still fails and is one step at a time from this one.

    Steps leave out options, axes, samples, channels, taps and elements, and write plainer
    values. A case that is no legal call counts as one that does not fail.
    """
    left = _MOST_STEPS
    smaller = True
    while smaller and left > 0:
        smaller = False
        for candidate in _candidates(case):
            left -= 1
            if left < 0:
                break
            if candidate is not None and fails(candidate):
                case, smaller = candidate, True
                break
    return case


def _candidates(case: Case) -> Iterator[Case | None]:
    """Yield simpler cases, the largest steps first; None for those that are illegal."""
    yield from _without_axis(case)
    for name in case.options:
        rest = {other: v for other, v in case.options.items() if other != name}
        yield _case(case, options=rest)
    if case.bias is not None:
        yield replace(case, bias=None)
    yield from _slices(case)
    yield from _plain_numbers(case)
    yield from _plain_values(case)


def _case(case: Case, **changes: Any) -> Case | None:
    """Return the case with some fields changed, and y and bias to fit them."""
    case = replace(case, **changes)
    try:
        shape = conv_transpose_shape(case.x.shape, case.kernel.shape, **case.options)
    except (ValueError, TypeError):
        return None
    bias = case.bias
    if bias is not None:
        channels = case.kernel.shape[1] * case.options.get("groups", 1)
        bias = bias[:channels]
        if bias.shape != (channels,):
            return None
    return replace(case, bias=bias, y=np.zeros(shape, case.x.dtype))


def _rank(case: Case) -> int:
    return case.spec.rank


def _default_layout(case: Case) -> bool:
    return "layout" not in case.options and "kernel_layout" not in case.options


def _without_axis(case: Case) -> Iterator[Case | None]:
    rank = _rank(case)
    if rank == 1 or not _default_layout(case):
        return
    for axis in range(rank):
        spot = axis - rank
        options = {
            name: value[:axis] + value[axis + 1 :] if isinstance(value, tuple) else value
            for name, value in case.options.items()
        }
        x, kernel = (np.take(a, [0], spot).squeeze(spot) for a in (case.x, case.kernel))
        yield _case(
            case, x=_like(x, case.x), kernel=_like(kernel, case.kernel), options=options
        )


def _slices(case: Case) -> Iterator[Case | None]:
    """Yield the case with fewer samples, channels, elements and taps."""
    if not _default_layout(case):
        return
    x, kernel, rank = case.x, case.kernel, _rank(case)
    for axis in range(x.ndim - kernel.ndim + 1 if kernel.ndim > rank else 0):
        for size in _smaller(x.shape[0]):  # samples, where there are any
            yield _case(case, x=_first(x, axis, size))
    if kernel.ndim > rank:
        channel, groups = x.ndim - rank - 1, case.options.get("groups", 1)
        for size in _smaller(x.shape[channel] // groups):
            fewer = (_first(x, channel, size * groups), _first(kernel, 0, size * groups))
            yield _case(case, x=fewer[0], kernel=fewer[1])
        if groups > 1:
            for count in _smaller(groups):
                size = x.shape[channel] // groups * count
                options = case.options | {"groups": count}
                fewer = (_first(x, channel, size), _first(kernel, 0, size))
                yield _case(case, x=fewer[0], kernel=fewer[1], options=options)
        for size in _smaller(kernel.shape[1]):
            yield _case(case, kernel=_first(kernel, 1, size))
    for axis in range(-rank, 0):
        for size in _smaller(x.shape[axis]):
            yield _case(case, x=_first(x, axis, size))
        for size in _smaller(kernel.shape[axis]):
            yield _case(case, kernel=_first(kernel, axis, size))


def _smaller(size: int) -> list[int]:
    return sorted({n for n in (1, size // 2, size - 1) if 0 < n < size})


def _first(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    return _like(np.take(array, range(size), axis), array)


def _like(array: NDArray[Any], model: NDArray[Any]) -> NDArray[Any]:
    return laid_out(array, memory_of(model))


def _plain_numbers(case: Case) -> Iterator[Case | None]:
    """Yield the case with options nearer to their defaults, and written shorter."""
    for name, value in case.options.items():
        if isinstance(value, tuple) and len(set(value)) == 1 and type(value[0]) is int:
            yield _case(case, options=case.options | {name: value[0]})
        least = 1 if name in ("stride", "dilation") else 0
        if type(value) is int and name not in ("groups", "output_size"):
            for number in _toward(value, least):
                yield _case(case, options=case.options | {name: number})
        if isinstance(value, tuple) and name != "output_size":
            for spot, part in enumerate(value):
                for nearer in _nearer(part, least):
                    changed = (*value[:spot], nearer, *value[spot + 1 :])
                    yield _case(case, options=case.options | {name: changed})


def _toward(value: int, least: int) -> list[int]:
    step = -1 if value > least else 1
    return [] if value == least else [least, value + step]


def _nearer(part: int | tuple[int, int], least: int) -> list[Any]:
    if isinstance(part, int):
        return _toward(part, least)
    lo, hi = part
    return [(n, hi) for n in _toward(lo, 0)] + [(lo, n) for n in _toward(hi, 0)]


def _plain_values(case: Case) -> Iterator[Case | None]:
    """Yield the case with arrays that count, then of int64, then contiguous."""
    counted = [_counted(case.x, 7), _counted(case.kernel, 5)]
    if not all(map(np.array_equal, counted, (case.x, case.kernel))):
        yield _case(case, x=counted[0], kernel=counted[1])
    names = ("x", "kernel", "bias")
    arrays = {name: getattr(case, name) for name in names}
    present = {name: array for name, array in arrays.items() if array is not None}
    with np.errstate(invalid="ignore"):  # some are far larger than integers
        numbers = [(array, np.real(array).astype(np.int64)) for array in present.values()]
    whole = all(np.array_equal(array, integers) for array, integers in numbers)
    if case.x.dtype != np.int64 and whole:
        plain = {name: _integers(a) for name, a in present.items()}
        yield _case(case, **plain)
    if any(memory_of(array) != "contiguous" for array in present.values()):
        yield _case(case, **{name: _plain(array) for name, array in present.items()})


def _integers(array: NDArray[Any]) -> NDArray[Any]:
    return _like(np.real(array).astype(np.int64), array)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return laid_out(native(array), "contiguous")


def _counted(array: NDArray[Any], period: int) -> NDArray[Any]:
    values = 1 + np.arange(array.size).reshape(array.shape) % period
    return _like(values.astype(array.dtype), array)
