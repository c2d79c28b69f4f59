"""The kernel gradient of few channels: sums of many products in one loop.

XLA adds up one sum term after term, so every addition waits for the one before. Sums of
several taps in one loop do not wait for each other, and x is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator
from mtconv.geometry import Axis, TapRun, runs
from mtconv.sizes import traced

__all__ = ["kernel_grad", "single_taps"]

# So many sums are one loop, and so many loops are unrolled.
_TOGETHER = 32
_MOST_LOOPS = 8
# A sum of more terms is made of sums along each row: errors of one long sum would add up.
_MOST_TERMS = 2**14

Window = Callable[[Sequence[Any], tuple[int, ...]], Array]
Places = Callable[[Sequence[TapRun]], list[int]]


def kernel_grad(axes: Sequence[Axis], x: Array, window: Window, places: Places) -> Array:
    """Multiply x by the window of every tap: (groups, small, share, *taps).

    ``x`` is (groups, channels, batch, *small), a window is (groups, channels, *taps, batch,
    *small), and ``places`` says where a run of taps has it.
    """
    rank = len(axes)
    axis_runs = _listed(axes)
    rows = list(product(*axis_runs))

    def term(starts: Sequence[Any], lengths: tuple[int, ...]) -> Array:
        dtype = accumulator(x.dtype)
        left = lax.expand_dims(x, range(2, 3 + rank)).astype(dtype)
        right = lax.expand_dims(window(starts, lengths), (1,)).astype(dtype)
        return left * right

    if len(rows) > _TOGETHER * _MOST_LOOPS:
        return _by_loop(term, [places(row)[rank:] for row in rows], rank)
    sums: dict[tuple[TapRun, ...], Array] = {}
    for lengths in sorted({_lengths(row) for row in rows}):
        alike = [row for row in rows if _lengths(row) == lengths]
        for start in range(0, len(alike), _TOGETHER):
            together = alike[start : start + _TOGETHER]
            terms = [term(places(row)[rank:], lengths) for row in together]
            sums.update(zip(together, _summed(terms, rank), strict=True))

    def joined(row: tuple[TapRun, ...]) -> Array:
        number = len(row)
        if number == rank:
            return sums[row]
        parts = [joined((*row, run)) for run in axis_runs[number]]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 3 + number)

    return joined(())


def _listed(axes: Sequence[Axis]) -> list[tuple[TapRun, ...]]:
    """List the taps of each axis one by one, or in runs where only those are few enough."""
    every = [single_taps(axis) for axis in axes]
    most = _TOGETHER * _MOST_LOOPS
    in_runs = [runs(axis) for axis in axes]
    few = prod(map(len, every)) > most >= prod(map(len, in_runs))
    return in_runs if few else every


def single_taps(axis: Axis) -> tuple[TapRun, ...]:
    """List every tap of an axis as a run of its own."""
    return tuple(
        TapRun(run.tap + t, 1, run.residue + t, run.shift)
        for run in runs(axis)
        for t in range(run.taps)
    )


def _lengths(row: tuple[TapRun, ...]) -> tuple[int, ...]:
    return tuple(run.taps for run in row)


def _by_loop(term: Callable[..., Array], places: list[list[int]], rank: int) -> Array:
    """Sum single taps, as many at a time as fit one loop of the program."""
    step = _TOGETHER
    padded = places + places[:1] * (-len(places) % step)
    table = jnp.asarray(padded, jnp.int32).reshape(-1, step, len(places[0]))

    def sums(part: Array) -> Array:
        terms = [term(list(part[number]), (1,) * rank) for number in range(step)]
        return jnp.stack(_summed(terms, rank))

    taps = lax.map(sums, table)
    taps = taps.reshape(taps.shape[0] * step, *taps.shape[2:5])[: len(places)]
    return jnp.moveaxis(taps, 0, -1)


def _summed(terms: list[Array], rank: int) -> list[Array]:
    """Sum arrays of one shape over the batch and cells, their last axes, in one loop."""
    first = terms[0].ndim - 1 - rank
    shape = terms[0].shape[first:]
    over = tuple(range(first, terms[0].ndim))
    if traced(shape) or prod(shape) <= _MOST_TERMS:
        return _reduced(terms, over)
    rows = lax.optimization_barrier(_reduced(terms, over[:-1]))
    return _reduced(rows, (first,))


def _reduced(terms: Sequence[Array], over: tuple[int, ...]) -> list[Array]:
    zeros = [jnp.zeros((), term.dtype) for term in terms]

    def add(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
        return [a + b for a, b in zip(left, right, strict=True)]

    return list(lax.reduce(list(terms), zeros, add, over))
