"""Plan the kernel with planes in the lanes: blocks and tables."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.tables import (
    Block,
    Table,
    cell_tables,
    check_cells,
    phase_taps,
    tap_offsets,
)
from mtconv.backends._numba.work import Work, finish

__all__ = ["plan_planes"]

# Bytes of the transposed input, and of the sums, that one task works on.
BLOCK_BYTES = 96 * 1024

# Larger windows than this are left to other kernels.
MOST_BYTES = 2**22

TASKS = 8
WORTH_SHARING = 300_000


def plan_planes(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan a case for vectors of some bytes and tiles of some cells.

    None where even the window of one unit is large.
    """
    if not prod(axis.taps for axis in case.axes):
        return None
    lanes = vector_bytes // case.size
    together = case.in_steps[0] == case.groups * case.ins * case.in_steps[1]
    together &= case.out_steps[0] == case.groups * case.outs * case.out_steps[1]
    lines, planes = (1, case.batch * case.groups) if together else (case.batch, case.groups)
    vectors = lines * -(-planes // lanes)
    units = _units(case, vector_bytes, vectors)
    box = tuple(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    sums = tuple(n * axis.out_step for n, axis in zip(units, case.axes, strict=True))
    channel = prod(box) * vector_bytes
    taps = prod(axis.taps for axis in case.axes)
    weights = (case.ins * case.outs * taps + case.outs) * vector_bytes
    if case.ins * channel + prod(sums) * vector_bytes + weights > MOST_BYTES:
        return None
    steps = (
        0,
        channel,
        box[1] * box[2] * vector_bytes,
        box[2] * vector_bytes,
        vector_bytes,
    )
    block = Block(1, units, steps, sums, vector_bytes)
    table = Table()
    phases = phase_taps(case.axes, case.taps, steps[2:])
    offsets = tap_offsets(phases, case.ins, channel)
    a, b, c = np.ogrid[tuple(slice(axis.out_step) for axis in case.axes)]
    phase_places = ((a * sums[1] + b) * sums[2] + c) * vector_bytes
    extents: list[int] = []
    for number, (count, cells, places) in enumerate(cell_tables(case, block, tile)[:8]):
        check_cells(cells, offsets, 0, case.ins * channel, vector_bytes)
        check_cells(places, phase_places, 0, prod(sums) * vector_bytes, vector_bytes)
        extents += [count, table.add(cells), table.add(places), number]
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    box_bytes, sums_bytes = case.ins * channel, prod(sums) * vector_bytes
    values = {
        "samples": 1,
        "block": units,
        "splits": 1,
        "tasks": vectors * blocks,
        "box": box,
        "box_channel": channel,
        "box_bytes": box_bytes,
        "sums_bytes": sums_bytes,
        "lines": lines,
        "planes": planes,
        "in_plane": case.ins * case.in_steps[1],
        "in_line": 0 if together else case.in_steps[0],
        "out_plane": case.outs * case.out_steps[1],
        "out_line": 0 if together else case.out_steps[0],
        "bias_bytes": case.outs * case.size,
        "offsets": table.add(offsets),
        "phase_first": table.add(np.cumsum([0, *(len(taps) for taps in phases)])),
        "tap_rows": table.add(_tap_places(case)),
        "extents": table.add(extents),
    }
    return finish(
        "planes",
        case,
        table,
        values,
        space_bytes=box_bytes + sums_bytes + weights,
        packed_bytes=0,
        tasks=vectors * blocks,
    )


def _tap_places(case: KernelCase) -> list[int]:
    """List where taps are in the kernel: by output channel, phase, input channel, tap."""
    step_in, step_out = case.lanes
    places = []
    for channel in range(case.outs):
        for phases in product(*(axis.phases for axis in case.axes)):
            for c in range(case.ins):
                for taps in product(*phases):
                    place = channel * step_out + c * step_in
                    steps = zip(taps, case.w_steps[2:], strict=True)
                    places.append(place + sum(tap.tap * step for tap, step in steps))
    return places


def _units(case: KernelCase, vector_bytes: int, vectors: int) -> tuple[int, int, int]:
    """Choose how many units a task has: what fits the cache, and enough tasks to share."""
    units = [axis.number for axis in case.axes]

    def largest() -> int:
        box = prod(axis.box(n) for axis, n in zip(case.axes, units, strict=True))
        sums = prod(n * axis.out_step for axis, n in zip(case.axes, units, strict=True))
        return max(case.ins * box, sums) * vector_bytes

    for axis in range(3):
        while units[axis] > 1 and largest() > BLOCK_BYTES:
            units[axis] = -(-units[axis] // 2)
    if case.multiply_adds >= WORTH_SHARING:
        for axis in range(3):
            while units[axis] >= 4 and _tasks(case, units) * vectors < TASKS:
                units[axis] = -(-units[axis] // 2)
    return units[0], units[1], units[2]


def _tasks(case: KernelCase, units: list[int]) -> int:
    return prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
