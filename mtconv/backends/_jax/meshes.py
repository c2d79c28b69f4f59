"""Meshes with explicit axes: what a plain call says where JAX cannot shard its arrays.

JAX slices and pads arrays on such meshes only where every intermediate result can be
divided by the shards, which padded space mostly cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax import Array

from mtconv.errors import BackendError, message

__all__ = ["advising"]


@contextmanager
def advising(form: str, x: Array) -> Iterator[None]:
    """Name what works in errors of JAX about the sharding of x."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "ShardingTypeError":  # which has no public name
            raise
        msg = message(
            form,
            "x",
            "must be sharded so that JAX can slice and pad it on a mesh with explicit axes",
            jax.typeof(x).sharding.spec,
            fix=f"Call mtconv.sharding.{form}, which exchanges halos, or make this call "
            "inside of jax.sharding.auto_axes.",
        )
        raise BackendError(msg) from error
