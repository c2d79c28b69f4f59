"""Blocks that overlap: read from arrays, with zeros beyond their ends, and written back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.strided import block_view, common

__all__ = ["read_cells", "write_blocks"]

Array = NDArray[Any]
Cells = Sequence[int]


def read_cells(
    views: Sequence[Array], starts: Sequence[Cells], sizes: Cells, space: Workspace
) -> Array:
    """Stack cells of views (g, c, samples, *cells) as (g, c, views, samples, *sizes).

    Those of each view begin at its starts; beyond its ends they are zero.
    """
    if len(views) == 1 and _inside(views[0], starts[0], sizes):
        cells: Array = views[0][_between(starts[0], sizes)]
        return cells[:, :, None]
    lead = views[0].shape[:3]
    stack = space.take((*lead[:2], len(views), lead[2], *sizes), views[0].dtype)
    for number, (view, first) in enumerate(zip(views, starts, strict=True)):
        target = stack[:, :, number]
        if not _inside(view, first, sizes):
            target[...] = 0
        source, place = common(tuple(first), tuple(sizes), view.shape[3:])
        target[place] = view[source]
    return stack


def _between(starts: Cells, sizes: Cells) -> tuple[Any, ...]:
    ends = zip(starts, sizes, strict=True)
    return (..., *(slice(first, first + size) for first, size in ends))


def _inside(view: Array, starts: Cells, sizes: Cells) -> bool:
    space = zip(starts, sizes, view.shape[3:], strict=True)
    return all(first >= 0 and first + size <= whole for first, size, whole in space)


def write_blocks(
    blocks: Array, target: Array, starts: Cells, space: Workspace, *, add: bool
) -> None:
    """Write blocks (g, c, samples, *counts, *sizes) side by side into (g, c, samples, *n).

    The first begins at ``starts``; what lies beyond the ends is dropped. Where ``add``, the
    blocks are added to what is there.
    """
    rank = len(starts)
    counts, sizes = blocks.shape[3 : 3 + rank], blocks.shape[3 + rank :]
    whole = [count * size for count, size in zip(counts, sizes, strict=True)]
    if _inside(target, starts, whole):
        part = block_view(target[_between(starts, whole)], sizes, sizes)
        _put(blocks, part, add=add)
        return
    with space.frame():
        cells = space.take((*blocks.shape[:3], *whole), blocks.dtype)
        np.copyto(block_view(cells, sizes, sizes), blocks)
        place, source = common(tuple(starts), tuple(whole), target.shape[3:])
        _put(cells[source], target[place], add=add)


def _put(source: Array, target: Array, *, add: bool) -> None:
    if add:
        target += source
    else:
        np.copyto(target, source)
