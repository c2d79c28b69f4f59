"""Whether a kernel is the product of one vector for each axis, and of which.

The product of the vectors differs from each element of the kernel by at most ``4 * rank``
roundings of that element, so that no element of a result is further from its direct sum
than that. Zeros stay zeros and signs stay signs.

Real kernels of whole numbers, and those that are whole numbers times a power of two, are
factored into such, without any error. Whole numbers that cannot be are not factored, and
complex ones are not either.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.inputs import LARGEST_WHOLE

__all__ = ["factors_of"]

Array = NDArray[Any]

# Roundings for each axis by which a product may differ from the kernel: those of a kernel
# that was multiplied and scaled in its own precision, of a slice through it, and of a
# division.
_ROUNDINGS = 4

# Whole numbers below this have fewer bits than single precision, so that complex kernels of
# whole numbers times a power of two differ from others.
_FEW = 2.0**20

# Magnitudes of the largest element between which nothing overflows or loses digits.
_LEAST, _MOST = 2.0**-500, 2.0**500


def factors_of(kernel: Array, epsilon: float) -> tuple[Array, ...] | None:
    """Return a vector for each axis whose product is the kernel, or None.

    Parameters
    ----------
    kernel : array, shape (*k,)
        In double precision.
    epsilon : float
        What rounding means: the distance from 1 to the next number of the results' dtype.

    Returns
    -------
    tuple of array, or None
        In double precision; the first one has the scale of the kernel.
    """
    if not kernel.size:
        return None
    magnitudes = np.abs(kernel)
    place = np.unravel_index(np.argmax(magnitudes), kernel.shape)
    if not _LEAST <= magnitudes[place] <= _MOST:  # NaN is not either
        return None
    if kernel.dtype.kind == "c":
        if _has_few_bits(kernel):
            return None
    else:
        exact = _whole_factors(kernel, place)
        if exact is not None or _is_whole(kernel):
            return exact
    lines = [_line(kernel, place, axis) for axis in range(kernel.ndim)]
    factors = (lines[0], *(line / kernel[place] for line in lines[1:]))
    # Smaller factors could make products on the way that lose digits by underflow.
    if any(_least(factor) < epsilon**3 for factor in factors[1:]):
        return None
    allowed = _ROUNDINGS * kernel.ndim * epsilon
    distance = np.abs(_product(factors) - kernel)
    return factors if (distance <= allowed * magnitudes).all() else None


def _least(array: Array) -> float:
    """Return the smallest magnitude of the elements that are not zero."""
    return float(np.abs(array[array != 0]).min())


def _line(array: Array, place: tuple[Any, ...], axis: int) -> Array:
    """Return the elements along an axis through a place."""
    return array[(*place[:axis], slice(None), *place[axis + 1 :])]


def _product(factors: tuple[Array, ...]) -> Array:
    return reduce(np.multiply.outer, factors)


def _is_whole(array: Array) -> bool:
    return bool((np.rint(array) == array).all())


def _has_few_bits(kernel: Array) -> bool:
    """Return whether complex numbers are whole, or small whole ones times a power of two.

    Such kernels were most likely meant to be exact, which factors of them may not be.
    """
    parts = np.stack([kernel.real, kernel.imag])
    return _is_whole(parts) or bool(np.abs(np.ldexp(parts, -_exponent(parts))).max() < _FEW)


def _whole_factors(kernel: Array, place: tuple[Any, ...]) -> tuple[Array, ...] | None:
    """Factor a kernel of whole numbers times a power of two without error, or not at all.

    A product of integers that is below 2**53 has only factors and products of factors
    that are, so everything here is exact in double precision.
    """
    exponent = _exponent(kernel)
    whole = np.ldexp(kernel, -exponent)
    if not np.abs(whole).max() < LARGEST_WHOLE:
        return None
    lines = []
    for axis in range(kernel.ndim):
        line = _line(whole, place, axis).astype(np.int64)
        lines.append((line // np.gcd.reduce(line)).astype(np.float64))
    shares = prod(int(line[n]) for line, n in zip(lines, place, strict=True))
    scale, rest = divmod(int(whole[place]), shares)
    if rest or not np.array_equal(_product((scale * lines[0], *lines[1:])), whole):
        return None
    # Powers of two go to the first one, so that the others are near 1.
    powers = [int(np.frexp(np.abs(line).max())[1]) - 1 for line in lines[1:]]
    first = np.ldexp(scale * lines[0], exponent + sum(powers))
    others = (np.ldexp(line, -n) for line, n in zip(lines[1:], powers, strict=True))
    return (first, *others)


def _exponent(array: Array) -> int:
    """Return the largest power of two of which all elements are multiples."""
    mantissas, exponents = np.frexp(array[array != 0])
    bits = np.ldexp(mantissas, 53).astype(np.int64)
    lowest = np.frexp((bits & -bits).astype(np.float64))[1] - 1
    return int((exponents - 53 + lowest).min())
