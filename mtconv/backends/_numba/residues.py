"""The box of `rows`: cells of the input sorted by their residues modulo the strides."""

from __future__ import annotations

from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import (
    copy_in,
    copy_strided,
    fill,
    index_at,
    itemsize,
)
from mtconv.backends._numba.transposes import deinterleave

__all__ = ["load_residues"]


@part
def load_residues(value, stored, facts, table, box, source, x_end, unit, count):
    """Copy the cells that some units reach, those of every residue side by side."""
    first = (
        unit[0] * facts.in_step0 + facts.start0,
        unit[1] * facts.in_step1 + facts.start1,
        unit[2] * facts.in_step2 + facts.start2,
    )
    size = (
        facts.box0 - (facts.block0 - count[0]),
        facts.box1 - (facts.block1 - count[1]),
        facts.pitch - (facts.block2 - count[2]),
    )
    ways = facts.in_step2
    low = min(size[2], max(0, (ways - 1 - first[2]) // ways))
    high = min(size[2], max(low, (facts.in_size2 - first[2]) // ways))
    residues = table + facts.row_places
    for channel in range(facts.ins):
        for number in range(index_at(residues, 0)):
            residue0 = index_at(residues, 1 + 2 * number)
            residue1 = index_at(residues, 2 + 2 * number)
            residue = (residue0 * facts.in_step1 + residue1) * ways
            load_rows(
                value, stored, facts,
                box + channel * facts.box_channel + residue * facts.residue,
                source + channel * facts.in_steps1, x_end,
                (first[0] + residue0, first[1] + residue1, first[2]), size, (low, high),
            )  # fmt: skip


@part
def load_rows(value, stored, facts, box, source, x_end, first, size, inside):
    """Copy rows ``in_step`` apart, with zeros where the input ends."""
    width, ways = itemsize(value), facts.in_step2
    low, high = inside
    shift = (first[2] + low * ways) * facts.in_steps4
    for i in range(size[0]):
        i_in = first[0] + i * facts.in_step0
        for j in range(size[1]):
            j_in = first[1] + j * facts.in_step1
            row = box + (i * facts.box1 + j) * facts.pitch * width
            there = source + i_in * facts.in_steps2 + j_in * facts.in_steps3
            if i_in < 0 or i_in >= facts.in_size0 or j_in < 0 or j_in >= facts.in_size1:
                for residue in range(ways):
                    fill(value, value, row + residue * facts.residue, width, size[2])
            elif ways > 1:
                load_row(
                    value, stored, facts, row, there, x_end, first[2], size[2], inside
                )  # fmt: skip
            else:
                fill(value, value, row, width, low)
                copy_in(
                    value, stored, row + low * width, there + shift, facts.in_steps4,
                    high - low,
                )  # fmt: skip
                fill(value, value, row + high * width, width, size[2] - high)


@part
def load_row(value, stored, facts, row, source, x_end, first, size, inside):
    """Copy one row for all residues of the last axis.

    Cells ``inside`` have all of them; those beside may have a few.
    """
    ways, width, step = facts.in_step2, itemsize(value), facts.in_steps4
    low, high = inside
    here, there = row + low * width, source + (first + low * ways) * step
    if step == itemsize(stored):
        deinterleave(
            value, stored, ways, here, facts.residue, there, high - low, x_end
        )  # fmt: skip
    else:
        for residue in range(ways):
            copy_in(
                value, stored, here + residue * facts.residue, there + residue * step,
                ways * step, high - low,
            )  # fmt: skip
    if low > 0 or high < size:
        for residue in range(ways):
            here = row + residue * facts.residue
            fill(value, value, here, width, low)
            fill(value, value, here + high * width, width, size - high)
        load_cell(value, stored, facts, row, source, first, size, low - 1)
        load_cell(value, stored, facts, row, source, first, size, high)


@part
def load_cell(value, stored, facts, row, source, first, size, cell):
    """Copy those residues of a cell that the input has."""
    if cell < 0 or cell >= size:
        return
    for residue in range(facts.in_step2):
        place = first + cell * facts.in_step2 + residue
        if place >= 0 and place < facts.in_size2:
            copy_strided(
                value, stored, value,
                row + residue * facts.residue + cell * itemsize(value), 0,
                source + place * facts.in_steps4, 0, 1,
            )  # fmt: skip
