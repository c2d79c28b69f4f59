"""NumPy arrays as arguments: conversion, refusals, and the dtype of a result."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import BackendError, message

__all__ = ["asarray", "dtype_of", "result_dtype"]


def asarray(function: str, argument: str, array: Any) -> NDArray[Any]:
    """Convert neutral arrays to NumPy; refuse what cannot be added and multiplied."""
    if type(array) is not np.ndarray:
        if isinstance(array, (np.ma.MaskedArray, np.matrix)):
            msg = message(
                function,
                argument,
                "must be a plain array",
                type(array).__name__,
                fix="Use .filled(0) or numpy.asarray first; a mask would be lost.",
            )
            raise BackendError(msg)
        try:
            array = np.asarray(array)
        except (ValueError, TypeError) as error:
            msg = message(
                function,
                argument,
                "must be a regular nested sequence",
                str(error).rstrip("."),
            )
            raise BackendError(msg) from None
    if array.dtype.kind not in "iufc" and array.dtype.name != "bfloat16":
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {array.dtype}",
            fix="Convert it, for example with .astype(float).",
        )
        raise BackendError(msg)
    return array  # type: ignore[no-any-return]


def result_dtype(*arrays: NDArray[Any] | None) -> str:
    """Name the dtype that NumPy promotes these arrays to."""
    dtypes = [array.dtype for array in arrays if array is not None]
    first = dtypes[0]
    for dtype in dtypes:
        if dtype is not first:
            first = np.result_type(*dtypes)
            break
    return _name(first)


@lru_cache(maxsize=64)
def _name(dtype: np.dtype[Any]) -> str:
    """Name a dtype; NumPy works the name out every time."""
    return dtype.name


@lru_cache(maxsize=64)
def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of a name, in native byte order."""
    return np.dtype(name)
