"""Columns, added up where they overlap: transposed convolutions to few output channels.

A column is one tap of one output channel times every cell of the input, a plain matrix
product with cells in the lanes and the input as it lies. Columns of a block stay in the
cache, and each cell of the result is the sum of those that meet there. What a tap would
read outside of the input is left out, so nothing is padded.
"""

from __future__ import annotations

from mtconv.backends._numba.additions import add_row
from mtconv.backends._numba.counters import infinite_values_seen, next_task, pack_kernel
from mtconv.backends._numba.emit import VECTOR_BYTES
from mtconv.backends._numba.facts import CHAIN, PACK_AND_LOOK
from mtconv.backends._numba.jit import entry, part
from mtconv.backends._numba.looks import infinite_bytes
from mtconv.backends._numba.moves import (
    copy,
    copy_in,
    copy_strided,
    fill_vectors,
    index_at,
    itemsize,
    repeat,
)
from mtconv.backends._numba.record import facts_at
from mtconv.backends._numba.rows import divided, write_row
from mtconv.backends._numba.tiles import rows_tile

__all__ = ["run_columns"]


@entry
def run_columns(
    value, stored, facts_address, table, x, x_end, w, w_end, packed, packing, bias, out,
    counters, space,
):  # fmt: skip
    """Take tasks off the counters until none is left."""
    facts = facts_at(facts_address)
    pack_kernel(
        pack_columns, value, stored, facts, table, w, w_end, packed, space, packing,
        counters,
    )  # fmt: skip
    task = next_task(counters)
    while task < facts.tasks:
        rest, split = task // facts.splits, task % facts.splits
        rest, unit2 = divided(rest, facts.units2, facts.block2)
        rest, unit1 = divided(rest, facts.units1, facts.block1)
        rest, plane = rest // facts.out_size0, rest % facts.out_size0
        columns_block(
            value, stored, facts, table, x, packed, bias, out, space, rest // facts.groups,
            rest % facts.groups, split, plane, (unit1, unit2),
        )  # fmt: skip
        task = next_task(counters)
    return infinite_values_seen(counters)


@part
def pack_columns(value, stored, facts, table, w, w_end, packed, scratch, task, packing):
    """Pack a few input channels, for one tap of the first axis: a tile after another."""
    width, infinite = itemsize(value), 0
    parts = (facts.ins + facts.pack_channels - 1) // facts.pack_channels
    rest, first = task // parts, task % parts * facts.pack_channels
    last = min(facts.ins, first + facts.pack_channels)
    group, tap = rest // facts.planes, rest % facts.planes
    source = w + group * facts.w_group + index_at(table + facts.tap_rows, tap)
    for tile in range(index_at(table + facts.split_first, facts.splits)):
        here = table + facts.chunks + 32 * tile
        height, place = index_at(here, 1), index_at(here, 2)
        rows = table + facts.row_places + 8 * index_at(here, 0)
        target = packed + rest * facts.packed_group + place + first * height * width
        for channel in range(first, last):
            there = source + channel * facts.w_in
            if index_at(here, 3) == 1:  # the rows follow one another
                copy(value, stored, value, target, there + index_at(rows, 0), height)
            else:
                for row in range(height):
                    copy_strided(
                        value, stored, value, target + row * width, 0,
                        there + index_at(rows, row), 0, 1,
                    )  # fmt: skip
            target += height * width
        if packing == PACK_AND_LOOK:
            size = (last - first) * height * width
            infinite += infinite_bytes(value, target - size, size)
    return infinite


@part
def columns_block(
    value, stored, facts, table, x, packed, bias, out, space, sample, group, split, plane,
    unit,
):  # fmt: skip
    """Compute some units of one plane of the result, for some of its channels."""
    count1 = min(facts.block1, facts.units1 - unit[0])
    count2 = min(facts.block2, facts.units2 - unit[1])
    first1 = unit[0] + facts.start1
    first2 = unit[1] + facts.start2
    low1, low2 = max(0, first1), max(0, first2)
    high1 = max(low1, min(facts.in_size1, first1 + count1 + facts.reach1))
    high2 = max(low2, min(facts.in_size2, first2 + count2 + facts.reach2))
    if facts.in_size1 > 1:  # whole rows, which follow one another
        low2, high2 = 0, facts.in_size2
    cells = (high1 - low1) * (high2 - low2)
    columns = space + facts.box_bytes
    pieces = 0
    unit0, phase0 = plane // facts.out_step0, plane % facts.out_step0
    for tap in range(
        index_at(table + facts.phase_first, phase0),
        index_at(table + facts.phase_first, phase0 + 1),
    ):
        cell0 = unit0 + facts.start0 + index_at(table + facts.offsets0, tap)
        if 0 <= cell0 < facts.in_size0 and cells > 0:
            source = x + sample * facts.in_steps0 + group * facts.ins * facts.in_steps1
            source += cell0 * facts.in_steps2 + low1 * facts.in_steps3
            source += low2 * facts.in_steps4
            multiply_columns(
                value, stored, facts, table, source, space,
                packed + (group * facts.planes + tap) * facts.packed_group,
                columns + pieces * facts.piece_bytes, split, cells,
            )  # fmt: skip
            pieces += 1
    add_columns(
        value, stored, facts, table, columns, pieces, bias,
        out + sample * facts.out_steps0 + plane * facts.out_steps2,
        columns + facts.lanes_bytes, group, split, unit, (count1, count2),
        (low1, high1, low2, high2),
    )  # fmt: skip


