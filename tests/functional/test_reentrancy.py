"""No call sees another: after exceptions, and inside handlers, finalizers and callbacks.

Every kind of break-in comes at fixed places here; `tests/heavy/provoke.py` draws the
places at random, thousands of them.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import warnings
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import mtconv
from tests.provoked.breaking import lines
from tests.provoked.families import FORMS, Family, Job, Side
from tests.provoked.hooks import AtEvent, Provoked, allocations_fail, finalized_garbage

ALGORITHMS = ("gemm", "polyphase", "direct", "fft", "auto", "exact")
POINTS = 12  # places at which a call is broken into


def make(dtype="float32", mode="zeros"):
    sides = (Side(5, 10, 3, 2, 1, 1, 1), Side(4, 11, 4, 3, 1, 0, 2))
    return Family(np.random.default_rng(3), sides, (2, 1, 3, 4), dtype, mode)


@pytest.fixture(scope="module")
def family():
    return make()


def wrong_calls(family):
    """List the calls that give wrong results: two kernels of one shape by every map."""
    jobs = [
        Job(form, variant, algorithm)
        for form in ("conv", "kernel_grad", "conv_transpose")
        for algorithm in (("polyphase", "fft") if form == "conv" else ("polyphase",))
        for variant in (1, 2)
    ]
    return [job for job in jobs if not family.is_right(job, family.call(job))]


def points(family, job):
    """Choose lines, the first ones and the last among them."""
    total = lines(family, job)
    return [1 + (total - 1) * number // POINTS for number in range(POINTS)]


def every_call(function):
    function = pytest.mark.parametrize("algorithm", ALGORITHMS)(function)
    return pytest.mark.parametrize("form", FORMS)(function)


def test_a_warning_as_an_error_leaves_no_kernel_to_the_next_calls():
    huge = np.full((2, 8, 20, 20), 3e38, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            mtconv.conv_transpose(huge, np.full((8, 8, 3, 3), 3e38, np.float32), stride=2)
    y = np.zeros((1, 47, 8, 8), np.float32)
    y[0, 5, 2, 3], y[0, 46, 7, 0] = 3, 2
    single, two = np.zeros((2, 8, 47, 8, 8), np.float32)
    single[4, 5, 2, 3], two[6, 5, 2, 3], two[6, 46, 7, 0] = 7, 10, 100
    y, options = np.tile(y, (2, 1, 4, 4)), {"stride": 8}
    due = np.zeros((2, 8, 4, 4), np.float32)
    due[:, 4] = 21
    assert np.array_equal(mtconv.conv(y, single, **options), due)
    due[:, 4], due[:, 6] = 0, 230
    assert np.array_equal(mtconv.conv(y, two, **options), due)
    rng = np.random.default_rng(1)
    y = rng.integers(-4, 5, (2, 47, 32, 32)).astype(np.float32)
    kernels = rng.integers(-4, 5, (2, 8, 47, 8, 8)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(y, (8, 8), (2, 3))[:, :, ::2, ::2]
    for kernel in kernels:
        due = np.einsum("bdyxij,cdij->bcyx", windows, kernel, optimize=True)
        assert np.array_equal(mtconv.conv(y, kernel, stride=2), due)


@every_call
def test_calls_after_ctrl_c_at_any_line_are_right(family, form, algorithm):
    job = Job(form, 0, algorithm)
    for number in points(family, job):
        with pytest.raises(KeyboardInterrupt), AtEvent(number, interrupt):
            family.call(job)
        assert wrong_calls(family) == []


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("way", ["operator", "new operator"])
def test_an_operator_that_was_aborted_is_right_later(form, algorithm, way):
    job = Job(form, 3, algorithm, way)

    def abort():
        raise Provoked

    for number in range(1, 400, 60):
        family = make()  # whose operators are new
        try:
            with AtEvent(number, abort):
                family.call(job)
        except Provoked:
            pass
        assert family.is_right(job, family.call(job))
        assert wrong_calls(family) == []


@every_call
@pytest.mark.parametrize("strict", ["warnings", "errstate"])
def test_calls_after_an_overflow_that_is_an_error_are_right(
    family, form, algorithm, strict
):
    job = Job(form, 0, algorithm)
    huge = [np.full_like(array, 3e38) for array in family.arrays(job)]
    with warnings.catch_warnings(), np.errstate():
        if strict == "warnings":
            warnings.simplefilter("error")
            error = RuntimeWarning
        else:
            np.seterr(all="raise")
            error = FloatingPointError
        with pytest.raises(error):
            family.call(job, *huge)
    assert wrong_calls(family) == []


@every_call
def test_a_call_at_any_line_of_another_is_right_and_so_is_the_other(
    family, form, algorithm
):
    job, wrong = Job(form, 0, algorithm), []
    for number in points(family, job):
        with AtEvent(number, lambda: wrong.extend(wrong_calls(family))):
            result = family.call(job)
        assert wrong == []
        assert family.is_right(job, result)


@every_call
@pytest.mark.parametrize("weakly", [False, True], ids=["finalizer", "weak reference"])
def test_a_call_of_a_finalizer_within_another_is_right(family, form, algorithm, weakly):
    job, wrong = Job(form, 0, algorithm), []
    ran = []

    def act():
        ran.append(number)
        wrong.extend(wrong_calls(family))

    for number in points(family, job):
        with AtEvent(number, lambda: gc.collect(0)):
            finalized_garbage(act, weakly=weakly)
            result = family.call(job)
        assert family.is_right(job, result)
    assert wrong == []
    assert len(ran) > 3


@every_call
def test_calls_after_a_failed_allocation_are_right(family, form, algorithm):
    job = Job(form, 0, algorithm)
    for number in count():
        result = None
        with allocations_fail(number) as allocations:
            try:
                result = family.call(job)
            except MemoryError:
                assert allocations.refused
        assert wrong_calls(family) == []
        if not allocations.refused:
            break
    assert number  # at least the result is allocated
    assert family.is_right(job, result)


@every_call
def test_a_callback_of_numpy_within_a_call_may_call(family, form, algorithm):
    job, wrong, ran = Job(form, 0, algorithm), [], []

    def act(*_):
        if len(ran) < 3:
            ran.append(1)
            with np.errstate(over="warn"):
                wrong.extend(wrong_calls(family))

    huge = [np.full_like(array, 3e38) for array in family.arrays(job)]
    with np.errstate(all="call", call=act):
        family.call(job, *huge)
    assert ran
    assert wrong == []


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs signals of POSIX")
def test_no_result_is_wrong_in_a_sample_of_random_provocations():
    # In a process of its own: signals go there, and one that hangs ends itself.
    done = subprocess.run(
        [sys.executable, "-m", "tests.heavy.provoke", "--scale", "0.06", "--seed", "5"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
