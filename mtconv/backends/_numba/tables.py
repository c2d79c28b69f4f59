"""Tables of offsets, made of integers alone, and the check that none leaves its block."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.units import Units

__all__ = ["Block", "CellTable", "Table", "block_cells", "cell_tables", "check_cells"]
__all__ += ["phase_taps", "tap_offsets"]

Axes = tuple[Units, Units, Units]
CellTable = tuple[int, NDArray[np.int64], NDArray[np.int64]]


class Table:
    """Integers one after another; each list in it has a place, in bytes from the start."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int64]] = []
        self._size = 0

    def add(self, numbers: object) -> int:
        """Append numbers; returns the place of the first one."""
        part = np.ascontiguousarray(numbers, np.int64).ravel()
        place = 8 * self._size
        self._parts.append(part)
        self._size += part.size
        return place

    def array(self) -> NDArray[np.int64]:
        """Return all numbers, which nobody may change."""
        whole = np.concatenate(self._parts)
        whole.flags.writeable = False
        return whole


class Block(NamedTuple):
    """Samples and units of one task, and the steps of what it reads and writes, in bytes.

    ``steps`` are those of the box: sample, channel and three axes; ``sums`` are positions
    of the block of results along each axis, each of ``row_bytes``.
    """

    samples: int
    units: tuple[int, int, int]
    steps: tuple[int, ...]
    sums: tuple[int, ...]
    row_bytes: int


class PhaseTap(NamedTuple):
    """A tap of one phase: its index in the kernel, and the offset of the cell it meets."""

    tap: int
    offset: int


def phase_taps(
    axes: Axes, taps: tuple[int, int, int], steps: tuple[int, ...]
) -> list[list[PhaseTap]]:
    """List the taps of all phases, in the order of the phases of the last axis first."""
    return [
        [
            PhaseTap(
                (a.tap * taps[1] + b.tap) * taps[2] + c.tap,
                a.offset * steps[0] + b.offset * steps[1] + c.offset * steps[2],
            )
            for a, b, c in product(*phases)
        ]
        for phases in product(*(axis.phases for axis in axes))
    ]


def tap_offsets(
    phases: list[list[PhaseTap]], channels: int, channel_step: int, taps_first: bool = False
) -> NDArray[np.int64]:
    """List offsets phase by phase: channels, and taps of each; or taps, and channels."""
    parts = []
    steps = np.arange(channels) * channel_step
    for taps in phases:
        offsets = np.array([tap.offset for tap in taps], np.int64)
        if taps_first:
            parts.append((offsets[:, None] + steps).ravel())
        else:
            parts.append((steps[:, None] + offsets).ravel())
    return np.concatenate(parts)


def cell_tables(case: KernelCase, block: Block, tile: int) -> list[CellTable]:
    """List units of whole and cut blocks: how many, where they read, where they write.

    Blocks are cut by the ends of the batch and of each axis: sixteen lists, in the order
    of the bits (batch, axis 0, axis 1, axis 2) that say which end is near.
    """
    whole = (block.samples, *block.units)
    every = (case.batch, *(axis.number for axis in case.axes))
    lists = []
    for edges in product((False, True), repeat=4):
        sizes = tuple(
            total % size or size if cut else size
            for total, size, cut in zip(every, whole, edges, strict=True)
        )
        lists.append(block_cells(case, block, tile, sizes))
    return lists


def block_cells(
    case: KernelCase,
    block: Block,
    tile: int,
    sizes: tuple[int, ...],
    order: NDArray[np.int64] | None = None,
) -> CellTable:
    """List the units of one block: how many, where they read, where they write.

    ``sizes`` are samples and units along each axis. Cells are filled up to whole tiles by
    repeating the last one.
    """
    samples, n0, n1, n2 = np.ogrid[tuple(slice(size) for size in sizes)]
    steps = (s * axis.in_step for s, axis in zip(block.steps[2:], case.axes, strict=True))
    s0, s1, s2 = steps
    cells = (samples * block.steps[0] + n0 * s0 + n1 * s1 + n2 * s2).ravel()
    rows = samples * block.sums[0] + n0 * case.axes[0].out_step
    rows = rows * block.sums[1] + n1 * case.axes[1].out_step
    places = (rows * block.sums[2] + n2 * case.axes[2].out_step) * block.row_bytes
    places = places.ravel()
    if order is not None:
        cells, places = cells[order], places[order]
    return cells.size, _filled(cells, tile), _filled(places, tile)


def _filled(numbers: NDArray[np.int64], tile: int) -> NDArray[np.int64]:
    extra = -numbers.size % tile
    return np.concatenate([numbers, np.repeat(numbers[-1:], extra)])


def check_cells(
    cells: NDArray[np.int64], offsets: NDArray[np.int64], low: int, high: int, width: int
) -> None:
    """Refuse tables that lead outside of ``low .. high`` with elements of some bytes.

    Every cell is combined with every offset, so the extremes decide.

    Raises
    ------
    RuntimeError
        If one does; the tables are then wrong, whatever the problem is.
    """
    if not cells.size or not offsets.size:
        return
    first = int(cells.min()) + int(offsets.min())
    last = int(cells.max()) + int(offsets.max()) + width
    if first < low or last > high:
        msg = (
            f"a table of mtconv leads to bytes {first} to {last} of a block that has bytes "
            f"{low} to {high}; please report this problem"
        )
        raise RuntimeError(msg)
