"""The kernel of an operator: nobody can write to it, and two are compared by value."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["read_only_copy", "same_kernel"]


def read_only_copy(kernel: Any) -> Any:
    """Copy a kernel of NumPy, so that nobody can write to it; others stay as they are."""
    if isinstance(kernel, np.ndarray):
        kernel = kernel.copy()
        kernel.flags.writeable = False
        kernel = kernel.view()  # a view of it cannot be made writable again
    return kernel


def same_kernel(one: Any, other: Any) -> bool:
    """Compare two kernels element by element, unless they are one (as tracers are)."""
    if one is other:
        return True
    if type(one) is not type(other) or one.dtype != other.dtype:
        return False
    return bool(np.array_equal(one, other))
