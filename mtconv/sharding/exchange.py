"""Halos between shards, and the window of a shard; called inside of `jax.shard_map`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator
from mtconv.sharding.shards import Split, borders

__all__ = ["collected", "extended", "padded_window", "window"]


def extended(block: Array, number: int, names: Any, split: Split) -> Array:
    """Put the neighbours' elements around a block.

    Beyond the array's ends they are zero, on a ring those of its other end. Each border is
    one permutation of exactly the elements that are needed, so halos wider than a shard
    come from as many neighbours as they reach.
    """
    pieces = {split.left: block}
    for border, places in borders(split).items():
        piece = _cut(block, number, border.source, border.width)
        piece = _moved(piece, names, split, border.hop)
        pieces |= dict.fromkeys(places, piece)
    if len(pieces) == 1:
        return block
    return jnp.concatenate([pieces[place] for place in sorted(pieces)], axis=number)


def collected(block: Array, number: int, names: Any, split: Split) -> Array:
    """Add what a shard has for its neighbours to theirs: the adjoint of `extended`."""
    own = _cut(block, number, split.left, split.own)
    total = own.astype(accumulator(block.dtype))
    for (hop, source, width), places in borders(split).items():
        first, *rest = (_cut(block, number, place, width) for place in places)
        piece = _moved(sum(rest, first), names, split, -hop)
        around = [(0, 0, 0)] * block.ndim
        around[number] = (source, split.own - width - source, 0)
        total += lax.pad(piece.astype(total.dtype), jnp.zeros((), total.dtype), around)
    return total.astype(block.dtype)


def _cut(block: Array, number: int, start: int, width: int) -> Array:
    return lax.slice_in_dim(block, start, start + width, axis=number)


def _moved(piece: Array, names: Any, split: Split, hop: int) -> Array:
    """Receive a piece from the shard ``hop`` places before this one."""
    count = split.shards
    if not hop:
        return piece  # once around the ring
    pairs = [(p, p + hop) for p in range(count)]
    if split.ring:
        pairs = [(p, stop % count) for p, stop in pairs]
    return lax.ppermute(piece, names, [pair for pair in pairs if 0 <= pair[1] < count])


def window(result: Array, number: int, names: Any, split: Split, size: int) -> Array:
    """Take a shard's window of a result that is larger by ``split.spare``."""
    if not split.spare:
        return result
    start = lax.axis_index(names) * split.drift
    start = start - min(0, split.drift * (split.shards - 1))
    return lax.dynamic_slice_in_dim(result, start, size, axis=number)


def padded_window(block: Array, number: int, names: Any, split: Split) -> Array:
    """Shift a haloed block so that the common relation holds; zeros come in."""
    if not split.spare:
        return block
    pads = [(0, 0, 0)] * block.ndim
    pads[number] = (split.spare, split.spare, 0)
    size = block.shape[number] + split.spare
    block = lax.pad(block, jnp.zeros((), block.dtype), pads)
    start = split.spare + min(0, split.drift * (split.shards - 1))
    start = start - lax.axis_index(names) * split.drift
    return lax.dynamic_slice_in_dim(block, start, size, axis=number)
