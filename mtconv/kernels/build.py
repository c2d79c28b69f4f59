"""What all kernels share: numbers per axis, products of axes, and channels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import isfinite
from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import IntOrInts, freeze_sizes

__all__ = ["Array", "positive_integers", "positive_number", "positive_numbers"]
__all__ += ["product_of", "with_channels"]

Array = NDArray[Any]


def positive_integers(function: str, argument: str, value: IntOrInts) -> tuple[int, ...]:
    """Check an integer of at least 1, for two axes, or one for each axis."""
    sizes = freeze_sizes(function, argument, value)
    sizes = (sizes, sizes) if isinstance(sizes, int) else sizes
    if not sizes or min(sizes) < 1:
        rule = "must be at least 1 on each axis"
        raise GeometryError(message(function, argument, rule, shown(value)))
    return sizes


def positive_numbers(function: str, argument: str, value: Any) -> tuple[float, ...]:
    """Check a positive number, for two axes, or one for each axis."""
    several = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim)
    items = list(value) if several else [value, value]
    if not items or not all(map(_is_positive, items)):
        rule = "must be a finite number above 0, or one per axis"
        raise GeometryError(message(function, argument, rule, shown(value)))
    return tuple(float(item) for item in items)


def positive_number(function: str, argument: str, value: Any) -> float:
    """Check a positive number that is the same for all axes."""
    if np.ndim(value) != 0:
        raise GeometryError(message(function, argument, "must be one number", repr(value)))
    if not _is_positive(value):
        rule = "must be a finite number above 0"
        raise GeometryError(message(function, argument, rule, shown(value)))
    return float(value)


def _is_positive(value: object) -> bool:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return number and isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def product_of(axes: Sequence[Array]) -> Array:
    """Multiply one vector for each axis."""
    return reduce(np.multiply.outer, axes)


def with_channels(
    function: str,
    kernel: Array,
    channels: SupportsIndex | None,
    depthwise: bool,
    dtype: Any,
) -> Array:
    """Convert the elements, and give a kernel its axes of channels."""
    kernel = kernel.astype(dtype)
    if channels is None:
        return kernel
    count = freeze_sizes(function, "channels", channels)
    if not isinstance(count, int) or count < 1:
        rule = "must be at least 1" if isinstance(count, int) else "must be one integer"
        raise GeometryError(message(function, "channels", rule, shown(channels)))
    if depthwise:
        return np.broadcast_to(kernel, (count, 1, *kernel.shape)).copy()
    dense = np.zeros((count, count, *kernel.shape), kernel.dtype)
    dense[range(count), range(count)] = kernel
    return dense
