"""Plan the kernel gradient: blocks of cells, shares of the rows, and tables."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.packing import tap_bytes, taps_are_contiguous
from mtconv.backends._numba.plan_lanes import check_direct
from mtconv.backends._numba.shapes import GRAIN, chunks
from mtconv.backends._numba.tables import (
    Block,
    Table,
    cell_tables,
    check_cells,
    phase_taps,
    tap_offsets,
)
from mtconv.backends._numba.work import SPACE_BYTES, Work, finish
from mtconv.backends.host.memory import odd_lines

__all__ = ["plan_gradient"]

# Bytes of the copied big side, and of the sums, that one task works on.
BOX_BYTES = 2**17
SUMS_BYTES = 2**17

# Cells of a block at most; they are added up in chains.
CELLS = 512

DIRECT_BYTES = 1_500_000
TASKS = 6
WORTH_SHARING = 500_000


def plan_gradient(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan the gradient of a case whose input is the big side and whose result is x.

    ``w_steps`` are those of the gradient. None where a block would need much memory.
    """
    pieces = chunks(case.outs, case.size, vector_bytes)
    taps = prod(axis.taps for axis in case.axes)
    if taps == 0:
        return None
    units = _units(case, tile)
    box = tuple(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    channel = odd_lines(prod(box) * case.size)
    row_bytes = pieces[-1][0] + GRAIN * pieces[-1][1]
    whole = case.ins * prod(axis.in_size for axis in case.axes) * case.size
    direct = case.stored_size == case.size and all(axis.inside for axis in case.axes)
    direct = direct and whole <= DIRECT_BYTES
    splits = _splits(case, pieces, taps)
    bounds = [len(pieces) * split // splits for split in range(splits + 1)]
    ends = [first for first, _ in pieces] + [row_bytes]
    row_bytes = max(ends[b] - ends[a] for a, b in pairwise(bounds))
    share = max(1, SUMS_BYTES // (taps * row_bytes))
    share = min(case.ins, share, share if direct else max(1, BOX_BYTES // channel))
    if case.multiply_adds >= WORTH_SHARING:
        parts = -(-TASKS // (case.groups * splits))
        share = min(share, max(1, -(-case.ins // parts)))
    if direct:
        steps = (case.in_steps[0], case.in_steps[1], *case.in_steps[2:])
    else:
        rows = (box[1] * box[2] * case.size, box[2] * case.size, case.size)
        steps = (0, channel, *rows)
    table = Table()
    block = Block(1, units, steps, units, row_bytes)
    phases = phase_taps(case.axes, case.taps, steps[2:])
    offsets = tap_offsets(phases, share, steps[1])
    extra = -offsets.size % tile
    offsets = np.concatenate([offsets, np.repeat(offsets[-1:], extra)])
    extents: list[int] = []
    for number, (count, cells, _) in enumerate(cell_tables(case, block, tile)[:8]):
        if direct:
            check_direct(case, block)
        else:
            check_cells(cells, offsets, 0, share * channel, case.size)
        extents += [count, table.add(cells), 0, number]
    flat = taps == prod(case.taps) and taps_are_contiguous(case)
    flat = flat and case.lanes[0] == taps * case.stored_size
    align = -(-row_bytes // vector_bytes) * vector_bytes
    box_bytes = 0 if direct else -(-(share * channel + vector_bytes) // 64) * 64
    lanes_bytes = -(-(prod(units) * align + vector_bytes) // 64) * 64
    sums_bytes = offsets.size * row_bytes + vector_bytes
    tasks = case.groups * -(-case.ins // share) * splits
    rows_table = [(first, grains, 0, 0) for first, grains in pieces]
    values = {
        "samples": 1,
        "block": units,
        "splits": splits,
        "tasks": tasks,
        "direct": int(direct),
        "box": box,
        "box_channel": channel,
        "box_channels": share,
        "box_bytes": box_bytes,
        "lanes_bytes": lanes_bytes,
        "sums_bytes": sums_bytes,
        "row_bytes": row_bytes,
        "pitch": align,
        "w_flat": int(flat),
        "offsets": table.add(offsets),
        "row_places": table.add(np.arange(offsets.size) * row_bytes),
        "tap_rows": table.add([tap_bytes(case, tap) for tap, _ in phases[0]]),
        "chunks": table.add([*rows_table, (ends[-1], 0, 0, 0)]),
        "split_first": table.add(bounds),
        "extents": table.add(extents),
    }
    space = box_bytes + lanes_bytes + sums_bytes
    if space > SPACE_BYTES // 2:
        return None
    return finish(
        "gradient", case, table, values, space_bytes=space, packed_bytes=0, tasks=tasks
    )


def _splits(case: KernelCase, pieces: list[tuple[int, int]], taps: int) -> int:
    """Share channels of the small side out: threads then transpose parts of x alone."""
    row_bytes = pieces[-1][0] + GRAIN * pieces[-1][1]
    fits = case.ins * taps * row_bytes <= SUMS_BYTES
    if fits and (case.multiply_adds < WORTH_SHARING or case.groups >= TASKS):
        return 1
    return min(len(pieces), max(1, -(-TASKS // case.groups)))


def _units(case: KernelCase, tile: int) -> tuple[int, int, int]:
    """Choose how many cells a block has: whole rows where they fit."""
    units = [axis.number for axis in case.axes]
    for axis in range(3):
        while units[axis] > 1 and _is_large(case, units):
            units[axis] = -(-units[axis] // 2)
    return units[0], units[1], units[2]


def _is_large(case: KernelCase, units: list[int]) -> bool:
    box = prod(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    return prod(units) > CELLS or box * case.size > BOX_BYTES
