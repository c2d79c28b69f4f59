"""The kernel gradient of few channels as matrix products: sums along diagonals.

The last axis is cut into short pieces. The product of a piece of x with the stretch of
the big side that it meets holds, for every tap of that axis, one diagonal; what is off
the diagonals that are summed is never read. A multiple of the useful products, but by a
matrix product, where the taps alone would be as many passes over both arrays.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator, shifted
from mtconv.backends._jax.columns import margins, places, split
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = ["kernel_grad", "piece"]

_PIECE = 32
_LEAST_PIECE = 8
# Fewer cells are read from the cache, tap by tap.
_LEAST_CELLS = 2**15
_MOST_TAPS = 64


def piece(spec: ConvSpec) -> int:
    """Length of a piece of the last axis; 0 where this form is not worth while."""
    axis = spec.axes[-1]
    if spec.rank < 2 or axis.kernel < 3 or traced(spec.small):
        return 0
    if prod(spec.small) < _LEAST_CELLS:
        return 0
    _, first = places(axis)
    span = max(first) - min(first)
    fitting = (n for n in range(_PIECE, 0, -1) if axis.small % n == 0)
    length = next(fitting)
    return length if length >= max(span, _LEAST_PIECE) else 0


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply pieces of x by stretches of y, and sum diagonals."""
    length = piece(spec)
    x = _pieces(spec, x, length)
    outer, last = spec.axes[:-1], spec.axes[-1]
    residues, first = places(last)
    rows = [
        [*(residue for residue, _ in row), *(start for _, start in row)]
        for row in product(*(zip(*places(axis), strict=True) for axis in outer))
    ]
    by_residue: dict[int, tuple[Array, int]] = {}
    for residue in sorted(set(residues)):
        own = [f for r, f in zip(residues, first, strict=True) if r == residue]
        stretches = _stretches(spec, y, length, residue, (min(own), max(own)))

        def term(row: Any, stretches: Array = stretches) -> Array:
            return _diagonals(x, stretches, row, precision)

        if len(rows) <= _MOST_TAPS:
            sums = jnp.stack([term(row) for row in rows], axis=3)
        else:
            sums = jnp.moveaxis(lax.map(term, jnp.asarray(rows, jnp.int32)), 0, 3)
        by_residue[residue] = sums, min(own)
    taps = [
        by_residue[r][0][..., f - by_residue[r][1]]
        for r, f in zip(residues, first, strict=True)
    ]
    return jnp.stack(taps, axis=-1).reshape(spec.kernel_shape)


def _pieces(spec: ConvSpec, x: Array, length: int) -> Array:
    """Cut x into (groups, pieces, channels, batch, *outer, length)."""
    batch, channels, *size = x.shape
    x = x.reshape(
        batch,
        spec.groups,
        channels // spec.groups,
        *size[:-1],
        size[-1] // length,
        length,
    )
    order = (1, x.ndim - 2, 2, 0, *range(3, x.ndim - 2), x.ndim - 1)
    return x.transpose(order)


def _stretches(
    spec: ConvSpec, y: Array, length: int, residue: int, first: tuple[int, int]
) -> Array:
    """Cut one residue of y: (groups, pieces, channels, *strides, batch, *outer, length)."""
    rank = spec.rank
    edges = [(*margins(axis), 0) for axis in spec.axes]
    blocks = shifted(split(spec.axes, y), [(0, 0, 0)] * (2 + rank) + edges)
    blocks = lax.index_in_dim(blocks, residue, rank, keepdims=False)
    span = first[1] - first[0]
    pieces = spec.axes[-1].small // length
    # One piece more than there are gives every piece its neighbour's beginning.
    wanted = (pieces + 1) * length
    room = first[0] + wanted - blocks.shape[-1]
    blocks = shifted(blocks, [(0, 0, 0)] * (blocks.ndim - 1) + [(-first[0], room, 0)])
    blocks = blocks.reshape(*blocks.shape[:-1], pieces + 1, length)
    own, following = blocks[..., :-1, :], blocks[..., 1:, :span]
    stretches = jnp.concatenate([own, following], axis=-1)
    share = stretches.shape[0] // spec.groups
    stretches = stretches.reshape(spec.groups, share, *stretches.shape[1:])
    return jnp.moveaxis(stretches, -2, 1)


def _diagonals(x: Array, stretches: Array, row: Any, precision: Any) -> Array:
    """Sum diagonals of one tap of the outer axes: (groups, in, out, span + 1)."""
    groups, pieces, _, batch, *outer, length = x.shape
    rank = len(outer)
    share, reach = stretches.shape[2], stretches.shape[-1]
    size = (groups, pieces, share, *(1,) * rank, batch, *outer, reach)
    at = [jnp.asarray(start, jnp.int32) for start in row]
    zero = jnp.zeros((), jnp.int32)
    start = (zero, zero, zero, *at[:rank], zero, *at[rank:], zero)
    window = lax.squeeze(lax.dynamic_slice(stretches, start, size), range(3, 3 + rank))
    cells = tuple(range(3, 4 + rank))
    products = lax.dot_general(
        x,
        window,
        ((cells, cells), ((0, 1), (0, 1))),
        precision=precision,
        preferred_element_type=accumulator(x.dtype),
    )  # (groups, pieces, in, length, out, reach)
    products = products.sum(1, dtype=products.dtype).swapaxes(2, 3)
    flat = products.reshape(*products.shape[:3], length * reach)
    # Rows that are one element longer start one element further each.
    flat = shifted(flat, [(0, 0, 0)] * 3 + [(0, length, 0)])
    skewed = flat.reshape(*flat.shape[:3], length, reach + 1)
    return skewed[..., : reach - length + 1].sum(3, dtype=products.dtype)
