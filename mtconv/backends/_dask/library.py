"""Dask under the names of the Array API standard."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np

from mtconv.backends._array_api.library import Library

__all__ = ["library"]


class _Dask(Library):
    """Dask, whose arrays are lazy and on no device, and whose dtypes are NumPy's."""

    def dtype(self, name: str) -> Any:
        return np.dtype(name)

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> da.Array:
        del device
        return da.asarray(array)

    def device(self, array: Any) -> None:
        del array

    def astype(self, array: Any, dtype: Any) -> da.Array:
        return array.astype(dtype)

    def permute(self, array: Any, order: tuple[int, ...]) -> da.Array:
        return array.transpose(order)

    def concat(self, arrays: list[Any], axis: int) -> da.Array:
        return da.concatenate(arrays, axis=axis)

    def zeros(self, shape: tuple[int, ...], like: Any) -> da.Array:
        return da.zeros(shape, dtype=like.dtype)

    def to_numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return np.asarray(array.compute())


_LIBRARY = _Dask(da)


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the functions of Dask."""
    del arrays
    return _LIBRARY
