"""Blocks of a problem whose workspace fits the caches: each is a relation of its own.

The cut depends on the problem alone, never on the number of threads, so results do not
depend on it either.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

from mtconv.backends._numpy.direct import PART_BYTES
from mtconv.backends._numpy.footprint import (
    NO_COPIES,
    Copies,
    Extent,
    between_phases,
    footprint,
)
from mtconv.backends._numpy.gemm import COLUMN_BYTES, GATHER_BYTES
from mtconv.backends._numpy.polyphase import STACK_BYTES
from mtconv.geometry import Axis, restrict, touched_big, touched_small
from mtconv.spec import ConvSpec

__all__ = ["Block", "cut", "is_small"]

# Bytes that the arrays of one block may take together.
BLOCK_BYTES = 24 * 2**20

# Bytes that a block may take beside its result, whatever is fastest. With the arena that
# a thread keeps this is below the 64 MiB that are promised.
MOST_BYTES = 40 * 2**20

# Bytes of columns of the groups of one block.
GROUP_BYTES = 2**24

# Blocks that a problem has at least, so that threads have something to share; those of
# fewer multiply-adds lose more by taking turns with Python than by an idle thread.
LEAST_BLOCKS = 4
FEW_BLOCKS = 2
FEW_BLOCKS_WORK = 2**28

# Multiply-adds and cells below which one block and one thread are faster.
SMALL_WORK = 2**23
SMALL_CELLS = 2**19

# Channels of a block from which on it does not matter that one block has one more.
LEAST_SHARES = 4

# A block is at least so many times as long as the halo that its neighbours share.
LEAST_HALOS = 4


class Block(NamedTuple):
    """Batch items, groups, channels of the result, cells on both sides, the relation.

    ``channels`` are those of the big side, within a group, for a transposed convolution
    and a kernel gradient, and those of the small side for a convolution.
    """

    batch: Any
    groups: Any
    channels: Any
    small: tuple[Any, ...]
    big: tuple[Any, ...]
    axes: tuple[Axis, ...]


class _Sizes(NamedTuple):
    batch: int
    groups: int
    small_channels: int
    big_channels: int
    taps: int
    cells: int
    itemsize: int


@lru_cache(maxsize=1024)
def is_small(spec: ConvSpec, batch: int) -> bool:
    """Return whether threads would cost more than they bring."""
    sizes = _sizes(spec, batch, 1)
    work = batch * spec.multiply_adds
    big = batch * sizes.groups * sizes.big_channels * prod(spec.big)
    return work < SMALL_WORK and big < SMALL_CELLS


@lru_cache(maxsize=1024)
def cut(
    spec: ConvSpec,
    form: str,
    algorithm: str,
    batch: int,
    itemsize: int,
    copies: Copies = NO_COPIES,
) -> tuple[Block, ...]:
    """Cut a problem into blocks with results of their own, none above `MOST_BYTES`.

    Blocks of a kernel gradient have no results of their own along batch and space.
    """
    extent = _fast_extent(spec, form, algorithm, _sizes(spec, batch, itemsize))
    extent = _fit(spec, form, algorithm, extent, itemsize, copies)
    small, share = spec.kernel_shape[:2]
    channels = small // max(spec.groups, 1) if form == "conv" else share
    spaces = _spaces(spec, form, extent.cells)
    return tuple(
        Block(
            items,
            groups,
            some,
            tuple(one[0] for one in space),
            tuple(one[1] for one in space),
            tuple(one[2] for one in space),
        )
        for groups in _slices(spec.groups, extent.groups)
        for some in _slices(channels, extent.channels)
        for items in _slices(batch, extent.items)
        for space in spaces
    )


def _spaces(
    spec: ConvSpec, form: str, cells: tuple[int, ...]
) -> list[tuple[tuple[slice, slice, Axis], ...]]:
    """Cut space into blocks of about so many cells on the result's side."""
    transposed = form == "conv_transpose"
    return list(
        product(
            *(
                _axis_blocks(axis, size, transposed)
                for axis, size in zip(spec.axes, cells, strict=True)
            )
        )
    )


