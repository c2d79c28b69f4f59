"""The kernel gradient with planes in the lanes, for groups of one or a few channels.

A vector has a channel of as many groups as it has lanes; samples follow one another in
the sum. Tiles are a few taps of one channel of the big side.
"""

from __future__ import annotations

from mtconv.backends._numba.counters import next_task
from mtconv.backends._numba.emit import CELLS, VECTOR_BYTES
from mtconv.backends._numba.facts import CHAIN
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.moves import copy_out, index_at, itemsize
from mtconv.backends._numba.planes import load_planes, load_row
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.tiles import planes_tile

__all__ = ["run_gradient_planes"]


@entry
def run_gradient_planes(
    value, stored, facts_address, table, y, y_end, x, x_end, packed, packing, bias, out,
    counters, space,
):  # fmt: skip
    """Take tasks off the counters until none is left."""
    facts = facts_at(facts_address)
    lanes = VECTOR_BYTES // itemsize(value)
    task = next_task(counters)
    while task < facts.tasks:
        plane, small = task // facts.outs * lanes, task % facts.outs
        planes = min(lanes, facts.groups - plane)
        sums = space + facts.box_bytes + facts.lanes_bytes
        sum_planes(
            value, stored, facts, table, y + plane * facts.in_plane, y_end,
            x + plane * facts.out_plane + small * facts.out_steps1, x_end, space, sums,
            planes,
        )  # fmt: skip
        for row in range(facts.ins * facts.taps):
            place = plane * facts.w_group + small * facts.w_out
            place += index_at(table + facts.tap_rows, row)
            copy_out(
                value, stored, out + place, facts.w_group, sums + row * VECTOR_BYTES, planes
            )
        task = next_task(counters)
    return 0


@part
def sum_planes(value, stored, facts, table, y, y_end, x, x_end, space, sums, planes):
    """Add up the products of all samples and cells for one vector of planes."""
    box, cells_box = space, space + facts.box_bytes
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
        size = (
            facts.box0 - (facts.block0 - count0) * facts.in_step0,
            facts.box1 - (facts.block1 - count1) * facts.in_step1,
            facts.box2 - (facts.block2 - count2) * facts.in_step2,
        )
        there = x + sample * facts.out_steps0 + unit0 * facts.out_steps2
        there += unit1 * facts.out_steps3 + unit2 * facts.out_steps4
        load_cells(
            value, stored, facts, cells_box, there, x_end, planes, (count0, count1, count2)
        )
        edges = 4 * (count0 < facts.block0) + 2 * (count1 < facts.block1)
        edges += count2 < facts.block2
        extent = table + facts.extents + 32 * edges
        for channel in range(facts.ins):
            here = y + sample * facts.in_steps0 + channel * facts.in_steps1
            load_planes(value, stored, facts, box, here, y_end, planes, first, size)
            multiply_planes(
                value, facts, table, box, cells_box,
                sums + channel * facts.taps * VECTOR_BYTES,
                index_at(extent, 0), table + index_at(extent, 1), number > 0,
            )  # fmt: skip


@part
def load_cells(value, stored, facts, box, there, x_end, planes, count):
    """Transpose cells of the small side, one vector of planes a cell."""
    rows1, cells = count[1], count[2]
    if cells == facts.units2 and facts.out_steps3 == cells * facts.out_steps4:
        rows1, cells = 1, cells * rows1
    for i in range(count[0]):
        for j in range(rows1):
            row = box + (i * rows1 + j) * cells * VECTOR_BYTES
            here = there + i * facts.out_steps2 + j * facts.out_steps3
            load_row(
                value, stored, row, here, x_end, planes, cells, facts.out_steps4,
                facts.out_plane,
            )  # fmt: skip


@part
def multiply_planes(value, facts, table, y, x, sums, cells, cells_table, add):
    """Add the products of one block of cells to the sums of all taps."""
    chains = (cells + CHAIN - 1) // CHAIN
    for chain in range(chains):
        begin, end = cells * chain // chains, cells * (chain + 1) // chains
        adds = 1 if chain > 0 else 1 * add
        for tap in range(0, facts.taps, CELLS):
            planes_tile(
                value, y, table + facts.offsets + 8 * tap, cells_table + 8 * begin,
                end - begin,
                x + begin * VECTOR_BYTES, sums, table + facts.row_places + 8 * tap, adds,
                facts.taps - tap,
            )  # fmt: skip
