"""Plan the kernel with planes in the lanes: blocks and tables."""

from __future__ import annotations

from itertools import product
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

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

# Larger windows than this are left to other kernels.
MOST_BYTES = 2**22

# Below so many products, the work is not shared.
WORTH_SHARING = 300_000

# What it takes to transpose a vector of cells into a box, how much longer for every byte
# of box and sums, and to begin a block; in products of vectors.
LOAD, LOAD_FAR, BLOCK = 4.5, 2**-20, 100

# Bytes of the window of one strip of cells: what the nearest cache holds.
STRIP_BYTES = 20 * 1024

Cells = tuple[int, int, int]


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
    units = _units(case, vector_bytes, vectors, tile)
    box = tuple(axis.box(count) for axis, count in zip(case.axes, units, strict=True))
    sums = tuple(n * axis.out_step for n, axis in zip(units, case.axes, strict=True))
    channel = prod(box) * vector_bytes
    weights = _weights_bytes(case, vector_bytes)
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
    strip = _strip(case, vector_bytes, tile)
    for number, (count, cells, places) in enumerate(cell_tables(case, block, tile)[:8]):
        last = case.axes[2].number % units[2] if number % 2 else 0
        order = _order(count, last or units[2], strip)
        cells[:count], places[:count] = cells[order], places[order]
        cells[count:], places[count:] = cells[count - 1], places[count - 1]
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


def _weights_bytes(case: KernelCase, vector_bytes: int) -> int:
    taps = prod(axis.taps for axis in case.axes)
    return (case.ins * case.outs * taps + case.outs) * vector_bytes


def _strip(case: KernelCase, vector_bytes: int, tile: int) -> int:
    """Choose how many cells of the last axis are beside each other in one strip.

    The next row of a strip meets most of the cells of the last one again, so they should
    still be near.
    """
    rows = (case.axes[0].reach + 1) * (case.axes[1].reach + 1) * case.ins
    last = case.axes[2]
    cells = STRIP_BYTES // (rows * vector_bytes) - last.reach - 1
    return max(tile, cells // last.in_step // tile * tile)


def _order(count: int, row: int, strip: int) -> NDArray[np.intp]:
    """Sort cells of a block with rows of some cells: one strip after another."""
    return np.argsort(np.arange(count) % row // strip, kind="stable")


def _units(case: KernelCase, vector_bytes: int, vectors: int, tile: int) -> Cells:
    """Choose how many units a task has: what takes the least time.

    Blocks are made smaller by the first axis, then by the second, and by the last one.
    """
    units = [axis.number for axis in case.axes]
    choices = [(units[0], units[1], units[2])]
    for axis in range(3):
        while units[axis] > 1:
            units[axis] = -(-units[axis] // 2)
            choices.append((units[0], units[1], units[2]))
    return min(choices, key=lambda units: _cost(case, units, vector_bytes, vectors, tile))


def _cost(
    case: KernelCase, units: Cells, vector_bytes: int, vectors: int, tile: int
) -> float:
    """Weigh what all blocks of so many units take, in products of vectors."""
    box = case.ins * prod(axis.box(n) for axis, n in zip(case.axes, units, strict=True))
    sums = prod(n * axis.out_step for axis, n in zip(case.axes, units, strict=True))
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    products = -(-prod(units) // tile) * tile * case.ins * case.outs
    products *= prod(axis.taps for axis in case.axes)
    memory = (box + sums) * vector_bytes
    if memory + _weights_bytes(case, vector_bytes) > MOST_BYTES:
        return inf
    cost = blocks * (products + (LOAD + memory * LOAD_FAR) * box + BLOCK)
    if case.multiply_adds < WORTH_SHARING:
        return cost
    # Threads wait for the one that has the last task.
    return cost * (1 + 1 / (vectors * blocks))
