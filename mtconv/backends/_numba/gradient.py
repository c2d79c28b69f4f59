"""The kernel gradient: channels of the small side in the lanes, a sum over its cells.

A tile is a few rows, each a tap of one channel of the big side, by up to three vectors of
channels of the small side. Threads share out rows and channels, never a sum.
"""

from __future__ import annotations

from mtconv.backends._numba.box import load_box
from mtconv.backends._numba.counters import next_task
from mtconv.backends._numba.emit import CELLS, VECTOR_BYTES
from mtconv.backends._numba.facts import CHAIN
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.moves import (
    copy_in,
    copy_out,
    index_at,
    itemsize,
)
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.tiles import lanes_tile
from mtconv.backends._numba.transposes import lanes_to_rows, rows_to_lanes

__all__ = ["run_gradient"]


@entry
def run_gradient(
    value, stored, facts_address, table, y, y_end, x, x_end, packed, packing, bias, out,
    counters, space,
):  # fmt: skip
    """Take tasks off the counters until none is left."""
    facts = facts_at(facts_address)
    task = next_task(counters)
    while task < facts.tasks:
        rest, split = task // facts.splits, task % facts.splits
        parts = (facts.ins + facts.box_channels - 1) // facts.box_channels
        group, channel = rest // parts, rest % parts * facts.box_channels
        channels = min(facts.box_channels, facts.ins - channel)
        sum_gradient(
            value, stored, facts, table,
            y + (group * facts.ins + channel) * facts.in_steps1,
            x + group * facts.outs * facts.out_steps1, x_end, space, channels, split,
        )  # fmt: skip
        target = out + group * facts.w_group + channel * facts.w_in
        write_gradient(value, stored, facts, table, target, space, channels, split)
        task = next_task(counters)
    return 0


@part
def sum_gradient(value, stored, facts, table, y, x, x_end, space, channels, split):
    """Add up the products of all samples and cells for one task."""
    box, lanes = space, space + facts.box_bytes
    blocks2 = (facts.units2 + facts.block2 - 1) // facts.block2
    blocks1 = (facts.units1 + facts.block1 - 1) // facts.block1
    blocks0 = (facts.units0 + facts.block0 - 1) // facts.block0
    blocks = blocks0 * blocks1 * blocks2
    for number in range(facts.batch * blocks):
        sample, rest = number // blocks, number % blocks
        unit2 = rest % blocks2 * facts.block2
        unit1 = rest // blocks2 % blocks1 * facts.block1
        unit0 = rest // blocks2 // blocks1 * facts.block0
        count0 = min(facts.block0, facts.units0 - unit0)
        count1 = min(facts.block1, facts.units1 - unit1)
        count2 = min(facts.block2, facts.units2 - unit2)
        first = (
            unit0 * facts.in_step0 + facts.start0,
            unit1 * facts.in_step1 + facts.start1,
            unit2 * facts.in_step2 + facts.start2,
        )
        here = y + sample * facts.in_steps0
        if facts.direct == 1:
            here += first[0] * facts.in_steps2 + first[1] * facts.in_steps3
            here += first[2] * facts.in_steps4
        else:
            size = (
                facts.box0 - (facts.block0 - count0) * facts.in_step0,
                facts.box1 - (facts.block1 - count1) * facts.in_step1,
                facts.box2 - (facts.block2 - count2) * facts.in_step2,
            )
            load_box(value, stored, facts, box, here, channels, first, size)
            here = box
        there = x + sample * facts.out_steps0 + unit0 * facts.out_steps2
        there += unit1 * facts.out_steps3 + unit2 * facts.out_steps4
        load_lanes(
            value,
            stored,
            facts,
            table,
            lanes,
            there,
            x_end,
            (count0, count1, count2),
            split,
        )
        edges = 4 * (count0 < facts.block0) + 2 * (count1 < facts.block1)
        edges += count2 < facts.block2
        extent = table + facts.extents + 32 * edges
        multiply_cells(
            value, facts, table, here, lanes, space + facts.box_bytes + facts.lanes_bytes,
            index_at(extent, 0), table + index_at(extent, 1), channels * facts.taps, split,
            number > 0,
        )  # fmt: skip


