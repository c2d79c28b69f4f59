"""Whole planes in the lanes of vectors, for groups of one or a few channels.

A plane is one channel of every group, of one sample; a vector has as many planes as lanes.
The input is transposed into a box once, and every product is one of two vectors.
"""

from __future__ import annotations

from mtconv.backends._numba.counters import (
    infinite_values_seen,
    next_task,
    see_infinite_values,
)
from mtconv.backends._numba.emit import CELLS, VECTOR_BYTES
from mtconv.backends._numba.facts import CHAIN, PACK_AND_LOOK
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.looks import infinite_values
from mtconv.backends._numba.moves import (
    copy_in,
    copy_out,
    copy_strided,
    fill_vectors,
    index_at,
    itemsize,
)
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.tiles import planes_tile
from mtconv.backends._numba.transposes import lanes_to_rows, rows_to_lanes

__all__ = ["run_planes"]


@entry
def run_planes(
    value,
    stored,
    facts_address,
    table,
    x,
    x_end,
    w,
    w_end,
    packed,
    packing,
    bias,
    out,
    counters,
    space,
):
    """Take tasks off the counters until none is left."""
    facts = facts_at(facts_address)
    last_line, last_plane = -1, -1
    task = next_task(counters)
    while task < facts.tasks:
        rest, unit2 = divided(task, facts.units2, facts.block2)
        rest, unit1 = divided(rest, facts.units1, facts.block1)
        rest, unit0 = divided(rest, facts.units0, facts.block0)
        line, plane = divided(rest, facts.planes, VECTOR_BYTES // itemsize(value))
        weights = space + facts.box_bytes + facts.sums_bytes
        if line != last_line or plane != last_plane:
            load_weights(value, stored, facts, table, w, bias, weights, plane)
            if packing == PACK_AND_LOOK:
                rows = facts.outs * facts.ins * facts.taps
                infinite = infinite_values(value, weights, VECTOR_BYTES, rows)
                see_infinite_values(counters, infinite)
            last_line, last_plane = line, plane
        planes_block(
            value, stored, facts, table, x + line * facts.in_line, x_end, bias,
            out + line * facts.out_line, space, weights, plane, (unit0, unit1, unit2),
        )  # fmt: skip
        task = next_task(counters)
    return infinite_values_seen(counters)


@part
def divided(task, count, size):
    """Split a number of a task: the rest, and where the block of an axis begins."""
    blocks = (count + size - 1) // size
    return task // blocks, task % blocks * size


@part
def load_weights(value, stored, facts, table, w, bias, weights, plane):
    """Copy the taps, and the bias, of the planes of one vector side by side."""
    lanes, width = VECTOR_BYTES // itemsize(value), itemsize(value)
    rows = facts.outs * facts.ins * facts.taps
    for lane in range(lanes):
        group = min(plane + lane, facts.planes - 1) % facts.groups
        source = w + group * facts.w_group
        target = weights + lane * width
        for row in range(rows):
            place = index_at(table + facts.tap_rows, row)
            copy_strided(
                value, stored, value, target + row * VECTOR_BYTES, 0, source + place, 0, 1
            )
        if bias != 0:
            for channel in range(facts.outs):
                copy_strided(
                    value, value, value, target + (rows + channel) * VECTOR_BYTES, 0,
                    bias + group * facts.bias_bytes + channel * width, 0, 1,
                )  # fmt: skip


@part
def planes_block(
    value, stored, facts, table, x, x_end, bias, out, space, weights, plane, unit
):
    """Compute some units of the planes of one vector."""
    planes = min(VECTOR_BYTES // itemsize(value), facts.planes - plane)
    count0 = min(facts.block0, facts.units0 - unit[0])
    count1 = min(facts.block1, facts.units1 - unit[1])
    count2 = min(facts.block2, facts.units2 - unit[2])
    edges = (
        4 * (count0 < facts.block0) + 2 * (count1 < facts.block1) + (count2 < facts.block2)
    )
    extent = table + facts.extents + 32 * edges
    cells, cells_table = index_at(extent, 0), table + index_at(extent, 1)
    places = table + index_at(extent, 2)
    first = (
        unit[0] * facts.in_step0 + facts.start0,
        unit[1] * facts.in_step1 + facts.start1,
        unit[2] * facts.in_step2 + facts.start2,
    )
    size = (
        facts.box0 - (facts.block0 - count0) * facts.in_step0,
        facts.box1 - (facts.block1 - count1) * facts.in_step1,
        facts.box2 - (facts.block2 - count2) * facts.in_step2,
    )
    for channel in range(facts.ins):
        load_planes(
            value, stored, facts, space + channel * facts.box_channel,
            x + plane * facts.in_plane + channel * facts.in_steps1, x_end, planes, first,
            size,
        )  # fmt: skip
    sums = space + facts.box_bytes
    for channel in range(facts.outs):
        rows = channel * facts.ins * facts.taps
        add = 0
        if bias != 0:
            add = 1
            row = weights + (facts.outs * facts.ins * facts.taps + channel) * VECTOR_BYTES
            for position in range(facts.sums_bytes // VECTOR_BYTES):
                copy_in(
                    value, value, sums + position * VECTOR_BYTES, row, itemsize(value),
                    VECTOR_BYTES // itemsize(value),
                )  # fmt: skip
        for phase in range(facts.phases):
            sum_phase(
                value, facts, table, space, cells, cells_table, places,
                weights + rows * VECTOR_BYTES, sums, phase, add,
            )  # fmt: skip
        write_planes(
            value, stored, facts,
            out + plane * facts.out_plane + channel * facts.out_steps1, sums, planes, unit,
            (count0, count1, count2),
        )  # fmt: skip


@part
def sum_phase(
    value, facts, table, box, cells, cells_table, places, weights, sums, phase, add
):
    """Sum the products of one phase for all cells of a block."""
    rest, phase2 = phase // facts.out_step2, phase % facts.out_step2
    phase0, phase1 = rest // facts.out_step1, rest % facts.out_step1
    row = phase0 * facts.block1 * facts.out_step1 + phase1
    target = sums + (row * facts.block2 * facts.out_step2 + phase2) * VECTOR_BYTES
    first = index_at(table + facts.phase_first, phase) * facts.ins
    count = index_at(table + facts.phase_first, phase + 1) * facts.ins - first
    if count == 0:
        if add == 0:
            for q in range(cells):
                fill_vectors(value, target + index_at(places, q), 1)
        return
    chains = (count + CHAIN - 1) // CHAIN
    for chain in range(chains):
        begin, end = first + count * chain // chains, first + count * (chain + 1) // chains
        for q in range(0, cells, CELLS):
            planes_tile(
                value, box, cells_table + 8 * q, table + facts.offsets + 8 * begin,
                end - begin,
                weights + begin * VECTOR_BYTES, target, places + 8 * q, add, cells - q,
            )  # fmt: skip
        add = 1


@part
def load_planes(value, stored, facts, box, source, x_end, planes, first, size):
    """Transpose cells of some planes into a box, with zeros where the input ends."""
    first0, first1, first2 = first
    count0, count1, count2 = size
    low = min(max(0, -first2), count2)
    high = max(low, min(count2, facts.in_size2 - first2))
    for i in range(count0):
        for j in range(count1):
            row = box + (i * facts.box1 + j) * facts.box2 * VECTOR_BYTES
            i_in, j_in = first0 + i, first1 + j
            if i_in < 0 or i_in >= facts.in_size0 or j_in < 0 or j_in >= facts.in_size1:
                fill_vectors(value, row, count2)
                continue
            fill_vectors(value, row, low)
            fill_vectors(value, row + high * VECTOR_BYTES, count2 - high)
            there = source + i_in * facts.in_steps2 + j_in * facts.in_steps3
            there += (first2 + low) * facts.in_steps4
            load_row(
                value, stored, row + low * VECTOR_BYTES, there, x_end, planes, high - low,
                facts.in_steps4, facts.in_plane,
            )  # fmt: skip


@part
def load_row(value, stored, row, there, x_end, planes, count, step, plane):
    """Transpose one row of cells, ``step`` bytes apart, of planes ``plane`` bytes apart."""
    if step == itemsize(stored):
        rows_to_lanes(value, stored, row, VECTOR_BYTES, there, plane, planes, count, x_end)
    else:
        for cell in range(count):
            copy_in(
                value, stored, row + cell * VECTOR_BYTES, there + cell * step, plane, planes
            )


@part
def write_planes(value, stored, facts, out, sums, planes, unit, count):
    """Write a block of planes to its place in the result."""
    first0 = unit[0] * facts.out_step0
    first1 = unit[1] * facts.out_step1
    first2 = unit[2] * facts.out_step2
    rows0 = min(count[0] * facts.out_step0, facts.out_size0 - first0)
    rows1 = min(count[1] * facts.out_step1, facts.out_size1 - first1)
    cells = min(count[2] * facts.out_step2, facts.out_size2 - first2)
    positions1, positions2 = facts.block1 * facts.out_step1, facts.block2 * facts.out_step2
    step1, step2 = facts.out_steps3, facts.out_steps4
    # Whole rows that follow one another, here and there, are one long row.
    if cells == positions2 and cells == facts.out_size2 and step1 == cells * step2:
        cells, rows1 = cells * rows1, 1
    for i in range(rows0):
        for j in range(rows1):
            source = sums + (i * positions1 + j) * positions2 * VECTOR_BYTES
            target = (
                out
                + (first0 + i) * facts.out_steps2
                + (first1 + j) * step1
                + first2 * step2
            )
            if step2 == itemsize(stored):
                lanes_to_rows(
                    value,
                    stored,
                    target,
                    facts.out_plane,
                    source,
                    VECTOR_BYTES,
                    planes,
                    cells,
                )
            else:
                for cell in range(cells):
                    copy_out(
                        value, stored, target + cell * step2, facts.out_plane,
                        source + cell * VECTOR_BYTES, planes,
                    )  # fmt: skip
