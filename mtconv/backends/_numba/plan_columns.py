"""Plan the kernel of columns: blocks, splits, tiles and tables."""

from __future__ import annotations

from itertools import accumulate, pairwise, product
from math import prod
from typing import NamedTuple

import numpy as np

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.plan_rows import run_lists
from mtconv.backends._numba.shapes import ROW_TILES, tile_heights
from mtconv.backends._numba.tables import Table, check_cells
from mtconv.backends._numba.work import Work, finish

__all__ = ["plan_columns"]

# Vectors of cells that all tiles read, one tile after another; more where rows are few.
RUN, WIDE_RUN = 3, 6

# Bytes of the input that are copied at a time: long pieces, of all channels.
CHUNK_BYTES = 2**17
MOST_RUNS = 8

# Input channels that one task packs.
SHARE = 16

# Bytes of the columns of one task.
COLUMN_BYTES = 3 * 2**17

# Larger columns of a single row of units are left to other kernels.
MOST_BYTES = 2**22

TASKS = 8
WORTH_SHARING = 300_000

# What it takes to copy an element of the input, in products of vectors.
COPY = 0.25


class _Cut(NamedTuple):
    """How a problem is cut: units along one of the last two axes, and splits of lines."""

    units: tuple[int, int]
    bounds: tuple[int, ...]


