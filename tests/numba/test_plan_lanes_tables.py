"""The tables of lanes: which cells, places and offsets there are, and how far they lead."""

from itertools import product
from math import prod

import numpy as np
import pytest

from mtconv.backends._numba import plan_lanes as module
from mtconv.backends._numba.plan_lanes import plan_lanes
from tests.numba.drawn import blocks_of, multiple, planned, starts

TILE = 8
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def listed_blocks(case, facts):
    """Cells of every block from the tables: where they read, and where they write."""
    blocks = list(product(*starts(case, facts["block"])))
    firsts = range(0, case.batch, facts["samples"])
    for number, first in enumerate(blocks):
        for sample in (firsts[0], firsts[-1]):
            sizes = [
                min(size, end - start)
                for size, end, start in zip(
                    (facts["samples"], *facts["block"]),
                    (case.batch, *(axis.number for axis in case.axes)),
                    (sample, *first),
                    strict=True,
                )
            ]
            cut = [a < b for a, b in zip(sizes[1:], facts["block"], strict=True)]
            edge = sum(bit << place for place, bit in enumerate(reversed(cut)))
            edge += 8 * (sizes[0] < facts["samples"])
            if facts["taps_first"]:
                edge = 2 * number + (sizes[0] < facts["samples"])
            entry = facts["extents"] + 32 * edge
            count, cells, places, _ = facts.listed(entry, 4)
            whole = multiple(count, TILE)
            yield sizes, count, facts.listed(cells, whole), facts.listed(places, whole)


@SEEDS
def test_tables_have_every_cell_of_every_block_once(seed):
    seen = set()
    for case, _, work, facts in planned(plan_lanes, seed, 70, 200):
        number = blocks_of(case, facts["block"])
        batches = len(range(0, case.batch, facts["samples"]))
        assert work.tasks == batches * case.groups * facts["splits"] * number
        assert facts["tasks"] == work.tasks
        if prod(axis.number for axis in case.axes) > 4000:
            continue
        box, block = facts["box"], facts["block"]
        sample, rows = facts["box_sample"], (box[1] * box[2], box[2], 1)
        steps = [n * case.size for n in rows]
        if facts["direct"]:
            sample, steps = case.in_steps[0], case.in_steps[2:]
        sums = [n * axis.out_step for n, axis in zip(block, case.axes, strict=True)]
        for sizes, count, cells, places in listed_blocks(case, facts):
            s, *units = np.indices(sizes).reshape(4, -1)
            reads, writes = s * sample, s
            for axis, unit, step, size in zip(case.axes, units, steps, sums, strict=True):
                reads = reads + unit * axis.in_step * step
                writes = writes * size + unit * axis.out_step
            expected = zip(
                reads.tolist(), (facts["row_bytes"] * writes).tolist(), strict=True
            )
            pairs = list(zip(cells, places, strict=True))
            assert count == prod(sizes)
            assert sorted(pairs[:count]) == sorted(expected)
            assert set(pairs[count:]) <= {pairs[count - 1]}  # whole tiles repeat the last
        seen.add((facts["direct"], facts["taps_first"], number > 1, batches > 1))
    assert len(seen) > 6


@SEEDS
def test_tables_are_checked_as_far_as_they_lead(seed, monkeypatch):
    ends = []

    def check(cells, offsets, low, high, width):
        ends.append((int(cells.max()) + int(offsets.max()) + width, high))
        assert int(cells.min()) + int(offsets.min()) >= low == 0

    monkeypatch.setattr(module, "check_cells", check)
    for case, _, _, facts in planned(plan_lanes, seed, 60, 200):
        units = zip(case.axes, facts["block"], strict=True)
        sums = facts["samples"] * prod(n * axis.out_step for axis, n in units)
        last = facts["row_bytes"] * sums
        assert {high for _, high in ends} >= {last}
        # The last phase of the last unit of a whole block is the end of its sums.
        assert max(end for end, high in ends if high == last) == last
        assert all(end <= high for end, high in ends)
        if facts["direct"]:
            assert {high for _, high in ends} == {
                last, *(axis.in_size for axis in case.axes)
            }  # fmt: skip
        ends.clear()


@SEEDS
def test_offsets_have_taps_of_all_channels_in_the_order_of_the_packed_kernel(seed):
    rests = 0
    for case, _, _, facts in planned(plan_lanes, seed, 80, 200):
        box, steps = facts["box"], [facts["box_channel"]]
        steps += [n * case.size for n in (box[1] * box[2], box[2], 1)]
        if facts["direct"]:
            steps = case.in_steps[1:]
        phases = [list(product(*taps)) for taps in product(*(a.phases for a in case.axes))]
        firsts = facts.listed(facts["phase_first"], len(phases) + 1)
        assert firsts == [sum(map(len, phases[:n])) for n in range(len(phases) + 1)]
        whole = facts["box_channels"]
        rest = case.ins - (case.ins - 1) // whole * whole
        for name, channels in (("offsets", whole), ("offsets_rest", rest)):
            expected = []
            for taps in phases:
                pairs = list(product(range(channels), taps))
                if facts["taps_first"]:
                    pairs = [(channel, tap) for tap in taps for channel in range(channels)]
                expected += [
                    channel * steps[0]
                    + a.offset * steps[1]
                    + b.offset * steps[2]
                    + c.offset * steps[3]
                    for channel, (a, b, c) in pairs
                ]
            assert facts.listed(facts[name], len(expected)) == expected
        rests += rest != whole
    assert rests
