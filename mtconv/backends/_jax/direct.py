"""`direct`: tap by tap, without columns; element by element where channels are few.

Arrays are (groups, channels, batch, *cells), the big side in the blocks of
`mtconv.backends._jax.columns`. Slices are static where taps are few, so that a compiler
fuses all of them into one loop; otherwise a loop over the outer taps takes them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator
from mtconv.backends._jax.columns import (
    cells,
    every_phase,
    interleave,
    margins,
    places,
    shifted,
    split,
)
from mtconv.geometry import Phase, phases
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

# As many taps are unrolled; the products of as many channels are done element by element.
_MOST_TAPS = 64
_THIN = 4

Index = Sequence[Any]
Term = Callable[[Index], Array]


def conv_transpose(spec: ConvSpec, x: Array, w: Array, precision: Any) -> Array:
    """Sum, for every phase of the big side, the taps that feed it."""
    x, w = _channels(spec, x.swapaxes(0, 1)), _channels(spec, w)
    rank = spec.rank
    # Phases read the small side as taps read the blocks: widen it once for all.
    spread = [_reach(phases(axis), cells(axis), axis.small) for axis in spec.axes]
    x = _barrier(shifted(x, [(0, 0, 0)] * 3 + [(*edges, 0) for edges in spread]))
    size = (*x.shape[:3], *(cells(axis) for axis in spec.axes))
    blocks = []
    for found in product(*(every_phase(axis) for axis in spec.axes)):
        rows = [
            [
                phase.tap + m * phase.tap_step
                for phase, m in zip(found, numbers, strict=True)
            ]
            + [
                low + phase.shift - m * phase.shift_step
                for phase, m, (low, _) in zip(found, numbers, spread, strict=True)
            ]
            for numbers in product(*(range(phase.taps) for phase in found))
        ]

        def term(row: Index) -> Array:
            window = lax.dynamic_slice(x, (0, 0, 0, *row[rank:]), size)
            return _product(_tap(w, row[:rank]).swapaxes(1, 2), window, precision)

        shape = (spec.groups, w.shape[2], *size[2:])
        blocks.append(_sum(term, rows, max(found[-1].taps, 1), shape, x.dtype))
    stacked = jnp.stack(blocks, axis=2)
    strides = (axis.stride for axis in spec.axes)
    whole = stacked.reshape(spec.groups * w.shape[2], *strides, *stacked.shape[3:])
    return interleave(spec.axes, whole)


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any) -> Array:
    """Sum what every tap reads from the blocks of the big side."""
    w, window = _channels(spec, w), _windows(spec, y)
    rank = spec.rank

    def term(row: Index) -> Array:
        return _product(_tap(w, row[:rank]), window(row), precision)

    shape = (*w.shape[:2], y.shape[0], *spec.small)
    x = _sum(term, _rows(spec), spec.kernel_size[-1], shape, y.dtype)
    return x.reshape(spec.kernel_shape[0], *x.shape[2:]).swapaxes(0, 1)


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply x by what every tap reads."""
    x, window = _channels(spec, x.swapaxes(0, 1)), _windows(spec, y)
    every = tuple(range(2, 3 + spec.rank))

    def term(row: Index) -> Array:
        return lax.dot_general(
            x,
            window(row),
            ((every, every), ((0,), (0,))),
            precision=precision,
            preferred_element_type=accumulator(x.dtype),
        )

    rows = _rows(spec)
    if len(rows) <= _MOST_TAPS:
        taps = jnp.stack([term(row) for row in rows])
    else:
        taps = lax.map(term, jnp.asarray(rows, jnp.int32))
    return jnp.moveaxis(taps, 0, -1).reshape(spec.kernel_shape)


def _rows(spec: ConvSpec) -> list[list[int]]:
    """List the taps: their indices, then per axis their residue, then their first cell."""
    found = [list(zip(*places(axis), strict=True)) for axis in spec.axes]
    return [
        [*tap, *(residue for residue, _ in place), *(start for _, start in place)]
        for tap, place in zip(
            product(*(range(axis.kernel) for axis in spec.axes)),
            product(*found),
            strict=True,
        )
    ]


def _windows(spec: ConvSpec, y: Array) -> Term:
    """Return what reads the cells of one tap: (groups, channels, batch, *small)."""
    rank = spec.rank
    edges = [(*margins(axis), 0) for axis in spec.axes]
    blocks = shifted(split(spec.axes, y), [(0, 0, 0)] * (2 + rank) + edges)
    blocks = _barrier(blocks)
    size = (blocks.shape[0], *(1,) * rank, y.shape[0], *spec.small)

    def window(row: Index) -> Array:
        residue, start = row[rank : 2 * rank], row[2 * rank :]
        found = lax.dynamic_slice(blocks, (0, *residue, 0, *start), size)
        return _channels(spec, lax.squeeze(found, range(1, 1 + rank)))

    return window


def _sum(
    term: Term, rows: list[list[int]], inner: int, shape: tuple[Any, ...], dtype: Any
) -> Array:
    """Sum the terms of all rows, ``inner`` of them unrolled where they are many."""
    if len(rows) <= _MOST_TAPS:
        total = None
        for row in rows:
            total = term(row) if total is None else total + term(row)
        return jnp.zeros(shape, accumulator(dtype)) if total is None else total
    inner = inner if inner <= _MOST_TAPS else 1
    table = np.asarray(rows, np.int32).reshape(-1, inner, len(rows[0]))

    def step(total: Array, part: Array) -> tuple[Array, None]:
        for number in range(inner):
            total = total + term(list(part[number]))
        return total, None

    start = jnp.zeros(shape, accumulator(dtype))
    return lax.scan(step, start, jnp.asarray(table))[0]


def _product(w: Array, window: Array, precision: Any) -> Array:
    """Multiply w (groups, out, in) and (groups, in, batch, *cells), summed over in."""
    if w.shape[1] * w.shape[2] > _THIN:
        return lax.dot_general(
            w,
            window,
            (((2,), (1,)), ((0,), (0,))),
            precision=precision,
            preferred_element_type=accumulator(window.dtype),
        )
    dtype = accumulator(window.dtype)
    total: Any = 0
    for number in range(w.shape[2]):
        factor = w[:, :, number].astype(dtype)
        factor = lax.expand_dims(factor, range(2, window.ndim))
        total = total + factor * window[:, None, number].astype(dtype)
    return total


def _tap(w: Array, index: Index) -> Array:
    """Take one tap of the kernel: (groups, small channels, big channels)."""
    rank = len(index)
    size = (*w.shape[:3], *(1,) * rank)
    return lax.squeeze(lax.dynamic_slice(w, (0, 0, 0, *index), size), range(3, 3 + rank))


def _channels(spec: ConvSpec, array: Array) -> Array:
    """Split the first axis into groups and the channels of one group."""
    size = array.shape[0] // spec.groups
    return array.reshape(spec.groups, size, *array.shape[1:])


def _barrier(array: Array) -> Array:
    """Have the padded array in memory, where slices of it cost no comparison."""
    return lax.optimization_barrier(array)


def _reach(found: Sequence[Phase], big: int, small: int) -> tuple[int, int]:
    """Cells before and behind the small side that some phase reads."""
    live = [phase for phase in found if phase.taps]
    first = [phase.shift - (phase.taps - 1) * phase.shift_step for phase in live]
    last = [phase.shift + big for phase in live]
    return max(0, -min(first, default=0)), max(0, max(last, default=0) - small)