@part
def multiply_columns(
    value, stored, facts, table, source, chunk, packed, columns, split, cells
):
    """Compute the columns of a split: some cells at a time, which all its tiles read."""
    lanes, width = VECTOR_BYTES // itemsize(value), itemsize(value)
    most = facts.box_channel // width
    for first in range(0, cells, most):
        count = min(most, cells - first)
        for channel in range(facts.ins):
            copy_in(
                value, stored, chunk + channel * facts.box_channel,
                source + channel * facts.in_steps1 + first * facts.in_steps4,
                facts.in_steps4, count,
            )  # fmt: skip
        for start in range(0, (count + lanes - 1) // lanes, facts.run_rows):
            multiply_run(
                value, facts, table, chunk + start * VECTOR_BYTES, packed,
                columns + first * width + start * VECTOR_BYTES, split,
                min(facts.run_rows, (count + lanes - 1) // lanes - start),
            )  # fmt: skip


@part
def multiply_run(value, facts, table, chunk, packed, columns, split, vectors):
    """Multiply a few vectors of cells, which stay in the first cache, by all tiles."""
    width = itemsize(value)
    chains = (facts.ins + CHAIN - 1) // CHAIN
    row_first = index_at(table + facts.row_first, split)
    for tile in range(
        index_at(table + facts.split_first, split),
        index_at(table + facts.split_first, split + 1),
    ):
        here = table + facts.chunks + 32 * tile
        row, height, place = index_at(here, 0), index_at(here, 1), index_at(here, 2)
        runs = table + index_at(table + facts.tiles, height)
        runs += index_at(runs, vectors)
        target = columns + (row - row_first) * facts.pitch
        for run in range(index_at(runs, 0)):
            start, form = index_at(runs, 1 + 2 * run), index_at(runs, 2 + 2 * run)
            for chain in range(chains):
                begin = facts.ins * chain // chains
                end = facts.ins * (chain + 1) // chains
                rows_tile(
                    value, form, chunk + start, table + facts.offsets + 8 * begin,
                    end - begin, packed + place + begin * height * width,
                    target + start, facts.pitch, 1 * (chain > 0),
                )  # fmt: skip


@part
def add_columns(
    value, stored, facts, table, columns, pieces, bias, out, sums, group, split, unit,
    count, cells,
):  # fmt: skip
    """Add up the columns that meet in each row of the result, and write it."""
    vectors = facts.run_bytes // VECTOR_BYTES
    row_first = index_at(table + facts.row_first, split)
    for line in range(
        index_at(table + facts.line_first, split),
        index_at(table + facts.line_first, split + 1),
    ):
        phase1, channel = line // facts.outs, line % facts.outs
        here = columns + (index_at(table + facts.line_rows, line) - row_first) * facts.pitch
        target = out + (group * facts.outs + channel) * facts.out_steps1
        for i in range(count[0]):
            cell = (unit[0] + i) * facts.out_step1 + phase1
            if cell >= facts.out_size1:
                continue
            for phase2 in range(facts.out_step2):
                row = sums + phase2 * facts.run_bytes
                if bias != 0:
                    place = group * facts.bias_bytes + channel * itemsize(value)
                    repeat(value, row, bias + place, vectors)
                else:
                    fill_vectors(value, row, vectors)
                for piece in range(pieces):
                    add_taps(
                        value, facts, table, here + piece * facts.piece_bytes, row,
                        phase1, phase2, unit[0] + i, unit[1], count[1], cells,
                    )  # fmt: skip
            write_row(
                value, stored, facts, target + cell * facts.out_steps3, sums, unit[1],
                count[1],
            )  # fmt: skip


@part
def add_taps(
    value, facts, table, columns, row, phase1, phase2, unit1, unit2, count2, cells
):
    """Add the columns of all taps of two phases to one row of units."""
    width = itemsize(value)
    low1, high1, low2, high2 = cells
    taps1 = table + facts.taps1 + 8 * index_at(table + facts.taps1, phase1)
    taps2 = table + facts.taps2 + 8 * index_at(table + facts.taps2, phase2)
    for tap1 in range(index_at(taps1, 0)):
        cell1 = unit1 + facts.start1 + index_at(taps1, 1 + tap1)
        if cell1 < low1 or cell1 >= high1:
            continue
        line = columns + tap1 * facts.row_taps * facts.pitch
        line += (cell1 - low1) * (high2 - low2) * width
        for tap2 in range(index_at(taps2, 0)):
            first = unit2 + facts.start2 + index_at(taps2, 1 + 2 * tap2) - low2
            low = max(0, -first)
            high = min(count2, high2 - low2 - first)
            column = line + index_at(taps2, 2 + 2 * tap2) * facts.pitch
            add_row(value, row + low * width, column + (first + low) * width, high - low)
