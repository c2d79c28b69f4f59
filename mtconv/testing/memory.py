"""How an array lies in memory: the forms that implementations get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEMORY", "laid_out", "memory_of", "native"]

MEMORY = (
    *("contiguous", "fortran", "strided", "sliced", "permuted", "read-only"),
    *("reversed", "big-endian", "unaligned"),
)

# What lies between the elements of a strided array; seen where strides are ignored.
_GAP = 77


def laid_out(array: NDArray[Any], memory: str) -> NDArray[Any]:
    """Return a new array of the same values that lies in memory as asked.

    Parameters
    ----------
    array : numpy.ndarray
        Any array.
    memory : str
        "contiguous", "fortran" (first axis fastest), "strided" (every other element of
        a larger array), "sliced" (the middle of a larger array), "permuted" (the last
        axis first in memory), "read-only", "reversed" (negative strides), "big-endian" or
        "unaligned" (at addresses that are no multiples of the size of an element).

    Returns
    -------
    numpy.ndarray
        Of the same shape and values.

    Examples
    --------
    >>> laid_out(np.array([1, 2, 3]), "reversed").strides
    (-8,)
    """
    if memory == "fortran":
        return np.array(array, order="F")
    if memory == "strided":
        wide = np.full([2 * size for size in array.shape], _GAP, array.dtype)
        view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
        view[...] = array
        return view
    if memory == "sliced":
        wide = np.full([size + 2 for size in array.shape], _GAP, array.dtype)
        view = wide[tuple(slice(1, -1) for _ in array.shape)]
        view[...] = array
        return view
    if memory == "permuted" and array.ndim:
        return np.moveaxis(np.moveaxis(array, -1, 0).copy("C"), 0, -1)
    if memory == "reversed":
        return np.flip(np.flip(array).copy())
    if memory == "unaligned":
        room = np.zeros(array.nbytes + 1, np.uint8)
        view = room[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    if memory == "big-endian" and array.dtype.kind in "iufc":
        return array.astype(array.dtype.newbyteorder(">"))
    fresh = np.array(array, order="C")
    if memory == "read-only":
        fresh.flags.writeable = False
    return fresh


def memory_of(array: NDArray[Any]) -> str:
    """Return the word of `laid_out` that makes an array lie as this one does."""
    if not array.flags.writeable:
        return "read-only"
    if not array.dtype.isnative:
        return "big-endian"
    if any(step < 0 for step in array.strides):
        return "reversed"
    if not array.flags.aligned:
        return "unaligned"
    if array.flags.c_contiguous:
        return "contiguous"
    if array.flags.f_contiguous:
        return "fortran"
    if np.moveaxis(array, -1, 0).flags.c_contiguous:
        return "permuted"
    return "sliced" if array.strides[-1] == array.itemsize else "strided"


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the byte order of the machine."""
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))
