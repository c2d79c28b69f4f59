"""Time all algorithms of a problem on this machine, beside the ladder's choice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from mtconv.errors import BackendError
from mtconv.explaining.explain import explain
from mtconv.explaining.explanation import SIDES, Explanation
from mtconv.functional import apply_spec

__all__ = ["Timing", "time_algorithms"]

# One more call than this would not change a median that anybody acts on.
MOST_CALLS = 200


class Timing(NamedTuple):
    """Median seconds of a call with one algorithm; None where it cannot run the call."""

    algorithm: str
    seconds: float | None
    chosen: bool


def time_algorithms(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    dtype: Any = "float32",
    backend: str = "numpy",
    form: str = "conv_transpose",
    *,
    seconds: float = 1.0,
    **options: Any,
) -> tuple[Timing, ...]:
    """Time one call with every algorithm that a backend has, on random arrays.

    Parameters
    ----------
    x_shape, kernel_shape, dtype, backend, form, **options
        As in `mtconv.explain`.
    seconds : float
        How long to measure each algorithm. At least three calls are timed, so a slow
        algorithm may take longer.

    Returns
    -------
    tuple of Timing
        Fastest first; those that cannot run the call come last. `chosen` marks the one
        that ``algorithm="auto"`` takes.

    Raises
    ------
    GeometryError, BackendError
        Where `mtconv.explain` raises them.
    ImportError
        If the library of the backend is not installed.

    Notes
    -----
    The algorithms are called in turn, so that other work on the machine slows all of
    them alike. Results are awaited before the clock stops.

    Examples
    --------
    >>> timings = time_algorithms((1, 2, 8, 8), (2, 2, 3, 3), stride=2, seconds=0.01)
    >>> sorted(timing.chosen for timing in timings)[-2:]
    [False, True]
    """
    explanation = explain(x_shape, kernel_shape, dtype, backend, form, **options)
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(-8, 9, explanation.shapes[side]).astype(explanation.dtype)
        for side in SIDES[form][:2]
    ]
    calls: dict[str, Callable[[], Any]] = {}
    refused = []
    for candidate in explanation.candidates:
        call = _call(explanation, backend, candidate.algorithm, arrays)
        try:
            call()
        except (BackendError, NotImplementedError):
            refused.append(candidate.algorithm)
        else:
            calls[candidate.algorithm] = call
    medians = _in_turn(calls, seconds)
    chosen = explanation.plan.algorithm
    fastest_first = sorted(medians, key=medians.__getitem__)
    timed = [Timing(name, medians[name], name == chosen) for name in fastest_first]
    return (*timed, *(Timing(name, None, name == chosen) for name in refused))


def _call(
    explanation: Explanation, backend: str, algorithm: str, arrays: list[Any]
) -> Callable[[], Any]:
    plan = explanation.plan

    def call() -> Any:
        result = apply_spec(
            plan.form, plan.spec, *arrays, algorithm=algorithm, backend=backend
        )
        wait = getattr(result, "block_until_ready", None)  # JAX returns at once
        return result if wait is None else wait()

    return call


def _in_turn(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median seconds of each call; an algorithm whose time is up is left out of a round."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    while True:
        waiting = [
            name
            for name, taken in samples.items()
            if len(taken) < 3 or (sum(taken) < seconds and len(taken) < MOST_CALLS)
        ]
        if not waiting:
            return {name: statistics.median(taken) for name, taken in samples.items()}
        for name in waiting:
            start = time.perf_counter()
            calls[name]()
            samples[name].append(time.perf_counter() - start)
