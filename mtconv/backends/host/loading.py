"""Blocks of arrays as an engine needs them: of one dtype, in C order, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace

__all__ = ["copied", "gapless", "loaded", "rows_contiguous", "store"]

Array = NDArray[Any]


def loaded(array: Array, dtype: np.dtype[Any], space: Workspace) -> Array:
    """Return an array itself where BLAS can take it, or a contiguous copy."""
    if array.dtype == dtype and rows_contiguous(array):
        return array
    return copied(array, dtype, space)


def copied(array: Array, dtype: np.dtype[Any], space: Workspace) -> Array:
    """Return a contiguous copy of a dtype."""
    copy = space.take(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def rows_contiguous(array: Array) -> bool:
    """Return whether all axes after the third lie in C order without gaps."""
    flags = array.flags
    if flags.c_contiguous:
        return flags.aligned
    expected = array.itemsize
    for size, stride in zip(array.shape[:2:-1], array.strides[:2:-1], strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return flags.aligned and all(stride >= 0 for stride in array.strides)


def gapless(array: Array, dtype: np.dtype[Any]) -> bool:
    """Return whether an array has this dtype and rows without gaps."""
    return array.dtype == dtype and array.strides[-1] == array.itemsize


def store(result: Array, target: Array) -> None:
    """Convert a block to the dtype of the target; whole floats become integers exactly."""
    if target.dtype.kind in "iu" and result.dtype.kind == "f":
        # By way of int64, so that what does not fit wraps as integers do; the ufunc
        # converts a few elements at a time.
        np.positive(result, out=target, dtype=np.int64, casting="unsafe")
    else:
        np.copyto(target, result, casting="unsafe")
