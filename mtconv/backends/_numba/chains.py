"""Chains of products: which taps a tile of cells adds up, and in which order.

Cells near an end of the input meet zeros with some of their taps. Where those are many, as
with small volumes, cells are sorted by the taps that they need, and every tile of cells
leaves out what none of its cells needs. Taps come first then, and channels after them, so
that what is left lies side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtconv.backends._numba.facts import CHAIN
from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.units import Units

__all__ = ["Cells", "check_chains", "leaves_out_taps", "sort_cells", "tile_chains"]
__all__ += ["whole_chains"]

# What it takes to begin a chain, in products of a tile.
BEGIN = 4

# Taps are left out where at most this share of all products is left.
MOST_LEFT = 0.92

# Cells of an image, and blocks, beyond which tables would be large.
MOST_CELLS, MOST_BLOCKS = 2**13, 64

Chain = tuple[int, int]  # the first product, and how many


def leaves_out_taps(case: KernelCase, blocks: int) -> bool:
    """Whether enough products are with zeros beside the input, and tables are small."""
    cells = prod(axis.number for axis in case.axes)
    if blocks > MOST_BLOCKS or cells > MOST_CELLS:
        return False
    left = 1.0
    for axis in case.axes:
        ranges = needed_taps(axis)
        left *= float((ranges[..., 1] - ranges[..., 0]).sum()) / (axis.taps * axis.number)
    return left <= MOST_LEFT


@lru_cache(maxsize=1024)
def needed_taps(axis: Units) -> NDArray[np.int64]:
    """List the taps of every phase that meet the input, for every unit: first and end."""
    ranges = np.zeros((len(axis.phases), axis.number, 2), np.int64)
    first = axis.in_step * np.arange(axis.number) + axis.start
    for phase, taps in enumerate(axis.phases):
        cells = first[:, None] + np.array([tap.offset for tap in taps], np.int64)
        inside = (cells >= 0) & (cells < axis.in_size)
        # Offsets rise or fall, so that what is inside lies side by side.
        ranges[phase, :, 1] = inside.sum(axis=1)
        if taps:
            ranges[phase, :, 0] = np.where(inside.any(1), inside.argmax(axis=1), 0)
            ranges[phase, :, 1] += ranges[phase, :, 0]
    ranges.flags.writeable = False  # blocks share it
    return ranges


class Cells(NamedTuple):
    """Cells of a block in the order of its tiles: their place in the block, and taps.

    ``order`` are indices into the block's cells, and ``units`` the units of the sorted
    cells along each axis.
    """

    order: NDArray[np.int64]
    units: tuple[NDArray[np.int64], ...]


def sort_cells(case: KernelCase, first: tuple[int, ...], sizes: tuple[int, ...]) -> Cells:
    """Sort the cells of a block, from some units on, by the taps that they need."""
    grid = np.indices(sizes).reshape(4, -1)[1:] + np.array(first)[:, None]
    keys = np.zeros(grid.shape[1], np.int64)
    for axis, places in zip(case.axes, grid, strict=True):
        # Units that need the same taps follow one another.
        ranges = np.moveaxis(needed_taps(axis), 1, 0).reshape(axis.number, -1)
        kinds = np.r_[0, np.cumsum((ranges[1:] != ranges[:-1]).any(1))]
        keys = keys * (kinds[-1] + 1) + kinds[places]
    order = np.argsort(keys, kind="stable")
    return Cells(order, tuple(grid[:, order]))


def tile_chains(
    case: KernelCase, cells: Cells, tile: int, channels: int
) -> Iterator[NDArray[np.int64]]:
    """List the chains of every phase: for each chain of a tile, for each tile.

    The first chain of a tile is never empty; others may be.
    """
    ranges = [needed_taps(axis) for axis in case.axes]
    extra = -len(cells.order) % tile
    units = [np.r_[along, np.repeat(along[-1:], extra)] for along in cells.units]
    for phase in product(*(range(axis.out_step) for axis in case.axes)):
        counts = tuple(
            len(axis.phases[p]) for axis, p in zip(case.axes, phase, strict=True)
        )
        hulls = []
        for axis in range(3):
            needed = ranges[axis][phase[axis]][units[axis]].reshape(-1, tile, 2)
            empty = needed[..., 0] == needed[..., 1]
            hulls.append(np.where(empty, counts[axis], needed[..., 0]).min(1))
            hulls.append(np.where(empty, 0, needed[..., 1]).max(1))
        kinds, numbers = np.unique(np.stack(hulls, 1), axis=0, return_inverse=True)
        lists = [_chains(counts, tuple(kind), channels) for kind in kinds.tolist()]
        most = max(len(chains) for chains in lists)
        table = np.zeros((len(lists), most, 2), np.int64)
        for row, chains in zip(table, lists, strict=True):
            row[: len(chains)] = chains
        yield np.moveaxis(table[numbers.ravel()], 0, 1)


def whole_chains(products: int) -> list[Chain]:
    """Cut a sum into chains of about the same length."""
    return _cut(0, products) if products else []


def check_chains(chains: ArrayLike, products: int) -> None:
    """Refuse chains that lead beyond the products of their phase.

    Raises
    ------
    RuntimeError
        If one does; the tables are then wrong, whatever the problem is.
    """
    begin, count = np.asarray(chains, np.int64).reshape(-1, 2).T
    if begin.size and not (
        begin.min() >= 0 and count.min() >= 0 and (begin + count).max() <= products
    ):
        msg = (
            f"a table of mtconv leads to products {begin.min()} to {(begin + count).max()} "
            f"of a phase that has {products}; please report this problem"
        )
        raise RuntimeError(msg)


def _cut(first: int, count: int) -> list[Chain]:
    number = max(1, -(-count // CHAIN))
    bounds = [first + count * part // number for part in range(number + 1)]
    return [(a, b - a) for a, b in pairwise(bounds)]


@lru_cache(maxsize=4096)
def _chains(counts: tuple[int, ...], hull: tuple[int, ...], channels: int) -> list[Chain]:
    """List the chains of a tile that needs some taps of each axis, all of some channels.

    Taps that are not needed are left out along no axis, the first, two or three, whichever
    takes the least.
    """
    first, end = list(hull[::2]), list(hull[1::2])
    if any(a >= b for a, b in zip(first, end, strict=True)):
        # Nothing is needed: the products of a single tap are zero.
        return _cut(0, min(channels, CHAIN))
    choices = []
    for axes in range(4):
        low = [*first[:axes], *(0,) * (3 - axes)]
        high = [*end[:axes], *counts[axes:]]
        choices.append(_segments(counts, low, high, channels))
    return min(choices, key=lambda chains: sum(count + BEGIN for _, count in chains))


def _segments(
    counts: tuple[int, ...], low: list[int], high: list[int], channels: int
) -> list[Chain]:
    """Cut a range of taps of each axis into chains of taps that follow one another."""
    size = channels * counts[2]
    if high[2] - low[2] < counts[2]:
        return [
            chain
            for a, b in product(range(low[0], high[0]), range(low[1], high[1]))
            for chain in _cut(
                (a * counts[1] + b) * size + low[2] * channels,
                (high[2] - low[2]) * channels,
            )
        ]
    if high[1] - low[1] < counts[1]:
        return [
            chain
            for a in range(low[0], high[0])
            for chain in _cut((a * counts[1] + low[1]) * size, (high[1] - low[1]) * size)
        ]
    size *= counts[1]
    return _cut(low[0] * size, (high[0] - low[0]) * size)
