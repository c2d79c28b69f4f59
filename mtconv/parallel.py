"""How many threads a call may use, said for a stretch of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from operator import index
from typing import SupportsIndex

from mtconv.errors import message

__all__ = ["workers", "workers_here"]

_workers: ContextVar[int | None] = ContextVar("mtconv_workers", default=None)


def workers(number: SupportsIndex) -> AbstractContextManager[None]:
    """Set the number of threads of the NumPy backend inside a ``with`` block.

    Parameters
    ----------
    number : int
        Threads that one call may use; 1 turns mtconv's pool off.

    Returns
    -------
    context manager
        Also a decorator. The number holds in the thread or asynchronous task that
        entered the block; other threads keep theirs. Blocks nest.

    Raises
    ------
    ValueError
        If the number is below 1.
    TypeError
        If it is no integer.

    Notes
    -----
    Outside of such a block the number is that of the environment variable
    `MTCONV_WORKERS`, and without it that of the processors at hand.

    Problems are cut into blocks by their sizes alone, so every number from 2 up gives
    the same bits. With 1, as without `threadpoolctl`, BLAS multiplies on threads of its
    own and may round the sums of floats in another order; integers are the same.

    Examples
    --------
    >>> import mtconv
    >>> with mtconv.workers(2):
    ...     mtconv.conv_transpose([1, 2], [1, 10], stride=2)
    array([ 1, 10,  2, 20])
    """
    count = index(number)
    if count < 1:
        raise ValueError(message("workers", "number", "must be at least 1", count))
    return _set(count)


def workers_here() -> int | None:
    """Return the number that the innermost block around the caller sets, if any."""
    return _workers.get()


@contextmanager
def _set(number: int) -> Iterator[None]:
    token = _workers.set(number)
    try:
        yield
    finally:
        _workers.reset(token)
