"""Rows by offset: cells in the lanes of vectors, for few output channels.

``out[c, q] = sum over r of weights[r, c] * x[offset[r] + q]``: a row r is a tap of one
input channel, and q runs along rows of the box, side by side. Where rows are short, one run
goes over several of them, and what lies between is computed and left.
"""

from __future__ import annotations

from mtconv.backends._numba.counters import infinite_values_seen, next_task, pack_kernel
from mtconv.backends._numba.emit import VECTOR_BYTES
from mtconv.backends._numba.facts import CHAIN, PACK_AND_LOOK
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.looks import infinite_bytes
from mtconv.backends._numba.moves import (
    copy_in,
    copy_strided,
    fill_vectors,
    index_at,
    itemsize,
    repeat,
)
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.residues import load_residues
from mtconv.backends._numba.tiles import rows_tile
from mtconv.backends._numba.transposes import interleave

__all__ = ["run_rows"]


@entry
def run_rows(
    value, stored, facts_address, table, x, x_end, w, w_end, packed, packing, bias, out,
    counters, space,
):  # fmt: skip
    """Take tasks off the counters until none is left."""
    facts = facts_at(facts_address)
    pack_kernel(
        pack_rows, value, stored, facts, table, w, w_end, packed, space, packing, counters
    )  # fmt: skip
    task = next_task(counters)
    while task < facts.tasks:
        rest, split = task // facts.splits, task % facts.splits
        rest, unit2 = divided(rest, facts.units2, facts.block2)
        rest, unit1 = divided(rest, facts.units1, facts.block1)
        rest, unit0 = divided(rest, facts.units0, facts.block0)
        rows_block(
            value, stored, facts, table, x, x_end, packed, bias, out, space,
            rest // facts.groups, rest % facts.groups, split, (unit0, unit1, unit2),
        )  # fmt: skip
        task = next_task(counters)
    return infinite_values_seen(counters)


@part
def divided(task, count, size):
    """Split a number of a task: the rest, and where the block of an axis begins."""
    blocks = (count + size - 1) // size
    return task // blocks, task % blocks * size


@part
def pack_rows(value, stored, facts, table, w, w_end, packed, scratch, task, packing):
    """Pack the kernel for one tile of output channels of one group."""
    width, rows = itemsize(value), facts.taps * facts.ins
    tiles = facts.pack_tasks // facts.groups
    group, tile = task // tiles, table + facts.chunks + 24 * (task % tiles)
    first, height = index_at(tile, 0), index_at(tile, 1)
    target = packed + group * facts.packed_group + index_at(tile, 2)
    source = w + group * facts.w_group + first * facts.w_out
    for row in range(rows):
        here = source + index_at(table + facts.tap_rows, row)
        copy_in(value, stored, target + row * height * width, here, facts.w_out, height)
    if packing == PACK_AND_LOOK:
        return infinite_bytes(value, target, rows * height * width)
    return 0


