"""Threads: a pool per process drives the tiles while BLAS keeps to one thread each.

Copies and adds of NumPy run on one thread; BLAS's own threads leave the other cores idle
meanwhile. A pool over tiles keeps every core busy with all of it. Without threadpoolctl,
which tells BLAS to keep to one thread, tiles run one after another on BLAS's threads.

The number of workers is that of `mtconv.workers` around the call, otherwise that of
`MTCONV_WORKERS`, otherwise what the process may use; 1 turns the pool off.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from mtconv.parallel import workers_here

__all__ = ["default_workers", "run_all"]

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


class _Pool:
    """The executor of one process; a forked child makes its own."""

    def __init__(self) -> None:
        self._inside = threading.local()
        self.reset()

    def reset(self) -> None:
        """Forget an executor whose threads a fork left behind."""
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._size = 0

    def inside(self) -> bool:
        """Tell whether the thread that asks is one of the pool's."""
        return getattr(self._inside, "yes", False)

    def submit(self, size: int, function: Callable[[], None]) -> Future[None]:
        with self._lock:
            if self._executor is None or self._size < size:
                self._executor = ThreadPoolExecutor(
                    size,
                    "mtconv",
                    initializer=setattr,
                    initargs=(self._inside, "yes", True),
                )
                self._size = size
            return self._executor.submit(function)


_pool = _Pool()


class _BlasGuard:
    """Keeps BLAS to one thread while any caller needs that; the last one restores."""

    def __init__(self) -> None:
        self._controller: Any = None
        self.reset()

    def reset(self) -> None:
        """Forget users that a fork left behind."""
        self._lock = threading.Lock()
        self._users = 0
        self._limiter: Any = None

    def available(self) -> bool:
        """Tell whether threadpoolctl is installed and finds NumPy's BLAS."""
        if self._controller is None:
            try:
                from threadpoolctl import ThreadpoolController
            except ImportError:
                self._controller = False
            else:
                found = ThreadpoolController().select(user_api="blas")
                self._controller = found if found.lib_controllers else False
        return self._controller is not False

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._limiter = self._controller.limit(limits=1)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._limiter.restore_original_limits()


_blas = _BlasGuard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.reset)
    os.register_at_fork(after_in_child=_blas.reset)


def run_all(
    function: Callable[[_Task], None], tasks: Iterable[_Task], workers: int | None = None
) -> None:
    """Call a function on every task, on several threads where that helps.

    Tasks write to places of their own, so their order does not matter. The first
    exception is raised once all threads have stopped.
    """
    todo = list(tasks)
    if workers is None:
        workers = workers_here() or default_workers()
    count = min(workers, len(todo))
    if count < 2 or _pool.inside() or not _blas.available():
        for task in todo:
            function(task)
        return
    rest = iter(todo)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                task = next(rest, _END)
            if task is _END:
                return
            function(task)  # type: ignore[arg-type]

    with _blas.one_thread():
        futures = [_pool.submit(count - 1, work) for _ in range(count - 1)]
        try:
            work()
        finally:
            with lock:
                rest = iter(())  # after an error the others have nothing left to do
            # A future that has not started has nothing to do any more.
            errors = [f.exception() for f in futures if not f.cancel()]
        for error in errors:
            if error is not None:
                raise error


_END = object()
