"""What callers write, as JAX takes it: arrays and the precision of products.

While `jax_enable_x64` is off, JAX has no numbers of 64 bits. float64 becomes float32 as it
does everywhere in JAX: rounded, and infinite beyond its range. Integers become those of 32
bits if they fit, and are refused if they do not.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.dtypes import canonicalize_dtype

from mtconv.errors import BackendError, message

__all__ = ["asarray", "check_precision", "check_promotion", "settle"]

_FLOATING = frozenset(
    {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
)
_WIDE = (jnp.int64, jnp.uint64)


def asarray(function: str, argument: str, array: Any) -> Array:
    """Convert neutral arrays to JAX; refuse what cannot be added and multiplied."""
    if isinstance(array, jax.Array):
        converted = _canonical(function, argument, array)
    else:
        converted = _converted(function, argument, array)
    dtype = converted.dtype
    if dtype.name not in _FLOATING and not jnp.issubdtype(dtype, jnp.integer):
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {dtype}",
            fix="Convert it, for example with .astype(float).",
        )
        raise BackendError(msg)
    return converted


def _converted(function: str, argument: str, array: Any) -> Array:
    if isinstance(array, np.ndarray) and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))  # JAX has no other order
    try:
        converted = jnp.asarray(array)
    except (OverflowError, ValueError, TypeError) as error:
        if all(map(_is_integer, jax.tree_util.tree_leaves(array))):
            _check_fit(function, argument, array, canonicalize_dtype(np.int64))
        msg = message(
            function, argument, "must be a regular array or nested sequence", str(error)
        )
        raise BackendError(msg) from None
    _check_fit(function, argument, array, converted.dtype)
    return converted


def _canonical(function: str, argument: str, array: Array) -> Array:
    """Convert integers of 64 bits made while JAX had them; other arrays stay."""
    if array.dtype not in _WIDE:
        return array
    dtype = canonicalize_dtype(array.dtype)
    _check_fit(function, argument, array, dtype)
    return array.astype(dtype)


def _check_fit(function: str, argument: str, array: Any, dtype: Any) -> None:
    """Refuse integers, in an array or in sequences, that ``dtype`` of JAX cuts off."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return
    limits = jnp.iinfo(dtype)
    for leaf in jax.tree_util.tree_leaves(array):
        got = _outside(leaf, dtype, limits.min, limits.max)
        if got is None:
            continue
        rule = f"must have integers that fit {dtype}"
        fix = "Convert them to float first."
        if not jax.config.jax_enable_x64:
            rule += ", the widest of their kind while jax_enable_x64 is off"
            fix = (
                'Call jax.config.update("jax_enable_x64", True), or convert them to float.'
            )
        raise BackendError(message(function, argument, rule, got, fix=fix))


def check_promotion(function: str, arrays: dict[str, Array | None]) -> None:
    """Refuse uint32 that JAX promotes with int32 to int32, for want of int64.

    Of traced arrays the values are not known: there the promotion is JAX's own.
    """
    present = {name: array for name, array in arrays.items() if array is not None}
    if all(array.dtype != jnp.uint32 for array in present.values()):
        return
    dtype = jnp.result_type(*present.values())
    if dtype == jnp.int32:
        for name, array in present.items():
            _check_fit(function, name, array, dtype)


def _is_integer(leaf: Any) -> bool:
    kind = getattr(leaf, "dtype", None)
    if kind is None:
        return isinstance(leaf, int)
    return bool(jnp.issubdtype(kind, jnp.integer))


def _outside(leaf: Any, dtype: Any, least: int, most: int) -> int | str | None:
    """Return an integer of a number or array that is outside of the limits."""
    if isinstance(leaf, int):
        return None if least <= leaf <= most else leaf
    kind = getattr(leaf, "dtype", None)
    if kind is None or kind == dtype or not jnp.issubdtype(kind, jnp.integer):
        return None
    if isinstance(leaf, jax.core.Tracer):  # whose values nobody knows
        return f"traced integers of {kind}" if kind in _WIDE else None
    values = np.asarray(leaf)
    ends = (int(values.min()), int(values.max())) if values.size else ()
    return next((end for end in ends if not least <= end <= most), None)


def check_precision(function: str, precision: Any) -> Any:
    """Return a precision as JAX takes it and caches can keep it."""
    try:
        if isinstance(precision, (lax.DotAlgorithm, lax.DotAlgorithmPreset)):
            return precision
        if isinstance(precision, (list, tuple)):
            first, second = map(_single, precision)
            return first, second
        if isinstance(precision, str) and precision in lax.DotAlgorithmPreset.__members__:
            return lax.DotAlgorithmPreset[precision]
        return _single(precision)
    except (ValueError, TypeError):
        msg = message(
            function,
            "precision",
            "must be None, 'default', 'high', 'highest' or another precision of "
            "jax.lax.dot_general: a jax.lax.Precision, two of them, or a DotAlgorithm",
            f"{precision!r} of type {type(precision).__name__}",
        )
        raise BackendError(msg) from None


def _single(precision: Any) -> lax.Precision:
    if isinstance(precision, (str, lax.Precision)):
        return lax.Precision(precision)
    raise TypeError


def settle(function: str, precision: Any) -> Any:
    """Settle the precision of matrix products: the caller's, the user's, or the highest."""
    if precision is not None:
        return check_precision(function, precision)
    user = jax.config.jax_default_matmul_precision
    return lax.Precision.HIGHEST if user is None else None
