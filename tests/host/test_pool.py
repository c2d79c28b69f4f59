"""The pool of threads: made when needed, never waited for in vain."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from mtconv.backends.host import threads
from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import Pool, SharedWork, StagedWork


def run(pool, function, tasks, helpers):
    job = SharedWork(function, tasks)
    pool.submit(job.helper() for _ in range(helpers))
    job.work()
    job.finish()
    job.check()


def test_a_pool_grows_and_never_shrinks():
    pool = Pool()
    sizes = []
    for helpers in (0, 2, 1, 3, 2):
        run(pool, int, range(9), helpers)
        sizes.append(pool.size)
    assert sizes == [0, 2, 2, 3, 3]


def test_a_forked_child_begins_without_threads():
    pool = Pool()
    run(pool, int, range(9), 2)
    pool.reset()
    assert pool.size == 0
    run(pool, int, range(9), 1)
    assert pool.size == 1


def test_tasks_run_on_threads_of_the_pool_and_on_the_calling_one():
    together = threading.Barrier(3, timeout=60)
    names = []

    def task(_):
        together.wait()
        names.append(threading.current_thread().name)

    run(Pool(), task, range(3), 2)
    assert sorted(names) == sorted(["mtconv", "mtconv", threading.current_thread().name])


def test_where_no_thread_can_start_the_caller_does_everything(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")  # noqa: EM101

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool, done = Pool(), []
    run(pool, done.append, range(5), 3)
    assert done == [0, 1, 2, 3, 4]
    assert pool.size == 0


def test_a_helper_that_has_not_begun_is_not_waited_for_and_keeps_nothing_alive():
    done = []

    def task(n):
        done.append(n)

    job, alive = SharedWork(task, range(3)), weakref.ref(task)
    late = job.helper()
    job.work()
    job.finish()
    job.check()
    late.run()
    assert done == [0, 1, 2]
    del task
    gc.collect()
    assert alive() is None


def test_helpers_have_the_error_state_of_the_caller():
    together = threading.Barrier(2, timeout=60)
    states = []

    def task(_):
        together.wait()
        states.append(np.geterr()["over"])

    with np.errstate(over="raise"):
        run(Pool(), task, range(2), 1)
    assert states == ["raise", "raise"]


def test_a_thread_that_stops_in_the_middle_is_an_error_not_a_wrong_result():
    job = SharedWork(int, range(3))
    job.tasks.popleft()  # as if a thread had taken a task and vanished
    job.work()
    job.finish()
    with pytest.raises(RuntimeError, match="stopped in the middle of a call"):
        job.check()


STAGES = ([1, 2, 3], [], [4], [5, 6])


def run_in_stages(function, stages=STAGES):
    """Run stages on two threads."""
    job = StagedWork(function, stages)
    pool = Pool()
    try:
        pool.submit([job.helper()])
        job.work()
    finally:
        job.finish()
    job.check()


def test_a_stage_begins_once_those_before_it_have_ended():
    begun, ended, threads_seen = [], [], set()
    together = threading.Barrier(2, timeout=60)

    def task(number):
        if number in (1, 2, 5, 6):  # so that both threads have some
            together.wait()
        threads_seen.add(threading.current_thread().name)
        begun.append((number, sorted(ended)))
        ended.append(number)

    run_in_stages(task)
    assert len(threads_seen) == 2
    before = dict(begun)
    assert set(before[4]) == {1, 2, 3}
    assert {1, 2, 3, 4} <= set(before[5]) & set(before[6])


@pytest.mark.parametrize("name", ["mtconv", "caller"])
def test_an_error_of_either_thread_ends_all_stages(name):
    together, begun = threading.Barrier(2, timeout=60), []

    def task(number):
        begun.append(number)
        if number in (1, 2):
            together.wait()
            pooled = threading.current_thread().name == "mtconv"
            if pooled == (name == "mtconv"):
                raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run_in_stages(task, ([1, 2], [3], [4]))
    assert sorted(begun) == [1, 2]


def test_stages_without_a_helper_run_in_order():
    job, done = StagedWork(lambda n: done.append(n), STAGES), []
    late = job.helper()
    job.work()
    job.finish()
    job.check()
    late.run()
    assert done == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("by", ["caller", "helper"])
def test_nobody_waits_for_a_task_that_vanished(by, monkeypatch):
    monkeypatch.setattr("mtconv.backends.host.pool._LONGEST_S", 0.01)
    done = []
    job = StagedWork(done.append, ([1, 2], [3]))
    job.stages[0].popleft()  # as if a thread had taken a task and vanished
    helper = job.helper()
    if by == "caller":
        job.work()
    else:
        thread = threading.Thread(target=helper.run)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    assert done == [2]
    job.finish()
    with pytest.raises(RuntimeError, match="stopped in the middle of a call"):
        job.check()


@pytest.mark.parametrize(
    ("workers", "tasks", "asked"),
    [
        (4, 3, [2]),  # as many threads as tasks, one of them the caller's
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


@pytest.mark.skipif(not guard.usable(), reason="needs threadpoolctl")
def test_after_an_error_nothing_is_begun():
    """Both threads have a task; the other goes on once this one waits for it."""
    begun, other, failed = [], threading.Event(), threading.Event()

    def task(number):
        begun.append(number)
        if threading.current_thread() is not threading.main_thread():
            other.set()
            assert failed.wait(60)
            return
        assert other.wait(60)
        threading.Timer(0.1, failed.set).start()
        raise ArithmeticError(number)

    with pytest.raises(ArithmeticError):
        threads.run_all(task, range(9), 2)
    assert sorted(begun) == [0, 1]


FORKED = """
import os, threading
import numpy as np
import mtconv
from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import pool

def run():
    # 64 million multiply-adds, two blocks.
    with mtconv.workers(2):
        return mtconv.conv_transpose(np.ones((1, 64, 32768)), np.ones((64, 8, 4)), stride=2)

parent = run()
assert pool.size == 1

# Another thread of the parent is in the middle of a call, which the child never ends.
started, ended = threading.Event(), threading.Event()

def call():
    guard.on_one_thread(lambda: (started.set(), ended.wait()))

other = threading.Thread(target=call)
other.start()
started.wait()
child = os.fork()
if child == 0:
    assert pool.size == 0
    same = bool((run() == parent).all()) and pool.size == 1
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
