"""Plan the kernel gradient with planes in the lanes."""

from __future__ import annotations

from math import prod

import numpy as np

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.packing import tap_bytes
from mtconv.backends._numba.tables import (
    Block,
    Table,
    cell_tables,
    check_cells,
    phase_taps,
    tap_offsets,
)
from mtconv.backends._numba.work import Work, finish

__all__ = ["plan_gradient_planes"]

# Bytes of the transposed big side that one block has.
BLOCK_BYTES = 96 * 1024

# Larger windows than this are left to other kernels.
MOST_BYTES = 2**22


def plan_gradient_planes(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan the gradient of a case whose input is the big side and whose result is x.

    None where even the window of one cell is large.
    """
    lanes = vector_bytes // case.size
    taps = prod(axis.taps for axis in case.axes)
    units = _units(case, vector_bytes)
    box = tuple(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    box_bytes = prod(box) * vector_bytes
    if taps == 0 or box_bytes > MOST_BYTES:
        return None
    steps = (0, 0, box[1] * box[2] * vector_bytes, box[2] * vector_bytes, vector_bytes)
    table = Table()
    phases = phase_taps(case.axes, case.taps, steps[2:])
    offsets = tap_offsets(phases, 1, 0)
    offsets = np.concatenate([offsets, np.repeat(offsets[-1:], -offsets.size % tile)])
    block = Block(1, units, steps, units, vector_bytes)
    extents: list[int] = []
    for number, (count, cells, _) in enumerate(cell_tables(case, block, tile)[:8]):
        check_cells(cells, offsets, 0, box_bytes, vector_bytes)
        extents += [count, table.add(cells), 0, number]
    every = [tap_bytes(case, tap) for tap, _ in phases[0]]
    rows = [channel * case.lanes[0] + tap for channel in range(case.ins) for tap in every]
    lanes_bytes = prod(units) * vector_bytes
    sums_bytes = (case.ins * taps + tile) * vector_bytes
    tasks = -(-case.groups // lanes) * case.outs
    values = {
        "samples": 1,
        "block": units,
        "splits": 1,
        "tasks": tasks,
        "box": box,
        "box_bytes": box_bytes,
        "lanes_bytes": lanes_bytes,
        "sums_bytes": sums_bytes,
        "in_plane": case.ins * case.in_steps[1],
        "out_plane": case.outs * case.out_steps[1],
        "offsets": table.add(offsets),
        "row_places": table.add(np.arange(offsets.size) * vector_bytes),
        "tap_rows": table.add(rows),
        "extents": table.add(extents),
    }
    space = box_bytes + lanes_bytes + sums_bytes
    return finish(
        "gradient_planes",
        case,
        table,
        values,
        space_bytes=space,
        packed_bytes=0,
        tasks=tasks,
    )


def _units(case: KernelCase, vector_bytes: int) -> tuple[int, int, int]:
    """Choose how many cells a block has: what fits the cache."""
    units = [axis.number for axis in case.axes]

    def bytes_of_box() -> int:
        boxes = (axis.box(n) for axis, n in zip(case.axes, units, strict=True))
        return prod(boxes) * vector_bytes

    for axis in range(3):
        while units[axis] > 1 and bytes_of_box() > BLOCK_BYTES:
            units[axis] = -(-units[axis] // 2)
    return units[0], units[1], units[2]
