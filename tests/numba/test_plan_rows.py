"""How rows by offset are planned: blocks, runs, memory, and what tables say.

Every decision is worked out anew by trying all that could be chosen; nothing is compiled.
"""

from itertools import product
from math import prod

import numpy as np
import pytest

from mtconv.backends._numba import plan_rows as module
from mtconv.backends._numba.plan_rows import plan_rows, run_lists
from mtconv.backends._numba.shapes import ROW_TILES
from tests.numba.drawn import (
    CHANNELS_LAST,
    blocks_of,
    case_of,
    facts_of,
    multiple,
    odd_multiple,
    offsets_of,
    planned,
    products_of,
    without_taps,
)

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def tiles_of(case, facts):
    """Tiles of output channels: the first one, how many, and where their weights are."""
    count = facts["pack_tasks"] // case.groups
    assert count * case.groups == facts["pack_tasks"]
    numbers = iter(facts.listed(facts["chunks"], 3 * count))
    return list(zip(*[numbers] * 3, strict=True))


def cells(axis, units):
    """Cells of every residue that so many units reach over."""
    return (
        max(unit + k // axis.in_step for unit in (0, units - 1) for k in offsets_of(axis))
        + 1
    )


def box_of(case, units):
    return tuple(map(cells, case.axes, units))


def side_by_side(case):
    """Whether cells of a row are neighbours in the result, as they are in vectors."""
    units = [n * case.axes[2].out_step * case.out_steps[4] for n in range(3)]
    return units == [0, case.size, 2 * case.size] and case.stored_size == case.size


def cut(number, least=1):
    """Units of one piece of an axis: of the whole, two, four, down to the least."""
    sizes = [number]
    while sizes[-1] > least:
        sizes.append(max(least, -(-number // 2 ** len(sizes))))
    return sizes


def halved(whole, least):
    """Blocks from a whole one to the least: the first axis is cut before the others."""
    a, b, c = whole
    yield from ((n, b, c) for n in cut(a))
    yield from ((1, n, c) for n in cut(b))
    yield from ((1, 1, n) for n in cut(c, least))


@SEEDS
def test_blocks_are_the_first_that_fit_and_suffice_for_threads(seed):
    for case, vector_bytes, work, facts in planned(plan_rows, seed, 120, 40):
        lanes = vector_bytes // case.size
        tiles = tiles_of(case, facts)
        residues = prod(axis.in_step for axis in case.axes)
        cell = tiles[0][1] * case.axes[2].out_step * case.size

        def fits(units, case=case, cell=cell, residues=residues, lanes=lanes):
            box = case.ins * residues * prod(box_of(case, units)) * case.size
            row = cell * (units[2] + lanes)
            return box <= 524288 and (row <= 65536 or side_by_side(case))

        whole = tuple(axis.number for axis in case.axes)
        blocks = list(halved(whole, 4 * lanes))
        expected = next((units for units in blocks if fits(units)), blocks[-1])
        shares, splits = case.batch * case.groups, 1
        if products_of(case) >= 300_000:
            blocks = list(halved(expected, 4 * lanes))
            enough = (u for u in blocks if shares * blocks_of(case, u) >= 8)
            expected = next(enough, blocks[-1])
            shares *= blocks_of(case, expected)
            splits = min(len(tiles), next(n for n in range(1, 9) if n * shares >= 8))
        assert facts["block"] == expected
        assert facts["box"] == box_of(case, expected)
        assert facts["pitch"] == facts["box2"]
        assert facts["splits"] == splits
        shares = case.batch * case.groups * blocks_of(case, expected)
        assert work.tasks == facts["tasks"] == shares * splits


def length_of(facts, planes, rows):
    """Cells of one run: what lies between its rows is computed and left."""
    first = [
        (i * facts["box1"] + j) * facts["box2"] for i in range(planes) for j in range(rows)
    ]
    return max(first) + facts["block2"]


def follows(case, facts, planes, rows, lanes):
    """Whether all cells of a run have their places in the result, and fill a vector."""
    if not side_by_side(case):
        return False
    units = [range(n) for n in (planes, rows, facts["block2"])]
    steps = [
        axis.out_step * n for axis, n in zip(case.axes, case.out_steps[2:], strict=True)
    ]
    i, j, k = np.indices([len(along) for along in units]).reshape(3, -1)
    here = (i * facts["box1"] + j) * facts["box2"] + k
    there = i * steps[0] + j * steps[1] + k * steps[2]
    phases = prod(
        axis.out_step for axis, n in zip(case.axes, (planes, rows), strict=False) if n > 1
    )
    if phases > 1 or (here * case.size != there).any() or here[-1] + 1 != here.size:
        return False
    last = [
        axis.number - n * ((axis.number - 1) // n)
        for axis, n in zip(case.axes, facts["block"], strict=True)
    ]
    planes, rows = min(planes, last[0]), min(rows, last[1])
    rows_between = (planes - 1) * facts["box1"] + rows - 1
    return rows_between * facts["box2"] + last[2] >= lanes


def runs_of(facts, cell):
    """Runs to choose from: a row, rows whose sums are near, a plane, or the block."""
    planes, rows, _ = facts["block"]
    near = [
        n for n in range(1, rows + 1) if n == 1 or length_of(facts, 1, n) * cell <= 16384
    ]
    number = len(range(0, rows, near[-1]))
    even = next(n for n in near if n * number >= rows)
    return {(1, 1), (1, even), (1, rows), (planes, rows)}


@SEEDS
def test_runs_take_the_least_time_and_are_summed_in_the_result_where_they_follow(seed):
    seen = set()
    for case, vector_bytes, _, facts in planned(plan_rows, seed, 150, 40):
        lanes = vector_bytes // case.size
        cell = case.axes[2].out_step * facts["channels"] * case.size
        phases = prod(axis.out_step for axis in case.axes)
        taps = prod(len(offsets_of(axis)) for axis in case.axes)
        products = case.ins * taps // phases
        costs = {}
        for planes, rows in runs_of(facts, cell):
            length = length_of(facts, planes, rows)
            vectors = len(range(0, length, lanes))
            begin = range(0, facts["block0"], planes), range(0, facts["block1"], rows)
            runs = len(begin[0]) * len(begin[1])
            if follows(case, facts, planes, rows, lanes):
                costs[planes, rows] = runs * (vectors * products + 4)
            else:
                copy = 3 if length * cell <= 16384 else 6
                written = 3 * facts["block0"] * facts["block1"]
                costs[planes, rows] = runs * (vectors * (products + copy) + 4) + written
        run = facts["run_planes"], facts["run_rows"]
        assert costs[run] == min(costs.values())
        assert facts["in_place"] == follows(case, facts, *run, lanes)
        vectors = len(range(0, length_of(facts, *run), lanes))
        run_bytes = 0 if facts["in_place"] else vectors * vector_bytes
        assert facts["run_bytes"] == run_bytes
        assert facts["sums_bytes"] == case.axes[2].out_step * facts["channels"] * run_bytes
        kind = [*sorted(runs_of(facts, cell)), run].index(run)
        seen.add((facts["in_place"], kind, len(costs)))
    assert len(seen) > 6


@SEEDS
def test_memory_is_what_boxes_sums_and_packed_kernels_take(seed):
    for case, vector_bytes, work, facts in planned(plan_rows, seed, 150, 40):
        plane = prod(facts["box"]) * case.size + vector_bytes
        residues = prod(axis.in_step for axis in case.axes)
        channel = odd_multiple(residues * plane, vector_bytes)
        assert (facts["residue"], facts["box_channel"]) == (plane, channel)
        box = multiple(case.ins * channel + 2 * vector_bytes, 64)
        assert facts["box_bytes"] == box
        assert work.space_bytes == box + facts["sums_bytes"] + vector_bytes
        assert box + facts["sums_bytes"] <= 4194304

        tiles = tiles_of(case, facts)
        rows = case.ins * prod(len(offsets_of(axis)) for axis in case.axes) * case.size
        heights = [height for _, height, _ in tiles]
        assert facts["channels"] == heights[0] == max(heights)
        assert sum(heights) == case.outs
        firsts = [sum(heights[:n]) for n in range(len(heights))]
        assert tiles == [(c, n, c * rows) for c, n in zip(firsts, heights, strict=True)]
        assert facts["packed_group"] == case.outs * rows
        packed = case.groups * case.outs * rows
        assert work.packed_bytes == multiple(packed, 64) + 64
        assert facts["bias_bytes"] == case.outs * case.size


@SEEDS
def test_offsets_lead_to_the_cells_of_every_residue(seed):
    for case, _, _, facts in planned(plan_rows, seed, 60, 40):
        steps, box = [axis.in_step for axis in case.axes], facts["box"]
        # Where the box has every cell of the input, by its distance from the first one.
        at = np.ogrid[tuple(slice(max(offsets_of(axis)) + 1) for axis in case.axes)]
        residue = cell = 0
        for along, step, size in zip(at, steps, box, strict=True):
            residue, cell = residue * step + along % step, cell * size + along // step
        places = residue * facts["residue"] + cell * case.size
        expected, taps, firsts = [], [], [0]
        for phase in product(*(axis.phases for axis in case.axes)):
            for channel, (a, b, c) in product(range(case.ins), list(product(*phase))):
                here = int(places[a.offset, b.offset, c.offset])
                expected.append(channel * facts["box_channel"] + here)
                where = zip((a.tap, b.tap, c.tap), case.w_steps[2:], strict=True)
                taps.append(channel * case.lanes[0] + sum(n * step for n, step in where))
            firsts.append(len(expected) // case.ins)
        assert facts.listed(facts["offsets"], len(expected)) == expected
        assert facts.listed(facts["tap_rows"], len(taps)) == taps
        assert facts.listed(facts["phase_first"], len(firsts)) == firsts
        met = []
        for axis in case.axes[:2]:
            residues = {offset % axis.in_step for offset in offsets_of(axis)}
            met += [len(residues), *sorted(residues)]
        assert facts.listed(facts["row_places"], len(met)) == met


@SEEDS
def test_tables_are_checked_as_far_as_runs_read(seed, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "check_cells", lambda *call: calls.append(call))
    several = 0
    for case, vector_bytes, _, facts in planned(plan_rows, seed, 100, 40):
        lanes = vector_bytes // case.size
        reads = []
        for i, j in product(
            range(0, facts["block0"], facts["run_planes"]),
            range(0, facts["block1"], facts["run_rows"]),
        ):
            planes = min(facts["run_planes"], facts["block0"] - i)
            rows = min(facts["run_rows"], facts["block1"] - j)
            vectors = len(range(0, length_of(facts, planes, rows), lanes))
            first = (i * facts["box1"] + j) * facts["box2"] * case.size
            reads.append(first + vectors * vector_bytes)
        ((ends, offsets, low, high, width),) = calls
        assert ends.tolist() == [0, reads[-1]]
        assert (low, high, width) == (0, facts["box_bytes"], 0)
        assert max(reads) + offsets.max() <= high
        several += len(reads) > 1
        calls.clear()
    assert several > 10


def fewest(counts, total, widest):
    """The fewest tiles of so many vectors, none wider than the widest."""
    best = [0]
    for vectors in range(1, total + 1):
        fit = [n for n in counts if n <= min(vectors, widest)]
        best.append(1 + min(best[vectors - n] for n in fit))
    return best[total]


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_last_vectors_are_cut_into_few_tiles_and_into_narrow_ones(vector_bytes):
    for height, counts in ROW_TILES[vector_bytes].items():
        case = case_of("conv", (1, height, 500), (height, 1, 1))
        facts = facts_of(plan_rows(case, vector_bytes, 8))
        assert facts["channels"] == height
        places = facts.listed(facts["tiles"], height + 1)
        assert set(places[:-1]) <= {0}
        most = facts.listed(places[-1], 1)[0]
        assert most == max(counts)
        lists = facts.listed(places[-1], 2 * most + 2)
        for vectors in range(1, most + 1):
            for narrow in (0, 1):
                here = places[-1] + lists[2 * vectors + narrow]
                number, *tiles = facts.listed(here, 1 + facts.listed(here, 1)[0])
                widest = vectors - narrow or 1
                assert number == fewest(counts, vectors, widest)
                assert sum(tiles) == vectors
                assert set(tiles) <= set(counts)
                assert max(tiles) <= widest


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_runs_of_any_length_are_cut_into_the_fewest_tiles(vector_bytes):
    for height, counts in ROW_TILES[vector_bytes].items():
        numbers = run_lists(height, 20, vector_bytes)
        for vectors in range(1, 21):
            place = numbers[vectors] // 8
            count = numbers[place]
            starts = numbers[place + 1 :: 2][:count]
            tiles = numbers[place + 2 :: 2][:count]
            widths = [tile - 100 * height for tile in tiles]
            assert count == fewest(counts, vectors, vectors)
            assert sum(widths) == vectors
            assert starts == [vector_bytes * sum(widths[:n]) for n in range(count)]


# Vectors have 64 bytes, so 16 float32; 25 output channels are tiles of 8, 8, 6 and 3.
LIMITS = {
    # 131072 cells of a box have 524288 bytes; of one more half are taken. A channel has a
    # vector more, which makes 8193 of them, and the box two more, the whole another one.
    "the box fits": (
        (1, 1, 131072), (1, 1, 1), {},
        {"block": (1, 1, 131072), "in_place": 1, "box_bytes": 64 * 8195},
    ),
    "the box does not fit": ((1, 1, 131073), (1, 1, 1), {}, {"block": (1, 1, 65537)}),
    # Of channels last, 8176 cells and a vector more are 8192, of 2 * 4 bytes: 65536.
    "a row fits": (
        (1, 2, 8176), (2, 1, 1), {"layout": CHANNELS_LAST}, {"block": (1, 1, 8176)}
    ),
    "a row does not fit": (
        (1, 2, 8177), (2, 1, 1), {"layout": CHANNELS_LAST}, {"block": (1, 1, 4089)}
    ),
    # 30 * 10000 products are shared by eight tasks, 30 * 9999 are not.
    "shared": (
        (1, 30, 10000), (30, 1, 1), {}, {"block": (1, 1, 1250), "tasks": 8, "splits": 1}
    ),
    "alone": ((1, 30, 9999), (30, 1, 1), {}, {"block": (1, 1, 9999), "tasks": 1}),
    # A block has four vectors at least: 100 cells are two, so all four tiles are split off;
    # of two samples they are split in two, and eight samples suffice as they are. 119
    # instead of 120 channels have 297500 products.
    "splits": (
        (1, 25, 100), (25, 120, 1), {}, {"block": (1, 1, 64), "splits": 4, "tasks": 8}
    ),
    "half as many": (
        (2, 25, 100), (25, 120, 1), {}, {"block": (1, 1, 64), "splits": 2, "tasks": 8}
    ),
    "no splits": (
        (8, 25, 100), (25, 120, 1), {}, {"block": (1, 1, 100), "splits": 1, "tasks": 8}
    ),
    "one task": (
        (1, 25, 100), (25, 119, 1), {}, {"block": (1, 1, 100), "splits": 1, "tasks": 1}
    ),
    # Sums of 8 channels are 32 bytes of a cell, so 512 cells are near: 8 rows of 62 cells,
    # the last of 60. 33 rows are 5 such runs, so they have 7 rows each: with 9 products and
    # 3 for the copy of a vector, 5 * (27 * 12 + 4) = 1640, where rows alone would be
    # 33 * (4 * 12 + 4) = 1716, and all rows in one 128 * (9 + 6) + 4 = 1924.
    "near rows": (
        (1, 8, 33, 60), (8, 1, 3, 3), {"padding": 1, "layout": CHANNELS_LAST},
        {"run_rows": 7, "run_planes": 1, "in_place": 0, "run_bytes": 27 * 64},
    ),
    # Where channels come first, rows of 60 are summed in the result, 33 * (4 * 9 + 4); and
    # where a row has no padding, the whole volume is.
    "rows in the result": (
        (1, 8, 33, 60), (8, 1, 3, 3), {"padding": 1},
        {"run_rows": 1, "run_planes": 1, "in_place": 1, "sums_bytes": 0},
    ),
    "a volume in the result": (
        (1, 8, 3, 5, 7), (8, 1, 1, 1, 1), {},
        {"run_rows": 5, "run_planes": 3, "in_place": 1},
    ),
    # 15 cells are no vector, so they are summed beside the result.
    "16 cells": ((1, 1, 16), (1, 1, 1), {}, {"in_place": 1, "run_bytes": 0}),
    "15 cells": ((1, 1, 15), (1, 1, 1), {}, {"in_place": 0, "run_bytes": 64}),
    "21 cells of 3 rows": ((1, 1, 3, 7), (1, 1, 1, 1), {}, {"in_place": 1, "run_rows": 3}),
    "15 cells of 3 rows": ((1, 1, 3, 5), (1, 1, 1, 1), {}, {"in_place": 0}),
    # 64 cells of 3000 channels are 768000 bytes, but fewer would not fill four vectors.
    "four vectors": ((8, 1, 200), (1, 3000, 1), {}, {"block": (1, 1, 64), "tasks": 32}),
    # 14 cells and a vector are 120 bytes: two lines, so three. Of stride 2, two residues of
    # 14 cells each are 240 bytes, four lines, so five.
    "odd lines": ((1, 1, 12), (1, 3, 3), {"padding": 1}, {"box_channel": 192}),
    "two residues": (
        (1, 1, 13), (1, 3, 3), {"padding": 1, "stride": 2},
        {"box2": 14, "residue": 120, "box_channel": 320},
    ),
    # 4194304 bytes are 65536 lines: two taps that reach over 1048512 cells have 65532, with
    # a vector 65533; the box has two more, and the sum is one.
    "most bytes": (
        (1, 1, 1), (1, 1, 2), {"dilation": 1048511}, {"box_bytes": 65535 * 64}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_where_they_were_worked_out(name):
    shape, kernel_shape, options, expected = LIMITS[name]
    facts = facts_of(plan_rows(case_of("conv", shape, kernel_shape, **options), 64, 8))
    assert {key: facts[key] for key in expected} == expected


def test_halves_as_far_apart_as_their_sums_are_not_summed_in_the_result():
    case = case_of("conv", (1, 1, 16), (1, 1, 1), stored=2)
    case = case._replace(out_steps=(*case.out_steps[:4], 4))
    assert facts_of(plan_rows(case, 64, 8))["in_place"] == 0


def test_kernels_without_taps_or_with_a_large_window_are_left_to_others():
    assert plan_rows(without_taps(), 64, 8) is None
    case = case_of("conv", (1, 1, 1), (1, 1, 2), dilation=1048512)
    assert plan_rows(case, 64, 8) is None
