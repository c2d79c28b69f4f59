"""Elements of arrays as the kernels see them: the type they compute in, and the stored one.

Kernels take two numbers whose types say so. Signs of integers do not matter, since sums
wrap. numba computes with neither half precision: beside float32 values, uint16 stands for
float16 and int16 for bfloat16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["ELEMENTS", "Element"]


class Element(NamedTuple):
    """Numbers whose types are that of values and that of stored elements, and the sizes."""

    value: Any
    stored: Any
    dtype: np.dtype[Any]
    size: int
    stored_size: int


def _element(value: type, stored: type) -> Element:
    dtype = np.dtype(value)
    return Element(value(0), stored(0), dtype, dtype.itemsize, np.dtype(stored).itemsize)


ELEMENTS = {
    "float32": _element(np.float32, np.float32),
    "float64": _element(np.float64, np.float64),
    "float16": _element(np.float32, np.uint16),
    "bfloat16": _element(np.float32, np.int16),
    **{
        f"{sign}int{bits}": _element(np.int64 if bits == 64 else np.int32, stored)
        for sign in ("", "u")
        for bits, stored in ((8, np.int8), (16, np.int16), (32, np.int32), (64, np.int64))
    },
}
