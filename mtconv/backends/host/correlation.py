"""Kernel gradients as products ``rows @ columns.T`` over all elements of space.

Such products are small and have long sums. Thin ones are cut into tiles, along their sums
too. The sums of the parts are added up afterwards, so chains of additions are short.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.counts import Counts
from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.tiles import multiply_tiles, parts, tile_of
from mtconv.planning import tuning

__all__ = ["add_correlation", "footprint"]

Array = NDArray[Any]


def add_correlation(rows: Array, columns: Array, out: Array, space: Workspace) -> None:
    """Add ``rows @ columns.T``, summed over all items, to ``out``.

    ``rows`` are (n, g, r, e), ``columns`` (n, g, *taps, c, e), and ``out`` is
    (g, *taps, r, c).
    """
    one = (1,) * (columns.ndim - 4)
    rows = rows.reshape(*rows.shape[:2], *one, *rows.shape[2:])
    tile = None
    if out.dtype.char == "f":
        tile = tile_of(*rows.shape[-2:], columns.shape[-2], "sums")
    with space.frame():
        if tile is None:
            term = space.take(out.shape, out.dtype)
            for item in range(len(rows)):
                np.matmul(rows[item], columns[item].swapaxes(-2, -1), out=term)
                out += term
            return
        step = max(1, min(tuning.TERM_BYTES // max(out.nbytes, 1), tuning.CHAIN))
        for rows_part, columns_part in _terms(rows, columns, tile.terms, step):
            with space.frame():
                terms = space.take((*rows_part.shape[:2], *out.shape), out.dtype)
                multiply_tiles(rows_part, columns_part.swapaxes(-2, -1), terms, tile)
                _add_up(terms.reshape(-1, *out.shape), out, space)


def _add_up(terms: Array, out: Array, space: Workspace) -> None:
    """Add the sum of terms to out."""
    total = terms[0]
    if len(terms) > 1:
        total = space.take(out.shape, out.dtype)
        np.add.reduce(terms, axis=0, out=total)
    out += total


def _terms(
    rows: Array, columns: Array, deep: int, step: int
) -> Iterator[tuple[Array, Array]]:
    """Cut elements into terms, and yield a few at a time: (n, t, g, ..., e)."""
    for elements, size in parts(rows.shape[-1], deep):
        row_terms = _cut(rows[..., elements], size)
        column_terms = _cut(columns[..., elements], size)
        items, count = row_terms.shape[:2]
        items_each = max(1, step // count)
        for item, term in product(range(0, items, items_each), range(0, count, step)):
            part = slice(item, item + items_each), slice(term, term + step)
            yield row_terms[part], column_terms[part]


def _cut(array: Array, size: int) -> Array:
    """View (n, g, ..., e) as (n, t, g, ..., e), cut along its elements."""
    cut = array.reshape(*array.shape[:-1], -1, size)
    return cut.transpose(0, cut.ndim - 2, *range(1, cut.ndim - 2), cut.ndim - 1)


def footprint(c: Counts, columns: int) -> int:
    """Bound the elements of terms that are not added up yet, and of their sum."""
    each = c.groups * c.others * columns
    return max(2 * each, each + tuning.TERM_BYTES // c.itemsize)
