"""What each algorithm costs: multiply-adds, bytes moved, and an estimate of seconds.

The estimates only rank algorithms; their constants change speed, never a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log2, prod
from typing import NamedTuple

from mtconv import geometry
from mtconv.spec import ConvSpec

__all__ = ["Cost", "Rates", "estimate"]

# What packing an element of the kernel for polyphase costs, in strided moves; for wide
# strides, in moves on long runs.
PACK = 4
WIDE_PACK = 2
# How much dearer than those of gemm the moves of rows for all taps of an axis were measured
# to be.
ROWS = 1.6
# What one more product to be added to a result costs, in moves of its elements.
SUMS = 4
# Terms that one product sums at most where long sums are made of shorter ones.
CHAIN = 128
# A product of few rows is only read and written.
FEW_ROWS = 4
# What a butterfly of a transform costs, in moves of an element of four bytes, and the array
# operations that a phase of fft takes, long ones counted as several.
BUTTERFLY = 1.5
SPECTRUM_CALLS = 66
# A product with a thin inner dimension waits for its result: it costs as if it were so
# much deeper.
THIN = 24


class Rates(NamedTuple):
    """Measured speeds of one engine for one kind of element."""

    gemm: float  # multiply-adds per second in a large matrix product
    element: float  # seconds per element of an array operation on long runs
    strided: float  # the same where one side has a stride
    call: float  # seconds that one array operation costs at least
    block: float  # bytes of columns that are computed at a time

    # An array operation on short runs costs as much as on so many elements more.
    run: int = 24


class Cost(NamedTuple):
    """Work of one algorithm on one problem."""

    multiply_adds: int
    bytes_moved: int
    operations: int
    seconds: float


class _Work(NamedTuple):
    """Counts that the models share; elements are those of the whole batch."""

    small: int  # channels per group
    share: int
    taps: int
    cells: int  # small cells
    x: int
    y: int
    kernel: int
    columns: int  # one per small cell, tap and big channel
    row: int  # small cells in a row
    live: int  # output phases that have taps
    transposed: bool


def estimate(
    algorithm: str,
    spec: ConvSpec,
    batch: int,
    itemsize: int,
    rates: Rates,
    form: str = "conv_transpose",
) -> Cost:
    """Estimate the cost of an algorithm; ``batch`` items of ``itemsize`` bytes each."""
    small, share = spec.kernel_shape[:2]
    cells = batch * prod(spec.small)
    taps = prod(spec.kernel_size)
    work = _Work(
        small // max(spec.groups, 1),
        share,
        taps,
        cells,
        cells * small,
        batch * prod(spec.big) * share * spec.groups,
        prod(spec.kernel_shape),
        cells * taps * share * spec.groups,
        max(spec.small[-1], 1),
        prod(len(geometry.live_phases(axis)) for axis in spec.axes),
        form == "conv_transpose",
    )
    return _MODELS[algorithm](spec, work, itemsize, rates)


def _product(multiply_adds: float, depth: int, rows: int, rates: Rates) -> float:
    """Seconds of a matrix product; a thin one waits for its result's memory."""
    thin = 1 + THIN / max(depth, 1) + FEW_ROWS / max(rows, 1)
    return multiply_adds / rates.gemm * thin


def _short(row: int, rates: Rates) -> float:
    """Return how much longer an operation on rows takes than on one long run."""
    return 1 + rates.run / max(row, 1)


