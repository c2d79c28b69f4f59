"""Threads: a pool per process drives the blocks while BLAS keeps to one thread each.

Copies and adds of NumPy run on one thread; BLAS's own threads leave the other cores idle
meanwhile. A pool over blocks keeps every core busy with all of it. Without threadpoolctl,
which tells BLAS to keep to one thread, blocks run one after another on BLAS's threads.

How many threads a call may use is the number of `workers` around it, otherwise that of
`MTCONV_WORKERS`, otherwise the processors that the process may use; 1 turns the pool off.

The error state of NumPy is the caller's, without invalid values: BLAS may compute with what
lies behind its matrices and throw the result away. That a value was invalid says nothing
about those that it was given. NumPy keeps the state in a context variable. A call sets none
in the caller's context, but runs in a context of its own. CPython 3.11 can crash where a
context variable is set while garbage is collected and a finalizer sets one in the same
context, and a finalizer may call mtconv.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import Context, ContextVar, copy_context
from functools import cache
from itertools import chain
from operator import index
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import SharedWork, StagedWork, pool
from mtconv.errors import message, shown

__all__ = ["default_workers", "quiet_context", "run_all", "workers", "workers_at_most"]
__all__ += ["run_stages", "workers_here"]

_Task = TypeVar("_Task")

_DIGITS = 18  # the longest number of workers that is read

# Contexts by the settings of their callers; they are copied, never entered.
_contexts: dict[tuple[Any, ...], Context] = {}


def run_all(
    function: Callable[[_Task], None],
    tasks: Iterable[_Task],
    workers: int,
    *,
    shared: bool = True,
) -> None:
    """Call a function on every task, on several threads where that helps.

    Tasks write to places of their own, so their order does not matter. The first
    exception is raised once all threads have stopped. Tasks that are not ``shared`` run
    on this thread, and BLAS on it too unless there is one worker: a process that forks
    while BLAS computes on threads of its own can wait for ever.
    """
    tasks = list(tasks)
    count = min(workers, len(tasks)) if shared else 1
    if workers < 2 or not guard.usable():
        _in_context(_alone, function, tasks, limits=False)
    elif count < 2:
        _in_context(_alone, function, tasks, limits=True)
    else:
        _in_context(_run, SharedWork(function, tasks), count, limits=True)


def run_stages(
    function: Callable[[_Task], None],
    stages: Sequence[Sequence[_Task]],
    workers: int,
    *,
    multiplies: bool = True,
) -> None:
    """Do what `run_all` does for the tasks of each stage, stage after stage.

    It takes less time than a call of `run_all` for each stage: threads meet between stages
    without sleep. BLAS keeps its threads where no task ``multiplies`` by it.
    """
    count = min(workers, max(map(len, stages), default=0))
    limits = multiplies and workers > 1
    if limits and not guard.usable():
        _in_context(_alone, function, chain.from_iterable(stages), limits=False)
    elif count < 2:
        tasks = chain.from_iterable(stages)
        _in_context(_alone, function, tasks, limits=limits)
    else:
        _in_context(_run, StagedWork(function, stages), count, limits=multiplies)


def _in_context(function: Callable[..., None], *arguments: Any, limits: bool) -> None:
    """Call a function in the quiet context; BLAS has one thread meanwhile if ``limits``."""
    if limits:
        quiet_context().run(guard.on_one_thread, function, *arguments)
    else:
        quiet_context().run(function, *arguments)


def _alone(function: Callable[[_Task], None], tasks: Iterable[_Task]) -> None:
    for task in tasks:
        function(task)


def _run(job: SharedWork, count: int) -> None:
    try:
        pool.submit(job.helper() for _ in range(count - 1))
        job.work()
    finally:
        job.finish()
    job.check()


def quiet_context() -> Context:
    """Return a context in which NumPy says nothing of invalid values."""
    state = np.geterr()
    settings = tuple(state.values())
    if "call" in settings or "log" in settings:
        # What the caller wants to be called may look at the caller's variables.
        return _quieted(copy_context(), state)
    context = _contexts.get(settings)
    if context is None:
        context = _contexts[settings] = _quieted(Context(), state)
    return context.copy()


def _quieted(context: Context, state: Any) -> Context:
    context.run(lambda: np.seterr(**{**state, "invalid": "ignore"}))
    return context


class _Workers(ContextDecorator, AbstractContextManager[None]):
    """A number of threads; the object never changes, so it may be entered anywhere."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        _entered.set((*_entered.get(), self))

    def __exit__(self, *_: object) -> None:
        blocks = _entered.get()
        # The last block of this object; there is none where it was entered elsewhere.
        for place in reversed(range(len(blocks))):
            if blocks[place] is self:
                _entered.set(blocks[:place] + blocks[place + 1 :])
                return


_entered: ContextVar[tuple[_Workers, ...]] = ContextVar("mtconv_workers", default=())


def workers(number: SupportsIndex) -> _Workers:
    """Set the number of threads of the NumPy backend inside a ``with`` block.

    Parameters
    ----------
    number : int
        Threads that one call may use; 1 turns mtconv's pool off.

    Returns
    -------
    context manager
        Also a decorator. The number holds in the thread or asynchronous task that
        entered the block; other threads keep theirs. Blocks nest, and one object may be
        entered again, inside its own block and in several threads too.

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
    try:
        # As in the options of the maps, a truth value is no number.
        truth = "bool" in f"{type(number).__name__} {getattr(number, 'dtype', '')}"
        count = None if truth else index(number)
    except TypeError:
        count = None
    if count is None:
        got = f"{shown(number)} of type {type(number).__name__}"
        raise TypeError(message("workers", "number", "must be an integer", got))
    if count < 1:
        raise ValueError(message("workers", "number", "must be at least 1", shown(count)))
    return _Workers(count)


def workers_here() -> int | None:
    """Return the number that the innermost block around the caller sets, if any."""
    blocks = _entered.get()
    return blocks[-1].number if blocks else None


@cache
def default_workers() -> int:
    """Return the number of workers: `MTCONV_WORKERS`, or the processors at hand.

    Raises
    ------
    ValueError
        If the variable is set to anything but a positive integer.
    """
    text = os.environ.get("MTCONV_WORKERS", "")
    if text:
        if len(text) > _DIGITS:  # `int` reads no thousands of digits, and says it badly
            msg = (
                f"MTCONV_WORKERS must be a positive integer of at most {_DIGITS} digits, "
                f"got {text[:_DIGITS]!r}... of {len(text)} characters"
            )
            raise ValueError(msg)
        if not text.isdecimal() or int(text) < 1:
            msg = f"MTCONV_WORKERS must be a positive integer, got {text!r}"
            raise ValueError(msg)
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_at_most() -> int:
    """Return how many threads a call that is made here may use."""
    blocks = _entered.get()
    return blocks[-1].number if blocks else default_workers()
