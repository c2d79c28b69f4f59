"""`mtconv.workers`: which numbers it takes, and where a number holds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mtconv
from mtconv.backends.host import threads
from mtconv.backends.host.threads import workers_here


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (0, ValueError, "at least 1; got 0."),
        (np.int8(-3), ValueError, "at least 1; got -3."),
        (1.5, TypeError, "an integer; got 1.5 of type float."),
        ("2", TypeError, "an integer; got '2' of type str."),
        (True, TypeError, "an integer; got True of type bool."),
        (np.True_, TypeError, "an integer; got np.True_ of type bool."),
        (np.array([2]), TypeError, "an integer; got array([2]) of type ndarray."),
        (None, TypeError, "an integer; got None of type NoneType."),
    ],
)
def test_a_number_of_workers_is_a_positive_integer(number, error, text):
    with pytest.raises(error) as caught:
        mtconv.workers(number)
    assert str(caught.value) == f"workers: `number` must be {text}"


def test_one_block_of_workers_may_be_entered_again_and_again():
    two, three = mtconv.workers(2), mtconv.workers(3)

    @two
    def decorated():
        with three:
            return workers_here(), recursive(3)

    @three
    def recursive(depth):
        return [workers_here(), *(recursive(depth - 1) if depth else [])]

    for _ in range(2):
        with two:
            assert workers_here() == 2
            with two, three, two:
                assert workers_here() == 2
                assert decorated() == (3, [3, 3, 3, 3])
            assert workers_here() == 2
        assert workers_here() is None
    assert decorated() == (3, [3, 3, 3, 3])
    assert workers_here() is None


def test_one_block_of_workers_serves_many_threads_at_once():
    two = mtconv.workers(2)
    together = threading.Barrier(4)

    def enter():
        before = workers_here()
        with two:
            together.wait(60)  # every thread is inside
            inside = workers_here()
            with two:
                together.wait(60)
            together.wait(60)
        return before, inside, workers_here()

    with two, ThreadPoolExecutor(4) as pool:
        results = [pool.submit(enter) for _ in range(4)]
        assert [result.result() for result in results] == [(None, 2, None)] * 4


def test_blocks_that_end_out_of_order_leave_the_others_in_force():
    two, three = mtconv.workers(2), mtconv.workers(3)
    two.__enter__()
    three.__enter__()
    two.__exit__(None, None, None)
    assert workers_here() == 3
    three.__exit__(None, None, None)
    assert workers_here() is None
    three.__exit__(None, None, None)  # as where a generator ends in another context
    assert workers_here() is None


@pytest.mark.parametrize("text", ["1" * 5000, "0" * 4999 + "1", "9" * 19, "x" * 5000])
def test_a_number_of_workers_beyond_all_reason_is_refused(text, monkeypatch):
    count = threads.default_workers.__wrapped__
    monkeypatch.setenv("MTCONV_WORKERS", "9" * 18)
    assert count() == 10**18 - 1
    monkeypatch.setenv("MTCONV_WORKERS", text)
    with pytest.raises(ValueError, match="MTCONV_WORKERS") as caught:
        count()
    assert str(caught.value) == (
        "MTCONV_WORKERS must be a positive integer of at most 18 digits, "
        f"got '{text[:18]}'... of {len(text)} characters"
    )
