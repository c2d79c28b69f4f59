"""The box of `rows`: cells of the input sorted by their residues modulo the strides."""

from __future__ import annotations

from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import copy_in, copy_strided, fill_row, index_at, itemsize
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
    residues = table + facts.row_places
    for channel in range(facts.ins):
        for number in range(index_at(residues, 0)):
            residue0 = index_at(residues, 1 + 2 * number)
            residue1 = index_at(residues, 2 + 2 * number)
            residue = (residue0 * facts.in_step1 + residue1) * facts.in_step2
            load_rows(
                value, stored, facts,
                box + channel * facts.box_channel + residue * facts.residue,
                source + channel * facts.in_steps1, x_end,
                (first[0] + residue0, first[1] + residue1, first[2]), size,
            )  # fmt: skip


@part
def load_rows(value, stored, facts, box, source, x_end, first, size):
    """Copy rows ``in_step`` apart, with zeros where the input ends."""
    width = itemsize(value)
    for i in range(size[0]):
        i_in = first[0] + i * facts.in_step0
        for j in range(size[1]):
            j_in = first[1] + j * facts.in_step1
            row = box + (i * facts.box1 + j) * facts.pitch * width
            if i_in < 0 or i_in >= facts.in_size0 or j_in < 0 or j_in >= facts.in_size1:
                for residue in range(facts.in_step2):
                    fill_row(value, row + residue * facts.residue, size[2])
            else:
                there = source + i_in * facts.in_steps2 + j_in * facts.in_steps3
                load_row(value, stored, facts, row, there, x_end, first[2], size[2])


@part
def load_row(value, stored, facts, row, source, x_end, first, size):
    """Copy one row of the input, which begins at ``source``, for every residue.

    Cells from ``low`` to ``high`` have all residues; those beside may have a few.
    """
    ways, width, step = facts.in_step2, itemsize(value), facts.in_steps4
    low = min(size, max(0, (ways - 1 - first) // ways))
    high = min(size, max(low, (facts.in_size2 - first) // ways))
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
    for residue in range(ways):
        here = row + residue * facts.residue
        fill_row(value, here, low)
        fill_row(value, here + high * width, size - high)
        if ways > 1:
            for cell in (low - 1, high):
                place = first + cell * ways + residue
                if cell >= 0 and cell < size and place >= 0 and place < facts.in_size2:
                    copy_strided(
                        value, stored, value, here + cell * width, 0,
                        source + place * step, 0, 1,
                    )  # fmt: skip
