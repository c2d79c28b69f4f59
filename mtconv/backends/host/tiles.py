"""Tiles of matrix products in single precision, in the sizes that BLAS is fast at.

A product first copies its matrices into panels, which thin ones do not pay back; for few
multiply-adds OpenBLAS has kernels for AVX-512 that do without. A thin product is therefore
cut into tiles of that size, all of them views, in one call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.planning import tuning

__all__ = ["Order", "ProductTile", "even", "multiply_tiles", "parts", "tile_of"]

Array = NDArray[Any]
Order = Literal["rows", "columns", "sums"]


class ProductTile(NamedTuple):
    """The most rows, columns and terms of a tile."""

    rows: int
    columns: int
    terms: int


@lru_cache(maxsize=4096)
def tile_of(rows: int, terms: int, columns: int, order: Order) -> ProductTile | None:
    """Choose a tile of a product, or None where one product is as fast.

    The product is that of (rows, terms) and (terms, columns). The second matrix lies in
    memory by its rows or by its columns; "sums" is the latter for a product whose sums
    are long, and are cut as well.
    """
    return _CHOICES[order](rows, terms, columns)


def _by_rows(rows: int, terms: int, columns: int) -> ProductTile | None:
    deepest = tuning.MOST_DEPTH if rows <= tuning.THIN_ROWS else tuning.THIN_DEPTH
    if rows <= tuning.TILED_ROWS:
        deepest = tuning.FEW_ROWS_DEPTH
    elif columns < tuning.LONG_COLUMNS:
        return None
    if not 8 <= terms <= deepest or rows * terms * columns <= tuning.UNPACKED:
        return None
    high = _divisor(rows, 128 if terms <= tuning.THIN_DEPTH else 32)
    wide = min(tuning.UNPACKED // (high * terms), 256) // 32 * 32
    return ProductTile(high, wide, terms) if high > 1 and 0 < wide < columns else None


def _by_columns(rows: int, terms: int, columns: int) -> ProductTile | None:
    few = rows <= tuning.TILED_ROWS
    least = tuning.LEAST_TERMS if few else tuning.LEAST_TERMS_OF_ROWS
    if not least <= terms <= tuning.MOST_DEPTH or rows > tuning.MOST_THIN:
        return None
    if rows * terms * columns < tuning.LEAST_TILED:
        return None
    high = _divisor(rows, 32)
    wide = tuning.TILE_RESULT // high // 4 * 4
    return ProductTile(high, wide, terms) if high >= 4 and wide < columns else None


def _with_sums(rows: int, terms: int, columns: int) -> ProductTile | None:
    thin = 1 < min(rows, columns) <= tuning.MOST_THIN
    if terms < tuning.LEAST_ELEMENTS or not thin:
        return None
    unpacked = rows * terms * columns <= tuning.UNPACKED
    if unpacked and terms <= tuning.TILE_ELEMENTS:
        return None
    high = even(rows, tuning.TILE_ROWS)
    wide = even(columns, min(tuning.TILE_RESULT // high, tuning.TILE_COLUMNS))
    deepest = min(tuning.UNPACKED // (high * wide), tuning.TILE_ELEMENTS)
    return ProductTile(high, wide, even(terms, deepest))


_CHOICES = {"rows": _by_rows, "columns": _by_columns, "sums": _with_sums}


def _divisor(count: int, most: int) -> int:
    return next(n for n in range(min(count, most), 0, -1) if count % n == 0)


def even(count: int, most: int) -> int:
    """Cut a count into parts of at most so many: equal ones if they are not small."""
    for size in range(min(count, most), most // 2, -1):
        if count % size == 0:
            return size
    return -(-count // -(-count // most))


def parts(count: int, size: int) -> tuple[tuple[slice, int], ...]:
    """Return what is cut into equal parts and the rest, each with the size of its parts."""
    whole = count // size * size
    both = ((slice(0, whole), size), (slice(whole, count), count - whole))
    return tuple(part for part in both if part[1] and part[0].stop > part[0].start)


def multiply_tiles(rows: Array, columns: Array, out: Array, tile: ProductTile) -> None:
    """Write ``rows @ columns`` to ``out``, tile by tile; terms are not cut."""
    for r, high in parts(rows.shape[-2], tile.rows):
        left = rows[..., r, :]
        down = left.shape[-2] // high
        left = left.reshape(*left.shape[:-2], down, 1, high, left.shape[-1])
        for c, wide in parts(columns.shape[-1], tile.columns):
            right = columns[..., c]
            across = right.shape[-1] // wide
            right = right.reshape(*right.shape[:-1], across, wide)
            right = right.swapaxes(-3, -2)[..., None, :, :, :]
            part = out[..., r, c]
            tiles = part.reshape(*part.shape[:-2], down, high, across, wide)
            np.matmul(left, right, out=tiles.swapaxes(-3, -2))
