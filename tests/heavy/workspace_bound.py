"""Measures the memory of a call beside its result in random geometries.

python -m tests.heavy.workspace_bound --count 500 --seed 5
"""

from __future__ import annotations

import argparse
import secrets
import time
import warnings
from random import Random

import mtconv
from tests.numpy.memory_draws import LIMIT, draw, extra_memory

MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    random, start, shown = Random(seed), time.perf_counter(), time.perf_counter()
    above, most = 0, 0
    for number in range(arguments.count):
        drawn = draw(random)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function = getattr(mtconv, drawn.form)
            used = extra_memory(function, *drawn.arrays(), **drawn.options)
        most = max(most, used)
        if used > LIMIT:
            above += 1
            print(f"{used / MIB:.0f} MiB: {drawn}", flush=True)
        if time.perf_counter() > shown + 5:
            shown = time.perf_counter()
            print(f"... {number + 1} geometries", flush=True)
    print(
        f"{arguments.count} geometries in {time.perf_counter() - start:.0f} s: at most "
        f"{most / MIB:.1f} MiB beside the result, {above} above {LIMIT // MIB} MiB"
    )
    raise SystemExit(1 if above else 0)


if __name__ == "__main__":
    main()
