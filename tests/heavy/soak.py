"""Eight threads on shared operators: bitwise the results of one, and no memory gained.

python tests/heavy/soak.py --threads 8 --calls 10000
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import mtconv

LAYERS = (
    # kernel shape, input size of the convolution, options
    ((4, 3, 3, 3), (20, 24), {"stride": 2, "padding": 1}),
    ((6, 2, 2, 2), (9, 8), {"stride": 3, "groups": 3, "padding": ((1, 0), (0, 1))}),
    ((2, 5, 7), (90,), {"dilation": 2, "padding": "same"}),
    ((3, 2, 2, 3, 2), (6, 5, 7), {"stride": (2, 1, 2)}),
    ((8, 8, 3, 3), (16, 16), {"padding": 1, "padding_mode": "circular"}),
)


def jobs() -> list[tuple[mtconv.Conv, np.ndarray, np.ndarray]]:
    """Operators with an input for each direction, floats of no symmetry."""
    rng = np.random.default_rng(5)
    got = []
    for kernel, size, options in LAYERS:
        operator = mtconv.Conv(rng.standard_normal(kernel), input_size=size, **options)
        x = rng.standard_normal((2, *operator.input_shape))
        y = rng.standard_normal((2, *operator.output_shape))
        got.append((operator, x, y))
    return got


def call(job: tuple[mtconv.Conv, np.ndarray, np.ndarray], way: int) -> np.ndarray:
    """One of the four kinds of calls."""
    operator, x, y = job
    if way == 0:
        return operator(x)
    if way == 1:
        return operator.T(y)
    if way == 2:
        return operator.matvec(x[0].ravel())
    return operator.rmatvec(y[0].ravel())


def memory() -> int:
    """Resident bytes now, or the largest so far where the system only says that."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--calls", type=int, default=10_000)
    arguments = parser.parse_args()
    shared = jobs()
    expected = [[call(job, way).tobytes() for way in range(4)] for job in shared]

    def work(seed: int) -> int:
        rng = random.Random(seed)
        wrong = 0
        for _ in range(arguments.calls):
            number, way = rng.randrange(len(shared)), rng.randrange(4)
            wrong += call(shared[number], way).tobytes() != expected[number][way]
        return wrong

    with ThreadPoolExecutor(arguments.threads) as pool:
        list(pool.map(lambda seed: work(seed) and None, range(arguments.threads)))
        before, start = memory(), time.perf_counter()
        wrong = sum(pool.map(work, range(100, 100 + arguments.threads)))
        grown = memory() - before
    total = arguments.threads * arguments.calls
    print(
        f"{arguments.threads} threads x {arguments.calls} calls in "
        f"{time.perf_counter() - start:.0f} s: {wrong} of {total} differ from one thread; "
        f"memory grew by {grown / 2**20:.1f} MiB after as many calls to warm up"
    )
    if wrong or grown > 16 * 2**20:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