@part
def rows_block(
    value, stored, facts, table, x, x_end, packed, bias, out, space, sample, group, split,
    unit,
):  # fmt: skip
    """Compute some units of one sample, for a split of the output channels."""
    count = (
        min(facts.block0, facts.units0 - unit[0]),
        min(facts.block1, facts.units1 - unit[1]),
        min(facts.block2, facts.units2 - unit[2]),
    )
    source = x + sample * facts.in_steps0 + group * facts.ins * facts.in_steps1
    load_residues(value, stored, facts, table, space, source, x_end, unit, count)
    tiles = facts.pack_tasks // facts.groups
    for number in range(tiles * split // facts.splits, tiles * (split + 1) // facts.splits):
        tile = table + facts.chunks + 24 * number
        channel, height = index_at(tile, 0), index_at(tile, 1)
        weights = packed + group * facts.packed_group + index_at(tile, 2)
        here = out + sample * facts.out_steps0
        here += (group * facts.outs + channel) * facts.out_steps1
        start = 0
        if bias != 0:
            start = bias + group * facts.bias_bytes + channel * itemsize(value)
        for row0 in range(0, count[0], facts.run_planes):
            for row1 in range(0, count[1], facts.run_rows):
                cells = space + (row0 * facts.box1 + row1) * facts.pitch * itemsize(value)
                planes = min(facts.run_planes, count[0] - row0)
                rows = min(facts.run_rows, count[1] - row1)
                place = (unit[0] + row0, unit[1] + row1, unit[2])
                run_of_cells(
                    value, stored, facts, table, cells, weights, start, here,
                    space + facts.box_bytes, height, place, (planes, rows, count[2]),
                )  # fmt: skip


@part
def run_of_cells(
    value, stored, facts, table, cells, weights, bias, out, sums, height, unit, count
):
    """Sum one run of cells, in the result itself or in a block that is then written."""
    length = ((count[0] - 1) * facts.box1 + count[1] - 1) * facts.pitch + count[2]
    for phase in range(facts.phases):
        rest, last = phase // facts.out_step2, phase % facts.out_step2
        target, step = sums + last * facts.channels * facts.run_bytes, facts.run_bytes
        if facts.in_place == 1:
            i_out = unit[0] * facts.out_step0 + rest // facts.out_step1
            j_out = unit[1] * facts.out_step1 + rest % facts.out_step1
            if i_out >= facts.out_size0 or j_out >= facts.out_size1:
                continue
            target = out + i_out * facts.out_steps2 + j_out * facts.out_steps3
            target, step = target + unit[2] * facts.out_steps4, facts.out_steps1
        sum_run(
            value, facts, table, cells, weights, bias, target, step, phase, height, length
        )  # fmt: skip
        if facts.in_place == 0 and last == facts.out_step2 - 1:
            write_run(value, stored, facts, out, sums, phase - last, height, unit, count)


@part
def sum_run(value, facts, table, x, weights, bias, out, step, phase, height, length):
    """Sum the products of one run of cells, for one phase.

    In the result itself, the last tile ends with the run, so that it may begin in the tile
    before, which has the same sums there.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    vectors = (length + lanes - 1) // lanes
    first = index_at(table + facts.phase_first, phase) * facts.ins
    count = index_at(table + facts.phase_first, phase + 1) * facts.ins - first
    tiles = table + index_at(table + facts.tiles, height)
    most = index_at(tiles, 0)
    whole = (vectors - 1) // most
    end, narrow = vectors * VECTOR_BYTES, 0
    if facts.in_place == 1 and vectors * lanes > length:
        end, narrow = length * itemsize(value), whole == 0
    rest = tiles + index_at(tiles, 2 * (vectors - whole * most) + narrow)
    place = 0
    for number in range(whole + index_at(rest, 0)):
        tile = most
        if number >= whole:
            tile = index_at(rest, 1 + number - whole)
            place = min(place, end - tile * VECTOR_BYTES)
        sum_tile(
            value, table + facts.offsets + 8 * first, count, x + place,
            weights + first * height * itemsize(value), bias, out + place, step, height,
            tile,
        )  # fmt: skip
        place += tile * VECTOR_BYTES


@part
def sum_tile(value, offsets, count, x, weights, bias, out, step, height, vectors):
    """Sum some vectors of cells of some output channels."""
    width, add = itemsize(value), 0
    if bias != 0:
        add = 1
        for channel in range(height):
            repeat(value, out + channel * step, bias + channel * width, vectors)
    elif count == 0:
        for channel in range(height):
            fill_vectors(value, out + channel * step, vectors)
    chains = (count + CHAIN - 1) // CHAIN
    for chain in range(chains):
        begin, end = count * chain // chains, count * (chain + 1) // chains
        rows_tile(
            value, 100 * height + vectors, x, offsets + 8 * begin, end - begin,
            weights + begin * height * width, out, step, add,
        )  # fmt: skip
        add = 1


@part
def write_run(value, stored, facts, out, sums, phase, channels, unit, count):
    """Write the rows of one run, the phases of the last axis interleaved."""
    phase0 = phase // facts.out_step2 // facts.out_step1
    phase1 = phase // facts.out_step2 % facts.out_step1
    width = itemsize(value)
    for i in range(count[0]):
        i_out = (unit[0] + i) * facts.out_step0 + phase0
        if i_out >= facts.out_size0:
            continue
        for j in range(count[1]):
            j_out = (unit[1] + j) * facts.out_step1 + phase1
            if j_out >= facts.out_size1:
                continue
            target = out + i_out * facts.out_steps2 + j_out * facts.out_steps3
            source = sums + (i * facts.box1 + j) * facts.pitch * width
            for channel in range(channels):
                write_row(
                    value, stored, facts, target + channel * facts.out_steps1,
                    source + channel * facts.run_bytes, unit[2], count[2],
                )  # fmt: skip


@part
def write_row(value, stored, facts, out, source, unit, count):
    """Interleave the phases of one row of units, cut where the result ends."""
    ways, step = facts.out_step2, facts.out_steps4
    between = facts.channels * facts.run_bytes
    first = unit * ways
    whole = min(count, (facts.out_size2 - first) // ways)
    target = out + first * step
    if step == itemsize(stored):
        interleave(value, stored, ways, target, source, between, whole)
    else:
        for phase in range(ways):
            copy_strided(
                value, value, stored, target + phase * step, ways * step,
                source + phase * between, itemsize(value), whole,
            )  # fmt: skip
    if whole < count:
        target += whole * ways * step
        for phase in range(facts.out_size2 - first - whole * ways):
            copy_strided(
                value, value, stored, target + phase * step, 0,
                source + phase * between + whole * itemsize(value), 0, 1,
            )  # fmt: skip
