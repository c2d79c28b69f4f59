"""Halos between shards, and the window of a shard; called inside of `jax.shard_map`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.sharding.shards import Split, hops

__all__ = ["extended", "padded_window", "window"]


def extended(block: Array, number: int, names: Any, split: Split) -> Array:
    """Put the neighbours' elements around a block; beyond the array's ends they are zero.

    Each hop is one permutation of exactly the elements that are needed, so halos wider than
    a shard come from as many neighbours as they reach.
    """
    size = block.shape[number]
    before = [
        _from(block, number, names, split.shards, hop, size - width, size)
        for hop, width in enumerate(hops(split.left, size), 1)
    ]
    after = [
        _from(block, number, names, split.shards, -hop, 0, width)
        for hop, width in enumerate(hops(split.right, size), 1)
    ]
    if not before and not after:
        return block
    return jnp.concatenate([*reversed(before), block, *after], axis=number)


def _from(
    block: Array, number: int, names: Any, count: int, hop: int, start: int, stop: int
) -> Array:
    """Receive elements of the shard ``hop`` places before this one."""
    piece = lax.slice_in_dim(block, start, stop, axis=number)
    pairs = [(p, p + hop) for p in range(count) if 0 <= p + hop < count]
    return lax.ppermute(piece, names, pairs)


def window(result: Array, number: int, names: Any, split: Split, size: int) -> Array:
    """Take a shard's window of a result that is larger by ``split.spare``."""
    if not split.drift:
        return result
    start = lax.axis_index(names) * split.drift
    start = start - min(0, split.drift * (split.shards - 1))
    return lax.dynamic_slice_in_dim(result, start, size, axis=number)


def padded_window(block: Array, number: int, names: Any, split: Split) -> Array:
    """Shift a haloed block so that the common relation holds; zeros come in."""
    if not split.drift:
        return block
    pads = [(0, 0, 0)] * block.ndim
    pads[number] = (split.spare, split.spare, 0)
    size = block.shape[number] + split.spare
    block = lax.pad(block, jnp.zeros((), block.dtype), pads)
    start = split.spare + min(0, split.drift * (split.shards - 1))
    start = start - lax.axis_index(names) * split.drift
    return lax.dynamic_slice_in_dim(block, start, size, axis=number)
