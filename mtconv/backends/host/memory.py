"""Memory that a call writes to: scratch arenas, copies of blocks, packed forms of kernels.

Fresh memory costs a page fault for every 4 KiB; blocks of one size after another would pay
it again and again, so a thread keeps an arena for its next block.

A block owns the arena that it was lent: nobody else can reach it until it is given back,
and it is given back only after a block that ended without an exception. A call that
interrupts another one on the same thread is lent another arena.

Packed forms are kept beside the kernel that they were made from, never where another
kernel could be taken for it: in a `Packs` of one call, or of one prepared kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import prod
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "KEPT_BYTES",
    "LimitedPacks",
    "Loan",
    "Packs",
    "Weights",
    "Workspace",
    "aligned",
    "copied",
]
__all__ += ["gapless", "lend", "loaded", "odd_lines", "rows_contiguous", "store"]

# What a thread keeps between calls; larger arrays are allocated and given back.
KEPT_BYTES = 16 * 2**20

_ALIGNMENT = 64


class Frame(NamedTuple):
    """A stretch of work whose arrays are given back at its end."""

    space: Workspace
    mark: int

    def __enter__(self) -> None:
        """Begin, with what was taken before."""

    def __exit__(self, *_: object) -> None:
        self.space.used = self.mark


class Workspace:
    """A stack of arrays in one buffer; arrays that do not fit are allocated alone.

    The buffer has ``kept`` bytes; with 0 there is none, for work that is done once.
    """

    def __init__(self, kept: int = KEPT_BYTES) -> None:
        self._kept = kept
        self._buffer = np.empty(0, np.uint8)
        self._first = 0
        self.used = 0

    def frame(self) -> Frame:
        """Give back, at the end of a ``with``, what was taken since its beginning."""
        return Frame(self, self.used)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array with undefined contents, valid until the frame ends."""
        size = prod(shape) * dtype.itemsize
        start = -(-self.used // _ALIGNMENT) * _ALIGNMENT
        if start + size > self._kept:
            return np.empty(shape, dtype)
        if not self._buffer.size:
            self._allocate()
        self.used = start + size
        flat = self._buffer[start : start + size]
        return flat.view(dtype).reshape(shape)

    def address(self, size: int) -> int:
        """Return where bytes begin that are valid until the frame ends; 0 if none are left.

        This is a fifth of the time that an array takes.
        """
        start = -(-self.used // _ALIGNMENT) * _ALIGNMENT
        if start + size > self._kept:
            return 0
        if not self._buffer.size:
            self._allocate()
        self.used = start + size
        return self._first + start

    def _allocate(self) -> None:
        buffer = aligned(self._kept)
        self._first = int(buffer.__array_interface__["data"][0])
        self._buffer = buffer


class Loan:
    """Lends a workspace inside a ``with`` block."""

    __slots__ = ("_space",)

    def __enter__(self) -> Workspace:
        self._space = _kept_here()
        return self._space

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an exception, frames of the block may live on in its traceback.
        if kind is None:
            self._space.used = 0
            _local.kept = self._space


def lend() -> Loan:
    """Lend a workspace for a block: the one that this thread keeps, or a new one."""
    return Loan()


_local = threading.local()


def _kept_here() -> Workspace:
    """Take the workspace that this thread keeps; nobody else can then have it."""
    space: Workspace | None = _local.__dict__.pop("kept", None)
    return Workspace() if space is None else space


def odd_lines(size: int, line: int = _ALIGNMENT) -> int:
    """Round a size up to an odd number of cache lines, each as long as ``line``.

    What begins so far apart lies in different sets of the caches.

    Examples
    --------
    >>> odd_lines(100), odd_lines(65, 32), odd_lines(9, 4)
    (192, 96, 12)
    """
    return line * (-(-size // line) | 1)


def aligned(size: int) -> NDArray[Any]:
    """Allocate bytes that start at a multiple of the alignment."""
    whole = np.empty(size + _ALIGNMENT, np.uint8)
    start = -int(whole.__array_interface__["data"][0]) % _ALIGNMENT
    return whole[start : start + size]


def loaded(array: NDArray[Any], dtype: np.dtype[Any], space: Workspace) -> NDArray[Any]:
    """Return an array itself where BLAS can take it, or a contiguous copy."""
    if array.dtype == dtype and rows_contiguous(array):
        return array
    return copied(array, dtype, space)


def copied(array: NDArray[Any], dtype: np.dtype[Any], space: Workspace) -> NDArray[Any]:
    """Return a contiguous copy of a dtype."""
    copy = space.take(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def rows_contiguous(array: NDArray[Any]) -> bool:
    """Return whether all axes after the third lie in C order without gaps."""
    flags = array.flags
    if flags.c_contiguous:
        return flags.aligned
    expected = array.itemsize
    for size, stride in zip(array.shape[:2:-1], array.strides[:2:-1], strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return flags.aligned and min(array.strides) >= 0


def gapless(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether an array has this dtype and rows without gaps."""
    return array.dtype == dtype and array.strides[-1] == array.itemsize


def store(result: NDArray[Any], target: NDArray[Any]) -> None:
    """Convert a block to the dtype of the target; whole floats become integers exactly."""
    if target.dtype.kind in "iu" and result.dtype.kind == "f":
        # By way of int64, so that what does not fit wraps as integers do; the ufunc
        # converts a few elements at a time.
        np.positive(result, out=target, dtype=np.int64, casting="unsafe")
    else:
        np.copyto(target, result, casting="unsafe")


# Packed forms of one kernel, by part of the kernel, algorithm, form, shape and dtype.
Packs = dict[tuple[Any, ...], NDArray[Any]]


class LimitedPacks(Packs):
    """Packed forms that the blocks of one call share, of so many bytes at most."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def has_room(self, size: int) -> bool:
        """Return whether a form of so many bytes may be kept beside the others."""
        return size + sum(form.nbytes for form in list(self.values())) <= self._most


class Weights:
    """Part of a kernel, (g, ci, co, *taps), and its packed forms where they are kept.

    Parameters
    ----------
    array : array
        The part.
    packs : dict, optional
        Packed forms of the whole kernel, which this part adds to. Without it a form is
        made each time.
    part : tuple
        Which part of the kernel this is, and for which algorithm.
    """

    __slots__ = ("_packs", "_part", "array")

    def __init__(
        self, array: NDArray[Any], packs: Packs | None = None, part: tuple[Any, ...] = ()
    ) -> None:
        self.array = array
        self._packs = packs
        self._part = part

    def packed(
        self,
        form: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        space: Workspace,
        fill: Callable[[NDArray[Any]], None],
    ) -> NDArray[Any]:
        """Return an array that depends on this part alone; ``fill`` makes its contents.

        Two threads may both fill one form; they fill it alike. A form is kept only once it
        is filled.
        """
        key = (self._part, form, shape, dtype)
        packs = self._packs
        kept = None if packs is None else packs.get(key)
        if kept is not None:
            return kept
        size = prod(shape) * dtype.itemsize
        if packs is None or (isinstance(packs, LimitedPacks) and not packs.has_room(size)):
            array = space.take(shape, dtype)
            fill(array)
            return array
        kept = np.empty(shape, dtype)
        fill(kept)
        packs[key] = kept
        return kept
