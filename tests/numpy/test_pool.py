"""The pool of threads: made when needed, never smaller, and told when to stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from mtconv.backends._numpy import threads


@pytest.fixture
def pool():
    pytest.importorskip("threadpoolctl")
    made = threads._Pool()
    yield made
    if made._executor is not None:
        made._executor.shutdown()


def test_a_pool_grows_and_never_shrinks(pool):
    assert pool._executor is None
    pool.submit(2, int).result()
    two = pool._executor
    pool.submit(2, int).result()
    pool.submit(1, int).result()
    assert pool._executor is two
    pool.submit(3, int).result()
    three = pool._executor
    assert three is not two
    pool.submit(2, int).result()
    assert pool._executor is three
    two.shutdown()


def test_threads_of_a_pool_know_that_they_are(pool):
    names = []

    def ask():
        names.append((pool.inside(), threading.current_thread().name))

    pool.submit(1, ask).result()
    ((inside, name),) = names
    assert inside is True
    assert name.startswith("mtconv")
    assert pool.inside() is False


def test_a_forked_child_begins_with_no_executor(pool):
    pool.submit(2, int).result()
    before = pool._executor
    pool.reset()
    assert pool._executor is None
    pool.submit(1, int).result()
    assert pool._executor is not before
    assert pool._size == 1
    before.shutdown()


class Blas:
    """Counts limits set and restored."""

    def __init__(self):
        self.limits, self.restored = [], 0

    def limit(self, *, limits):
        self.limits.append(limits)
        return self

    def restore_original_limits(self):
        self.restored += 1


def test_the_first_caller_limits_blas_and_the_last_one_restores_it():
    guard, blas = threads._BlasGuard(), Blas()
    guard._controller = blas
    with guard.one_thread():
        with guard.one_thread():
            assert blas.limits == [1]
        assert blas.restored == 0
    assert blas.restored == 1
    with pytest.raises(ArithmeticError), guard.one_thread():
        raise ArithmeticError
    assert (blas.limits, blas.restored) == ([1, 1], 2)


def test_a_forked_child_has_no_users_of_blas():
    guard = threads._BlasGuard()
    guard._controller = Blas()
    with guard.one_thread():
        guard.reset()
        assert guard._users == 0
        assert guard._limiter is None
        guard._users, guard._limiter = 1, guard._controller


@pytest.mark.parametrize(
    ("workers", "tasks", "asked"),
    [
        (4, 3, [2, 2]),  # as many threads as tasks, one of them the caller's
        (2, 9, [1]),
        (2, 2, [1]),
        (2, 1, []),  # one task is run here
        (1, 9, []),
        (2, 0, []),
    ],
)
def test_threads_that_are_asked_for(workers, tasks, asked, counted):
    done = []
    threads.run_all(done.append, range(tasks), workers)
    assert counted == asked
    assert sorted(done) == list(range(tasks))


def test_after_an_error_nothing_is_begun(monkeypatch):
    """Both threads have a task; the other goes on once this one waits for it."""
    pytest.importorskip("threadpoolctl")
    begun, waiting, other = [], threading.Event(), threading.Event()

    def submit(size, function):
        future = real(size, function)
        cancel = future.cancel
        # The first thing that is done to a thread that is waited for.
        monkeypatch.setattr(future, "cancel", lambda: (waiting.set(), cancel())[1])
        return future

    real = threads._pool.submit
    monkeypatch.setattr(threads._pool, "submit", submit)

    def task(number):
        begun.append(number)
        if threading.current_thread() is not threading.main_thread():
            other.set()
            assert waiting.wait(60)
            return
        assert other.wait(60)
        raise ArithmeticError(number)

    with pytest.raises(ArithmeticError):
        threads.run_all(task, range(9), 2)
    assert sorted(begun) == [0, 1]


FORKED = """
import os, threading
import numpy as np
import mtconv
from mtconv.backends._numpy import threads

def run():
    # 16 million multiply-adds, two blocks.
    with mtconv.workers(2):
        return mtconv.conv_transpose(np.ones((1, 64, 8192)), np.ones((64, 8, 4)), stride=2)

parent = run()
assert threads._pool._executor is not None

# Another thread of the parent is in the middle of a call, which the child never ends.
started, ended = threading.Event(), threading.Event()

def call():
    with threads._blas.one_thread():
        started.set()
        ended.wait()

other = threading.Thread(target=call)
other.start()
started.wait()
child = os.fork()
if child == 0:
    assert threads._pool._executor is None
    assert threads._blas._users == 0
    same = bool((run() == parent).all()) and threads._pool._executor is not None
    os._exit(7 if same else 1)
ended.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_pool_of_its_own():
    pytest.importorskip("threadpoolctl")
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "7", done.stderr
