"""CuPy: the maps of the Array API backend under CuPy's own names."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from mtconv.backends import _array_api
from mtconv.backends._array_api.library import Library, dtype_name
from mtconv.planning.plan import Plan

__all__ = ["NAME", "asarray", "library", "result_dtype", "run"]

NAME = "cupy"

asarray = _array_api.asarray


class _CuPy(Library):
    """CuPy, whose main namespace has NumPy's names for some functions of the standard."""

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> Any:
        with device or cupy.cuda.Device():
            return cupy.asarray(array)

    def astype(self, array: Any, dtype: Any) -> Any:
        return array.astype(dtype, copy=False)

    def permute(self, array: Any, order: tuple[int, ...]) -> Any:
        return array.transpose(order)

    def concat(self, arrays: list[Any], axis: int) -> Any:
        return cupy.concatenate(arrays, axis=axis)

    def zeros(self, shape: tuple[int, ...], like: Any) -> Any:
        with like.device:
            return cupy.zeros(shape, dtype=like.dtype)

    def to_numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return cupy.asnumpy(array)  # type: ignore[no-any-return]


_LIBRARY = _CuPy(cupy)


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the functions of CuPy."""
    del arrays
    return _LIBRARY


def result_dtype(*arrays: Any) -> str:
    """Name the dtype that CuPy promotes these arrays to."""
    return dtype_name(_LIBRARY.promote(arrays))


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> Any:
    """Execute a plan; CuPy's own settings say what `precision` says elsewhere."""
    del precision
    return _array_api.execute(_LIBRARY, plan, first, second, bias)
