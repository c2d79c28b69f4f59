"""Plan the kernel of rows by offset: blocks, runs, tiles and tables."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.shapes import ROW_TILES, tile_cost
from mtconv.backends._numba.tables import Table, check_cells
from mtconv.backends._numba.work import Work, finish

__all__ = ["plan_rows", "run_lists"]

# Bytes of the copied input, and of the sums of one run, that one task works on.
BOX_BYTES = 2**19
SUMS_BYTES = 2**16

# Larger windows than this are left to other kernels.
MOST_BYTES = 2**22

TASKS = 8
WORTH_SHARING = 300_000


def plan_rows(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan a case for vectors of some bytes.

    None where even the window of a few units is large.
    """
    del tile
    if not prod(axis.taps for axis in case.axes):
        return None
    lanes = vector_bytes // case.size
    channels = _channels(case.outs, vector_bytes)
    steps = [axis.in_step for axis in case.axes]
    residues = prod(steps)
    units = _units(case, channels, lanes)
    box = [_cells(case, axis, units) for axis in range(3)]
    planes, rows = _run(box, units, lanes)
    plane = prod(box) * case.size
    channel = residues * plane
    channel += -channel % vector_bytes + vector_bytes * (channel // vector_bytes % 2 == 0)
    longest = ((planes - 1) * box[1] + rows - 1) * box[2] + units[2]
    vectors = -(-longest // lanes)
    run_bytes = vectors * vector_bytes
    sums_bytes = case.axes[2].out_step * channels * run_bytes
    box_bytes = -(-(case.ins * channel + 2 * vector_bytes) // 64) * 64
    if box_bytes + sums_bytes > MOST_BYTES:
        return None
    offsets, phase_first = _offsets(case, box, plane, channel)
    ends = np.array(
        [0, _last_vector(box, units, planes, rows, lanes, case.size, vector_bytes)]
    )
    check_cells(ends, offsets, 0, box_bytes, 0)
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    tiles = -(-case.outs // channels)
    splits = 1
    if case.multiply_adds >= WORTH_SHARING:
        splits = min(tiles, max(1, -(-TASKS // (case.batch * case.groups * blocks))))
    tasks = case.batch * case.groups * blocks * splits
    table = Table()
    width = channels * case.size
    taps = prod(axis.taps for axis in case.axes)
    values = {
        "samples": 1,
        "block": units,
        "splits": splits,
        "tasks": tasks,
        "box": box,
        "box_channel": channel,
        "box_bytes": box_bytes,
        "sums_bytes": sums_bytes,
        "channels": channels,
        "pitch": box[2],
        "run_rows": rows,
        "run_planes": planes,
        "run_bytes": run_bytes,
        "residue": plane,
        "bias_bytes": case.outs * case.size,
        "pack_tasks": case.groups * tiles,
        "offsets": table.add(offsets),
        "phase_first": table.add(phase_first),
        "tap_rows": table.add(_tap_places(case)),
        "tiles": table.add(run_lists(channels, vectors, vector_bytes)),
    }
    return finish(
        "rows",
        case,
        table,
        values,
        space_bytes=box_bytes + sums_bytes + vector_bytes,
        packed_bytes=-(-case.groups * tiles * taps * case.ins * width // 64) * 64 + 64,
        tasks=tasks,
    )


def _channels(outs: int, vector_bytes: int) -> int:
    """Choose how many output channels a tile has."""
    return min(
        ROW_TILES[vector_bytes],
        key=lambda n: -(-outs // n) * tile_cost(n, vector_bytes),
    )


def _cells(case: KernelCase, axis: int, units: list[int]) -> int:
    """Cells of each residue that so many units reach over."""
    every = case.axes[axis]
    return units[axis] + every.reach // every.in_step


def _units(case: KernelCase, channels: int, lanes: int) -> list[int]:
    """Choose how many units a task has."""
    units = [axis.number for axis in case.axes]
    residues = prod(axis.in_step for axis in case.axes)
    ways = case.axes[2].out_step

    def is_large() -> bool:
        box = [_cells(case, axis, units) for axis in range(3)]
        row = channels * ways * case.size * (units[2] + lanes)
        return prod(box) * residues * case.ins * case.size > BOX_BYTES or row > SUMS_BYTES

    for axis in range(3):
        pieces, least = 1, 1 if axis < 2 else 4 * lanes
        while units[axis] > least and is_large():
            pieces *= 2
            units[axis] = max(least, -(-case.axes[axis].number // pieces))
    if case.multiply_adds >= WORTH_SHARING:
        for axis in range(3):
            least = 1 if axis < 2 else 4 * lanes
            while units[axis] > least and _tasks(case, units) < TASKS:
                units[axis] = max(least, -(-units[axis] // 2))
    return units


def _tasks(case: KernelCase, units: list[int]) -> int:
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    return blocks * case.batch * case.groups


def _run(box: list[int], units: list[int], lanes: int) -> tuple[int, int]:
    """Choose how many planes and rows one run goes over: what takes the fewest vectors."""
    choices: dict[tuple[int, int], int] = {}
    for planes, rows in ((1, 1), (1, units[1]), (units[0], units[1])):
        length = ((planes - 1) * box[1] + rows - 1) * box[2] + units[2]
        runs = -(-units[0] // planes) * -(-units[1] // rows)
        choices.setdefault((planes, rows), runs * -(-length // lanes))
    return min(choices, key=lambda choice: choices[choice])


def _last_vector(
    box: list[int],
    units: list[int],
    planes: int,
    rows: int,
    lanes: int,
    size: int,
    step: int,
) -> int:
    """Where the last vector of the last run of a block ends, in bytes."""
    first0, first1 = (units[0] - 1) // planes * planes, (units[1] - 1) // rows * rows
    count0, count1 = min(planes, units[0] - first0), min(rows, units[1] - first1)
    length = ((count0 - 1) * box[1] + count1 - 1) * box[2] + units[2]
    return (first0 * box[1] + first1) * box[2] * size + -(-length // lanes) * step


def _offsets(
    case: KernelCase, box: list[int], plane: int, channel: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the offsets of all rows, phase by phase; and where each phase begins."""
    steps = [axis.in_step for axis in case.axes]
    parts, first = [], [0]
    for phases in product(*(axis.phases for axis in case.axes)):
        offsets = []
        for taps in product(*phases):
            residue = cell = 0
            for axis, tap in enumerate(taps):
                residue = residue * steps[axis] + tap.offset % steps[axis]
                cell = cell * box[axis] + tap.offset // steps[axis]
            offsets.append(residue * plane + cell * case.size)
        every = np.arange(case.ins)[:, None] * channel + np.array(offsets, np.int64)
        parts.append(every.ravel())
        first.append(first[-1] + len(offsets))
    return np.concatenate(parts), np.array(first)


def _tap_places(case: KernelCase) -> list[int]:
    """List where the rows are in the kernel of the first output channel."""
    places = []
    for phases in product(*(axis.phases for axis in case.axes)):
        for c in range(case.ins):
            for taps in product(*phases):
                steps = zip(taps, case.w_steps[2:], strict=True)
                places.append(
                    c * case.lanes[0] + sum(tap.tap * step for tap, step in steps)
                )
    return places


def run_lists(channels: int, most: int, vector_bytes: int) -> list[int]:
    """List the tiles of runs of any number of vectors, behind the place of each list."""
    counts = ROW_TILES[vector_bytes][channels]
    places, lists = [0], list[int]()
    for vectors in range(1, most + 1):
        places.append(8 * (most + 1 + len(lists)))
        start, tiles = 0, []
        while start < vectors:
            number = max(n for n in counts if n <= vectors - start)
            tiles += [start * vector_bytes, 100 * channels + number]
            start += number
        lists += [len(tiles) // 2, *tiles]
    return [*places, *lists]