def _gemm(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    products = work.columns * work.small
    chunks = 1 + work.columns * itemsize / rates.block
    short = _short(work.row, rates)
    if work.transposed:
        operations = 0
        phases = 1
        for axis in spec.axes:
            phases *= min(axis.stride, axis.kernel)
            operations += 3 * phases
        moving = work.columns * rates.element + work.y * rates.strided * short
        # Where taps meet, a column is read once more to be added.
        moving += max(work.columns - work.y, 0) * 2 * rates.element
        if work.small == 1:
            moving += work.columns * rates.element
        depth, rows = work.small, work.share * work.taps
    else:
        operations = 4
        moving = _gathered(spec, work, work.columns, rates)
        depth, rows = work.share * work.taps, work.small
    seconds = _product(products, depth, rows, rates) + moving
    seconds += operations * chunks * rates.call
    moved = itemsize * (work.x + work.y + 2 * work.columns)
    return Cost(products, moved, int(operations * chunks), seconds)


def _gathered(spec: ConvSpec, work: _Work, columns: float, rates: Rates) -> float:
    """Seconds to gather columns of y for a convolution."""
    last = spec.axes[-1]
    short = _short(work.row, rates)
    if (
        last.kernel > last.stride > 1 and last.stride <= 8
    ):  # by phase: strided once, then side by side
        return work.y * rates.strided * short + columns * rates.element * short
    each = rates.element if last.stride == 1 else rates.strided
    # With wide strides every element comes from a cache line of its own.
    lines = 1 + min(last.stride, 16) / 6
    return work.y * rates.element + columns * each * short * lines


def _polyphase(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    products = work.columns * work.small
    wide = spec.axes[-1].stride >= 16 and all(axis.dilation == 1 for axis in spec.axes)
    if not work.transposed and not wide:
        return _rows(spec, work, itemsize, rates)
    counts = [{phase.taps for phase in geometry.live_phases(a)} for a in spec.axes]
    # Phases with as many taps share their copies of x.
    copies, depth = prod(map(sum, counts)), prod(max(c, default=0) for c in counts)
    short = _short(work.row, rates)
    chunks = 1 + work.y * itemsize / rates.block
    rows = work.share * work.live if work.transposed else work.small
    if not wide:
        moving = copies * work.x * 3 * rates.element
        moving += work.kernel * PACK * rates.strided
        moving += work.y * (rates.element + rates.strided) * short
        if work.live == 1:  # long sums are made of shorter ones
            moving += work.y * SUMS * rates.element * (work.small * depth // CHAIN)
        operations = (4 * work.live + 2 * copies) * chunks
    elif work.transposed:
        moving = work.kernel * rates.element * WIDE_PACK
        moving += work.y * rates.strided * _short(spec.axes[-1].stride, rates)
        operations = 8 * copies * chunks
    else:
        moving = work.columns * 2 * rates.element * _short(spec.axes[-1].kernel, rates)
        operations = 8 * (1 + work.columns * itemsize / rates.block)
    seconds = _product(products, work.small * depth, rows, rates) + moving
    seconds += operations * rates.call
    moved = itemsize * (work.x * 2 * copies + 2 * work.y)
    return Cost(products, moved, int(operations), seconds)


def _rows(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    """Polyphase as a convolution: rows of y serve all taps of the first axis."""
    products = work.columns * work.small
    first = spec.axes[0]
    found = geometry.runs(replace(first, lo=0))
    residues = min(first.kernel, first.stride)
    columns = work.columns * residues / first.kernel
    moving = _gathered(spec, work, columns, rates)
    moving += work.kernel * PACK * rates.strided
    moving += (len(found) - 1) * work.x * SUMS * rates.element
    depth = work.share * work.taps * residues // first.kernel
    chunks = 1 + columns * itemsize / rates.block
    operations = (6 * residues + 3 * len(found)) * chunks
    seconds = _product(products, depth, work.small, rates) + moving * ROWS
    seconds += operations * rates.call
    return Cost(products, int(itemsize * 2 * columns), int(operations), seconds)


def _direct(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    del spec
    products = work.columns * work.small
    inner = work.small if work.transposed else work.share
    operations = 2 * work.taps * inner * (1 + work.y * itemsize / rates.block)
    each = 3.75 if work.transposed else 2.5  # there the sums land with a stride
    moving = each * products * (rates.element + rates.strided) * _short(work.row, rates)
    seconds = moving + operations * rates.call
    return Cost(
        products, itemsize * (work.x + work.y + 2 * products), int(operations), seconds
    )


def _fft(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    length = prod(axis.small + -(-axis.extent // axis.stride) for axis in spec.axes)
    items = work.cells // max(prod(spec.small), 1)
    groups = spec.groups
    transforms = items * work.small * groups + work.live * work.share * groups * (
        work.small + items
    )
    butterflies = int(2.5 * length * log2(max(length, 2)) * transforms)
    joined = length * work.live * items * work.small * work.share * groups
    moved = 2 * itemsize * (length * transforms + work.x + work.y)
    operations = SPECTRUM_CALLS * (1 + work.live)
    # Single precision is transformed in double precision, and takes as long.
    each = BUTTERFLY * rates.element * 4 / itemsize
    seconds = (butterflies + joined) * each + operations * rates.call
    return Cost(butterflies + 4 * joined, moved, operations, seconds)


_MODELS: dict[str, Callable[[ConvSpec, _Work, int, Rates], Cost]] = {
    "gemm": _gemm,
    "polyphase": _polyphase,
    "direct": _direct,
    "fft": _fft,
}
