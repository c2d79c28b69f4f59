"""Memory of results: what a dropped result leaves behind serves the next one.

New memory of this size comes from the operating system page by page, cleared, which takes
longer than many a layer. A result's memory comes back when its last view is gone.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT_BYTES", "LEAST_BYTES", "empty", "forget"]

# Results below this size are left to the allocator, which keeps them itself.
LEAST_BYTES = 2**22

# What is kept for later results, all threads together; the oldest goes first.
KEPT_BYTES = 2**26

# Memory by identity; single operations on a dict need no lock, and none may be held
# where the collector of garbage can come in.
_kept: dict[int, NDArray[np.uint8]] = {}


class _Lease:
    """Lends memory to an array, which holds the lease as long as views of it live."""

    # Until it is set, there is nothing to give back: an interrupt can come before that.
    _memory: NDArray[np.uint8] | None = None

    def __init__(self, memory: NDArray[np.uint8], size: int) -> None:
        self._memory = memory
        self.__array_interface__ = {
            "data": (memory.__array_interface__["data"][0], False),
            "shape": (size,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        if self._memory is not None:
            _give_back(self._memory)


def _give_back(memory: NDArray[np.uint8]) -> None:
    _kept[id(memory)] = memory
    kept = list(_kept.items())
    surplus = sum(memory.nbytes for _, memory in kept) - KEPT_BYTES
    for key, oldest in kept:
        if surplus <= 0:
            break
        _kept.pop(key, None)
        surplus -= oldest.nbytes


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array with undefined contents, in kept memory where some fits.

    Memory fits that is not more than twice as large.
    """
    size = prod(shape) * dtype.itemsize
    if not LEAST_BYTES <= size <= KEPT_BYTES:
        return np.empty(shape, dtype)
    memory = None
    for key, spare in list(_kept.items()):
        if size <= spare.nbytes <= 2 * size:
            memory = _kept.pop(key, None)  # None: another thread was faster
            if memory is not None:
                break
    if memory is None:
        memory = np.empty(size, np.uint8)
    return np.asarray(_Lease(memory, size)).view(dtype).reshape(shape)


def forget() -> None:
    """Give what is kept back to the system."""
    _kept.clear()