def plan_columns(case: KernelCase, vector_bytes: int, tile: int) -> Work | None:
    """Plan a transposed convolution for vectors of some bytes.

    None for convolutions, and where rows of the input do not follow one another.
    """
    del tile
    first, middle, last = case.axes
    taps = prod(axis.taps for axis in case.axes)
    follows = middle.in_size == 1 or case.in_steps[3] == last.in_size * case.in_steps[4]
    if case.form != "conv_transpose" or not taps or not follows:
        return None
    rows_of = [len(phase) * case.taps[2] for phase in middle.phases]
    lines = [rows for rows in rows_of for _ in range(case.outs)]
    cut = _cut(case, lines, vector_bytes // case.size)
    block = (1, *cut.units)
    row_ends = [0, *accumulate(lines)]
    most_rows = max(row_ends[b] - row_ends[a] for a, b in pairwise(cut.bounds))
    cells = _cells(case, cut.units)
    pitch = -(-cells * case.size // vector_bytes) * vector_bytes
    pitch += vector_bytes * (pitch // vector_bytes % 2 == 0)
    pieces = max(len(phase) for phase in first.phases)
    run = RUN if most_rows >= max(ROW_TILES[vector_bytes]) else WIDE_RUN
    runs = max(1, min(MOST_RUNS, CHUNK_BYTES // (case.ins * run * vector_bytes)))
    chunk = runs * run * vector_bytes
    box_bytes = case.ins * chunk
    column_bytes = pieces * most_rows * pitch + vector_bytes
    run_bytes = -(-cut.units[1] * case.size // vector_bytes) * vector_bytes
    if column_bytes > MOST_BYTES:
        return None
    offsets = np.arange(case.ins) * chunk
    check_cells(np.array([0, chunk - vector_bytes]), offsets, 0, box_bytes, vector_bytes)
    rows = np.arange(pieces * most_rows) * pitch
    check_cells(np.array([0, cells * case.size]), rows, 0, column_bytes, vector_bytes)
    table = Table()
    places = _row_places(case)
    tiles, packed = _tiles(case, row_ends, cut.bounds, places, vector_bytes)
    blocks = -(-middle.number // block[1]) * -(-last.number // block[2])
    splits = len(cut.bounds) - 1
    tasks = case.batch * case.groups * first.out_size * blocks * splits
    taps0 = [tap for phase in first.phases for tap in phase]
    heights = ROW_TILES[vector_bytes]
    lists = [
        table.add(run_lists(height, run, vector_bytes)) if height in heights else 0
        for height in range(max(heights) + 1)
    ]
    values = {
        "samples": 1,
        "block": block,
        "splits": splits,
        "tasks": tasks,
        "reach": [axis.reach for axis in case.axes],
        "box_channel": chunk,
        "box_bytes": box_bytes,
        "lanes_bytes": column_bytes,
        "piece_bytes": most_rows * pitch,
        "pitch": pitch,
        "channels": 1,
        "run_bytes": run_bytes,
        "run_rows": run,
        "row_taps": case.taps[2],
        "planes": len(taps0),
        "bias_bytes": case.outs * case.size,
        "packed_group": packed,
        "pack_tasks": case.groups * len(taps0) * -(-case.ins // SHARE),
        "pack_channels": SHARE,
        "offsets": table.add(offsets),
        "offsets0": table.add([tap.offset for tap in taps0]),
        "phase_first": table.add([0, *accumulate(len(phase) for phase in first.phases)]),
        "tap_rows": table.add([tap.tap * case.w_steps[2] for tap in taps0]),
        "row_places": table.add(places),
        "line_first": table.add(cut.bounds),
        "line_rows": table.add(row_ends),
        "row_first": table.add([row_ends[line] for line in cut.bounds]),
        "split_first": table.add([0, *accumulate(len(part) for part in tiles)]),
        "chunks": table.add([row for part in tiles for row in part]),
        "tiles": table.add(lists),
        "taps1": table.add(_phase_lists([[t.offset for t in p] for p in middle.phases])),
        "taps2": table.add(
            _phase_lists(
                [[n for t in p for n in (t.offset, t.tap)] for p in last.phases], 2
            )
        ),
    }
    sums_bytes = last.out_step * run_bytes
    return finish(
        "columns",
        case,
        table,
        values,
        space_bytes=box_bytes + column_bytes + sums_bytes + vector_bytes,
        packed_bytes=-(-case.groups * len(taps0) * packed // 64) * 64 + 64,
        tasks=tasks,
    )


def _cells(case: KernelCase, units: tuple[int, int]) -> int:
    """Cells of the input that so many units reach over, whole rows if there are several."""
    _, middle, last = case.axes
    if middle.in_size == 1:
        return min(last.in_size, units[1] + last.reach)
    return min(middle.in_size, units[0] + middle.reach) * last.in_size


def _cut(case: KernelCase, lines: list[int], lanes: int) -> _Cut:
    """Choose the block and the splits that take the least, of those that fit the cache."""
    _, middle, last = case.axes
    along = 1 if middle.in_size > 1 else 2
    whole = (middle.number, last.number)
    pieces = max(len(phase) for phase in case.axes[0].phases)
    shares = case.batch * case.groups * case.axes[0].out_size
    wanted = TASKS if case.multiply_adds >= WORTH_SHARING else 1
    best, least = None, (0.0, 0.0)
    for blocks, parts in product(_counts(whole[along - 1]), _halves(len(lines))):
        size = -(-whole[along - 1] // blocks)
        units = (size, whole[1]) if along == 1 else (whole[0], size)
        bounds = tuple(len(lines) * part // parts for part in range(parts + 1))
        rows = max(sum(lines[a:b]) for a, b in pairwise(bounds))
        cells = -(-_cells(case, units) // lanes) * lanes
        excess = max(1.0, pieces * rows * cells * case.size / COLUMN_BYTES)
        number = -(-whole[along - 1] // size)
        cost = number * cells * case.ins * (sum(lines) / lanes + parts * COPY)
        cost *= 1 + 0.3 * max(0.0, wanted / (shares * number * parts) - 1)
        if best is None or (excess, cost) < least:
            best, least = _Cut(units, bounds), (excess, cost)
    assert best is not None
    return best


def _counts(most: int) -> list[int]:
    """List numbers of blocks to look at: small ones, and some larger ones."""
    return [n for n in (*range(1, 25), *(2**n for n in range(5, 40))) if n <= most]


def _halves(number: int) -> list[int]:
    """List 1, 2, 4 and so on, and at last the number itself."""
    return [*(2**n for n in range(number.bit_length()) if 2**n < number), number]


def _tiles(
    case: KernelCase,
    row_ends: list[int],
    bounds: tuple[int, ...],
    places: list[int],
    vector_bytes: int,
) -> tuple[list[list[tuple[int, int, int, int]]], int]:
    """List the tiles of each split, and the bytes of the weights of all.

    A tile has its first row, its height, the place of its weights, and whether those follow
    one another in the kernel.
    """
    place, parts = 0, []
    for begin, end in pairwise(bounds):
        row, part = row_ends[begin], []
        for height in tile_heights(row_ends[end] - row, vector_bytes):
            follows = places[row : row + height] == [
                places[row] + number * case.stored_size for number in range(height)
            ]
            part.append((row, height, place, int(follows)))
            row += height
            place += height * case.ins * case.size
        parts.append(part)
    return parts, place


def _row_places(case: KernelCase) -> list[int]:
    """List where the rows are in the kernel of one input channel, and tap of axis 0."""
    _, step1, step2 = case.w_steps[2:]
    return [
        channel * case.lanes[1] + tap.tap * step1 + number * step2
        for phase in case.axes[1].phases
        for channel in range(case.outs)
        for tap in phase
        for number in range(case.taps[2])
    ]


def _phase_lists(phases: list[list[int]], each: int = 1) -> list[int]:
    """List the taps of phases, each behind their number, behind the place of each list."""
    places, lists = [], list[int]()
    for numbers in phases:
        places.append(len(phases) + len(lists))
        lists += [len(numbers) // each, *numbers]
    return [*places, *lists]
