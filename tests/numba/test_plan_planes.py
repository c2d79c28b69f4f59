"""How planes in lanes are planned: blocks, memory, strips, and what tables say.

Every decision is worked out anew by trying all that could be chosen; nothing is compiled.
"""

from itertools import product
from math import inf, prod

import pytest

from mtconv.backends._numba import plan_planes as module
from mtconv.backends._numba.plan_planes import plan_planes
from tests.numba.drawn import (
    APART,
    blocks_of,
    case_of,
    draw,
    facts_of,
    offsets_of,
    planned,
    products_of,
    reached,
    without_taps,
)

TILE = 8
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def taps_of(case):
    return prod(len(offsets_of(axis)) for axis in case.axes)


def vectors_of(case, facts, vector_bytes):
    lanes = vector_bytes // case.size
    return facts["lines"] * len(range(0, facts["planes"], lanes))


def positions_of(case, units):
    return prod(n * axis.out_step for axis, n in zip(case.axes, units, strict=True))


def memory_of(case, units, vector_bytes):
    """Vectors of the box, the sums, and of weights with a bias, in bytes."""
    box = case.ins * prod(map(reached, case.axes, units))
    weights = case.outs * (case.ins * taps_of(case) + 1)
    return tuple(n * vector_bytes for n in (box, positions_of(case, units), weights))


