"""Matrix products in the sizes that BLAS is fast and exact at.

BLAS adds one term after another, and in single precision the rounding error of a sum
grows with the length of such a chain: long sums are made of shorter ones.

A product first copies its matrices into panels, which thin ones do not pay back; for few
multiply-adds OpenBLAS has kernels for AVX-512 that do without. A thin product is
therefore cut into tiles of that size, all of them views, in one call.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mtconv.backends._numpy.algorithm import Array
from mtconv.backends.host.memory import Workspace
from mtconv.planning import tuning

__all__ = ["as_matrices", "matmul", "matrices_for", "multiply", "store", "tile_of"]


def matmul(rows: Array, columns: Array, out: Array) -> None:
    """Write ``rows @ columns`` to ``out``, in tiles where it is thin."""
    count, depth = rows.shape[-2:]
    if depth == 1:  # BLAS is slow at outer products
        np.multiply(rows, columns, out=out)
        return
    cells = columns.shape[-1]
    tile = None
    if out.dtype.char == "f":
        in_rows = columns.strides[-1] == out.itemsize
        tile = (tile_of if in_rows else turned_tile_of)(count, depth, cells)
    if tile is None:
        np.matmul(rows, columns, out=out)
        return
    high, wide = tile
    done = cells // wide * wide
    rows = rows.reshape(*rows.shape[:-2], count // high, 1, high, depth)
    whole = columns[..., :done].reshape(*columns.shape[:-1], done // wide, wide)
    tiles = out[..., :done].reshape(*out.shape[:-2], count // high, high, -1, wide)
    np.matmul(rows, whole.swapaxes(-3, -2)[..., None, :, :, :], out=tiles.swapaxes(-3, -2))
    if done < cells:
        tiles = out[..., done:].reshape(*out.shape[:-2], count // high, 1, high, -1)
        np.matmul(rows, columns[..., None, None, :, done:], out=tiles)


@lru_cache(maxsize=4096)
def tile_of(count: int, depth: int, cells: int) -> tuple[int, int] | None:
    """Choose rows and cells of a tile, or None where one product is as fast."""
    deepest = tuning.MOST_DEPTH if count <= tuning.THIN_ROWS else tuning.THIN_DEPTH
    if not 8 <= depth <= deepest:
        return None
    most = 128 if depth <= tuning.THIN_DEPTH else 32
    high = next(n for n in range(min(count, most), 0, -1) if count % n == 0)
    wide = min(tuning.UNPACKED // (high * depth), 256) // 32 * 32
    return (high, wide) if high >= 8 and 0 < wide < cells else None


@lru_cache(maxsize=4096)
def turned_tile_of(count: int, depth: int, cells: int) -> tuple[int, int] | None:
    """Choose a tile where each column lies side by side in memory: results are smaller."""
    if not 32 <= depth <= tuning.MOST_DEPTH or count > tuning.MOST_THIN:
        return None
    high = next(n for n in range(min(count, 32), 0, -1) if count % n == 0)
    wide = tuning.TILE_RESULT // high // 4 * 4
    return (high, wide) if high >= 4 and wide < cells else None


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
