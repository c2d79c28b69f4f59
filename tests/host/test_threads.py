"""Threads change neither a value nor BLAS's settings, and never fight."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import blocks
from mtconv.backends.host import threads
from mtconv.backends.host.blas import BlasGuard
from mtconv.planning import tuning
from mtconv.planning.scale import Scale, scale_of

ALGORITHMS = ("gemm", "polyphase", "direct", "fft")


def layer(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 32, 48, 48), np.float32)
    kernel = rng.standard_normal((32, 16, 4, 4), np.float32)
    return x, kernel


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_results_are_identical_from_run_to_run_and_close_for_any_number_of_threads(
    algorithm, monkeypatch
):
    x, kernel = layer()

    def run(workers):
        monkeypatch.setattr(threads, "default_workers", lambda: workers)
        return mtconv.conv_transpose(x, kernel, stride=2, padding=1, algorithm=algorithm)

    alone, shared = run(1), run(3)
    assert np.array_equal(alone, run(1))
    assert np.array_equal(shared, run(3))
    scale = abs(alone).max()
    assert abs(alone - shared).max() <= 1e-5 * scale


@pytest.mark.parametrize("form", ["conv", "kernel_grad"])
def test_gradients_are_identical_from_run_to_run(form):
    x, kernel = layer()
    y = mtconv.conv_transpose(x, kernel, stride=2, padding=1)

    def run():
        if form == "conv":
            return mtconv.conv(y, kernel, stride=2, padding=1)
        return mtconv.kernel_grad(x, y, kernel_size=4, stride=2, padding=1)

    assert np.array_equal(run(), run())


def test_calls_from_many_threads_do_not_disturb_one_another(monkeypatch):
    monkeypatch.setattr(threads, "default_workers", lambda: 2)
    problems = [layer(seed) for seed in range(8)]

    def run(problem):
        return mtconv.conv_transpose(*problem, stride=2, padding=1)

    expected = [run(problem) for problem in problems]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            got = list(pool.map(run, problems))
            assert all(map(np.array_equal, got, expected))


def test_blas_has_its_threads_back_after_a_call_and_after_an_error(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(threads, "default_workers", lambda: 2)

    def settings():
        return [
            info["num_threads"]
            for info in threadpoolctl.threadpool_info()
            if info["user_api"] == "blas"
        ]

    def fail(task):
        raise ArithmeticError(task)

    before = settings()
    mtconv.conv_transpose(*layer(), stride=2)
    assert settings() == before
    with pytest.raises(ArithmeticError):
        threads.run_all(fail, [1, 2, 3], 2)
    assert settings() == before


def test_every_task_runs_once_on_any_number_of_threads():
    for workers in (1, 2, 5):
        done = []
        threads.run_all(done.append, range(20), workers)
        assert sorted(done) == list(range(20))


def test_a_task_inside_the_pool_may_call_the_pool_again():
    done = []
    threads.run_all(lambda n: threads.run_all(done.append, [n, -n], 2), range(1, 5), 2)
    assert sorted(done) == [-4, -3, -2, -1, 1, 2, 3, 4]


def test_workers_holds_inside_its_block_and_in_its_thread(counted, monkeypatch):
    monkeypatch.setattr(threads, "default_workers", lambda: 4)

    def used():
        counted.clear()
        threads.run_all(int, range(9), threads.workers_at_most())
        return 1 + sum(counted)

    @mtconv.workers(3)
    def decorated():
        return used()

    with mtconv.workers(2):
        assert used() == 2
        with mtconv.workers(1):
            assert used() == 1
            assert decorated() == 3
            with ThreadPoolExecutor(1) as other:
                assert other.submit(used).result() == 4
        assert used() == 2
        with pytest.raises(ArithmeticError), mtconv.workers(3):
            raise ArithmeticError
        assert used() == 2
    assert used() == 4


@pytest.fixture
def many_blocks(monkeypatch, cut_anew):
    """Cut small problems into as many blocks as large ones."""
    monkeypatch.setattr(tuning, "FEW_BLOCKS_WORK", 0)
    monkeypatch.setattr(tuning, "FEW_BLOCKS", tuning.LEAST_BLOCKS)
    cut_anew()


@pytest.mark.usefixtures("many_blocks")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_number_of_workers_from_2_up_gives_the_same_bits(algorithm, counted):
    def run(number, *arrays):
        with mtconv.workers(number):
            return mtconv.conv_transpose(*arrays, stride=2, padding=1, algorithm=algorithm)

    two, three = run(2, *layer()), run(3, *layer())
    assert counted == [1, 2]  # both calls went to the pool
    assert np.array_equal(two, three)
    if algorithm != "fft":
        whole = [np.rint(4 * array) for array in layer()]
        assert np.array_equal(run(1, *whole), run(2, *whole))


@pytest.mark.parametrize(
    ("workers", "sizes", "asked"),
    [(3, (2, 5, 1), [2]), (3, (2, 1), [1]), (1, (2, 5), []), (4, (1, 1), []), (2, (), [])],
)
def test_stages_are_shared_by_as_many_threads_as_a_stage_has_tasks(
    workers, sizes, asked, counted
):
    ran = []
    stages = [[(stage, n) for n in range(size)] for stage, size in enumerate(sizes)]
    threads.run_stages(ran.append, stages, workers)
    assert counted == asked
    assert sorted(ran) == [task for stage in stages for task in stage]
    assert [stage for stage, _ in ran] == sorted(stage for stage, _ in ran)


@pytest.fixture
def count(monkeypatch):
    """Count the workers of a process that has this in `MTCONV_WORKERS`."""

    def count(text):
        monkeypatch.setenv("MTCONV_WORKERS", text)
        return threads.default_workers.__wrapped__()

    return count


def test_the_environment_variable_sets_the_number_of_workers(count):
    assert count("3") == 3
    for text in ("0", "-1", "two"):
        message = f"MTCONV_WORKERS must be a positive integer, got '{text}'"
        with pytest.raises(ValueError, match=message):
            count(text)


def test_without_it_there_is_a_worker_for_each_processor(count, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert count("") == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert count("") == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count("") == 1


def test_without_threadpoolctl_everything_runs_on_the_thread_that_asks(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(threads, "guard", BlasGuard())
    names = set()
    threads.run_all(lambda _: names.add(threading.current_thread().name), range(9), 3)
    assert names == {threading.current_thread().name}


class Library:
    """What threadpoolctl says of a BLAS."""

    def __init__(self, number):
        self.num_threads = number

    def set_num_threads(self, number):
        self.num_threads = number


@pytest.mark.parametrize(
    ("workers", "tasks", "shared", "threads_of_blas"),
    [
        (1, [1, 2], True, 2),  # the caller wants no thread of mtconv: BLAS has its own
        (1, [1, 2], False, 2),
        (2, [1, 2], False, 1),
        (2, [1], True, 1),
        (2, [1, 2], True, 1),
    ],
)
def test_blas_has_threads_of_its_own_for_one_worker(
    workers, tasks, shared, threads_of_blas, monkeypatch
):
    library = Library(2)
    guard = BlasGuard()
    guard._libraries = [library]
    monkeypatch.setattr(threads, "guard", guard)
    seen = []

    def task(_):
        seen.append(library.num_threads)

    threads.run_all(task, tasks, workers, shared=shared)
    assert seen == [threads_of_blas] * len(tasks)
    assert library.num_threads == 2
    seen.clear()
    threads.run_stages(task, [[1], [2]], workers, multiplies=True)
    threads.run_stages(task, [[3], [4]], workers, multiplies=False)
    assert seen == [1 + (workers == 1)] * 2 + [2] * 2


def test_an_error_on_another_thread_is_raised_where_the_call_was_made():
    pytest.importorskip("threadpoolctl")
    failed = threading.Event()

    def task(_):
        if threading.current_thread() is threading.main_thread():
            assert failed.wait(60)
        else:
            failed.set()
            raise ArithmeticError("elsewhere")  # noqa: EM101

    with pytest.raises(ArithmeticError, match="elsewhere"):
        threads.run_all(task, [1, 2], 2)


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
@pytest.mark.parametrize("size", [200, 400])
@pytest.mark.parametrize(
    ("batch", "channels", "share", "groups"),
    [(1, 64, 1, 1), (4, 256, 1, 8), (3, 128, 1, 2)],
)
def test_every_problem_worth_threads_has_blocks_to_share(
    size, batch, channels, share, groups, form
):
    spec = mtconv.ConvSpec.from_shapes(
        (batch, channels, size, size), (channels, share, 4, 4), stride=2, groups=groups
    )
    assert scale_of(spec, batch, form) is Scale.LARGE
    least = 4 if batch * spec.multiply_adds >= tuning.FEW_BLOCKS_WORK else 2
    if form == "kernel_grad":  # its blocks share nothing but groups and channels
        least = min(least, groups)
    for algorithm in ALGORITHMS:
        assert len(blocks.cut(spec, form, algorithm, batch, 4)) >= least
