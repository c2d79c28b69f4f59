"""Matrix products whose long sums are made of shorter ones.

BLAS adds one term after another, and in single precision the rounding error of a sum
grows with the length of such a chain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.workspace import Workspace

__all__ = ["as_matrices", "multiply"]

Array = NDArray[Any]

# Terms that one chain should have; every cut costs a pass over the result. Sums that need
# more pieces are left to BLAS, which cuts them itself at some hundreds of terms.
CHAIN = 144
PIECES = 16


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
        np.matmul(rows, columns, out=out)
        return
    with space.frame():
        more = space.take(out.shape, out.dtype)
        for piece in range(pieces):
            inner = slice(depth * piece // pieces, depth * (piece + 1) // pieces)
            into = more if add or piece else out
            np.matmul(rows[..., inner], columns[..., inner, :], out=into)
            if into is more:
                out += more


def as_matrices(out: Array) -> Array | None:
    """View out (b, g, c, *cells) as (g, c, cells) where BLAS can write to it."""
    if out.shape[0] != 1:
        return None
    expected = out.itemsize
    for size, stride in zip(out.shape[:2:-1], out.strides[:2:-1], strict=True):
        if size > 1 and stride != expected:
            return None
        expected *= size
    matrices: Array = out[0].reshape(*out.shape[1:3], -1)
    return matrices
