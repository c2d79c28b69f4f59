"""What each algorithm costs: multiply-adds, bytes moved, and an estimate of seconds.

The estimates only rank algorithms; their constants change speed, never a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, log2, prod
from typing import NamedTuple

from mtconv import geometry
from mtconv.geometry import Axis
from mtconv.planning import gradients, tuning
from mtconv.planning.gathers import gathers, shared_rows
from mtconv.planning.overlap import blocks_of, most_elements, pass_cost, span_of
from mtconv.planning.work import Cost, Rates
from mtconv.spec import ConvSpec

__all__ = ["estimate", "product_seconds"]


class _Work(NamedTuple):
    """Counts that the models share; elements are those of the whole batch."""

    small: int  # channels per group
    share: int
    taps: int
    cells: int  # small elements
    x: int
    y: int
    kernel: int
    columns: int  # one per small element, tap and big channel
    planes: int  # channels of y of all samples and groups
    row: int  # small elements in a row
    live: int  # output phases that have taps
    form: str

    @property
    def transposed(self) -> bool:
        """Return whether the result is on the big side."""
        return self.form == "conv_transpose"


def estimate(
    algorithm: str,
    spec: ConvSpec,
    batch: int,
    itemsize: int,
    rates: Rates,
    form: str = "conv_transpose",
) -> Cost:
    """Estimate the cost of an algorithm; ``batch`` items of ``itemsize`` bytes each."""
    if form == "kernel_grad" and algorithm in gradients.WAYS:
        return gradients.cheapest(algorithm, spec, batch, itemsize, rates)[1]
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
        batch * share * spec.groups,
        max(spec.small[-1], 1),
        prod(len(geometry.live_phases(axis)) for axis in spec.axes),
        form,
    )
    return _MODELS[algorithm](spec, work, itemsize, rates)


def _column_product(products: int, depth: float, rows: int, rates: Rates) -> float:
    """Seconds of a product of gathered columns, which BLAS packs for few rows each time."""
    thin = 1 + tuning.THIN_COLUMNS / max(depth, 1) + tuning.FEW_COLUMN_ROWS / max(rows, 1)
    return tuning.COLUMN_PRODUCT * products / rates.gemm * thin


def product_seconds(multiply_adds: float, depth: int, rows: int, rates: Rates) -> float:
    """Seconds of a matrix product; a thin one waits for its result's memory."""
    thin = 1 + tuning.THIN / max(depth, 1) + tuning.FEW_ROWS / max(rows, 1)
    return multiply_adds / rates.gemm * thin


def _short(row: int, rates: Rates) -> float:
    """Return how much longer an operation on rows takes than on one long run."""
    return 1 + rates.run / max(row, 1)


