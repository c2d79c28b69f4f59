"""The box of `rows`: cells of the input sorted by their residues modulo the strides."""

from __future__ import annotations

from mtconv.backends._numba.emit import VECTOR_BYTES
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
    """Copy the cells that some units reach, those of every residue side by side.

    Cells from ``low`` to ``high`` have all residues of the last axis.
    """
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
    for channel in range(facts.ins):
        load_channel(
            value, stored, facts, table, box + channel * facts.box_channel,
            source + channel * facts.in_steps1, x_end, first, size, (low, high),
        )  # fmt: skip


@part
def load_channel(value, stored, facts, table, box, source, x_end, first, size, inside):
    """Copy rows in the order that the input has them, with zeros where it ends."""
    width, ways = itemsize(value), facts.in_step2
    low, high = inside
    residues0 = table + facts.row_places
    residues1 = residues0 + 8 * (1 + index_at(residues0, 0))
    shift = (first[2] + low * ways) * facts.in_steps4
    for i in range(size[0]):
        for number0 in range(index_at(residues0, 0)):
            residue0 = index_at(residues0, 1 + number0)
            i_in = first[0] + i * facts.in_step0 + residue0
            plane = box + residue0 * facts.in_step1 * ways * facts.residue
            for j in range(size[1]):
                for number1 in range(index_at(residues1, 0)):
                    residue1 = index_at(residues1, 1 + number1)
                    j_in = first[1] + j * facts.in_step1 + residue1
                    row = plane + residue1 * ways * facts.residue
                    row += (i * facts.box1 + j) * facts.pitch * width
                    there = source + i_in * facts.in_steps2 + j_in * facts.in_steps3
                    outside = i_in < 0 or i_in >= facts.in_size0
                    if outside or j_in < 0 or j_in >= facts.in_size1:
                        for residue in range(ways):
                            here = row + residue * facts.residue
                            fill(value, value, here, width, size[2])
                    elif ways > 1:
                        load_row(
                            value, stored, facts, row, there, x_end, first[2], size[2],
                            inside,
                        )  # fmt: skip
                    else:
                        fill(value, value, row, width, low)
                        copy_in(
                            value, stored, row + low * width, there + shift,
                            facts.in_steps4, high - low,
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
    # What a few cells take is less than a call.
    if step == itemsize(stored) and 2 * width * (high - low) >= VECTOR_BYTES:
        deinterleave(
            value, stored, ways, here, facts.residue, there, high - low, x_end
        )  # fmt: skip
    else:
        for residue in range(ways):
            copy_in(
                value, stored, here + residue * facts.residue, there + residue * step,
                ways * step, high - low,
            )  # fmt: skip
    if low == 0 and high == size:
        return
    for residue in range(ways):
        here, place = row + residue * facts.residue, first + residue
        fill(value, value, here, width, low)
        fill(value, value, here + high * width, width, size - high)
        before, behind = place + (low - 1) * ways, place + high * ways
        if low > 0 and before >= 0 and before < facts.in_size2:
            copy_strided(
                value, stored, value, here + (low - 1) * width, 0, source + before * step,
                0, 1,
            )  # fmt: skip
        if high < size and behind >= 0 and behind < facts.in_size2:
            copy_strided(
                value, stored, value, here + high * width, 0, source + behind * step, 0, 1
            )  # fmt: skip
