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
    fill,
    fill_vectors,
    index_at,
    itemsize,
    repeat,
)
from mtconv.backends._numba.record import facts_at
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
            value, stored, facts, table, x, packed, bias, out, space, rest // facts.groups,
            rest % facts.groups, split, (unit0, unit1, unit2),
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
    """Pack the kernel for one tile of output channels; the last one fills the tile."""
    width = itemsize(value)
    tiles = (facts.outs + facts.channels - 1) // facts.channels
    group, first = task // tiles, task % tiles * facts.channels
    count = min(facts.channels, facts.outs - first)
    step = facts.channels * width
    target = packed + (group * tiles + task % tiles) * facts.taps * facts.ins * step
    source = w + group * facts.w_group + first * facts.w_out
    for row in range(facts.taps * facts.ins):
        here = source + index_at(table + facts.tap_rows, row)
        copy_in(value, stored, target, here, facts.w_out, count)
        for channel in range(count, facts.channels):
            copy_strided(
                value, value, value, target + channel * width, 0,
                target + (count - 1) * width, 0, 1,
            )  # fmt: skip
        target += step
    if packing == PACK_AND_LOOK:
        size = facts.taps * facts.ins * step
        return infinite_bytes(value, target - size, size)
    return 0


@part
def rows_block(
    value, stored, facts, table, x, packed, bias, out, space, sample, group, split, unit
):
    """Compute some units of one sample, for a split of the output channels."""
    count0 = min(facts.block0, facts.units0 - unit[0])
    count1 = min(facts.block1, facts.units1 - unit[1])
    count2 = min(facts.block2, facts.units2 - unit[2])
    source = x + sample * facts.in_steps0 + group * facts.ins * facts.in_steps1
    load_residues(value, stored, facts, space, source, unit, (count0, count1, count2))
    sums = space + facts.box_bytes
    tiles = (facts.outs + facts.channels - 1) // facts.channels
    target = out + sample * facts.out_steps0
    for tile in range(tiles * split // facts.splits, tiles * (split + 1) // facts.splits):
        weights = packed + (group * tiles + tile) * facts.taps * facts.ins * (
            facts.channels * itemsize(value)
        )
        channel = tile * facts.channels
        channels = min(facts.channels, facts.outs - channel)
        here = target + (group * facts.outs + channel) * facts.out_steps1
        start = 0
        if bias != 0:
            start = bias + group * facts.bias_bytes + channel * itemsize(value)
        for row0 in range(0, count0, facts.run_planes):
            for row1 in range(0, count1, facts.run_rows):
                cells = space + (row0 * facts.box1 + row1) * facts.pitch * itemsize(value)
                planes = min(facts.run_planes, count0 - row0)
                rows = min(facts.run_rows, count1 - row1)
                length = ((planes - 1) * facts.box1 + rows - 1) * facts.pitch + count2
                for phase in range(0, facts.phases, facts.out_step2):
                    sum_run(
                        value,
                        facts,
                        table,
                        cells,
                        weights,
                        start,
                        sums,
                        phase,
                        channels,
                        length,
                    )
                    write_run(
                        value, stored, facts, here, sums, phase, channels,
                        (unit[0] + row0, unit[1] + row1, unit[2]), (planes, rows, count2),
                    )  # fmt: skip


@part
def sum_run(value, facts, table, x, weights, bias, sums, phase, channels, length):
    """Sum the products of one run of cells, for the phases of the last axis."""
    lanes = VECTOR_BYTES // itemsize(value)
    vectors = (length + lanes - 1) // lanes
    step = facts.channels * itemsize(value)
    tiles = table + facts.tiles + index_at(table + facts.tiles, vectors)
    for last in range(facts.out_step2):
        target = sums + last * facts.channels * facts.run_bytes
        first = index_at(table + facts.phase_first, phase + last) * facts.ins
        count = index_at(table + facts.phase_first, phase + last + 1) * facts.ins - first
        adds = 0
        if bias != 0:
            adds = 1
            for channel in range(channels):
                place = target + channel * facts.run_bytes
                repeat(value, place, bias + channel * itemsize(value), vectors)
        elif count == 0:
            for channel in range(channels):
                fill_vectors(value, target + channel * facts.run_bytes, vectors)
        chains = (count + CHAIN - 1) // CHAIN
        for number in range(index_at(tiles, 0)):
            start, tile = index_at(tiles, 1 + 2 * number), index_at(tiles, 2 + 2 * number)
            add = adds
            for chain in range(chains):
                begin = first + count * chain // chains
                end = first + count * (chain + 1) // chains
                rows_tile(
                    value, tile, x + start, table + facts.offsets + 8 * begin, end - begin,
                    weights + begin * step, target + start, facts.run_bytes, add,
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


@part
def load_residues(value, stored, facts, box, source, unit, count):
    """Copy the cells that some units reach, sorted by their residues modulo the strides."""
    first0 = unit[0] * facts.in_step0 + facts.start0
    first1 = unit[1] * facts.in_step1 + facts.start1
    first2 = unit[2] * facts.in_step2 + facts.start2
    size0 = facts.box0 - (facts.block0 - count[0])
    size1 = facts.box1 - (facts.block1 - count[1])
    size2 = facts.pitch - (facts.block2 - count[2])
    residues = facts.in_step0 * facts.in_step1 * facts.in_step2
    for channel in range(facts.ins):
        for residue in range(residues):
            here = box + channel * facts.box_channel + residue * facts.residue
            rest, residue2 = residue // facts.in_step2, residue % facts.in_step2
            residue0, residue1 = rest // facts.in_step1, rest % facts.in_step1
            load_plane(
                value, stored, facts, here, source + channel * facts.in_steps1,
                (first0 + residue0, first1 + residue1, first2 + residue2),
                (size0, size1, size2),
            )  # fmt: skip


@part
def load_plane(value, stored, facts, box, source, first, size):
    """Copy the cells of one residue, ``in_step`` apart, with zeros where the input ends."""
    width = itemsize(value)
    first2, step2 = first[2], facts.in_step2
    low = 0
    if first2 < 0:
        low = min(size[2], (step2 - 1 - first2) // step2)
    high = max(low, min(size[2], (facts.in_size2 - first2 + step2 - 1) // step2))
    for i in range(size[0]):
        i_in = first[0] + i * facts.in_step0
        for j in range(size[1]):
            j_in = first[1] + j * facts.in_step1
            row = box + (i * facts.box1 + j) * facts.pitch * width
            if i_in < 0 or i_in >= facts.in_size0 or j_in < 0 or j_in >= facts.in_size1:
                fill(value, value, row, width, size[2])
                continue
            there = source + i_in * facts.in_steps2 + j_in * facts.in_steps3
            there += (first2 + low * step2) * facts.in_steps4
            fill(value, value, row, width, low)
            copy_in(
                value, stored, row + low * width, there, step2 * facts.in_steps4, high - low
            )
            fill(value, value, row + high * width, width, size[2] - high)
