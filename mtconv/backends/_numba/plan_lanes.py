"""Plan the kernel with output channels in the lanes: blocks, splits and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._numba.chains import (
    check_chains,
    leaves_out_taps,
    sort_cells,
    tile_chains,
    whole_chains,
)
from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.packing import packing_tables
from mtconv.backends._numba.shapes import GRAIN, chunks
from mtconv.backends._numba.tables import (
    Block,
    CellTable,
    Table,
    block_cells,
    cell_tables,
    check_cells,
    phase_taps,
    tap_offsets,
)
from mtconv.backends._numba.work import SPACE_BYTES, Work, finish
from mtconv.backends.host.memory import odd_lines

__all__ = ["check_direct", "plan_lanes"]

# Bytes of the block of results, and of the box of the input, that one task works on.
SUMS_BYTES = 2**17
BOX_BYTES = 3 * 2**16

# Products of one tile with the channels in one box, about.
DEPTH = 512

# Groups up to this size are read where they are, if nothing is padded.
DIRECT_BYTES = 1_500_000

# Tasks for a few threads to share, for problems that are worth it.
TASKS = 8
WORTH_SHARING = 1_000_000

# Cells that share one pass over the packed kernel, where samples are small.
FEW_CELLS = 128


def plan_lanes(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan a case for vectors of some bytes and tiles of some cells.

    None where a block would need more memory than a thread may use.
    """
    if not prod(axis.taps for axis in case.axes):
        return None
    pieces = chunks(case.outs, case.size, vector_bytes)
    splits = _splits(case, len(pieces))
    bounds = [len(pieces) * split // splits for split in range(splits + 1)]
    ends = [first for first, _ in pieces] + [pieces[-1][0] + GRAIN * pieces[-1][1]]
    row_bytes = max(ends[b] - ends[a] for a, b in pairwise(bounds))
    samples, units = _block(case, row_bytes, splits, tile)
    box = tuple(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    direct = _is_direct(case)
    taps = prod(axis.taps for axis in case.axes)
    live = max(1, taps // prod(axis.out_step for axis in case.axes))
    channel = odd_lines(prod(box) * case.size)
    most = min(case.ins, max(1, BOX_BYTES // (channel * samples)), max(8, DEPTH // live))
    if direct:
        most = min(case.ins, max(8, DEPTH // live))
    most = -(-case.ins // -(-case.ins // most))
    box_sample = most * channel
    sums = tuple(n * axis.out_step for n, axis in zip(units, case.axes, strict=True))
    if direct:
        steps = (case.in_steps[0], case.in_steps[1], *case.in_steps[2:])
    else:
        rows = (box[1] * box[2] * case.size, box[2] * case.size, case.size)
        steps = (box_sample, channel, *rows)
    block = Block(samples, units, steps, sums, row_bytes)
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    taps_first = not direct and leaves_out_taps(case, blocks)
    table = Table()
    values: dict[str, Any] = _tables(
        case, block, table, most, tile, direct, samples * box_sample, taps_first
    )
    values |= packing_tables(case, table, pieces, vector_bytes, taps_first)
    box_bytes = 0 if direct else samples * box_sample + vector_bytes
    sums_bytes = samples * prod(sums) * row_bytes + vector_bytes
    tasks = -(-case.batch // samples) * case.groups * splits * blocks
    values |= {
        "samples": samples,
        "block": units,
        "splits": splits,
        "tasks": tasks,
        "direct": int(direct),
        "box": box,
        "box_channel": channel,
        "box_sample": box_sample,
        "box_channels": most,
        "box_bytes": -(-box_bytes // 64) * 64,
        "sums_bytes": -(-sums_bytes // 64) * 64,
        "row_bytes": row_bytes,
        "bias_bytes": case.outs * case.size,
        "split_first": table.add([*bounds]),
    }
    scratch = (prod(case.taps) + 1) * vector_bytes
    space = values["box_bytes"] + values["sums_bytes"] + scratch
    if space > SPACE_BYTES // 2:
        return None
    return finish(
        "lanes",
        case,
        table,
        values,
        space_bytes=space,
        packed_bytes=-(-(case.groups * values["packed_group"] + vector_bytes) // 64) * 64,
        tasks=tasks,
        layout=most if taps_first else 0,
    )


def _splits(case: KernelCase, pieces: int) -> int:
    """Share output channels out where the kernel is larger than the data."""
    weights = case.ins * case.outs * prod(axis.taps for axis in case.axes)
    cells = case.batch * prod(axis.number for axis in case.axes)
    if case.multiply_adds < WORTH_SHARING or weights < 2 * cells * case.ins:
        return 1
    return min(pieces, max(1, -(-TASKS // case.groups)))


def _block(
    case: KernelCase, row_bytes: int, splits: int, tile: int
) -> tuple[int, tuple[int, int, int]]:
    """Choose how many samples and units a task has."""
    units = [axis.number for axis in case.axes]
    every = prod(axis.out_step for axis in case.axes) * row_bytes

    def is_large() -> bool:
        box = prod(axis.box(n) for axis, n in zip(case.axes, units, strict=True))
        return prod(units) * every > SUMS_BYTES or box * case.size > BOX_BYTES

    def blocks() -> int:
        return prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))

    _shrink(case, units, is_large, tile)
    if case.multiply_adds >= WORTH_SHARING:
        shares = case.batch * case.groups * splits

        def are_few() -> bool:
            return shares * blocks() < TASKS and prod(units) >= 4 * tile

        _shrink(case, units, are_few, tile)
    samples = 1
    while (
        blocks() == 1
        and 2 * samples <= case.batch
        and case.batch // (2 * samples) * case.groups * splits >= TASKS // 2
        and 2 * samples * prod(units) * every <= 2 * SUMS_BYTES
        and samples * prod(units) < FEW_CELLS
    ):
        samples *= 2
    return samples, (units[0], units[1], units[2])


def _shrink(
    case: KernelCase, units: list[int], is_large: Callable[[], bool], tile: int
) -> None:
    """Halve a block, the first axis first, into pieces of about the same size."""
    for axis, whole in enumerate(units):
        pieces = 1
        while units[axis] > 1 and is_large():
            pieces *= 2
            units[axis] = -(-whole // pieces)
            if axis == 2 and units[axis] > tile:
                units[axis] = -(-units[axis] // tile) * tile


def _is_direct(case: KernelCase) -> bool:
    """Whether tiles read the input where it is."""
    if case.stored_size != case.size or not all(axis.inside for axis in case.axes):
        return False
    cells = prod(axis.in_size for axis in case.axes)
    return case.ins * cells * case.size <= DIRECT_BYTES and case.in_steps[1] % 1024 != 0


def _tables(
    case: KernelCase,
    block: Block,
    table: Table,
    channels: int,
    tile: int,
    direct: bool,
    box: int,
    taps_first: bool,
) -> dict[str, int]:
    """Add the tables of what is read and written, each checked against its block."""
    phases = phase_taps(case.axes, case.taps, block.steps[2:])
    kinds = [channels, case.ins % channels] if case.ins % channels else [channels]
    offsets = [tap_offsets(phases, n, block.steps[1], taps_first) for n in kinds]
    counts = [[len(taps) * n for taps in phases] for n in kinds]
    places_end = block.samples * prod(block.sums) * block.row_bytes
    every: list[tuple[CellTable, int]]
    if taps_first:
        every = list(_own_cells(case, block, tile, table, counts, kinds))
    else:
        whole = [[whole_chains(n) for n in products] for products in counts]
        same = _add_chains(table, counts, whole)
        every = [(cells, same) for cells in cell_tables(case, block, tile)]
    extents = []
    for (count, cells, places), chains in every:
        if direct:
            check_direct(case, block)
        else:
            check_cells(cells, offsets[0], 0, box, case.size)
        check_cells(places, _phase_places(case, block), 0, places_end, block.row_bytes)
        extents += [count, table.add(cells), table.add(places), chains]
    firsts = np.cumsum([0, *(len(taps) for taps in phases)])
    return {
        "offsets": table.add(offsets[0]),
        "offsets_rest": table.add(offsets[-1]),
        "phase_first": table.add(firsts),
        "extents": table.add(extents),
        "taps_first": int(taps_first),
    }


def _own_cells(
    case: KernelCase,
    block: Block,
    tile: int,
    table: Table,
    counts: list[list[int]],
    kinds: list[int],
) -> Iterator[tuple[CellTable, int]]:
    """List the cells and chains of every block, for whole and last samples."""
    blocks = [-(-axis.number // n) for axis, n in zip(case.axes, block.units, strict=True)]
    rest = case.batch % block.samples or block.samples
    for number in product(*(range(count) for count in blocks)):
        first = tuple(n * size for n, size in zip(number, block.units, strict=True))
        units = [
            min(size, axis.number - start)
            for size, axis, start in zip(block.units, case.axes, first, strict=True)
        ]
        tables = {}
        for samples in {block.samples, rest}:
            sizes = (samples, *units)
            cells = sort_cells(case, first, sizes)
            chains = [list(tile_chains(case, cells, tile, n)) for n in kinds]
            place = _add_chains(table, counts, chains)
            tables[samples] = block_cells(case, block, tile, sizes, cells.order), place
        yield tables[block.samples]
        yield tables[rest]


def _add_chains(table: Table, counts: list[list[int]], kinds: list[list[Any]]) -> int:
    """Add the chains of every phase, for each number of channels, behind their places.

    ``counts`` are the products of every phase, which no chain leaves.
    """
    places = []
    for products, kind in zip(counts, kinds, strict=True):
        for most, chains in zip(products, kind, strict=True):
            if most:  # nothing is computed for a phase without taps
                check_chains(chains, most)
            places += [len(chains), table.add(chains)]
    return table.add(places)


def _phase_places(case: KernelCase, block: Block) -> Any:
    a, b, c = np.ogrid[tuple(slice(axis.out_step) for axis in case.axes)]
    return ((a * block.sums[1] + b) * block.sums[2] + c) * block.row_bytes


def check_direct(case: KernelCase, block: Block) -> None:
    """Check that no unit reaches outside of the input, whatever its steps are."""
    for axis in case.axes:
        first = np.array([axis.start, axis.start + axis.in_step * (axis.number - 1)])
        taps = np.array([tap.offset for phase in axis.phases for tap in phase])
        check_cells(first, taps, 0, axis.in_size, 1)
