"""Threads: a pool per process drives the blocks while BLAS keeps to one thread each.

Copies and adds of NumPy run on one thread; BLAS's own threads leave the other cores idle
meanwhile. A pool over blocks keeps every core busy with all of it. Without threadpoolctl,
which tells BLAS to keep to one thread, blocks run one after another on BLAS's threads.

The number of workers is that of `mtconv.workers` around the call, otherwise that of
`MTCONV_WORKERS`, otherwise what the process may use; 1 turns the pool off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import SharedWork, pool
from mtconv.backends.parallel import workers_here

__all__ = ["default_workers", "run_all", "workers_at_most"]

_Task = TypeVar("_Task")

_DIGITS = 18  # the longest number of workers that is read


@cache
def default_workers() -> int:
    """Return the number of workers: `MTCONV_WORKERS`, or the processors at hand.

    Raises
    ------
    ValueError
        If the variable is set to something else than a positive integer.
    """
    text = os.environ.get("MTCONV_WORKERS", "")
    if text:
        if len(text) > _DIGITS:  # Python itself does not read thousands
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
    return workers_here() or default_workers()


def run_all(
    function: Callable[[_Task], None], tasks: Iterable[_Task], workers: int
) -> None:
    """Call a function on every task, on several threads where that helps.

    Tasks write to places of their own, so their order does not matter. The first
    exception is raised once all threads have stopped.
    """
    tasks = list(tasks)
    count = min(workers, len(tasks))
    if count < 2 or not guard.usable():
        for task in tasks:
            function(task)
        return
    job = SharedWork(function, tasks)
    with guard.one_thread():
        try:
            pool.submit(job.helper() for _ in range(count - 1))
            job.work()
        finally:
            job.finish()
    job.check()
