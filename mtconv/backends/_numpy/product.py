"""Matrix products in the sizes that BLAS is fast and exact at.

BLAS adds one term after another, and in single precision the rounding error of a sum
grows with the length of such a chain: long sums are made of shorter ones.

A product first copies its matrices into panels, which thin ones do not pay back; for few
multiply-adds OpenBLAS has kernels for AVX-512 that do without. A thin product is
therefore cut into tiles of that size, all of them views, in one call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.workspace import Workspace

__all__ = ["as_matrices", "matmul", "matrices_for", "multiply", "store"]

Array = NDArray[Any]

# Terms that one chain should have; every cut costs a pass over the result. Sums that need
# more pieces are left to BLAS, which cuts them itself at some hundreds of terms.
CHAIN = 128
PIECES = 17

# Multiply-adds up to which a product is not packed, and what makes it thin: few terms, or
# not so few of them for few rows.
UNPACKED = 10**6
THIN_DEPTH = 96
THIN_ROWS = 64
MOST_DEPTH = 256


def matmul(rows: Array, columns: Array, out: Array) -> None:
    """Write ``rows @ columns`` to ``out``, in tiles where it is thin."""
    count, depth = rows.shape[-2:]
    cells = columns.shape[-1]
    tile = _tile(count, depth, cells) if out.dtype.char == "f" else None
    if tile is None:
        np.matmul(rows, columns, out=out)
        return
    high, wide = tile
    done = cells // wide * wide
    rows = rows.reshape(*rows.shape[:-2], count // high, 1, high, depth)
    some = columns[..., :done].reshape(*columns.shape[:-1], done // wide, wide)
    into = out[..., :done].reshape(*out.shape[:-2], count // high, high, -1, wide)
    np.matmul(rows, some.swapaxes(-3, -2)[..., None, :, :, :], out=into.swapaxes(-3, -2))
    if done < cells:
        into = out[..., done:].reshape(*out.shape[:-2], count // high, 1, high, -1)
        np.matmul(rows, columns[..., None, None, :, done:], out=into)


@lru_cache(maxsize=4096)
def _tile(count: int, depth: int, cells: int) -> tuple[int, int] | None:
    """Choose rows and cells of a tile, or None where one product is as fast."""
    if not 8 <= depth <= (MOST_DEPTH if count <= THIN_ROWS else THIN_DEPTH):
        return None
    most = 128 if depth <= THIN_DEPTH else 32
    high = next(n for n in range(min(count, most), 0, -1) if count % n == 0)
    wide = min(UNPACKED // (high * depth), 256) // 32 * 32
    return (high, wide) if high >= 8 and 0 < wide < cells else None


def multiply(
    rows: Array,
    columns: Array,
    out: Array,
    space: Workspace,
    *,
    cut: bool = True,
    add: bool = False,
) -> None:
    """Write ``rows @ columns`` to ``out``, or add it, cut to chains of `CHAIN` terms."""
    depth = rows.shape[-1]
    pieces = max(-(-depth // CHAIN), 1)
    if not cut or pieces > PIECES or out.dtype.char not in "fF":
        pieces = 1
    if pieces == 1 and not add:
        matmul(rows, columns, out)
        return
    with space.frame():
        more = space.take(out.shape, out.dtype)
        for piece in range(pieces):
            inner = slice(depth * piece // pieces, depth * (piece + 1) // pieces)
            into = more if add or piece else out
            matmul(rows[..., inner], columns[..., inner, :], into)
            if into is more:
                out += more


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
