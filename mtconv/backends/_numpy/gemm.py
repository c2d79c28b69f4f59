"""`gemm`: one matrix product with all taps, then overlap-add (or its adjoint, gather).

The kernel is never repacked: BLAS takes it transposed. Columns are made for so many
channels at a time that they stay in the second-level cache between product and add.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.columns import folds, gather
from mtconv.backends._numpy.overlap import overlap_add, sum_by_table, terms
from mtconv.backends._numpy.product import matmul, matrices_for, multiply, store
from mtconv.backends._numpy.weights import Weights
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis

__all__ = ["COLUMN_BYTES", "NAME", "conv", "conv_transpose", "kernel_grad"]

NAME = "gemm"

Array = NDArray[Any]
Axes = tuple[Axis, ...]

# Bytes of the columns of a block: fewer, larger blocks keep threads from taking turns.
COLUMN_BYTES = 2**22

# Products with as many terms cost more than their columns: packed once they are faster. Of
# others, half a block's columns at a time stay nearer to the processor.
DEEP = 256

# A problem this small costs more calls than work: its overlap-add is one look-up.
FEW_COLUMNS = 2**14
FEW_CELLS = 2**12
FEW_TERMS = 2**16

# The gathered columns of a convolution are read once, by BLAS, which packs them.
GATHER_BYTES = 2**22


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Add the columns ``w.T @ x`` of every tap where they land.

    x is (g, ci, b, *small), the weights (g, ci, co, *taps), out (b, g, co, *big).
    """
    w = weights.array
    groups, small, share, *taps = w.shape
    batch, sizes = x.shape[2], x.shape[3:]
    items = _items(x)
    each = batch * groups * prod(taps) * prod(sizes)
    few = 0 < each * share <= FEW_COLUMNS and 0 < out.size <= FEW_CELLS
    if few and len(items) == 1 and terms(axes) * out.size <= FEW_TERMS:
        flat = space.take((each * share + 1,), x.dtype)
        flat[-1] = 0
        rows = w.reshape(groups, small, -1).swapaxes(1, 2)
        columns = flat[:-1].reshape(groups, -1, items.shape[3])
        np.matmul(rows, items[0], out=columns)
        sum_by_table(axes, flat, out, space)
        return
    limit = COLUMN_BYTES if small >= DEEP else COLUMN_BYTES // 2
    # As many as nearest to the limit, so that none are left for a thin last product.
    count = max(1, round(share * each * x.itemsize / limit))
    step = max(1, -(-share // count))
    for start in range(0, share, step):
        with space.frame():
            part = w[:, :, start : start + step]
            rows = part.reshape(groups, small, -1).swapaxes(1, 2)
            flat = space.take((len(items), groups, rows.shape[1], items.shape[3]), x.dtype)
            if small == 1:  # an outer product is no work for BLAS
                np.multiply(rows, items, out=flat)
            else:
                matmul(rows, items, flat)
            if len(items) == 1:
                columns = flat.reshape(groups, part.shape[2], *taps, batch, *sizes)
            else:
                columns = flat.reshape(batch, groups, part.shape[2], *taps, *sizes)
                columns = np.moveaxis(columns, 0, 2 + len(taps))
            overlap_add(axes, columns, out[:, :, start : start + step], space)


def _items(x: Array) -> Array:
    """View x as (b, g, ci, cells), or (1, g, ci, b * cells) where items lie so."""
    groups, small, batch = x.shape[:3]
    cells = prod(x.shape[3:])
    if x.flags.c_contiguous:
        return x.reshape(1, groups, small, batch * cells)
    return x.transpose(2, 0, 1, *range(3, x.ndim)).reshape(batch, groups, small, cells)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Multiply the gathered columns of y by the kernel.

    y is (b, g, co, *big), the weights (g, ci, co, *taps), out (b, g, ci, *small).
    """
    w = weights.array
    groups, small, share, *taps = w.shape
    folded = folds(len(out), prod(out.shape[3:]))
    result, in_place = matrices_for(out, space, folded=folded)
    step = _channels_at_a_time(GATHER_BYTES, result.nbytes // small * prod(taps))
    for start in range(0, share, step):
        rows = w[:, :, start : start + step].reshape(groups, small, -1)
        with space.frame():
            some = y[:, :, start : start + step]
            columns = gather(axes, some, space, folded=folded)
            multiply(rows, columns, result, space, add=start > 0)
    if not in_place:
        store(result, out)


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Add x times the gathered columns of y to ``out`` (g, ci, co, *taps).

    x is (g, ci, b, *small), y (b, g, co, *big).
    """
    groups, small, share, *taps = out.shape
    rows = x.reshape(groups, small, -1)
    step = _channels_at_a_time(GATHER_BYTES, rows.nbytes // small * prod(taps))
    for start in range(0, share, step):
        with space.frame():
            some = y[:, :, start : start + step]
            (columns,) = gather(axes, some, space, folded=True)
            part = out[:, :, start : start + step]
            more = space.take((groups, small, columns.shape[1]), out.dtype)
            np.matmul(rows, columns.swapaxes(1, 2), out=more)
            part += more.reshape(part.shape)


def _channels_at_a_time(limit: int, each: int) -> int:
    return max(1, limit // max(each, 1))
