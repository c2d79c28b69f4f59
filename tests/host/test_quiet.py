"""The error state of NumPy while a call computes, and after it."""

from __future__ import annotations

import contextvars

import numpy as np
import pytest

import mtconv
from mtconv.backends.host.threads import quiet_context

OVERFLOWING = np.full((1, 8, 64), 3e38, np.float32), np.full((8, 8, 3), 3e38, np.float32)


def test_only_invalid_values_are_ignored():
    with np.errstate(over="raise", divide="print", under="warn", invalid="raise"):
        state = quiet_context().run(np.geterr)
        assert np.geterr()["invalid"] == "raise"
    expected = {"over": "raise", "divide": "print", "under": "warn", "invalid": "ignore"}
    assert state == expected


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct"])
def test_overflow_is_reported_as_the_caller_asks(algorithm):
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        mtconv.conv_transpose(*OVERFLOWING, algorithm=algorithm)
    with np.errstate(over="ignore"):
        assert np.isinf(mtconv.conv_transpose(*OVERFLOWING, algorithm=algorithm)).all()


def test_functions_that_are_called_on_errors_are_the_callers():
    seen = []
    previous = np.seterrcall(lambda kind, _: seen.append(kind))
    try:
        with np.errstate(over="call"):
            mtconv.conv_transpose(*OVERFLOWING, algorithm="gemm")
    finally:
        np.seterrcall(previous)
    assert seen
    assert set(seen) == {"overflow"}


def test_a_call_sets_no_variable_of_the_callers_context():
    """Not in a new context, where NumPy's own state is not yet a variable either."""
    context = contextvars.Context()
    context.run(mtconv.conv_transpose, [1.0, 2.0], [3.0])
    context.run(mtconv.conv, np.ones((1, 64, 8192)), np.ones((8, 64, 4)))
    assert len(context) == 0
