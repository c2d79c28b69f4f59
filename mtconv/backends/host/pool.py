"""The threads of a process, and work that a call shares with them.

Calls can begin anywhere: in a signal handler or a finalizer that interrupts another call,
in `atexit`, where no thread can be started any more. So nothing here waits for a thread
that has not begun, and nothing holds a lock that the interrupted call may hold: jobs are
handed over by `queue.SimpleQueue`, which is reentrant.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from queue import SimpleQueue
from sys import is_finalizing
from time import perf_counter, sleep
from typing import Any

__all__ = ["Pool", "SharedWork", "StagedWork", "pool"]

# Seconds for which a thread stays awake between stages, and for which it then sleeps at a
# time: to wake a thread up can take longer than a stage does.
_AWAKE_S = 2e-3
_ASLEEP_S = 1e-4

# Seconds that a helper waits between stages at most. The stages that follow are left to
# the caller then, whose call may have been broken off without a word.
_LONGEST_S = 0.2


class SharedWork:
    """Tasks of one call, which the calling thread and its helpers take one by one."""

    def __init__(self, function: Callable[[Any], None], tasks: Iterable[Any]) -> None:
        self._function: Callable[[Any], None] | None = function
        self.tasks = deque(tasks)
        self._left = [None] * len(self.tasks)
        self._errors: list[BaseException] = []
        self._helpers: list[PoolHelper] = []

    def helper(self) -> PoolHelper:
        """Return one more helper, for another thread to run."""
        helper = PoolHelper(self)
        self._helpers.append(helper)
        return helper

    def work(self) -> None:
        """Run tasks until none is left."""
        self._run(self.tasks)

    def _run(self, tasks: deque[Any]) -> None:
        function = self._function
        while function is not None:
            try:
                task = tasks.popleft()
            except IndexError:
                return
            function(task)
            self._left.pop()

    def _drop(self) -> None:
        """Forget the tasks that no thread has begun."""
        self.tasks.clear()

    def fail(self, error: BaseException) -> None:
        """Record an error of another thread; no further task begins."""
        self._errors.append(error)
        self._drop()

    def finish(self) -> None:
        """Wait for the helpers that have begun; the others find nothing to do."""
        self._drop()
        for helper in self._helpers:
            with helper.running:
                pass
        self._function = None  # a helper that has not begun keeps no array alive

    def check(self) -> None:
        """Raise the first error of a helper; every task must have ended."""
        if self._errors:
            raise self._errors[0]
        if self._left:
            msg = "a thread of mtconv was stopped in the middle of a call"
            raise RuntimeError(msg)


class StagedWork(SharedWork):
    """Tasks in stages: those of a stage begin once all tasks before it have ended.

    A thread that has begun takes part in all stages, and stays awake between them.
    """

    def __init__(
        self, function: Callable[[Any], None], stages: Sequence[Sequence[Any]]
    ) -> None:
        super().__init__(function, ())
        self._left = [None] * sum(map(len, stages))
        self.stages = [deque(tasks) for tasks in stages]
        # Tasks that are left at the end of each stage.
        self._after = [sum(map(len, stages[n + 1 :])) for n in range(len(stages))]
        self._caller = threading.get_ident()
        self._over = False

    def work(self) -> None:
        """Run tasks, stage by stage, until none is left."""
        for tasks, left in zip(self.stages, self._after, strict=True):
            self._run(tasks)
            if not self._ended(left):
                return

    def finish(self) -> None:
        """Wait for the helpers that have begun, unless every task has ended."""
        if self._left:
            super().finish()
        self._drop()
        self._function = None

    def _drop(self) -> None:
        self._over = True
        for tasks in self.stages:
            tasks.clear()

    def _ended(self, left: int) -> bool:
        """Wait until only so many tasks are left; return False where that is in vain."""
        began = perf_counter()
        while len(self._left) > left:
            waited = perf_counter() - began
            if self._over or (waited > _LONGEST_S and self._in_vain(left)):
                return False
            sleep(_ASLEEP_S if waited > _AWAKE_S else 0)
        return True

    def _in_vain(self, left: int) -> bool:
        """Return whether a thread that has waited for long should not wait any longer."""
        if threading.get_ident() != self._caller:
            return True
        working = any(helper.running.locked() for helper in self._helpers)
        return not working and len(self._left) > left


class PoolHelper:
    """One thread's part in a job; ``running`` is held from its first to its last task.

    It runs in a copy of the caller's context, where `numpy.errstate` is found.
    """

    def __init__(self, job: SharedWork) -> None:
        self.running = threading.Lock()
        self._job = job
        self._context = copy_context()

    def run(self) -> None:
        """Run tasks of the job on the thread that calls this."""
        with self.running:
            try:
                self._context.run(self._job.work)
            except BaseException as error:
                self._job.fail(error)


class Pool:
    """Threads that wait for helpers to run; started when needed, never stopped."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget threads that a fork left behind."""
        self._queue: SimpleQueue[PoolHelper] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def size(self) -> int:
        """Number of threads."""
        return len(self._threads)

    def submit(self, helpers: Iterable[PoolHelper]) -> None:
        """Hand helpers to other threads; without threads they are left to the caller."""
        helpers = list(helpers)
        if self._grow(len(helpers)):
            for helper in helpers:
                self._queue.put(helper)

    def _grow(self, size: int) -> bool:
        """Start threads up to a number; return whether there are any."""
        # At the very end a thread can still be made, but it never starts.
        while len(self._threads) < size and not is_finalizing():
            thread = threading.Thread(
                # A daemon, since it waits for ever.
                target=_serve,
                args=(self._queue,),
                name="mtconv",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # at a limit of the system, or at shutdown
                break
            self._threads.append(thread)
        return bool(self._threads) and not is_finalizing()


def _serve(queue: SimpleQueue[PoolHelper]) -> None:
    while True:
        queue.get().run()


pool = Pool()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: pool.reset())
