"""`time_algorithms` times every algorithm and marks the ladder's choice."""

from __future__ import annotations

import pytest

import mtconv
from mtconv.explaining.timing import time_algorithms
from mtconv.planning.choose import DECLARED


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_every_algorithm_is_timed_once_and_the_choice_is_marked(form):
    channels = 3 if form == "conv" else 2
    shapes = (1, channels, 6, 6), (2, 3, 3, 3)
    timings = time_algorithms(*shapes, form=form, stride=2, padding=1, seconds=0.002)
    assert sorted(timing.algorithm for timing in timings) == sorted(
        DECLARED["numpy"].algorithms
    )
    chosen = [timing.algorithm for timing in timings if timing.chosen]
    assert chosen == [
        mtconv.explain(*shapes, form=form, stride=2, padding=1).plan.algorithm
    ]
    times = [timing.seconds for timing in timings]
    assert times == sorted(times)
    assert times[0] > 0


def test_an_algorithm_that_cannot_run_the_dtype_has_no_time_and_comes_last():
    timings = time_algorithms((4,), (3,), "int32", seconds=0.001)
    assert {timing.algorithm for timing in timings if timing.seconds is None} == {"fft"}
    assert timings[-1].seconds is None
