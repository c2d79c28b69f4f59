"""Scratch memory: one arena per thread, reused from call to call.

Fresh memory costs a page fault for every 4 KiB; tiles of one size after another would pay
it again and again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT_BYTES", "Workspace", "workspace"]

# What a thread keeps between calls; larger arrays are allocated and given back.
KEPT_BYTES = 16 * 2**20

_ALIGNMENT = 64


class Workspace:
    """A stack of arrays in one buffer; arrays that do not fit are allocated alone."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)
        self._used = 0

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Give back, at the end, what was taken since the beginning."""
        mark = self._used
        try:
            yield
        finally:
            self._used = mark

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array with undefined contents, valid until the frame ends."""
        size = prod(shape) * dtype.itemsize
        if not self._buffer.size:
            self._buffer = np.empty(KEPT_BYTES, np.uint8)
        start = self._used + (-self._used - self._offset) % _ALIGNMENT
        if start + size > KEPT_BYTES:
            return np.empty(shape, dtype)
        self._used = start + size
        flat = self._buffer[start : start + size]
        return flat.view(dtype).reshape(shape)

    @property
    def _offset(self) -> int:
        return int(self._buffer.ctypes.data) % _ALIGNMENT


_local = threading.local()


def workspace() -> Workspace:
    """Return the workspace of the thread that asks."""
    found: Workspace | None = getattr(_local, "workspace", None)
    if found is None:
        found = _local.workspace = Workspace()
    return found
