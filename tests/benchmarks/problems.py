"""Problems on which the ladder is judged, and how long each algorithm takes on one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

import mtconv
from mtconv.planning.choose import Candidate, choose_algorithm
from tests.benchmarks.harness import load_layers, time_in_turn

__all__ = ["Problem", "layer_problems", "random_problems", "time_algorithms"]

# Name, shapes of x and the kernel, options, and what they make.
Problem = tuple[str, Any, dict[str, Any], mtconv.ConvSpec]

# The reason of a candidate that was allowed, and not chosen.
SLOWER = "slower by the estimate"

# What takes so many times as long as the fastest in one call is not timed again.
HOPELESS = 3


def layer_problems() -> Iterator[Problem]:
    """Yield the layers of published models."""
    for layer in load_layers():
        shapes = (layer.x_shape, layer.kernel_shape)
        options = layer.transposed_options
        yield layer.name, shapes, options, mtconv.ConvSpec.from_shapes(*shapes, **options)


def random_problems(count: int, seed: int = 0) -> Iterator[Problem]:
    """Draw geometries of all ranks, strides, dilations and channel numbers.

    Most take less than 20 milliseconds.
    """
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        rank = int(rng.integers(1, 4))
        most = {1: 4096, 2: 96, 3: 20}[rank]
        size = tuple(int(n) for n in rng.integers(4, most, rank))
        kernel = tuple(int(k) for k in rng.integers(1, 8 if rank < 3 else 5, rank))
        options = {
            "stride": int(rng.integers(1, 5)),
            "dilation": int(rng.choice([1, 1, 1, 2])),
            "groups": int(rng.choice([1, 1, 1, 2, 8])),
        }
        options["padding"] = int(rng.integers(0, min(kernel) // 2 + 1))
        groups = options["groups"]
        small, share = (int(c) for c in 2 ** rng.integers(0, 7, 2))
        shapes = (
            (int(rng.integers(1, 5)), groups * small, *size),
            (groups * small, share, *kernel),
        )
        try:
            spec = mtconv.ConvSpec.from_shapes(*shapes, **options)
        except mtconv.GeometryError:
            continue
        work = shapes[0][0] * spec.multiply_adds
        if 2**12 < work < 2**28 and prod(spec.big) * groups * share < 2**22:
            made += 1
            yield f"random {made}", shapes, options, spec


def time_algorithms(form: str, problem: Problem) -> tuple[str, dict[str, float]]:
    """Return what the ladder chooses, and the times of all that may be the fastest."""
    _, (x_shape, kernel_shape), options, spec = problem
    batch = x_shape[0]
    function, first = mtconv.conv_transpose, x_shape
    if form == "conv":
        function, first = mtconv.conv, (batch, spec.big_channels, *spec.big)
        options = {k: v for k, v in options.items() if k != "output_padding"}
    rng = np.random.default_rng(1)
    data = rng.standard_normal(first, np.float32)
    kernel = rng.standard_normal(kernel_shape, np.float32)
    ranked = choose_algorithm(spec, form, batch)
    calls: dict[str, Callable[[], Any]] = {
        c.algorithm: lambda a=c.algorithm: function(data, kernel, algorithm=a, **options)
        for c in ranked
        if c is ranked[0] or (c.reason == SLOWER and _close(c, ranked[0]))
    }
    once = {name: _once(call) for name, call in calls.items()}
    limit = HOPELESS * min(once.values())
    # What is chosen is judged by medians in any case.
    chosen = ranked[0].algorithm
    near = {n: call for n, call in calls.items() if once[n] <= limit or n == chosen}
    times = time_in_turn(near, rounds=5, sample_s=0.002, limit_s=0.5, pause_s=0)
    return chosen, {**once, **times}


def _close(candidate: Candidate, best: Candidate) -> bool:
    """Return whether an estimate may be so wrong that the candidate is the fastest."""
    assert candidate.cost is not None
    assert best.cost is not None
    return candidate.cost.seconds < 8 * best.cost.seconds + 1e-3


def _once(call: Callable[[], Any]) -> float:
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
