"""What each algorithm costs: multiply-adds, bytes moved, and an estimate of seconds.

The estimates only rank algorithms; their constants change speed, never a result.
"""

from __future__ import annotations

from math import log2, prod
from typing import NamedTuple

from mtconv import geometry
from mtconv.spec import ConvSpec

__all__ = ["Cost", "Rates", "estimate"]


class Rates(NamedTuple):
    """Measured speeds of one engine for one kind of element."""

    gemm: float  # multiply-adds per second in a large matrix product
    elementwise: float  # multiply-adds per second, array operation by array operation
    copy: float  # bytes per second through a strided copy or add
    call: float  # seconds that one array operation costs at least


class Cost(NamedTuple):
    """Work of one algorithm on one problem."""

    multiply_adds: int
    bytes_moved: int
    operations: int
    seconds: float


def estimate(
    algorithm: str, spec: ConvSpec, batch: int, itemsize: int, rates: Rates
) -> Cost:
    """Estimate the cost of an algorithm; ``batch`` items of ``itemsize`` bytes each."""
    return _MODELS[algorithm](spec, batch, itemsize, rates)


def _sizes(spec: ConvSpec, batch: int) -> tuple[int, int, int, int]:
    """Return elements of x, of y, of the columns (one per x, tap) and the taps."""
    small, share = spec.kernel_shape[:2]
    taps = prod(spec.kernel_size)
    cells = batch * prod(spec.small)
    return (
        cells * small,
        batch * prod(spec.big) * share * spec.groups,
        cells * taps * share * spec.groups,
        taps,
    )


def _gemm(spec: ConvSpec, batch: int, itemsize: int, rates: Rates) -> Cost:
    x, y, columns, taps = _sizes(spec, batch)
    inner = spec.kernel_shape[0] // max(spec.groups, 1)
    products = columns * inner
    moved = itemsize * (x + y + 2 * columns)
    operations = batch * (spec.groups + taps)
    # A thin inner dimension leaves the matrix product waiting for its result's memory.
    speed = rates.gemm * inner / (inner + 16)
    seconds = products / speed + moved / rates.copy + operations * rates.call
    return Cost(products, moved, operations, seconds)


def _polyphase(spec: ConvSpec, batch: int, itemsize: int, rates: Rates) -> Cost:
    x, y, columns, taps = _sizes(spec, batch)
    inner = spec.kernel_shape[0] // max(spec.groups, 1)
    products = columns * inner
    live = prod(geometry.live_phases(axis) for axis in spec.axes)
    phases = prod(min(axis.stride, axis.big) for axis in spec.axes)
    moved = itemsize * (x * -(-taps // max(live, 1)) * 2 * max(live, 1) + 2 * y)
    # Phases without taps cost a step too: strides far beyond the kernel have many.
    operations = batch * spec.groups * live * 2 + taps + phases - live
    speed = rates.gemm * inner / (inner + 16)
    seconds = products / speed + moved / rates.copy + operations * rates.call
    return Cost(products, moved, operations, seconds)


def _direct(spec: ConvSpec, batch: int, itemsize: int, rates: Rates) -> Cost:
    x, y, columns, taps = _sizes(spec, batch)
    inner = spec.kernel_shape[0] // max(spec.groups, 1)
    products = columns * inner
    moved = itemsize * (x + y + 2 * products)
    operations = taps * inner * spec.kernel_shape[1]
    seconds = products / rates.elementwise + operations * rates.call
    return Cost(products, moved, operations, seconds)


def _fft(spec: ConvSpec, batch: int, itemsize: int, rates: Rates) -> Cost:
    x, y, _, _ = _sizes(spec, batch)
    small, share = spec.kernel_shape[:2]
    phases = prod(min(axis.stride, axis.big) for axis in spec.axes)
    length = prod(axis.small + -(-axis.extent // axis.stride) for axis in spec.axes)
    transforms = batch * small + phases * share * (small + batch * spec.groups)
    butterflies = int(5 * length * log2(max(length, 2)) * transforms)
    products = 4 * length * phases * batch * small * share
    moved = itemsize * 2 * (length * transforms + x + y)
    operations = 10 + 2 * phases
    seconds = (
        (butterflies + products) / (2 * rates.elementwise)
        + moved / rates.copy
        + operations * rates.call
    )
    return Cost(butterflies + products, moved, operations, seconds)


_MODELS = {
    "gemm": _gemm,
    "polyphase": _polyphase,
    "direct": _direct,
    "fft": _fft,
    "fastfir": _polyphase,
}
