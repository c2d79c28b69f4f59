"""Output channels in the lanes of vectors: convolutions and transposed convolutions.

A tile is a few cells, at any offsets, by up to three vectors of output channels. Elements
of the input are broadcast, so strides and dilations cost nothing; the kernel is packed so
that output channels lie side by side.
"""

from __future__ import annotations

from mtconv.backends._numba.box import load_box
from mtconv.backends._numba.counters import infinite_values_seen, next_task, pack_kernel
from mtconv.backends._numba.emit import CELLS, VECTOR_BYTES
from mtconv.backends._numba.facts import PACK_AND_LOOK
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.looks import infinite_bytes, infinite_values
from mtconv.backends._numba.moves import (
    copy,
    copy_in,
    copy_out,
    fill,
    index_at,
    itemsize,
)
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.tiles import lanes_tile
from mtconv.backends._numba.transposes import lanes_to_rows, rows_to_lanes

__all__ = ["run_lanes"]


@part
def pack_lanes(value, stored, facts, table, w, w_end, packed, scratch, task, packing):
    """Pack some input channels of one group: rows of taps, output channels side by side."""
    parts = (facts.ins + facts.pack_channels - 1) // facts.pack_channels
    group = task // parts
    first = task % parts * facts.pack_channels
    last = min(facts.ins, first + facts.pack_channels)
    width, infinite = itemsize(value), 0
    lanes = VECTOR_BYTES // width
    chunks = index_at(table + facts.split_first, facts.splits)
    for chunk in range(chunks):
        here = table + facts.chunks + 32 * chunk
        lane, step = index_at(here, 0) // width, index_at(here, 2)
        base = packed + group * facts.packed_group + index_at(here, 3)
        for vector in range(step // VECTOR_BYTES):
            channel = lane + vector * lanes
            rows = min(lanes, facts.outs - channel)
            source = w + group * facts.w_group + channel * facts.w_out
            target = base + vector * VECTOR_BYTES
            if facts.w_flat == 2:  # channels and taps of the kernel follow one another
                rows_to_lanes(
                    value, stored, target + first * facts.taps * step, step,
                    source + first * facts.w_in, facts.w_out, rows,
                    (last - first) * facts.taps, w_end,
                )  # fmt: skip
                if packing == PACK_AND_LOOK:
                    infinite += infinite_values(
                        value, target + first * facts.taps * step, step,
                        (last - first) * facts.taps,
                    )  # fmt: skip
                continue
            for c in range(first, last):
                if facts.w_flat == 3:  # taps follow one another
                    infinite += pack_taps(
                        value, stored, facts, target, step, source + c * facts.w_in, rows,
                        c, w_end, packing,
                    )  # fmt: skip
                    continue
                infinite += pack_channel(
                    value, stored, facts, table, target, step, source + c * facts.w_in,
                    rows, c, w_end, scratch, packing,
                )  # fmt: skip
    return infinite


@part
def pack_taps(value, stored, facts, target, step, source, rows, c, w_end, packing):
    """Pack one vector of output channels for one input channel, taps before channels."""
    first = c - c % facts.box_channels
    channels = min(facts.box_channels, facts.ins - first)
    here = target + (first * facts.taps + c - first) * step
    rows_to_lanes(
        value, stored, here, channels * step, source, facts.w_out, rows, facts.taps, w_end
    )
    if packing == PACK_AND_LOOK:
        return infinite_values(value, here, channels * step, facts.taps)
    return 0


@part
def pack_channel(
    value, stored, facts, table, target, step, source, rows, c, w_end, scratch, packing
):
    """Pack one vector of output channels for one input channel, every tap at its row."""
    lanes, infinite = VECTOR_BYTES // itemsize(value), 0
    first = c - c % facts.box_channels
    channels = min(facts.box_channels, facts.ins - first)
    if facts.w_flat == 1:
        count = facts.taps_whole
        rows_to_lanes(
            value, stored, scratch, VECTOR_BYTES, source, facts.w_out, rows, count, w_end
        )
        if packing == PACK_AND_LOOK:
            infinite += infinite_values(value, scratch, VECTOR_BYTES, count)
    for tap in range(facts.taps):
        here = table + facts.tap_rows + 32 * tap
        row = index_at(here, 0) * facts.ins + c * index_at(here, 1) + index_at(here, 2)
        if facts.taps_first == 1:
            row = first * facts.taps + index_at(here, 0) * channels + c - first
        if facts.w_flat == 1:
            place = index_at(here, 3)
            copy(
                value,
                value,
                value,
                target + row * step,
                scratch + place * VECTOR_BYTES,
                lanes,
            )
        else:
            place = source + index_at(here, 3)
            copy_in(value, stored, target + row * step, place, facts.w_out, rows)
            if packing == PACK_AND_LOOK:
                size = rows * itemsize(value)
                infinite += infinite_bytes(value, target + row * step, size)
    return infinite


@entry
def run_lanes(
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
    box = space
    sums = box + facts.box_bytes
    scratch = sums + facts.sums_bytes
    pack_kernel(
        pack_lanes, value, stored, facts, table, w, w_end, packed, scratch, packing,
        counters,
    )  # fmt: skip
    task = next_task(counters)
    while task < facts.tasks:
        lanes_block(value, stored, facts, table, x, packed, bias, out, box, sums, task)
        task = next_task(counters)
    return infinite_values_seen(counters)


@part
def lanes_block(value, stored, facts, table, x, packed, bias, out, box, sums, task):
    """Compute the result of some samples and units, for a split of the output channels."""
    rest, split = task // facts.splits, task % facts.splits
    blocks2 = (facts.units2 + facts.block2 - 1) // facts.block2
    blocks1 = (facts.units1 + facts.block1 - 1) // facts.block1
    blocks0 = (facts.units0 + facts.block0 - 1) // facts.block0
    number = rest % (blocks0 * blocks1 * blocks2)
    rest, unit2 = rest // blocks2, rest % blocks2 * facts.block2
    rest, unit1 = rest // blocks1, rest % blocks1 * facts.block1
    rest, unit0 = rest // blocks0, rest % blocks0 * facts.block0
    sample, group = rest // facts.groups * facts.samples, rest % facts.groups
    samples = min(facts.samples, facts.batch - sample)
    count0 = min(facts.block0, facts.units0 - unit0)
    count1 = min(facts.block1, facts.units1 - unit1)
    count2 = min(facts.block2, facts.units2 - unit2)
    edges = (
        8 * (samples < facts.samples) + 4 * (count0 < facts.block0)
        + 2 * (count1 < facts.block1) + (count2 < facts.block2)
    )  # fmt: skip
    if facts.taps_first == 1:
        edges = 2 * number + (samples < facts.samples)
    extent = table + facts.extents + 32 * edges
    cells, cells_table = index_at(extent, 0), table + index_at(extent, 1)
    places, chains = table + index_at(extent, 2), table + index_at(extent, 3)
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
    chunk_first = index_at(table + facts.split_first, split)
    chunk_last = index_at(table + facts.split_first, split + 1)
    lane_first = index_at(table + facts.chunks + 32 * chunk_first, 0)
    add = start_sums(value, facts, table, bias, sums, group, lane_first, samples)
    for c in range(0, facts.ins, facts.box_channels):
        channels = min(facts.box_channels, facts.ins - c)
        source = x + sample * facts.in_steps0 + (group * facts.ins + c) * facts.in_steps1
        here = box
        if facts.direct == 1:
            here = (
                source + first[0] * facts.in_steps2 + first[1] * facts.in_steps3
                + first[2] * facts.in_steps4
            )  # fmt: skip
        else:
            for s in range(samples):
                load_box(
                    value, stored, facts, box + s * facts.box_sample,
                    source + s * facts.in_steps0, channels, first, size,
                )  # fmt: skip
        for chunk in range(chunk_first, chunk_last):
            multiply(
                value, facts, table, here, cells, cells_table, places,
                packed + group * facts.packed_group, sums - lane_first, chunk, c, channels,
                chains, add,
            )  # fmt: skip
        add = 1
    write_block(
        value, stored, facts, out + sample * facts.out_steps0, sums, group, lane_first,
        index_at(table + facts.chunks + 32 * (chunk_last - 1), 4), samples,
        (unit0, unit1, unit2), (count0, count1, count2),
    )  # fmt: skip


@part
def start_sums(value, facts, table, bias, sums, group, lane_first, samples):
    """Write the bias, or zeros where a phase has no taps; return whether to add to it."""
    width = itemsize(value)
    positions = (
        samples * facts.block0 * facts.out_step0 * facts.block1 * facts.out_step1
        * facts.block2 * facts.out_step2
    )  # fmt: skip
    count = facts.row_bytes // width
    if bias != 0:
        here = bias + group * facts.bias_bytes + lane_first
        for position in range(positions):
            copy(value, value, value, sums + position * facts.row_bytes, here, count)
        return 1
    for phase in range(facts.phases):
        first = index_at(table + facts.phase_first, phase)
        if index_at(table + facts.phase_first, phase + 1) == first:
            fill(value, value, sums, width, positions * count)
            break
    return 0


@part
def multiply(
    value, facts, table, x, cells, cells_table, places, packed, sums, chunk, c, channels,
    chains, add,
):  # fmt: skip
    """Add up the products of some input channels with one chunk of output channels."""
    here = table + facts.chunks + 32 * chunk
    lane, grains, step = index_at(here, 0), index_at(here, 1), index_at(here, 2)
    weights = packed + index_at(here, 3)
    every = table + facts.offsets
    if channels < facts.box_channels:
        every = table + facts.offsets_rest
        chains += 16 * facts.phases
    width = facts.row_bytes
    for phase in range(facts.phases):
        first = index_at(table + facts.phase_first, phase)
        taps = index_at(table + facts.phase_first, phase + 1) - first
        if taps == 0:
            continue
        rest, phase2 = phase // facts.out_step2, phase % facts.out_step2
        phase0, phase1 = rest // facts.out_step1, rest % facts.out_step1
        row = phase0 * facts.block1 * facts.out_step1 + phase1
        position = row * facts.block2 * facts.out_step2 + phase2
        target = sums + lane + position * width
        offsets = every + 8 * first * channels
        if facts.taps_first == 1:
            factors = weights + (c * facts.taps + first * channels) * step
        else:
            factors = weights + (first * facts.ins + c * taps) * step
        chain, adds = table + index_at(chains, 2 * phase + 1), add
        for _ in range(index_at(chains, 2 * phase)):
            for q in range(0, cells, CELLS):
                begin, count = index_at(chain, 0), index_at(chain, 1)
                if count > 0:
                    lanes_tile(
                        value, grains, x, cells_table + 8 * q, offsets + 8 * begin, count,
                        factors + begin * step, step, target, places + 8 * q, adds,
                        cells - q,
                    )  # fmt: skip
                chain += 16 * facts.taps_first
            if facts.taps_first == 0:  # all tiles have the same chains
                chain += 16
            adds = 1


@part
def write_block(
    value, stored, facts, out, sums, group, lane_first, lane_last, samples, unit, count
):
    """Write a block of sums, output channels side by side, to its place in the result."""
    width = itemsize(value)
    channel = group * facts.outs + lane_first // width
    channels = min(facts.outs, lane_last // width) - lane_first // width
    out += channel * facts.out_steps1
    positions2 = facts.block2 * facts.out_step2
    positions1 = facts.block1 * facts.out_step1
    positions0 = facts.block0 * facts.out_step0
    first0 = unit[0] * facts.out_step0
    first1 = unit[1] * facts.out_step1
    first2 = unit[2] * facts.out_step2
    rows0 = min(count[0] * facts.out_step0, facts.out_size0 - first0)
    rows1 = min(count[1] * facts.out_step1, facts.out_size1 - first1)
    cells = min(count[2] * facts.out_step2, facts.out_size2 - first2)
    step1, step2 = facts.out_steps3, facts.out_steps4
    # Whole rows that follow one another, here and there, are one long row.
    if cells == positions2 and cells == facts.out_size2 and step1 == cells * step2:
        cells, rows1 = cells * rows1, 1
    for sample in range(samples):
        for i in range(rows0):
            for j in range(rows1):
                place = (sample * positions0 + i) * positions1 + j
                source = sums + place * positions2 * facts.row_bytes
                target = (
                    out + sample * facts.out_steps0 + (first0 + i) * facts.out_steps2
                    + (first1 + j) * step1 + first2 * step2
                )  # fmt: skip
                write_row(value, stored, facts, target, source, channels, cells)


@part
def write_row(value, stored, facts, target, source, channels, cells):
    """Write some cells of one row, for all of their channels."""
    size = itemsize(stored)
    channel_step, cell_step = facts.out_steps1, facts.out_steps4
    if cell_step == size:
        lanes_to_rows(
            value, stored, target, channel_step, source, facts.row_bytes, channels, cells
        )
    else:
        for cell in range(cells):
            copy_out(
                value, stored, target + cell * cell_step, channel_step,
                source + cell * facts.row_bytes, channels,
            )  # fmt: skip
