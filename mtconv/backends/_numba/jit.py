"""How the functions of the kernels are compiled."""

from __future__ import annotations

from numba import njit

__all__ = ["entry", "part"]

# A function that Python calls, and its parts, which only compiled code calls. The
# interpreter's lock is not held while either runs.
entry = njit(nogil=True)
part = njit(nogil=True, no_cpython_wrapper=True)