def _fast_extent(spec: ConvSpec, form: str, algorithm: str, sizes: _Sizes) -> Extent:
    """Choose the extent of blocks that is fast: few of them, in the caches."""
    batch = sizes.batch
    small = is_small(spec, batch)
    transposed = form == "conv_transpose"
    ratio = prod(axis.stride for axis in spec.axes) if transposed else 1
    target, hard = _targets(spec, form, algorithm, sizes)
    many = batch * spec.multiply_adds >= FEW_BLOCKS_WORK
    blocks = LEAST_BLOCKS if many else FEW_BLOCKS
    shares = batch * sizes.groups
    if form != "conv":  # channels of a convolution would each gather y
        shares *= sizes.big_channels
    if not small and shares < blocks:
        target = min(target, -(-batch * sizes.cells // blocks))
    least = [
        LEAST_HALOS * max(axis.extent - axis.stride, 0) + axis.stride
        if transposed
        else LEAST_HALOS * max(axis.extent // axis.stride, 1)
        for axis in spec.axes
    ]
    whole = spec.big if transposed else spec.small
    pieces = tuple(_halve(whole, target * ratio, hard * ratio, least))
    block_cells = max(1, prod(pieces) // ratio)
    items = max(1, min(batch, target // block_cells))
    columns = sizes.taps * sizes.big_channels * block_cells * items * sizes.itemsize
    groups = max(1, min(sizes.groups, GROUP_BYTES // max(columns, 1)))
    channels = sizes.small_channels if form == "conv" else sizes.big_channels
    share = channels
    if not small:
        # Channels first: every block of the batch packs the kernel again.
        count = -(-sizes.groups // groups)
        if form != "kernel_grad":
            count *= len(_spaces(spec, form, pieces)) * -(-batch // items)
        # A few channels are no even shares where items could be.
        even = channels >= LEAST_SHARES * blocks or channels % blocks == 0 or batch == 1
        if even:
            share, count = _finer(channels, share, count, blocks)
        groups, count = _finer(sizes.groups, groups, count, blocks)
        if form != "kernel_grad":
            items, count = _finer(batch, items, count, blocks)
    return Extent(items, groups, share, pieces)


def _fit(
    spec: ConvSpec, form: str, algorithm: str, extent: Extent, itemsize: int, copies: Copies
) -> Extent:
    """Cut blocks further until they fit, along as few of their sides as possible."""

    def size(extent: Extent) -> int:
        return footprint(spec, form, algorithm, extent, itemsize, copies)

    # What one element of one channel needs does not shrink: cutting on would only make
    # more blocks of that size.
    least = size(Extent(1, 1, 1, (1,) * spec.rank))
    limit = max(MOST_BYTES, 2 * least)
    while size(extent) > limit:
        halves = list(_halves(extent))
        fitting = []
        for side, half in halves:
            while size(half) > limit and _side(half, side) > 1:
                half = _halved(half, side)
            if size(half) <= limit:
                fitting.append(half)
        if fitting:
            return max(fitting, key=_volume)
        extent = min((half for _, half in halves), key=size)
    return extent


def _halves(extent: Extent) -> Iterator[tuple[int, Extent]]:
    """Yield the extent with one side halved, for every side that can be."""
    for side in range(3 + len(extent.cells)):
        if _side(extent, side) > 1:
            yield side, _halved(extent, side)


def _sides(extent: Extent) -> list[int]:
    return [extent.items, extent.groups, extent.channels, *extent.cells]


def _side(extent: Extent, side: int) -> int:
    return _sides(extent)[side]


def _halved(extent: Extent, side: int) -> Extent:
    sides = _sides(extent)
    sides[side] = -(-sides[side] // 2)
    items, groups, channels, *cells = sides
    return Extent(items, groups, channels, tuple(cells))


def _volume(extent: Extent) -> int:
    return prod(_sides(extent))


def _sizes(spec: ConvSpec, batch: int, itemsize: int) -> _Sizes:
    small, share = spec.kernel_shape[:2]
    return _Sizes(
        batch,
        spec.groups,
        small // spec.groups,
        share,
        prod(spec.kernel_size),
        prod(spec.small),
        itemsize,
    )


def _slices(whole: int, size: int) -> list[slice]:
    """Cut into equal slices of at most ``size``."""
    count = -(-whole // size) if size else 0
    return [slice(whole * n // count, whole * (n + 1) // count) for n in range(count)]


def _finer(whole: int, size: int, count: int, blocks: int) -> tuple[int, int]:
    """Cut slices of ``size`` further for so many blocks; return size and count."""
    now = max(1, -(-whole // max(size, 1)))
    if count < blocks:
        size = max(1, -(-whole * count // (now * blocks)))
    return size, count // now * max(1, -(-whole // max(size, 1)))


def _halve(whole: tuple[int, ...], target: int, hard: int, least: list[int]) -> list[int]:
    """Halve the outermost axis that may be, until a block has at most ``target`` cells.

    The last axis of several stays whole, and no axis is cut below its ``least`` size,
    where halos would cost too much, unless a block had more than ``hard`` cells.
    """
    sizes = list(whole)
    outer = max(len(sizes) - 1, 1)
    for limit, floors, count in (
        (target, least, outer),
        (hard, [1] * len(sizes), len(sizes)),
    ):
        while prod(sizes) > max(limit, 1):
            cuttable = (n for n in range(count) if sizes[n] > max(1, 2 * floors[n] - 1))
            at = next(cuttable, None)
            if at is None:
                break
            sizes[at] = -(-sizes[at] // 2)
    return sizes


def _targets(spec: ConvSpec, form: str, algorithm: str, sizes: _Sizes) -> tuple[int, int]:
    """Small cells that a block should have, and may have at most."""
    ci, co, taps, item = (
        sizes.small_channels,
        sizes.big_channels,
        sizes.taps,
        sizes.itemsize,
    )
    inputs = max(1, BLOCK_BYTES // (4 * item * max(ci, 1)))
    columns = COLUMN_BYTES // item
    strides = prod(axis.stride for axis in spec.axes)
    hard = max(1, BLOCK_BYTES // (3 * item * max(taps, ci, 1)))
    if algorithm == "fft":
        planes = ci * (1 + co) + co * strides
        hard = max(1, BLOCK_BYTES // (4 * item * max(planes, 1)))
        return hard, hard
    if algorithm == "direct":
        return max(PART_BYTES // (item * max(co * strides, ci, 1)), 2**12), hard
    if form != "conv_transpose":
        target = max(GATHER_BYTES // (item * max(taps * co, 1)), 256)
        return min(target, inputs, hard), hard
    if algorithm == "gemm":
        return min(max(columns // max(taps * co, 1), 1024), inputs, hard), hard
    copies = prod(-(-axis.kernel // axis.stride) for axis in spec.axes)
    stack = STACK_BYTES // (item * max(copies * ci, strides, 1))
    return min(max(stack, 256), inputs, hard), hard


def _axis_blocks(
    axis: Axis, size: int, transposed: bool
) -> list[tuple[slice, slice, Axis]]:
    """Cut one axis into blocks of about ``size`` cells of the result's side."""
    whole = axis.big if transposed else axis.small
    count = -(-whole // size)
    edges = [whole * n // count for n in range(count + 1)]
    # Cuts between phases leave no halo where kernel and stride are equal.
    if transposed and between_phases(axis, size):
        shift = axis.lo % axis.stride
        inner = {(e + shift) // axis.stride * axis.stride - shift for e in edges[1:-1]}
        edges = [0, *sorted(e for e in inner if 0 < e < whole), whole]
    found = []
    for start, stop in pairwise(edges):
        mine = (start, stop)
        if transposed:
            pair = (touched_small(axis, *mine), mine)
        else:
            pair = (mine, touched_big(axis, *mine))
        found.append((slice(*pair[0]), slice(*pair[1]), restrict(axis, *pair)))
    return found