def cost(case, units, vector_bytes, vectors):
    """What all blocks take, in products of vectors; endless where memory is too large."""
    box, sums, weights = memory_of(case, units, vector_bytes)
    if box + sums + weights > 4194304:
        return inf
    tiles = len(range(0, prod(units), TILE))
    products = TILE * tiles * case.ins * case.outs * taps_of(case)
    loads = (4.5 + (box + sums) / 1048576) * (box // vector_bytes)
    blocks = blocks_of(case, units)
    every = blocks * (products + loads + 100)
    tasks = vectors * blocks
    return every if products_of(case) < 300_000 else every * (tasks + 1) / tasks


def choices(case):
    """Blocks from the whole one to a single unit, halved axis by axis."""
    a, b, c = (axis.number for axis in case.axes)

    def cut(number):
        return {-(-number // 2**n) for n in range(20)}

    units = {*product(cut(a), [b], [c]), *product([1], cut(b), [c])}
    return units | {*product([1], [1], cut(c))}


@SEEDS
def test_blocks_take_the_least_time_of_all_that_fit(seed):
    cut = 0
    for case, vector_bytes in draw(seed, 120, channels=4):
        work = plan_planes(case, vector_bytes, TILE)
        if work is None and taps_of(case):
            assert all(cost(case, u, vector_bytes, 1) == inf for u in choices(case))
        if work is None:
            continue
        facts = facts_of(work)
        vectors = vectors_of(case, facts, vector_bytes)
        costs = {u: cost(case, u, vector_bytes, vectors) for u in choices(case)}
        assert costs[facts["block"]] <= min(costs.values()) * (1 + 1e-12) < inf
        assert facts["box"] == tuple(map(reached, case.axes, facts["block"]))
        cut += blocks_of(case, facts["block"]) > 1
    assert cut > 10


@SEEDS
def test_memory_is_what_boxes_sums_and_weights_take(seed):
    for case, vector_bytes, work, facts in planned(plan_planes, seed, 100, 4):
        box, sums, weights = memory_of(case, facts["block"], vector_bytes)
        assert (facts["box_bytes"], facts["sums_bytes"]) == (box, sums)
        assert facts["box_channel"] * case.ins == box
        assert facts["bias_bytes"] == case.outs * case.size
        assert work.space_bytes == box + sums + weights <= 4194304
        assert work.packed_bytes == 0
        blocks = blocks_of(case, facts["block"])
        vectors = vectors_of(case, facts, vector_bytes)
        assert work.tasks == facts["tasks"] == vectors * blocks
        assert facts["samples"] == facts["splits"] == 1


@SEEDS
def test_planes_of_all_samples_are_one_line_where_they_lie_side_by_side(seed):
    counts = {False: 0, True: 0}
    for case, _, _, facts in planned(plan_planes, seed, 100, 4):
        numbers = list(product(range(case.batch), range(case.groups)))
        together = True
        for steps, channels, plane, line in (
            (case.in_steps, case.ins, "in_plane", "in_line"),
            (case.out_steps, case.outs, "out_plane", "out_line"),
        ):
            wanted = [n * steps[0] + g * channels * steps[1] for n, g in numbers]
            got = [
                i * facts[line] + j * facts[plane]
                for i, j in product(range(facts["lines"]), range(facts["planes"]))
            ]
            assert got == wanted
            step = channels * steps[1]
            together &= wanted == [n * step for n in range(len(numbers))]
        assert facts["lines"] == (1 if together else case.batch)
        counts[together] += 1
    assert min(counts.values()) > 10


@pytest.mark.parametrize("side", ["in_steps", "out_steps"])
@pytest.mark.parametrize("factor", [-1, 0, 2])
def test_samples_in_another_order_are_lines_of_their_own(side, factor):
    # Of two contiguous arrays of 3 samples, one has them reversed, repeated, or apart.
    case = case_of("conv", (3, 10, 4), (10, 2, 2), groups=5)
    assert facts_of(plan_planes(case, 64, TILE))["lines"] == 1
    batch, *others = getattr(case, side)
    case = case._replace(**{side: (factor * batch, *others)})
    facts = facts_of(plan_planes(case, 64, TILE))
    assert (facts["lines"], facts["planes"], facts["tasks"]) == (3, 5, 3)
    lines = facts["in_line"], facts["out_line"]
    assert lines == (case.in_steps[0], case.out_steps[0])


@SEEDS
def test_tables_are_checked_as_far_as_they_lead(seed, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "check_cells", lambda *call: calls.append(call))
    for _, vector_bytes, _, facts in planned(plan_planes, seed, 40, 4):
        ends = []
        for cells, offsets, low, high, width in calls:
            assert (low, width) == (0, vector_bytes)
            assert cells.min() + offsets.min() == 0
            ends.append((int(cells.max() + offsets.max()) + width, high))
        # A whole block reads to the end of its box, and writes to the end of its sums.
        box, sums = facts["box_bytes"], facts["sums_bytes"]
        assert ends[:2] == [(box, box), (sums, sums)]
        assert len(ends) == 16
        assert all(end <= high for end, high in ends)
        calls.clear()


def strip_of(case, vector_bytes):
    """The most cells, in whole tiles, whose window has at most 20480 bytes; or one tile."""
    rows = [max(offsets_of(axis)) + 1 for axis in case.axes]
    cells = TILE
    while True:
        window = (cells + TILE) * case.axes[2].in_step + rows[2]
        if rows[0] * rows[1] * case.ins * window * vector_bytes > 20480:
            return cells
        cells += TILE


@SEEDS
def test_tables_have_every_cell_of_every_block_once_and_strip_by_strip(seed):
    several = 0
    for case, vector_bytes, _, facts in planned(plan_planes, seed, 40, 4):
        strip = strip_of(case, vector_bytes)
        block, box = facts["block"], facts["box"]
        sums = [n * axis.out_step for n, axis in zip(block, case.axes, strict=True)]
        for edge, cut in enumerate(product((False, True), repeat=3)):
            sizes = [
                axis.number % size or size if near else size
                for axis, size, near in zip(case.axes, block, cut, strict=True)
            ]
            if prod(sizes) > 3000:
                continue
            expected = []
            for begin in range(0, sizes[2], strip):
                end = min(begin + strip, sizes[2])
                for a, b, c in product(range(sizes[0]), range(sizes[1]), range(begin, end)):
                    units = zip((a, b, c), case.axes, strict=True)
                    i, j, k = (unit * axis.in_step for unit, axis in units)
                    units = zip((a, b, c), case.axes, strict=True)
                    p, q, r = (unit * axis.out_step for unit, axis in units)
                    cell = (i * box[1] + j) * box[2] + k
                    place = (p * sums[1] + q) * sums[2] + r
                    expected.append((cell * vector_bytes, place * vector_bytes))
            count, cells, places, number = facts.listed(facts["extents"] + 32 * edge, 4)
            assert (count, number) == (len(expected), edge)
            whole = len(range(0, count, TILE)) * TILE
            pairs = zip(
                facts.listed(cells, whole), facts.listed(places, whole), strict=True
            )
            assert list(pairs) == expected + (whole - count) * expected[-1:]
            several += strip < sizes[2] and prod(sizes[:2]) > 1
    assert several


@SEEDS
def test_offsets_lead_to_the_cells_and_taps_of_every_phase(seed):
    for case, vector_bytes, _, facts in planned(plan_planes, seed, 60, 4):
        box, taps = facts["box"], taps_of(case)
        phases = list(product(*(axis.phases for axis in case.axes)))
        offsets, places, firsts = [], [], [0]
        for phase in phases:
            for channel, (a, b, c) in product(range(case.ins), list(product(*phase))):
                cell = (a.offset * box[1] + b.offset) * box[2] + c.offset
                offsets.append(channel * facts["box_channel"] + cell * vector_bytes)
                steps = zip((a.tap, b.tap, c.tap), case.w_steps[2:], strict=True)
                where = sum(tap * step for tap, step in steps)
                places.append(where + channel * case.lanes[0])
            firsts.append(len(offsets) // case.ins)
        assert facts.listed(facts["offsets"], taps * case.ins) == offsets
        assert facts.listed(facts["phase_first"], len(phases) + 1) == firsts
        every = [place + n * case.lanes[1] for n in range(case.outs) for place in places]
        assert facts.listed(facts["tap_rows"], len(every)) == every


# Vectors of 64 bytes have 16 float32 of as many planes.
BY_HAND = {
    # 3 samples of 5 groups are 15 planes, one vector; apart, every sample has its own. 17
    # planes are two vectors.
    "15 planes": (
        (3, 5, 4), (5, 1, 2), {"groups": 5}, {"lines": 1, "planes": 15, "tasks": 1}
    ),
    "3 times 5": (
        (3, 5, 4), (5, 1, 2), {"groups": 5, "layout": APART},
        {"lines": 3, "planes": 5, "tasks": 3},
    ),
    "17 planes": ((1, 17, 4), (17, 1, 2), {"groups": 17}, {"planes": 17, "tasks": 2}),
    # 65536 lines are allowed: taps that reach over 65532 cells leave one for the sum and
    # three for two taps and a bias.
    "most bytes": (
        (1, 1, 1), (1, 1, 2), {"dilation": 65531}, {"box_bytes": 64 * 65532}
    ),
    # What cells take, with 1172 in a block: 16 * (1176 + (4.5 + 0.143) * 1172 + 100) are
    # 107500. With half of them, 32 * (592 + (4.5 + 0.072) * 586 + 100) are 107900, which is
    # more; but a last task that others wait for is 1/32 of it instead of 1/16. One cell
    # less is less than 300000 products of 16 planes, which no others share.
    "shared": ((1, 16, 18750), (16, 1, 1), {"groups": 16}, {"block": (1, 1, 586)}),
    "alone": ((1, 16, 18749), (16, 1, 1), {"groups": 16}, {"block": (1, 1, 1172)}),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_limits_are_where_they_were_worked_out(name):
    shape, kernel_shape, options, expected = BY_HAND[name]
    facts = facts_of(plan_planes(case_of("conv", shape, kernel_shape, **options), 64, TILE))
    assert {key: facts[key] for key in expected} == expected


def test_strips_by_hand():
    # A window has 5 rows of vectors, so 20480 bytes are 64 columns; 3 of them are reached
    # beyond a stride of 3 for every cell: (64 - 3) / 3 cells are 2 tiles of 8.
    case = case_of("conv", (1, 16, 4, 40), (16, 1, 5, 3), groups=16, stride=3)
    facts = facts_of(plan_planes(case, 64, TILE))
    assert facts["block"] == (1, 4, 40)
    _, _, places, _ = facts.listed(facts["extents"], 4)
    cells = [place // 64 for place in facts.listed(places, 160)]
    rows = [range(40 * row, 40 * row + 40) for row in range(4)]
    expected = [
        n for a, b in ((0, 16), (16, 32), (32, 40)) for row in rows for n in row[a:b]
    ]
    assert cells == expected


def test_a_strip_may_fill_what_is_near():
    # Of 64 columns, 8 are reached beyond a strip of cells: 56 are left, which are 7 tiles.
    case = case_of("conv", (1, 16, 4, 60), (16, 1, 5, 8), groups=16)
    facts = facts_of(plan_planes(case, 64, TILE))
    assert facts["block"] == (1, 4, 60)
    _, _, places, _ = facts.listed(facts["extents"], 4)
    cells = [place // 64 for place in facts.listed(places, 240)]
    assert cells[:57] == [*range(56), 60]


def test_kernels_without_taps_or_with_a_large_window_are_left_to_others():
    assert plan_planes(without_taps(), 64, TILE) is None
    case = case_of("conv", (1, 1, 1), (1, 1, 2), dilation=65532)
    assert plan_planes(case, 64, TILE) is None
