"""Kernel gradients as products ``rows @ columns.T`` over all elements of space.

Such products are small and have long sums. BLAS copies both matrices into panels first,
which costs more than the product itself where one of them is thin; for few multiply-adds
OpenBLAS has kernels for AVX-512 that do without. A product is therefore cut into tiles of
that size, along its sums too: all of them are views, in one call. The sums of its parts are
added up afterwards, so chains of additions are short whatever the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from mtconv.backends._numpy.algorithm import Array
from mtconv.backends._numpy.counts import Counts
from mtconv.backends.host.memory import Workspace
from mtconv.planning import tuning

__all__ = ["add_correlation", "footprint", "tile_of"]

Parts = tuple[tuple[slice, int], ...]


def add_correlation(rows: Array, columns: Array, out: Array, space: Workspace) -> None:
    """Add ``rows @ columns.T``, summed over all items, to ``out``.

    ``rows`` are (n, g, r, e), ``columns`` (n, g, *taps, c, e), and ``out`` is
    (g, *taps, r, c).
    """
    one = (1,) * (columns.ndim - 4)
    rows = rows.reshape(*rows.shape[:2], *one, *rows.shape[2:])
    tile = None
    if out.dtype.char == "f":
        tile = tile_of(rows.shape[-2], *columns.shape[-2:])
    with space.frame():
        if tile is None:
            term = space.take(out.shape, out.dtype)
            for item in range(len(rows)):
                np.matmul(rows[item], columns[item].swapaxes(-2, -1), out=term)
                out += term
            return
        step = max(1, tuning.TERM_BYTES // max(out.nbytes, 1))
        for rows_part, columns_part in _terms(rows, columns, tile[2], step):
            with space.frame():
                terms = space.take((len(rows_part), *out.shape), out.dtype)
                _multiply(rows_part, columns_part, terms, tile)
                _add_up(terms, out, space)


def _add_up(terms: Array, out: Array, space: Workspace) -> None:
    """Add the sum of terms to out."""
    total = terms[0]
    if len(terms) > 1:
        total = space.take(out.shape, out.dtype)
        np.add.reduce(terms, axis=0, out=total)
    out += total


@lru_cache(maxsize=4096)
def tile_of(rows: int, columns: int, elements: int) -> tuple[int, int, int] | None:
    """Choose rows, columns and elements of a tile, or None where one product is as fast."""
    thin = 1 < min(rows, columns) <= tuning.MOST_THIN
    if elements < tuning.LEAST_ELEMENTS or not thin:
        return None
    high = _even(rows, tuning.TILE_ROWS)
    wide = _even(columns, min(tuning.TILE_RESULT // high, tuning.TILE_COLUMNS))
    deepest = min(tuning.UNPACKED // (high * wide), tuning.TILE_ELEMENTS)
    return high, wide, _even(elements, deepest)


def _even(count: int, most: int) -> int:
    """Cut a count into parts of at most so many: equal ones if they are not small."""
    for size in range(min(count, most), most // 2, -1):
        if count % size == 0:
            return size
    return -(-count // -(-count // most))


def _parts(count: int, size: int) -> Parts:
    """Return what is cut into equal parts and the rest, each with the size of its parts."""
    whole = count // size * size
    parts = ((slice(0, whole), size), (slice(whole, count), count - whole))
    return tuple(part for part in parts if part[1] and part[0].stop > part[0].start)


def _terms(
    rows: Array, columns: Array, deep: int, step: int
) -> Iterator[tuple[Array, Array]]:
    """Cut items and elements into terms, and yield a few at a time: (t, g, ..., e)."""
    for item_rows, item_columns in zip(rows, columns, strict=True):
        for elements, size in _parts(rows.shape[-1], deep):
            row_terms = _cut(item_rows[..., elements], size)
            column_terms = _cut(item_columns[..., elements], size)
            for start in range(0, len(row_terms), step):
                yield row_terms[start : start + step], column_terms[start : start + step]


def _cut(array: Array, size: int) -> Array:
    """View (g, ..., e) as (t, g, ..., e), cut along its elements."""
    cut = array.reshape(*array.shape[:-1], -1, size)
    return cut.transpose(cut.ndim - 2, *range(cut.ndim - 2), cut.ndim - 1)


def _multiply(
    rows: Array, columns: Array, terms: Array, tile: tuple[int, int, int]
) -> None:
    """Write each product of rows and columns to terms (t, g, *taps, r, c), in tiles."""
    for r, high in _parts(rows.shape[-2], tile[0]):
        left = rows[..., r, :]
        left = left.reshape(*left.shape[:-2], -1, 1, high, left.shape[-1])
        for c, wide in _parts(columns.shape[-2], tile[1]):
            right = columns[..., c, :]
            right = right.reshape(*right.shape[:-2], 1, -1, wide, right.shape[-1])
            part = terms[..., r, c]
            tiles = part.reshape(*part.shape[:-2], left.shape[-4], high, -1, wide)
            np.matmul(left, right.swapaxes(-1, -2), out=tiles.swapaxes(-3, -2))


def footprint(c: Counts, columns: int) -> int:
    """Bound the elements of terms that are not added up yet, and of their sum."""
    each = c.groups * c.others * columns
    return max(2 * each, each + tuning.TERM_BYTES // c.itemsize)
