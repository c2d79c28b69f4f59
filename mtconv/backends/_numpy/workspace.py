"""Scratch memory: one arena per thread, reused from call to call.

Fresh memory costs a page fault for every 4 KiB; tiles of one size after another would pay
it again and again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT_BYTES", "Packs", "Workspace", "workspace"]

# Kernels packed for an algorithm, by what they were packed for.
Packs = dict[tuple[Any, ...], NDArray[Any]]

# What a thread keeps between calls; larger arrays are allocated and given back.
KEPT_BYTES = 16 * 2**20

_ALIGNMENT = 64


class Frame:
    """A stretch of work whose arrays are given back at its end."""

    __slots__ = ("_mark", "_space")

    def __init__(self, space: Workspace) -> None:
        self._space = space

    def __enter__(self) -> None:
        self._mark = self._space.used

    def __exit__(self, *_: object) -> None:
        self._space.used = self._mark


class Workspace:
    """A stack of arrays in one buffer; arrays that do not fit are allocated alone."""

    def __init__(self) -> None:
        self.packs: Packs | None = None
        self.scope: tuple[int, ...] = ()
        self._buffer = np.empty(0, np.uint8)
        self.used = 0

    def frame(self) -> Frame:
        """Give back, at the end of a ``with``, what was taken since its beginning."""
        return Frame(self)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array with undefined contents, valid until the frame ends."""
        size = prod(shape) * dtype.itemsize
        if not self._buffer.size:
            self._buffer = _aligned(KEPT_BYTES)
        start = -(-self.used // _ALIGNMENT) * _ALIGNMENT
        if start + size > KEPT_BYTES:
            return np.empty(shape, dtype)
        self.used = start + size
        flat = self._buffer[start : start + size]
        return flat.view(dtype).reshape(shape)

    def packed(
        self,
        key: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fill: Callable[[NDArray[Any]], None],
    ) -> NDArray[Any]:
        """Return an array that depends on the kernel alone; `fill` makes its contents.

        Where packs are kept, an array with the same key is filled once. Two threads may
        both fill one; they would fill it alike.
        """
        if self.packs is None:
            array = self.take(shape, dtype)
            fill(array)
            return array
        place = (*self.scope, key, shape, dtype)
        found = self.packs.get(place)
        if found is None:
            found = np.empty(shape, dtype)
            fill(found)
            self.packs[place] = found
        return found


def _aligned(size: int) -> NDArray[Any]:
    """Allocate bytes that start at a multiple of the alignment."""
    whole = np.empty(size + _ALIGNMENT, np.uint8)
    start = -int(whole.ctypes.data) % _ALIGNMENT
    return whole[start : start + size]


_local = threading.local()


def workspace() -> Workspace:
    """Return the workspace of the thread that asks."""
    found: Workspace | None = getattr(_local, "workspace", None)
    if found is None:
        found = _local.workspace = Workspace()
    return found
