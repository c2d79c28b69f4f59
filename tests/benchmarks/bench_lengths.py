"""Ten lengths in turn beside one length ten times, on NumPy, compiled kernels and torch.

``python -m tests.benchmarks.bench_lengths`` prints, for each, how much longer ten calls on
ten lengths take than ten calls on their mean length. Both do the same work, on ten arrays:
one array would stay in a cache that ten are too large for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import mtconv
from tests.benchmarks.harness import markdown_table, time_in_turn

__all__ = ["main"]

CHANNELS, OUT, TAPS, STRIDE = 64, 32, 8, 4

# Evenly spread, so that their mean is a whole number.
LENGTHS = tuple(range(1820, 2181, 40))
MEAN = 2000

THREADS = 2


def calls_of(backend: str) -> dict[str, Callable[[], None]]:
    """Return ten calls on ten lengths, and ten on one."""
    rng = np.random.default_rng(0)
    kernel: Any = rng.standard_normal((CHANNELS, OUT, TAPS), np.float32)
    arrays: list[Any] = [
        rng.standard_normal((1, CHANNELS, length), np.float32)
        for length in (*LENGTHS, *[MEAN] * len(LENGTHS))
    ]
    if backend == "torch":
        kernel, arrays = torch.from_numpy(kernel), list(map(torch.from_numpy, arrays))
    name = None if backend == "torch" else backend

    def run(chosen: list[Any]) -> None:
        for x in chosen:
            mtconv.conv_transpose(x, kernel, stride=STRIDE, backend=name)

    return {
        "ten": lambda: run(arrays[: len(LENGTHS)]),
        "one": lambda: run(arrays[len(LENGTHS) :]),
    }


def main() -> None:
    """Time and print a row for each backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="numpy,numba,torch")
    torch.set_num_threads(THREADS)
    rows = []
    with mtconv.workers(THREADS):
        for backend in parser.parse_args().backends.split(","):
            seconds = time_in_turn(calls_of(backend))
            ten, one = seconds["ten"], seconds["one"]
            rows.append(
                (backend, f"{1e3 * ten:.2f}", f"{1e3 * one:.2f}", f"{ten / one:.3f}")
            )
    header = ("backend", "ten lengths, ms", "one length, ms", "ratio")
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
