"""`direct`: run by run of taps, without columns; elementwise where channels are few.

Slices are static where there are few of them, so that the compiler fuses all into one
loop; otherwise a loop over the outer axes' taps takes them in turn. Arrays are (groups,
channels, *strides or taps, batch, *cells), as in `mtconv.backends._jax.columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mtconv.backends._jax import sums
from mtconv.backends._jax.arrays import accumulator, cells, dot, shifted, split_channels
from mtconv.backends._jax.columns import interleave, margins, split
from mtconv.geometry import Axis, TapRun, runs
from mtconv.planning.tuning import MOST_TERMS
from mtconv.sizes import larger
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

# As many products are summed elementwise.
_THIN = 4

Starts = Sequence[Any]
Lengths = tuple[int, ...]


class _Segment(NamedTuple):
    """Neighbouring residues that the same runs feed: (first tap, shift) of each."""

    length: int
    terms: tuple[tuple[int, int], ...]


def conv_transpose(spec: ConvSpec, x: Array, w: Array, precision: Any) -> Array:
    """Sum, for every segment of the strides, the runs that feed it."""
    rank, share = spec.rank, w.shape[1]
    x, w = split_channels(spec, x.swapaxes(0, 1), 0), split_channels(spec, w, 0)
    # Seen from the blocks a run reads the small side at minus its shift.
    edges = [_reach(axis) for axis in spec.axes]
    x = lax.optimization_barrier(
        shifted(x, [(0, 0, 0)] * 3 + [(*edge, 0) for edge in edges])
    )
    size = (*x.shape[:3], *(cells(axis) for axis in spec.axes))
    contract = ((1,), (1,)), ((0,), (0,))

    def blocks(segments: tuple[_Segment, ...]) -> Array:
        number = len(segments)
        if number < rank:
            parts = [blocks((*segments, s)) for s in _segments(spec.axes[number])]
            return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 2 + number)
        lengths = tuple(segment.length for segment in segments)

        def term(row: Starts) -> Array:
            window = _slice(x, (0, 0, 0, *row[rank:]), size)
            return _product(_taps(w, row[:rank], lengths), window, contract, precision)

        rows = [
            [
                *(tap for tap, _ in row),
                *(e[0] - s for (_, s), e in zip(row, edges, strict=True)),
            ]
            for row in product(*(segment.terms for segment in segments))
        ]
        shape = (spec.groups, share, *lengths, *size[2:])
        inner = max(len(segments[-1].terms), 1)
        return _sum(term, rows, inner, jnp.zeros(shape, accumulator(x.dtype)))

    whole = blocks(())
    return interleave(spec.axes, whole.reshape(spec.groups * share, *whole.shape[2:]))


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any) -> Array:
    """Sum what every run reads from the blocks of the big side."""
    rank = spec.rank
    w, window = split_channels(spec, w, 0), _windows(spec, y)
    both = tuple(range(2, 3 + rank)), tuple(range(1, 2 + rank))
    total = jnp.zeros((*w.shape[:2], y.shape[0], *spec.small), accumulator(y.dtype))
    # Elementwise, a sum over a run of taps would be a pass of its own.
    thin = w.shape[1] * w.shape[2] <= _THIN
    axis_runs = _single_taps(spec) if thin else _few_runs(spec)
    for lengths in sorted({tuple(run.taps for run in row) for row in product(*axis_runs)}):
        contract = both, ((0,), (0,))

        def term(
            row: Starts, lengths: Lengths = lengths, contract: Any = contract
        ) -> Array:
            taps = _taps(w, row[:rank], lengths)
            return _product(taps, window(row[rank:], lengths), contract, precision)

        rows = [
            _places(spec.axes, row)
            for row in product(*axis_runs)
            if tuple(run.taps for run in row) == lengths
        ]
        total = _sum(term, rows, len(axis_runs[-1]), total)
    return total.reshape(spec.kernel_shape[0], *total.shape[2:]).swapaxes(0, 1)


def kernel_grad(spec: ConvSpec, x: Array, y: Array, precision: Any) -> Array:
    """Multiply x by what every run reads."""
    rank = spec.rank
    small, share = spec.kernel_shape[:2]
    x, window = split_channels(spec, x.swapaxes(0, 1), 0), _windows(spec, y)
    if small // max(spec.groups, 1) * share <= _THIN:
        w = sums.kernel_grad(spec.axes, x, window, partial(_places, spec.axes))
        return w.reshape(spec.kernel_shape)
    here = tuple(range(2, 3 + rank))
    contract = (here, tuple(axis + rank for axis in here)), ((0,), (0,))

    def term(starts: Starts, lengths: Lengths) -> Array:
        return dot(x, window(starts, lengths), *contract, precision)

    axis_runs = _few_runs(spec)
    if len(list(product(*axis_runs))) > MOST_TERMS:  # single taps, all of one shape
        rows = [_places(spec.axes, row)[rank:] for row in product(*axis_runs)]
        taps = lax.map(
            lambda row: term(list(row), (1,) * rank), jnp.asarray(rows, jnp.int32)
        )
        return jnp.moveaxis(taps, 0, -1).reshape(spec.kernel_shape)

    def taps_of(row: tuple[TapRun, ...]) -> Array:
        number = len(row)
        if number == rank:
            starts = _places(spec.axes, row)[rank:]
            return term(starts, tuple(run.taps for run in row))
        parts = [taps_of((*row, run)) for run in axis_runs[number]]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 3 + number)

    return taps_of(()).reshape(spec.kernel_shape)


def _few_runs(spec: ConvSpec) -> list[tuple[TapRun, ...]]:
    """List the runs of each axis; where they are many, every tap alone, for a loop."""
    axis_runs = [runs(axis) for axis in spec.axes]
    few = prod(len(row) for row in axis_runs) <= MOST_TERMS
    return axis_runs if few else _single_taps(spec)


def _single_taps(spec: ConvSpec) -> list[tuple[TapRun, ...]]:
    return [sums.single_taps(axis) for axis in spec.axes]


def _segments(axis: Axis) -> list[_Segment]:
    """Split the residues of an axis where the runs that feed them change."""
    axis_runs = runs(axis)
    edges = {0, axis.stride}
    edges |= {run.residue for run in axis_runs} | {
        run.residue + run.taps for run in axis_runs
    }
    bounds = sorted(edges)
    return [
        _Segment(
            stop - start,
            tuple(
                (run.tap + start - run.residue, run.shift)
                for run in axis_runs
                if run.residue <= start and stop <= run.residue + run.taps
            ),
        )
        for start, stop in pairwise(bounds)
    ]


def _reach(axis: Axis) -> tuple[int, int]:
    """Cells before and behind the small side that some run reads."""
    shifts = [run.shift for run in runs(axis)]
    return max(0, max(shifts)), larger(0, cells(axis) - min(shifts) - axis.small)


def _places(axes: Sequence[Axis], row: Sequence[TapRun]) -> list[int]:
    """First taps, residues, and first cells counted from the margin before the blocks."""
    first = [run.shift + margins(axis)[0] for axis, run in zip(axes, row, strict=True)]
    return [*(run.tap for run in row), *(run.residue for run in row), *first]


def _windows(spec: ConvSpec, y: Array) -> Callable[[Starts, Lengths], Array]:
    """Return what reads the cells of a run: (groups, channels, *taps, batch, *small)."""
    rank = spec.rank
    edges = [(*margins(axis), 0) for axis in spec.axes]
    blocks = shifted(split(spec.axes, y), [(0, 0, 0)] * (2 + rank) + edges)
    blocks = lax.optimization_barrier(blocks)

    def window(starts: Starts, lengths: Lengths) -> Array:
        size = (blocks.shape[0], *lengths, y.shape[0], *spec.small)
        piece = _slice(blocks, (0, *starts[:rank], 0, *starts[rank:]), size)
        return split_channels(spec, piece, 0)

    return window


def _sum(
    term: Callable[[Starts], Array], rows: list[list[int]], inner: int, total: Array
) -> Array:
    """Add the terms of all rows, ``inner`` of them unrolled where they are many."""
    if len(rows) <= MOST_TERMS:
        subtotal = None
        for row in rows:
            subtotal = term(row) if subtotal is None else subtotal + term(row)
        return total if subtotal is None else total + subtotal
    inner = inner if inner <= MOST_TERMS else 1
    table = np.asarray(rows, np.int32).reshape(-1, inner, len(rows[0]))

    def step(total: Array, part: Array) -> tuple[Array, None]:
        for number in range(inner):
            total = total + term(list(part[number]))
        return total, None

    return lax.scan(step, total, jnp.asarray(table))[0]


def _product(w: Array, window: Array, contract: Any, precision: Any) -> Array:
    """Multiply (groups, out, *taps) by a window; elementwise where little is summed."""
    (left, right), groups = contract
    summed = prod(w.shape[axis] for axis in left)
    if not 0 < summed <= _THIN:
        return dot(w, window, (left, right), groups, precision)
    dtype = accumulator(window.dtype)
    w, window = w.astype(dtype), window.astype(dtype)
    total = None
    for index in product(*(range(w.shape[axis]) for axis in left)):
        factor, other = w, window
        for position, a, b in zip(index, left, right, strict=True):
            factor = lax.slice_in_dim(factor, position, position + 1, axis=a)
            other = lax.slice_in_dim(other, position, position + 1, axis=b)
        factor, other = lax.squeeze(factor, left), lax.squeeze(other, right)
        factor = lax.expand_dims(factor, range(factor.ndim, factor.ndim + other.ndim - 1))
        other = lax.expand_dims(other, range(1, 1 + factor.ndim - other.ndim))
        total = factor * other if total is None else total + factor * other
    assert total is not None
    return total


def _taps(w: Array, starts: Starts, lengths: Lengths) -> Array:
    """Take a block of taps: (groups, small channels, big channels, *taps)."""
    return _slice(w, (0, 0, 0, *starts), (*w.shape[:3], *lengths))


def _slice(array: Array, starts: Starts, size: Sequence[Any]) -> Array:
    """Slice, by constants where all starts are known."""
    if all(isinstance(start, int) for start in starts):
        stops = [start + length for start, length in zip(starts, size, strict=True)]
        return lax.slice(array, starts, stops)
    return lax.dynamic_slice(array, [jnp.asarray(s, jnp.int32) for s in starts], size)
