"""Plan the kernel of rows by offset: blocks, runs, tiles and tables."""

from __future__ import annotations

from itertools import product
from math import inf, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.shapes import ROW_TILES, tile_heights
from mtconv.backends._numba.tables import Table, check_cells
from mtconv.backends._numba.work import Work, finish
from mtconv.backends.host.memory import odd_lines

__all__ = ["plan_rows", "run_lists"]

# Bytes of the copied input, and of the sums of one run, that one task works on.
BOX_BYTES = 2**19
SUMS_BYTES = 2**16

# Larger windows than this are left to other kernels.
MOST_BYTES = 2**22

# What it takes to copy a vector of sums to the result, more where the sums of a run are
# more bytes than the nearest cache has for them, to begin a run, and to write a row of one;
# in products of vectors.
COPY, COPY_FAR, NEAR_BYTES, RUN, ROW = 3, 6, 2**14, 4, 3

TASKS = 8
WORTH_SHARING = 300_000


class _Run(NamedTuple):
    """Rows of cells that are summed as one, and whether the result itself has the sums."""

    planes: int
    rows: int
    length: int
    in_place: bool


def plan_rows(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan a case for vectors of some bytes.

    None where even the window of a few units is large.
    """
    del tile
    if not prod(axis.taps for axis in case.axes):
        return None
    lanes = vector_bytes // case.size
    heights = tile_heights(case.outs, vector_bytes)
    steps = [axis.in_step for axis in case.axes]
    units = _units(case, heights[0], lanes)
    box = [_cells(case, axis, units) for axis in range(3)]
    run = _run(case, box, units, heights[0], lanes)
    # Short rows are written as whole vectors.
    plane = prod(box) * case.size + vector_bytes
    channel = odd_lines(prod(steps) * plane, vector_bytes)
    run_bytes = 0 if run.in_place else -(-run.length // lanes) * vector_bytes
    sums_bytes = case.axes[2].out_step * heights[0] * run_bytes
    box_bytes = -(-(case.ins * channel + 2 * vector_bytes) // 64) * 64
    if box_bytes + sums_bytes > MOST_BYTES:
        return None
    offsets, phase_first = _offsets(case, box, plane, channel)
    ends = np.array([0, _last_vector(box, units, run, lanes, case.size, vector_bytes)])
    check_cells(ends, offsets, 0, box_bytes, 0)
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    splits = 1
    if case.multiply_adds >= WORTH_SHARING:
        splits = -(-TASKS // (case.batch * case.groups * blocks))
        splits = min(len(heights), max(1, splits))
    tasks = case.batch * case.groups * blocks * splits
    rows = prod(axis.taps for axis in case.axes) * case.ins * case.size
    firsts = [sum(heights[:number]) for number in range(len(heights))]
    table = Table()
    values = {
        "samples": 1,
        "block": units,
        "splits": splits,
        "tasks": tasks,
        "box": box,
        "box_channel": channel,
        "box_bytes": box_bytes,
        "sums_bytes": sums_bytes,
        "channels": heights[0],
        "pitch": box[2],
        "in_place": int(run.in_place),
        "run_rows": run.rows,
        "run_planes": run.planes,
        "run_bytes": run_bytes,
        "residue": plane,
        "row_places": table.add(_residues(case)),
        "bias_bytes": case.outs * case.size,
        "packed_group": case.outs * rows,
        "pack_tasks": case.groups * len(heights),
        "offsets": table.add(offsets),
        "phase_first": table.add(phase_first),
        "tap_rows": table.add(_tap_places(case)),
        "chunks": table.add(
            [(c, n, c * rows) for c, n in zip(firsts, heights, strict=True)]
        ),
        "tiles": table.add(
            [
                table.add(_cuts(height, vector_bytes)) if height in heights else 0
                for height in range(heights[0] + 1)
            ]
        ),
    }
    return finish(
        "rows",
        case,
        table,
        values,
        space_bytes=box_bytes + sums_bytes + vector_bytes,
        packed_bytes=-(-case.groups * case.outs * rows // 64) * 64 + 64,
        tasks=tasks,
    )


def _residues(case: KernelCase) -> list[int]:
    """List the residues of the first axis that any tap meets, behind their number.

    Those of the second one follow.
    """
    lists = []
    for axis in case.axes[:2]:
        taps = (tap for phase in axis.phases for tap in phase)
        met = sorted({tap.offset % axis.in_step for tap in taps})
        lists += [len(met), *met]
    return lists


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
        box = prod(_cells(case, axis, units) for axis in range(3))
        row = channels * ways * case.size * (units[2] + lanes)
        large = box * residues * case.ins * case.size > BOX_BYTES
        return large or (row > SUMS_BYTES and not _in_order(case))

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


def _in_order(case: KernelCase) -> bool:
    """Whether the sums of a row of cells lie side by side in the result."""
    follow = case.axes[2].out_step == 1 and case.out_steps[4] == case.size
    return follow and case.stored_size == case.size


def _tasks(case: KernelCase, units: list[int]) -> int:
    blocks = prod(-(-axis.number // n) for axis, n in zip(case.axes, units, strict=True))
    return blocks * case.batch * case.groups


def _run(
    case: KernelCase, box: list[int], units: list[int], height: int, lanes: int
) -> _Run:
    """Choose how many planes and rows one run goes over: what takes the least time.

    Runs whose cells follow one another in the result are summed there.
    """
    products = case.ins * prod(axis.taps for axis in case.axes)
    products //= prod(axis.out_step for axis in case.axes)
    best, least = None, inf
    cell = case.axes[2].out_step * height * case.size
    near = max(1, (NEAR_BYTES // cell - units[2]) // box[2] + 1)
    near = -(-units[1] // -(-units[1] // near))
    for planes, rows in ((1, 1), (1, near), (1, units[1]), (units[0], units[1])):
        length = ((planes - 1) * box[1] + rows - 1) * box[2] + units[2]
        in_place = _follow(case, box, (planes, rows), units, lanes)
        runs = -(-units[0] // planes) * -(-units[1] // rows)
        copy = COPY if length * cell <= NEAR_BYTES else COPY_FAR
        cost = runs * (-(-length // lanes) * (products + copy * (not in_place)) + RUN)
        if not in_place:
            cost += units[0] * units[1] * ROW
        if cost < least:
            best, least = _Run(planes, rows, length, in_place), cost
    assert best is not None
    return best


def _follow(
    case: KernelCase, box: list[int], run: tuple[int, int], units: list[int], lanes: int
) -> bool:
    """Whether the cells of every run follow one another in the result, in whole vectors."""
    size, last = case.size, case.axes[2]
    if not _in_order(case):
        return False
    sizes = [axis.number % n or n for axis, n in zip(case.axes, units, strict=True)]
    planes, rows = (min(n, sizes[axis]) for axis, n in enumerate(run))
    if ((planes - 1) * box[1] + rows - 1) * box[2] + sizes[2] < lanes:
        return False
    whole = [units[2] == box[2] == last.number, units[1] == box[1] == case.axes[1].number]
    row, plane = box[2] * size, box[1] * box[2] * size
    return (run[1] == 1 or (whole[0] and _steps_by(case, 1, row))) and (
        run[0] == 1 or (whole[0] and whole[1] and _steps_by(case, 0, plane))
    )


def _steps_by(case: KernelCase, axis: int, step: int) -> bool:
    return case.axes[axis].out_step == 1 and case.out_steps[2 + axis] == step


def _last_vector(
    box: list[int], units: list[int], run: _Run, lanes: int, size: int, step: int
) -> int:
    """Where the last vector of the last run of a block ends, in bytes."""
    first0 = (units[0] - 1) // run.planes * run.planes
    first1 = (units[1] - 1) // run.rows * run.rows
    count0, count1 = min(run.planes, units[0] - first0), min(run.rows, units[1] - first1)
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


def _cuts(height: int, vector_bytes: int) -> list[int]:
    """List the tiles of the last vectors of a run, behind the most that a tile has.

    For every number of them two lists: as few tiles as can be, and tiles that are narrower
    than the whole, so that the last one may begin earlier.
    """
    counts = ROW_TILES[vector_bytes][height]
    most = max(counts)
    places, lists = [most, 0], list[int]()
    for vectors in range(1, most + 1):
        for widest in (vectors, max(1, vectors - 1)):
            places.append(8 * (2 * most + 2 + len(lists)))
            tiles, rest = [], vectors
            while rest:
                tiles.append(max(n for n in counts if n <= min(rest, widest)))
                rest -= tiles[-1]
            lists += [len(tiles), *tiles]
    return [*places, *lists]
