"""How output channels in lanes are planned: blocks, splits, channels and memory.

Every decision is worked out anew by trying all that could be chosen; nothing is compiled.
"""

from itertools import pairwise
from math import prod

import pytest

from mtconv.backends._numba.chains import leaves_out_taps
from mtconv.backends._numba.plan_lanes import plan_lanes
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
    reached,
    without_taps,
)

TILE = 8
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def chunks_of(facts):
    """Tiles of output channels: first byte, grains, bytes of a row, and where they are."""
    count = facts.listed(facts["split_first"], facts["splits"] + 1)[-1]
    numbers = iter(facts.listed(facts["chunks"], 4 * count + 4))
    return list(zip(*[numbers] * 4, strict=True))


def cut(number, tile=1):
    """Units of one piece of an axis: of the whole, two, four, until there is but one.

    Pieces of more than a tile are whole tiles.
    """
    sizes = [number]
    while sizes[-1] > 1:
        size = -(-number // 2 ** len(sizes))
        sizes.append(multiple(size, tile) if size > tile else size)
    return sizes


def halved(whole, tile):
    """Blocks from a whole one to a single unit: the first axis is cut before the others."""
    a, b, c = whole
    yield from ((n, b, c) for n in cut(a))
    yield from ((1, n, c) for n in cut(b))
    yield from ((1, 1, n) for n in cut(c, tile))


@pytest.mark.parametrize("tile", [4, 8])
@SEEDS
def test_blocks_are_the_first_that_fit_and_suffice_for_threads(seed, tile):
    for case, _, _, facts in planned(plan_lanes, seed, 50, 200, tile):
        position = prod(axis.out_step for axis in case.axes) * facts["row_bytes"]

        def fits(units, case=case, position=position):
            box = prod(map(reached, case.axes, units)) * case.size
            return prod(units) * position <= 131072 and box <= 196608

        whole = tuple(axis.number for axis in case.axes)
        expected = next((u for u in halved(whole, tile) if fits(u)), (1, 1, 1))
        if products_of(case) >= 1_000_000:
            shares = case.batch * case.groups * facts["splits"]
            expected = next(
                units
                for units in halved(expected, tile)
                if shares * blocks_of(case, units) >= 8 or prod(units) < 4 * tile
            )
        assert facts["block"] == expected
        assert facts["box"] == tuple(map(reached, case.axes, expected))


@SEEDS
def test_small_samples_are_computed_together_while_tasks_remain(seed):
    seen = set()
    for case, _, _, facts in planned(plan_lanes, seed, 80, 200):
        cells = prod(facts["block"])
        position = prod(axis.out_step for axis in case.axes) * facts["row_bytes"]
        samples = facts["samples"]
        most = 1
        for doubled in (2, 4, 8, 16, 32):
            tasks = case.batch // doubled * case.groups * facts["splits"]
            allowed = [
                facts["block"] == tuple(axis.number for axis in case.axes),
                doubled <= case.batch,
                tasks >= 4,
                doubled * cells * position <= 262144,
                doubled * cells < 256,
            ]
            if not all(allowed):
                break
            most = doubled
        assert samples == most
        seen.add(samples)
    assert {1, 2, 4} <= seen


@SEEDS
def test_channels_of_a_box_are_as_many_as_fit_in_passes_of_the_same_size(seed):
    several = 0
    for case, _, _, facts in planned(plan_lanes, seed, 70, 200):
        channel = odd_multiple(prod(facts["box"]) * case.size, 64)
        assert facts["box_channel"] == channel
        phases = prod(axis.out_step for axis in case.axes)
        live = max(1, prod(len(offsets_of(axis)) for axis in case.axes) // phases)

        def fits(number, channel=channel, facts=facts, live=live):
            box = facts["samples"] * number * channel <= 196608 or facts["direct"]
            return number == 1 or (box and (number <= 8 or number * live <= 512))

        most = max(number for number in range(1, case.ins + 1) if fits(number))
        passes = len(range(0, case.ins, most))
        least = next(n for n in range(1, most + 1) if n * passes >= case.ins)
        assert facts["box_channels"] == least
        several += passes > 1
    assert several > 10


@SEEDS
def test_memory_is_what_boxes_sums_and_packed_kernels_take(seed):
    for case, vector_bytes, work, facts in planned(plan_lanes, seed, 70, 200):
        bounds = facts.listed(facts["split_first"], facts["splits"] + 1)
        chunks = chunks_of(facts)
        row = max(chunks[b][0] - chunks[a][0] for a, b in pairwise(bounds))
        assert facts["row_bytes"] == row
        assert facts["bias_bytes"] == case.outs * case.size

        box = facts["samples"] * facts["box_channels"] * facts["box_channel"]
        assert facts["box_sample"] * facts["samples"] == box
        box = 0 if facts["direct"] else multiple(box + vector_bytes, 64)
        units = zip(case.axes, facts["block"], strict=True)
        positions = facts["samples"] * prod(n * axis.out_step for axis, n in units)
        sums = multiple(positions * row + vector_bytes, 64)
        assert (facts["box_bytes"], facts["sums_bytes"]) == (box, sums)
        transposed = vector_bytes * prod(case.taps) + vector_bytes
        assert work.space_bytes == box + sums + transposed <= 2**25

        taps = prod(len(offsets_of(axis)) for axis in case.axes)
        ends = [case.ins * taps * step for _, _, step, _ in chunks[:-1]]
        places = [place for *_, place in chunks]
        assert places == [sum(ends[:n]) for n in range(len(chunks))]
        assert facts["packed_group"] == places[-1]
        packed = case.groups * places[-1] + vector_bytes
        assert work.packed_bytes == multiple(packed, 64)


def test_output_channels_are_shared_out_where_the_kernel_is_large():
    several = 0
    for case, _, _, facts in planned(plan_lanes, 3, 250, 200):
        pieces = len(chunks_of(facts)) - 1
        cells = case.batch * prod(axis.number for axis in case.axes)
        taps = prod(len(offsets_of(axis)) for axis in case.axes)
        expected = 1
        if products_of(case) >= 1_000_000 and case.outs * taps >= 2 * cells:
            enough = (n for n in range(1, 9) if n * case.groups >= 8)
            expected = min(pieces, next(enough))
        assert facts["splits"] == expected
        bounds = facts.listed(facts["split_first"], expected + 1)
        sizes = {b - a for a, b in pairwise(bounds)}
        assert (bounds[0], bounds[-1]) == (0, pieces)
        assert max(sizes) - min(sizes) <= 1
        several += expected > 1
    assert several


@SEEDS
def test_the_input_is_read_where_it_is_if_it_is_small_and_nothing_is_padded(seed):
    counts = {False: 0, True: 0}
    for case, _, work, facts in planned(plan_lanes, seed, 80, 200):
        inside = all(
            axis.start >= 0
            and axis.start + axis.in_step * (axis.number - 1) + max(offsets_of(axis))
            < axis.in_size
            for axis in case.axes
        )
        group = case.ins * prod(axis.in_size for axis in case.axes) * case.size
        direct = inside and case.stored_size == case.size and group <= 1_500_000
        direct = direct and case.in_steps[1] % 1024 != 0
        assert facts["direct"] == direct
        assert work.pads == (not inside)
        counts[direct] += 1
        first = not direct and leaves_out_taps(case, blocks_of(case, facts["block"]))
        assert facts["taps_first"] == first
        assert work.layout == first * facts["box_channels"]
    assert min(counts.values()) > 10


# Limits by hand. Vectors have 64 bytes and tiles 8 cells; sums of up to 4 float32 take 16
# bytes of a cell, of 16 they take 64. A line of cells is one axis of kernel size 1.
LIMITS = {
    # Sums may take 131072 bytes: 2048 cells of 64 bytes do, 2049 are cut in two pieces of
    # 1025, in whole tiles 1032.
    "sums fit": ("conv", (1, 16, 2048), (16, 1, 1), {}, {"block": (1, 1, 2048)}),
    "sums do not fit": ("conv", (1, 16, 2049), (16, 1, 1), {}, {"block": (1, 1, 1032)}),
    # A box may take 196608 bytes: 49152 cells of 4. A unit of stride 8 reads 8 of them.
    "the box fits": (
        *("conv", (1, 1, 6144), (1, 1, 8)),
        *({"stride": 8}, {"block": (1, 1, 6144), "box": (1, 1, 49152)}),
    ),
    "the box does not fit": (
        *("conv", (1, 1, 6145), (1, 1, 8)),
        *({"stride": 8}, {"block": (1, 1, 3080), "box": (1, 1, 24640)}),
    ),
    # 100 * 100 * 100 products are shared: 99 fewer times 100 * 100 are not. Blocks of 16
    # are the first below four tiles; 13, the eighth part, fills two of them.
    "worth sharing": ("conv", (1, 100, 100), (100, 100, 1), {}, {"block": (1, 1, 16)}),
    "not worth it": ("conv", (1, 100, 99), (100, 100, 1), {}, {"block": (1, 1, 99)}),
    # 200 channels are 5 tiles, for each of two groups 4 suffice; 200 * 100 weights are
    # twice the 100 * 100 elements of the data, and less than twice 101 * 100. Two blocks of
    # five splits are enough tasks.
    "splits": ("conv", (1, 200, 100), (200, 100, 1), {}, {"splits": 5, "tasks": 10}),
    "few splits": ("conv", (1, 400, 100), (400, 100, 1), {"groups": 2}, {"splits": 4}),
    "large data": ("conv", (1, 200, 101), (200, 100, 1), {}, {"splits": 1}),
    # Four of 64 samples remain; 8 * 9 cells are few, 4 * 32 are not; and 4 * 32 cells of
    # 4096 bytes are more than two times 131072 bytes.
    "samples for threads": ("conv", (64, 1, 3, 3), (1, 1, 1, 1), {}, {"samples": 16}),
    "samples of 32 cells": ("conv", (64, 1, 32), (1, 1, 1), {}, {"samples": 4}),
    "samples of large sums": ("conv", (64, 1024, 32), (1024, 1, 1), {}, {"samples": 2}),
    "two samples for 4 groups": (
        *("conv", (2, 4, 3), (4, 1, 1)),
        *({"groups": 4}, {"samples": 2, "tasks": 4}),
    ),
    "two samples for 2 groups": (
        *("conv", (2, 2, 3), (2, 1, 1)),
        *({"groups": 2}, {"samples": 1, "tasks": 4}),
    ),
    # 3 * 125000 elements of 4 bytes are 1500000, and channels of 1024 bytes are copied.
    "direct": ("conv", (1, 1, 125000), (1, 3, 1), {}, {"direct": 1, "box_bytes": 0}),
    "too large": ("conv", (1, 1, 125001), (1, 3, 1), {}, {"direct": 0}),
    "1024 bytes": ("conv", (1, 1, 256), (1, 3, 1), {}, {"direct": 0}),
    "1028 bytes": ("conv", (1, 1, 257), (1, 3, 1), {}, {"direct": 1}),
    # 25 taps of 20 channels are 500 products, of 21 they are 525: two passes of 11. 81 taps
    # of 6 channels are 486, but 8 channels are always allowed, and 9 are passes of 5.
    "512 products": (
        "conv", (1, 1, 9, 9), (1, 20, 5, 5), {"padding": 2}, {"box_channels": 20}
    ),
    "525 products": (
        "conv", (1, 1, 9, 9), (1, 21, 5, 5), {"padding": 2}, {"box_channels": 11}
    ),
    "8 channels": (
        "conv", (1, 1, 9, 9), (1, 8, 9, 9), {"padding": 4}, {"box_channels": 8}
    ),
    "9 channels": (
        "conv", (1, 1, 9, 9), (1, 9, 9, 9), {"padding": 4}, {"box_channels": 5}
    ),
    # 30 cells are 120 bytes: two lines would have neighbours share sets of the cache, so a
    # channel has three. 10 * 10 * 3 cells are 1200 bytes, 19 lines.
    "odd lines": (
        *("conv", (1, 1, 28), (1, 2, 3)),
        *({"padding": 1}, {"box": (1, 1, 30), "box_channel": 192}),
    ),
    "lines of a volume": (
        *("conv_transpose", (1, 2, 9, 9, 2), (2, 1, 2, 2, 2)),
        *({}, {"box": (11, 11, 4), "box_channel": 1984}),  # 1936 bytes are 31 lines
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_where_they_were_worked_out(name):
    form, shape, kernel_shape, options, expected = LIMITS[name]
    case = case_of(form, shape, kernel_shape, **options)
    work = plan_lanes(case, 64, TILE)
    facts = facts_of(work)
    assert {key: facts[key] for key in expected} == expected


def test_memory_of_one_problem_by_hand():
    # Two samples of 3 by 3 cells, 5 channels to 20; a padded box is 5 by 5.
    case = case_of("conv", (2, 20, 3, 3), (20, 5, 3, 3), padding=1)
    work = plan_lanes(case, 64, TILE)
    facts = facts_of(work)
    assert facts["samples"] == 1
    assert facts["box_channel"] == 192  # 100 bytes are two lines, so three
    assert facts["box_bytes"] == 1024  # 5 * 192 + 64
    assert facts["row_bytes"] == 80  # 20 * 4
    assert facts["sums_bytes"] == 832  # 9 * 80 + 64 = 784 are 13 lines
    assert work.space_bytes == 1024 + 832 + 10 * 64
    assert work.packed_bytes == 45 * 128 + 64  # 45 rows of two vectors


def test_kernels_without_taps_or_with_much_memory_are_left_to_others():
    assert plan_lanes(without_taps(), 64, TILE) is None
    # 2**25 bytes are 524288 lines. Two taps far apart reach over 8388496 elements: they
    # are 524281 lines, and one vector follows them; a sum with a vector behind it takes two
    # lines, and three vectors are room for the taps. One element more would be 524282
    # lines, so a channel would have 524283.
    work = plan_lanes(case_of("conv", (1, 1, 1), (1, 1, 2), dilation=8388495), 64, TILE)
    assert work.space_bytes == 64 * (524281 + 1 + 2 + 3) == 2**25 - 64
    long = case_of("conv", (1, 1, 1), (1, 1, 2), dilation=8388496)
    assert plan_lanes(long, 64, TILE) is None


def test_channels_beside_one_another_are_read_where_they_are():
    case = case_of("conv", (1, 4, 5, 6), (4, 3, 2, 2), layout=CHANNELS_LAST)
    facts = facts_of(plan_lanes(case, 64, TILE))
    # Elements of 3 channels are 12 bytes apart, rows of 7 elements 84.
    _, cells, _, _ = facts.listed(facts["extents"], 4)
    assert facts.listed(cells, 8) == [0, 12, 24, 36, 48, 60, 84, 96]
    offsets = facts.listed(facts["offsets"], 12)
    assert offsets == [0, 12, 84, 96, 4, 16, 88, 100, 8, 20, 92, 104]
