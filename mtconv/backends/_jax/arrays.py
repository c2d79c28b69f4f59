"""Arrays on their way in and out: dtypes, padding modes, precision."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mtconv.errors import BackendError, message
from mtconv.geometry import fold_index
from mtconv.spec import ConvSpec

__all__ = ["accumulator", "asarray", "fold", "pad", "settle"]

_HALF = frozenset({"float16", "bfloat16"})
_FLOATING = _HALF | {"float32", "float64", "complex64", "complex128"}


def asarray(function: str, argument: str, array: Any) -> Array:
    """Convert neutral arrays to JAX; refuse what cannot be added and multiplied."""
    if not isinstance(array, jax.Array):
        if isinstance(array, np.ndarray) and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))  # JAX has no other order
        try:
            array = jnp.asarray(array)
        except (ValueError, TypeError) as error:
            msg = message(
                function, argument, "must be a regular array or nested sequence", str(error)
            )
            raise BackendError(msg) from None
    dtype = array.dtype
    if dtype.name not in _FLOATING and not jnp.issubdtype(dtype, jnp.integer):
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {dtype}",
            fix="Convert it, for example with .astype(float).",
        )
        raise BackendError(msg)
    return array


def accumulator(dtype: Any) -> Any:
    """Return the dtype in which sums of products of this dtype are kept."""
    return jnp.dtype(jnp.float32) if jnp.dtype(dtype).name in _HALF else jnp.dtype(dtype)


def settle(precision: Any) -> Any:
    """Settle the precision of matrix products: the caller's, the user's, or the highest."""
    if precision is not None:
        return precision
    user = jax.config.jax_default_matmul_precision
    return lax.Precision.HIGHEST if user is None else None


def pad(spec: ConvSpec, y: Array) -> Array:
    """Fill the padding of y (batch, channels, *big) as the padding mode says."""
    for number, axis in enumerate(spec.axes):
        index = fold_index(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        y = jnp.take(y, jnp.asarray(index, jnp.int32), axis=number + 2)
    return y


def fold(spec: ConvSpec, padded: Array) -> Array:
    """Add the padding's elements to the cells they were read from: the adjoint of pad."""
    # Any y does for a linear map; this one varies over a mesh as the padded array does.
    y = padded[(..., *(slice(size) for size in spec.big))]
    (folded,) = jax.linear_transpose(lambda y: pad(spec, y), y)(padded)
    return cast("Array", folded)
