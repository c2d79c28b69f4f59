"""What the compiled kernels cost: counts of what each does, times measured rates.

The counts are for vectors of one width. They only rank kernels, so that a wrong count costs
speed, and never changes a result.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from mtconv.geometry import Axis, phases
from mtconv.planning.rates import MachineRates
from mtconv.spec import ConvSpec

__all__ = ["KERNELS", "KernelCounts", "count", "rank_kernels", "seconds", "tiles_and_moves"]

# The kernels of each map, in order of preference where costs tie.
KERNELS = {
    "conv_transpose": ("lanes", "rows", "planes", "columns"),
    "conv": ("lanes", "rows", "planes"),
    "kernel_grad": ("gradient", "gradient_planes"),
}

# Cells of a tile, products of a chain, and bytes of a vector.
TILE, CHAIN, VECTOR = 8, 128, 64

# What it takes to begin adding a row of a column, in vectors that are added.
ADD_ROW = 4

# Bytes of the results of one block of `lanes`.
LANES_SUMS = 2**17


class KernelCounts(NamedTuple):
    """What a kernel does.

    ``products`` are multiply-adds of vectors, or what loads between them take as long as;
    ``sums`` are vectors of sums that are added to what is there; ``loads`` and ``stores``
    elements that are copied into boxes and written; ``packs`` elements of the kernel;
    ``lines`` are rows of cells, each of which takes a while to begin.
    """

    products: float
    sums: float
    loads: float
    stores: float
    packs: float
    lines: float = 0.0


# What one of each takes, in tiles for products and sums and in moves for the others, as
# measured on random layers.
_FACTORS = {
    "lanes": KernelCounts(0.68, 0.47, 0.52, 1.56, 1.63),
    "rows": KernelCounts(0.7, 0.76, 0.79, 0.76, 10.9, 69.0),
    "planes": KernelCounts(1.85, 2.4, 0.7, 0.31, 1.0),
    "columns": KernelCounts(0.75, 6.0, 0.35, 2.36, 0.95),
    "gradient": KernelCounts(1.15, 0.3, 0.85, 0.7, 0.4),
    "gradient_planes": KernelCounts(2.1, 0.0, 0.8, 0.75, 2.0),
}

# Bytes of a window beyond which planes in the lanes lose what they gain.
_MOST_WINDOW = 2**18


class _Sizes(NamedTuple):
    """Sizes of a case, per group where they are of channels."""

    images: int  # samples times groups
    ins: int
    outs: int
    in_cells: int
    out_cells: int
    in_last: int  # cells along the last axis
    out_last: int
    in_step: int  # along the last axis, between cells that units side by side read
    units: tuple[int, ...]
    taps: int  # of all phases
    ways: int  # phases of the last axis
    phases: int
    reach: tuple[int, ...]
    window: int  # bytes of a window of vectors


def _sizes(spec: ConvSpec, form: str, batch: int) -> _Sizes:
    small, big = spec.kernel_shape[0] // spec.groups, spec.kernel_shape[1]
    taps = prod(spec.kernel_size)
    small_cells, big_cells = prod(spec.small), prod(spec.big)
    extent = VECTOR * prod(axis.extent for axis in spec.axes)
    if form == "conv_transpose":
        return _Sizes(
            batch * spec.groups,
            small,
            big,
            small_cells,
            big_cells,
            spec.small[-1],
            spec.big[-1],
            1,
            tuple(-(-axis.big // axis.stride) for axis in spec.axes),
            taps,
            min(spec.axes[-1].stride, spec.axes[-1].big),
            prod(min(axis.stride, axis.big) for axis in spec.axes),
            tuple(_phase_reach(axis) for axis in spec.axes),
            small * extent,
        )
    return _Sizes(
        batch * spec.groups,
        big,
        small,
        big_cells,
        small_cells,
        spec.big[-1],
        spec.small[-1],
        min(spec.axes[-1].stride, spec.axes[-1].extent),
        spec.small,
        taps,
        1,
        1,
        tuple((axis.extent - 1) // axis.stride for axis in spec.axes),
        big * extent,
    )


def _phase_reach(axis: Axis) -> int:
    """Cells of x between the first and the last that one stride of the result meets."""
    live = [phase for phase in phases(axis) if phase.taps]
    if not live:
        return 0
    first = min(phase.shift - (phase.taps - 1) * phase.shift_step for phase in live)
    return max(phase.shift for phase in live) - first


def count(
    kernel: str, spec: ConvSpec, form: str, batch: int, itemsize: int
) -> KernelCounts:
    """Count what a kernel does for a problem."""
    sizes = _sizes(spec, form, batch)
    return _COUNTS[kernel](sizes, VECTOR // itemsize, batch)


def _lane_cost(channels: int, lanes: int) -> tuple[float, float]:
    """Vectors of products for one cell and row of channels, and vectors of sums."""
    whole, rest = divmod(channels, lanes)
    # A narrow vector takes as long as the loads beside it.
    narrow = 0.0
    if rest:
        narrow = 0.62 if 4 * rest <= 2 * lanes else 1.0
    return whole + narrow, whole + (rest > 0)


def _lanes(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    del batch
    units = prod(sizes.units)
    vectors, sums = _lane_cost(sizes.outs, lanes)
    # Units are shared out among blocks whose results fit, each of whole tiles.
    fit = max(1, LANES_SUMS // (sizes.phases * int(sums) * VECTOR))
    blocks = -(-units // fit)
    tiles = sizes.images * blocks * -(-units // (blocks * TILE)) * TILE
    depth = sizes.ins * sizes.taps / max(sizes.phases, 1)
    return KernelCounts(
        tiles * sizes.taps * sizes.ins * vectors,
        tiles * sizes.phases * max(1.0, depth / CHAIN) * sums,
        sizes.images * sizes.ins * sizes.in_cells,
        sizes.images * -(-sizes.outs // lanes) * lanes * sizes.out_cells,
        sizes.ins * sizes.taps * -(-sizes.outs // lanes) * lanes,
    )


def _row_vectors(sizes: _Sizes, lanes: int) -> float:
    """Vectors of cells of one image, in runs of one row, one plane or all."""
    units = (*(1,) * (3 - len(sizes.units)), *sizes.units)
    reach = (*(0,) * (3 - len(sizes.reach)), *sizes.reach)
    pitch, rows = units[2] + reach[2], units[1] + reach[1]
    lengths = (
        (units[0] * units[1], units[2]),
        (units[0], (units[1] - 1) * pitch + units[2]),
        (1, ((units[0] - 1) * rows + units[1] - 1) * pitch + units[2]),
    )
    return min(runs * -(-length // lanes) for runs, length in lengths)


def _rows(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    del batch
    vectors = sizes.images * _row_vectors(sizes, lanes)
    channels = next((n for n in (1, 2, 3, 4, 6) if n >= sizes.outs), 8)
    tiles = -(-sizes.outs // channels)
    busy = {1: 1.9, 2: 2.2, 3: 3.0}.get(channels, channels)
    # Strides up to 8 are taken apart by vectors, others element by element.
    apart = 1.0 if sizes.in_step == 1 else 1.2 if sizes.in_step <= 8 else 3.0
    rows_in = sizes.ins * sizes.in_cells // sizes.in_last * sizes.in_step
    rows_out = sizes.outs * sizes.out_cells // sizes.out_last
    depth = sizes.ins * sizes.taps / max(sizes.phases, 1)
    return KernelCounts(
        vectors * sizes.taps * sizes.ins * tiles * busy,
        vectors * sizes.phases * max(1.0, depth / CHAIN) * tiles * channels,
        sizes.images * sizes.ins * sizes.in_cells * apart,
        sizes.images * sizes.outs * sizes.out_cells * (1 if sizes.ways <= 4 else 2.5),
        sizes.ins * sizes.taps * tiles * channels,
        sizes.images * (rows_in + rows_out),
    )


def _planes(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    del batch
    vectors = -(-sizes.images // lanes)
    tiles = vectors * -(-prod(sizes.units) // TILE) * TILE
    depth = sizes.ins * sizes.taps / max(sizes.phases, 1)
    return KernelCounts(
        tiles * sizes.taps * sizes.ins * sizes.outs,
        tiles * sizes.phases * sizes.outs * max(1.0, depth / CHAIN),
        vectors * lanes * sizes.ins * sizes.in_cells,
        vectors * lanes * sizes.outs * sizes.out_cells,
        vectors * lanes * sizes.ins * sizes.outs * sizes.taps,
    )


def _columns(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    del batch
    rows = sizes.taps * sizes.outs
    vectors = sizes.images * -(-sizes.in_cells // lanes)
    # Every row of cells is added for every tap, and to begin takes as long as vectors do.
    lines = sizes.images * sizes.in_cells // sizes.in_last
    added = -(-sizes.in_last // lanes) + ADD_ROW
    return KernelCounts(
        vectors * rows * sizes.ins,
        lines * rows * added,
        sizes.images * sizes.ins * sizes.in_cells,
        sizes.images * sizes.outs * sizes.out_cells,
        sizes.ins * rows,
    )


def _gradient(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    del batch
    cells = sizes.images * prod(sizes.units)
    rows = -(-sizes.ins * sizes.taps // TILE) * TILE
    vectors, sums = _lane_cost(sizes.outs, lanes)
    return KernelCounts(
        cells * rows * vectors,
        -(-cells // CHAIN) * rows * sums,
        sizes.images * sizes.ins * sizes.in_cells,
        sizes.images * -(-sizes.outs // lanes) * lanes * sizes.out_cells,
        sizes.ins * sizes.outs * sizes.taps,
    )


def _gradient_planes(sizes: _Sizes, lanes: int, batch: int) -> KernelCounts:
    vectors = batch * -(-(sizes.images // batch) // lanes)
    cells = prod(sizes.units)
    taps = -(-sizes.taps // TILE) * TILE
    return KernelCounts(
        vectors * cells * taps * sizes.ins * sizes.outs,
        vectors * -(-cells // CHAIN) * taps * sizes.ins * sizes.outs,
        vectors * lanes * sizes.ins * sizes.outs * sizes.in_cells,
        vectors * lanes * sizes.outs * sizes.out_cells,
        sizes.ins * sizes.outs * sizes.taps * lanes,
    )


_COUNTS = {
    "lanes": _lanes,
    "rows": _rows,
    "planes": _planes,
    "columns": _columns,
    "gradient": _gradient,
    "gradient_planes": _gradient_planes,
}


def tiles_and_moves(
    kernel: str, spec: ConvSpec, form: str, batch: int, itemsize: int
) -> tuple[float, float]:
    """Weigh what a kernel does, in products of a tile and in moves of four bytes."""
    counts, factors = count(kernel, spec, form, batch, itemsize), _FACTORS[kernel]
    tiles = counts.products * factors.products + counts.sums * factors.sums
    moves = counts.loads * factors.loads + counts.stores * factors.stores
    moves += counts.packs * factors.packs + counts.lines * factors.lines
    return tiles, itemsize / 4 * moves


def seconds(
    kernel: str, spec: ConvSpec, form: str, batch: int, itemsize: int, rates: MachineRates
) -> float:
    """Estimate how long a kernel takes on one thread."""
    tiles, moves = tiles_and_moves(kernel, spec, form, batch, itemsize)
    return tiles * rates.tile + moves * rates.move


def rank_kernels(
    spec: ConvSpec, form: str, batch: int, itemsize: int, rates: MachineRates
) -> tuple[tuple[str, float], ...]:
    """Sort the kernels of a map by their estimated seconds."""
    window = _sizes(spec, form, batch).window
    estimates = {}
    for kernel in KERNELS[form]:
        estimate = seconds(kernel, spec, form, batch, itemsize, rates)
        # What is not wanted stays last, for problems that no other kernel has.
        unwanted = "planes" in kernel and (spec.groups == 1 or window > _MOST_WINDOW)
        estimates[kernel] = estimate * (1e3 if unwanted else 1.0)
    return tuple(sorted(estimates.items(), key=lambda item: item[1]))
