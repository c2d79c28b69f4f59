"""Copy part of the input into a box, with zeros where the input ends."""

from __future__ import annotations

from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import copy_in, fill, itemsize

__all__ = ["load_box"]


@part
def load_box(value, stored, facts, box, source, channels, first, size):
    """Copy ``size`` cells of each axis from cell ``first`` on, for some channels.

    ``source`` is the address of cell 0 of the first channel. Cells outside of the input
    are zero.
    """
    width = itemsize(value)
    row_step, plane_step = facts.box2 * width, facts.box1 * facts.box2 * width
    step0, step1, step2 = facts.in_steps2, facts.in_steps3, facts.in_steps4
    size0, size1, size2 = facts.in_size0, facts.in_size1, facts.in_size2
    first0, first1, first2 = first
    count0, count1, count2 = size
    low = min(max(0, -first2), count2)
    high = max(low, min(count2, size2 - first2))
    # Whole rows that follow one another, here and there, are one long row.
    whole = (
        first1 >= 0 and first1 + count1 <= size1 and low == 0 and high == count2
        and count2 == size2 and facts.box2 == count2 and step1 == size2 * step2
    )  # fmt: skip
    for channel in range(channels):
        plane = box + channel * facts.box_channel
        origin = source + channel * facts.in_steps1
        for i in range(count0):
            i_in = first0 + i
            row = plane + i * plane_step
            if i_in < 0 or i_in >= size0:
                fill(value, value, row, width, (count1 - 1) * facts.box2 + count2)
                continue
            if whole:
                there = origin + i_in * step0 + first1 * step1
                copy_in(value, stored, row, there, step2, count1 * count2)
                continue
            for j in range(count1):
                j_in = first1 + j
                if j_in < 0 or j_in >= size1:
                    fill(value, value, row, width, count2)
                else:
                    if low > 0:
                        fill(value, value, row, width, low)
                    there = origin + i_in * step0 + j_in * step1 + (first2 + low) * step2
                    copy_in(value, stored, row + low * width, there, step2, high - low)
                    if high < count2:
                        fill(value, value, row + high * width, width, count2 - high)
                row += row_step
    # The compiler knows nothing of what lies behind an address.
    return 0