@part
def load_lanes(value, stored, facts, table, lanes, x, x_end, count, split):
    """Transpose cells of x: channels side by side, one row of them a cell."""
    width = itemsize(value)
    vector = VECTOR_BYTES // width
    first = index_at(
        table + facts.chunks + 32 * index_at(table + facts.split_first, split), 0
    )
    rows1, cells = count[1], count[2]
    if cells == facts.units2 and facts.out_steps3 == cells * facts.out_steps4:
        rows1, cells = 1, cells * rows1
    for lane in range(0, facts.row_bytes // width, vector):
        channel = first // width + lane
        channels = min(vector, facts.outs - channel)
        if channels < 1:
            break
        source = x + channel * facts.out_steps1
        target = lanes + lane * width
        for i in range(count[0]):
            for j in range(rows1):
                there = source + i * facts.out_steps2 + j * facts.out_steps3
                row = target + (i * rows1 + j) * cells * facts.pitch
                if facts.out_steps4 == itemsize(stored):
                    rows_to_lanes(
                        value, stored, row, facts.pitch, there, facts.out_steps1, channels,
                        cells, x_end,
                    )  # fmt: skip
                else:
                    for cell in range(cells):
                        copy_in(
                            value, stored, row + cell * facts.pitch,
                            there + cell * facts.out_steps4, facts.out_steps1, channels,
                        )  # fmt: skip


@part
def multiply_cells(
    value, facts, table, y, lanes, sums, cells, cells_table, rows, split, add
):
    """Add the products of one block of cells to the sums of all rows."""
    begin_chunk = index_at(table + facts.split_first, split)
    end_chunk = index_at(table + facts.split_first, split + 1)
    lane_first = index_at(table + facts.chunks + 32 * begin_chunk, 0)
    chains = (cells + CHAIN - 1) // CHAIN
    for chunk in range(begin_chunk, end_chunk):
        here = table + facts.chunks + 32 * chunk
        lane, grains = index_at(here, 0) - lane_first, index_at(here, 1)
        for chain in range(chains):
            begin, end = cells * chain // chains, cells * (chain + 1) // chains
            adds = 1 if chain > 0 else 1 * add
            for row in range(0, rows, CELLS):
                lanes_tile(
                    value, grains, y, table + facts.offsets + 8 * row,
                    cells_table + 8 * begin, end - begin,
                    lanes + begin * facts.pitch + lane, facts.pitch,
                    sums + lane, table + facts.row_places + 8 * row, adds, rows - row,
                )  # fmt: skip


@part
def write_gradient(value, stored, facts, table, out, sums, channels, split):
    """Write the sums of one task to their places in the gradient."""
    width = itemsize(value)
    sums += facts.box_bytes + facts.lanes_bytes
    begin_chunk = index_at(table + facts.split_first, split)
    end_chunk = index_at(table + facts.split_first, split + 1)
    first = index_at(table + facts.chunks + 32 * begin_chunk, 0) // width
    last = min(facts.outs, index_at(table + facts.chunks + 32 * end_chunk, 0) // width)
    out += first * facts.w_out
    if facts.w_flat == 1:
        lanes_to_rows(
            value, stored, out, facts.w_out, sums, facts.row_bytes, last - first,
            channels * facts.taps,
        )  # fmt: skip
        return
    for channel in range(channels):
        for tap in range(facts.taps):
            place = channel * facts.w_in + index_at(table + facts.tap_rows, tap)
            row = sums + (channel * facts.taps + tap) * facts.row_bytes
            copy_out(value, stored, out + place, facts.w_out, row, last - first)
