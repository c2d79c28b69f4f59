"""What the kernels are told about a problem: one record of integers, and one table.

Sizes are elements, steps of arrays are bytes, and places in the table are bytes from its
beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHAIN", "COUNTERS", "FACTS", "LINE", "PACK", "PACKED", "PACK_AND_LOOK"]
__all__ += ["make_facts"]

# Products that are added up one after another; longer sums are made of such chains.
CHAIN = 128

# Bytes of a cache line, and counters that threads share: `counters` says what they count.
LINE = 64
COUNTERS = 4

# What a kernel is told about its packed kernel: to use it as it is, to fill it, and to
# look for infinite values on the way.
PACKED, PACK, PACK_AND_LOOK = range(3)

# One field for each number; those of several axes are counted from zero.
_NUMBERED = {
    "in_size": 3,
    "in_steps": 5,  # batch, channel, three axes
    "out_size": 3,
    "out_steps": 5,
    "units": 3,
    "in_step": 3,
    "out_step": 3,
    "start": 3,
    "block": 3,  # units of one task
    "box": 3,  # cells of the input that those reach over
    "reach": 3,  # largest offset of a tap
}
_SINGLE = (
    "batch",
    "groups",
    "ins",  # input channels of a group
    "outs",
    "taps",  # of all phases
    "taps_whole",  # of the kernel, those that reach nothing included
    "phases",
    # A task: some samples and units, and one of the splits of the output channels.
    "samples",
    "splits",
    "tasks",
    # The block of the input that a task copies: some channels, padded with zeros.
    "direct",  # 1: the input is read where it is
    "box_channel",  # bytes from one channel to the next
    "box_sample",
    "box_channels",
    "box_bytes",
    # 1: every block has its own list of cells, every tile its own chains, and channels
    # follow one another, tap by tap
    "taps_first",
    # The block of results.
    "row_bytes",  # of one position
    "sums_bytes",
    "bias_bytes",
    "lanes_bytes",  # of the transposed small side
    "in_place",  # 1: sums are written to the result itself
    # Rows by offset: runs of cells, in tiles of channels by vectors.
    "channels",  # of a tile
    "pitch",  # cells from row to row; in gradients bytes from cell to cell
    "run_rows",  # rows of one run, flattened
    "run_planes",
    "run_bytes",  # of one channel's sums
    "residue",  # bytes of the cells of one residue modulo the strides
    "row_taps",
    "tiles",
    # Planes in the lanes: lines of planes, one step apart.
    "lines",
    "planes",
    "in_plane",
    "in_line",
    "out_plane",
    "out_line",
    # Columns: lines are channels of one phase of the middle axis, rows their taps.
    "piece_bytes",  # columns of one tap of the first axis
    "line_first",
    "line_rows",
    "row_first",
    "offsets0",
    "taps1",
    "taps2",
    # The kernel, and what is made of it.
    "w_group",
    "w_in",
    "w_out",
    "w_flat",
    "packed_group",
    "pack_tasks",
    "pack_channels",
    # Places in the table.
    "offsets",
    "offsets_rest",  # of the last channels, where they are fewer than others
    "phase_first",
    "tap_rows",
    "row_places",
    "chunks",
    "split_first",
    "extents",
)

FACTS = np.dtype(
    [(f"{name}{axis}", "i8") for name, count in _NUMBERED.items() for axis in range(count)]
    + [(name, "i8") for name in _SINGLE]
)


def make_facts(**values: Any) -> NDArray[Any]:
    """Fill a record; what is not named is zero."""
    facts = np.zeros(1, FACTS)
    for name, value in values.items():
        if name in _NUMBERED:
            for axis, number in enumerate(value):
                facts[f"{name}{axis}"] = number
        else:
            facts[name] = value
    return facts
