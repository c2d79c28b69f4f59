"""How an array lies in memory: the forms that implementations get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEMORY", "laid_out", "memory_of", "native"]

MEMORY = ("contiguous", "fortran", "strided", "read-only", "reversed", "big-endian")

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
        a larger array), "read-only", "reversed" (negative strides) or "big-endian".

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
    if memory == "reversed":
        return np.flip(np.flip(array).copy())
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
    if array.flags.c_contiguous:
        return "contiguous"
    return "fortran" if array.flags.f_contiguous else "strided"


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the byte order of the machine."""
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))
