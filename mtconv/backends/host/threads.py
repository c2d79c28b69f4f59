"""Threads: a pool per process drives the blocks while BLAS keeps to one thread each.

Copies and adds of NumPy run on one thread; BLAS's own threads leave the other cores idle
meanwhile. A pool over blocks keeps every core busy with all of it. Without threadpoolctl,
which tells BLAS to keep to one thread, blocks run one after another on BLAS's threads.

The error state of NumPy is the caller's, without invalid values: BLAS may compute with what
lies behind its matrices and throw the result away. That a value was invalid says nothing
about those that it was given. NumPy keeps the state in a context variable. A call sets none
in the caller's context, but runs in a context of its own. CPython 3.11 can crash where a
context variable is set while garbage is collected and a finalizer sets one in the same
context, and a finalizer may call mtconv.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import Any, TypeVar

import numpy as np

from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import SharedWork, pool

__all__ = ["quiet_context", "run_all"]

_Task = TypeVar("_Task")

# Contexts by the settings of their callers; they are copied, never entered.
_contexts: dict[tuple[Any, ...], Context] = {}


def run_all(
    function: Callable[[_Task], None], tasks: Iterable[_Task], workers: int
) -> None:
    """Call a function on every task, on several threads where that helps.

    Tasks write to places of their own, so their order does not matter. The first
    exception is raised once all threads have stopped.
    """
    tasks = list(tasks)
    count = min(workers, len(tasks))
    run = _alone if count < 2 or not guard.usable() else _shared
    quiet_context().run(run, function, tasks, count)


def _alone(function: Callable[[_Task], None], tasks: Sequence[_Task], _: int) -> None:
    for task in tasks:
        function(task)


def _shared(function: Callable[[_Task], None], tasks: Sequence[_Task], count: int) -> None:
    job = SharedWork(function, tasks)
    with guard.one_thread():
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
