"""Values without symmetry that are exact in a dtype, whatever order they are summed in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NARROW", "large_value", "largest_value", "precise_value", "random_values"]

# Dtypes whose sums are exact only of few small numbers.
NARROW = ("float16", "bfloat16", "int8", "uint8", "int16", "uint16")

# The largest integers up to which every integer is there.
_EXACT = {"int8": 127, "uint8": 255, "float16": 2048, "bfloat16": 256}

# Bits of a number that is large for its dtype, and whose small multiples are there.
_LARGE_BITS = {"float16": 12, "bfloat16": 60, "float32": 60, "complex64": 60}


# Bits of a whole number that is not rounded.
_PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "complex64": 24}


def largest_value(dtype: str, terms: int, most: int = 4) -> int:
    """Return the largest value, at most ``most``, whose sums of products are exact."""
    limit = _EXACT.get(np.dtype(dtype).name, 2**15 - 1)
    while most > 1 and most * most * terms + most > limit:
        most -= 1
    return most


def random_values(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str, most: int
) -> NDArray[Any]:
    """Return integers from ``-most`` to ``most``, or from 0 where there is no sign.

    Complex ones have such integers in both parts.
    """
    kind = np.dtype(dtype).kind
    low = 0 if kind == "u" else -most
    values: NDArray[Any] = rng.integers(low, most + 1, shape)
    if kind == "c":
        values = values + 1j * rng.integers(low, most + 1, shape)
    return values.astype(dtype)


def large_value(dtype: str) -> int:
    """Return a large number of a dtype; three times it, and one more, do not overflow.

    Integers are odd beyond 24 or 53 bits where the dtype has as many, so that a detour
    through single or double precision shows.
    """
    name = np.dtype(dtype).name
    kind = np.dtype(dtype).kind
    if kind in "iu":
        bits = 8 * np.dtype(dtype).itemsize - (kind == "i")
        return int(2 ** (bits - 2) - 1)
    return int(2 ** _LARGE_BITS.get(name, 500))


def precise_value(dtype: str) -> int:
    """Return the largest odd integer of a dtype, or one of which twice is there too."""
    if np.dtype(dtype).kind in "iu":
        return large_value(dtype)
    return int(2 ** _PRECISION.get(np.dtype(dtype).name, 53) - 1)
