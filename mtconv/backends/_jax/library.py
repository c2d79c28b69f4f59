"""JAX under the names of the Array API standard."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from mtconv.backends._array_api.library import Library
from mtconv.backends._jax.inputs import asarray

__all__ = ["library"]


class _Jax(Library):
    """`jax.numpy`, whose tracers have no device."""

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> Array:
        del device
        result: Array = asarray("operator", "x", array)
        return result

    def device(self, array: Any) -> None:
        del array

    def zeros(self, shape: tuple[int, ...], like: Any) -> Array:
        return jnp.zeros(shape, like.dtype)


_LIBRARY = _Jax(jnp)


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the functions of JAX."""
    del arrays
    return _LIBRARY
