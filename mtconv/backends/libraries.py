"""The few array functions that operators need, for the arrays of any backend.

A backend whose arrays follow the Array API standard with exceptions has a function
`library`; the others hold arrays of NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.backends._array_api.library import Library, dtype_name
from mtconv.backends.dispatch import Backend

__all__ = ["Library", "dtype_name", "library_of"]

_NUMPY = Library(np)


def library_of(engine: Backend, *arrays: Any) -> Library:
    """Return the functions for arrays of a backend, the neutral ones left aside."""
    find = getattr(engine, "library", None)
    return _NUMPY if find is None else find(arrays)
