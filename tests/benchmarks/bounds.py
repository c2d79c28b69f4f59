"""What bounds each layer on NumPy: matrix products, or what is moved around them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import mtconv
from tests.benchmarks.harness import load_layers, markdown_table, time_in_turn

__all__ = ["bounds"]

RUNS = 7


def bounds() -> str:
    """Show the share of matrix products in one thread's time, and what a second brings."""
    rows = []
    for layer in load_layers():
        x, kernel, _ = layer.arrays()

        def call(x: Any = x, kernel: Any = kernel, layer: Any = layer) -> Any:
            return mtconv.conv_transpose(x, kernel, **layer.transposed_options)

        with threadpool_limits(1), mtconv.workers(1):
            one = time_in_turn({"one": call}, rounds=RUNS)["one"]
            share, speed = products_of(call)
        two = time_in_turn({"two": call}, rounds=RUNS)["two"]
        rows.append(
            (
                layer.name,
                f"{one * 1e3:.3g}",
                f"{share:.0%}",
                f"{speed / 1e9:.0f}" if share else "-",
                f"{one / two:.2f}",
            )
        )
        print(*rows[-1], flush=True)
    header = (
        "layer",
        "one thread, ms",
        "in products",
        "their 10^9 madd/s",
        "two threads, times as fast",
    )
    return markdown_table(header, rows)


def products_of(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the share of a call's time in `matmul`, and its multiply-adds per second."""
    real = np.matmul
    spent = done = 0.0

    def timed(first: Any, second: Any, **named: Any) -> Any:
        nonlocal spent, done
        start = time.perf_counter()
        result = real(first, second, **named)
        spent += time.perf_counter() - start
        done += result.size * first.shape[-1]
        return result

    shares, speeds = [], []
    np.matmul = timed  # type: ignore[assignment]
    try:
        for _ in range(RUNS):
            spent = done = 0.0
            start = time.perf_counter()
            call()
            shares.append(spent / (time.perf_counter() - start))
            speeds.append(done / spent if spent else 0.0)
    finally:
        np.matmul = real
    return statistics.median(shares), statistics.median(speeds)
