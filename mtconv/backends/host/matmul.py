"""Matrix products in the sizes that BLAS is fast and exact at.

BLAS adds one term after another, and in single precision the rounding error of a sum
grows with the length of such a chain: long sums are made of shorter ones. Thin products
are cut into tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.tiles import Order, multiply_tiles, tile_of
from mtconv.planning import tuning

__all__ = ["as_matrices", "matmul", "matrices_for", "multiply", "store"]

Array = NDArray[Any]


def matmul(rows: Array, columns: Array, out: Array) -> None:
    """Write ``rows @ columns`` to ``out``, in tiles where it is thin."""
    count, depth = rows.shape[-2:]
    if depth == 1:  # BLAS is slow at outer products
        np.multiply(rows, columns, out=out)
        return
    tile = None
    if out.dtype.char == "f":
        in_rows = columns.strides[-1] == out.itemsize
        order: Order = "rows" if in_rows else "columns"
        tile = tile_of(count, depth, columns.shape[-1], order)
    if tile is None:
        np.matmul(rows, columns, out=out)
    else:
        multiply_tiles(rows, columns, out, tile)


def multiply(
    rows: Array,
    columns: Array,
    out: Array,
    space: Workspace,
    *,
    cut: bool = True,
    add: bool = False,
) -> None:
    """Write ``rows @ columns`` to ``out``, or add it; chains have `tuning.CHAIN` terms."""
    depth = rows.shape[-1]
    pieces = max(-(-depth // tuning.CHAIN), 1)
    if not cut or pieces > tuning.MOST_PIECES or out.dtype.char not in "fF":
        pieces = 1
    if pieces == 1 and not add:
        matmul(rows, columns, out)
        return
    with space.frame():
        term = space.take(out.shape, out.dtype)
        for piece in range(pieces):
            inner = slice(depth * piece // pieces, depth * (piece + 1) // pieces)
            target = term if add or piece else out
            matmul(rows[..., inner], columns[..., inner, :], target)
            if target is term:
                out += term


def as_matrices(out: Array) -> Array | None:
    """View out (b, g, c, *cells) as (b, g, c, cells) where BLAS can write to it."""
    expected = out.itemsize
    for size, stride in zip(out.shape[:2:-1], out.strides[:2:-1], strict=True):
        if size > 1 and stride != expected:
            return None
        expected *= size
    matrices: Array = out.reshape(*out.shape[:3], -1)
    return matrices


def matrices_for(out: Array, space: Workspace, *, folded: bool) -> tuple[Array, bool]:
    """Return matrices (items, g, c, cells) for a result, and whether they are out itself.

    Folded, there is one item with the cells of all.
    """
    in_place = None if folded else as_matrices(out)
    if in_place is not None:
        return in_place, True
    items = 1 if folded else len(out)
    cells = out[:, 0, 0].size // items
    return space.take((items, *out.shape[1:3], cells), out.dtype), False


def store(result: Array, out: Array) -> None:
    """Copy result (items, g, c, cells) to out (b, g, c, *cells)."""
    batch, groups, channels, *cells = out.shape
    if len(result) == batch:
        out[...] = result.reshape(out.shape)
    else:  # one item, whose cells are those of all items
        ordered = result.reshape(groups, channels, batch, *cells)
        out[...] = np.moveaxis(ordered, 2, 0)