def _gemm(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    if not work.transposed:
        return _columns(spec, work, itemsize, rates)
    products = work.columns * work.small
    chunks = 1 + work.columns * itemsize / rates.block
    short = _short(work.row, rates)
    operations = 0
    phases = 1
    for axis in spec.axes:
        phases *= min(axis.stride, axis.kernel)
        # Near the ends, the taps of a phase are added up stretch by stretch.
        taps = min(-(-axis.kernel // axis.stride), axis.small)
        operations += phases * (3 + max(taps**2 - tuning.FEW_STRETCHES, 0))
    if work.columns <= tuning.FEW_COLUMNS and work.y <= tuning.FEW_ELEMENTS:
        operations, chunks = tuning.LOOKUP_SUM_CALLS, 1
    moving = work.columns * rates.element + work.y * rates.strided * short
    # Where taps meet, a column is read once more to be added.
    moving += max(work.columns - work.y, 0) * 2 * rates.element
    if work.small == 1:
        moving += work.columns * rates.element
    seconds = product_seconds(products, work.small, work.share * work.taps, rates)
    seconds += moving + operations * chunks * rates.call
    moved = itemsize * (work.x + work.y + 2 * work.columns)
    return Cost(products, moved, int(operations * chunks), seconds)


def _columns(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    """Columns of y, gathered and multiplied."""
    products = work.columns * work.small
    chunks = 1 + work.columns * itemsize / rates.block
    rows = work.small * spec.groups
    parts = ceil(chunks)
    moves = gathers(spec.axes, work.planes, work.share, rows, parts)
    moving = min(moves.by_rows, moves.taps_last) * tuning.GATHERED * rates.element
    looked_up = max(work.columns, work.y) <= tuning.FEW_COLUMNS
    operations = tuning.LOOKUP_CALLS if looked_up else tuning.COLUMN_CALLS * chunks
    seconds = _column_product(products, work.share * work.taps, work.small, rates)
    seconds += moving + operations * rates.call
    moved = itemsize * (work.x + work.y + 2 * work.columns)
    return Cost(products, moved, int(operations), seconds)


def _polyphase(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    if not work.transposed:
        return _rows(spec, work, itemsize, rates)
    copies, depth = _phase_copies(spec)
    short = _short(work.row, rates)
    chunks = 1 + work.y * itemsize / rates.block
    moving = copies * work.x * 3 * rates.element
    moving += work.kernel * tuning.PACK_MOVES * rates.strided
    moving += work.y * (rates.element + rates.strided) * short
    if work.live == 1:  # long sums are made of shorter ones
        pieces = work.small * depth // tuning.CHAIN
        moving += work.y * tuning.SUM_MOVES * rates.element * pieces
    operations = (4 * work.live + 2 * copies) * chunks
    return _phase_cost(work, itemsize, rates, depth, copies, moving, operations)


def _subpixel(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    """Polyphase whose copies move runs of a whole stride."""
    copies, depth = _phase_copies(spec)
    last = spec.axes[-1]
    if work.transposed:
        moving = work.kernel * rates.element * tuning.SUBPIXEL_PACK_MOVES
        moving += work.y * rates.strided * _short(last.stride, rates)
        operations = 8 * copies * (1 + work.y * itemsize / rates.block)
    else:
        moving = work.columns * 2 * rates.element * _short(last.kernel, rates)
        operations = 8 * (1 + work.columns * itemsize / rates.block)
    return _phase_cost(work, itemsize, rates, depth, copies, moving, operations)


def _phase_copies(spec: ConvSpec) -> tuple[int, int]:
    """Count the copies of x that phases read, shared where they have as many taps.

    Also return the taps of the phase that has most.
    """
    counts = [{phase.taps for phase in geometry.live_phases(a)} for a in spec.axes]
    return prod(map(sum, counts)), prod(max(c, default=0) for c in counts)


def _phase_cost(
    work: _Work,
    itemsize: int,
    rates: Rates,
    depth: int,
    copies: int,
    moving: float,
    operations: float,
) -> Cost:
    products = work.columns * work.small
    rows = work.share * work.live if work.transposed else work.small
    seconds = product_seconds(products, work.small * depth, rows, rates) + moving
    seconds += operations * rates.call
    moved = itemsize * (work.x * 2 * copies + 2 * work.y)
    return Cost(products, moved, int(operations), seconds)


def _rows(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    """Polyphase as a convolution: rows of y serve all taps of the first axis."""
    products = work.columns * work.small
    first, *rest = spec.axes
    residues, height = shared_rows(first)
    runs = geometry.spaced_runs(first)[1]
    columns = residues * height * work.columns // max(first.kernel * first.small, 1)
    chunks = 1 + columns * itemsize / rates.block
    # Rows of one residue are gathered as for one tap.
    read = Axis(height, -(-first.big // first.stride), 1, lo=min(first.lo, 1))
    moves = gathers((read, *rest), work.planes, work.share, 0, ceil(chunks)).by_rows
    if not rest:
        moves += work.planes * height * (tuning.STRIDED_MOVES if first.stride > 1 else 0)
    moving = residues * moves * tuning.GATHERED * rates.element
    moving += work.kernel * tuning.PACK_ROWS * rates.element
    operations = tuning.ROW_CALLS * (6 * residues + 3 * len(runs)) * chunks
    depth = work.share * work.taps / max(len(runs), 1)
    seconds = _column_product(products, depth, work.small, rates)
    seconds += moving + operations * rates.call
    return Cost(products, int(itemsize * 2 * columns), int(operations), seconds)


def _direct(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    del spec
    products = work.columns * work.small
    inner = work.small if work.transposed else work.share
    if work.form == "kernel_grad":  # a sum for each pair of channels
        inner = work.small * work.share
    operations = 2 * work.taps * inner * (1 + work.y * itemsize / rates.block)
    each = 3.75 if work.transposed else 2.5  # there the sums land with a stride
    moving = each * products * (rates.element + rates.strided) * _short(work.row, rates)
    seconds = moving + operations * rates.call
    return Cost(
        products, itemsize * (work.x + work.y + 2 * products), int(operations), seconds
    )


def _fft(spec: ConvSpec, work: _Work, itemsize: int, rates: Rates) -> Cost:
    """Count transforms of blocks, of phases as of channels, and products of spectra."""
    groups, live = spec.groups, work.live
    # Single precision is transformed in double precision, and takes as long.
    most = most_elements(max(itemsize, 8), work.small + work.share)
    axes, parts = _fewer_taps(spec.axes)
    blocks = blocks_of(axes, work.transposed, most)
    elements = prod(axis.length for axis in blocks)
    passes = sum(pass_cost(axis.length) for axis in blocks)
    of_batch = work.cells // max(prod(spec.small), 1) * prod(axis.number for axis in blocks)
    products = work.small * work.share * live * groups
    data = of_batch * (work.small + work.share * live) * groups
    transforms = parts * (data + products)
    butterflies = int(2.5 * elements * log2(max(elements, 2)) * transforms)
    joined = parts * elements * of_batch * products
    thin = 1.0 if products < tuning.JOINED_CHANNELS * groups else tuning.JOINED_MATRICES
    moves = transforms * passes + parts * (data + of_batch * products * thin) * tuning.JOIN
    moved = 2 * itemsize * (elements * transforms + work.x + work.y)
    chunks = elements * data * 8 / tuning.BLOCKS_BYTES
    operations = int(tuning.SPECTRUM_CALLS * (1 + live / 8 + chunks))
    each = tuning.TRANSFORM * rates.element * 4 / itemsize
    # What is converted and looked at, and written phase by phase.
    short = _short(work.row, rates) if live > 1 else 0
    ends = (work.x + work.y) * (rates.element * 2 + rates.strided * short)
    seconds = moves * elements * each + ends + operations * rates.call
    return Cost(butterflies + 4 * joined, moved, operations, seconds)


def _fewer_taps(axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], int]:
    """Cut taps as the backend does; return the axes of a part, and the number of parts."""
    parts = 1
    while prod(map(span_of, axes)) > tuning.PART_TAPS:
        longest = max(axes, key=span_of)
        half = replace(longest, kernel=-(-longest.kernel // 2))
        axes = tuple(half if axis is longest else axis for axis in axes)
        parts *= 2
    return axes, parts


_MODELS: dict[str, Callable[[ConvSpec, _Work, int, Rates], Cost]] = {
    "gemm": _gemm,
    "polyphase": _polyphase,
    "subpixel": _subpixel,
    "direct": _direct,
    "fft": _fft,
}
