"""How deep a call goes: files and Python calls of mtconv in one repeated call on NumPy.

    MTCONV_WORKERS=1 python tests/heavy/call_depth.py

prints how many files of mtconv a repeated `conv_transpose` of a middling layer enters,
how many functions of mtconv it calls, and how long it takes until the backend runs.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import mtconv
from mtconv.backends.dispatch import load

PACKAGE = str(Path(mtconv.__file__).parent)
ROUNDS = 2000


def layer() -> tuple[Any, Any]:
    """Return the arrays of a layer, the same at every call."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 64, 32, 32), np.float32)
    return x, rng.standard_normal((64, 64, 4, 4), np.float32)


def calls_of(x: Any, kernel: Any) -> Counter[tuple[str, str]]:
    """Count the calls of mtconv's functions, by file and name, in one repeated call."""
    seen: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            seen[code.co_filename[len(PACKAGE) + 1 :], code.co_qualname] += 1

    for _ in range(3):
        mtconv.conv_transpose(x, kernel, stride=2)
    sys.setprofile(note)
    try:
        mtconv.conv_transpose(x, kernel, stride=2)
    finally:
        sys.setprofile(None)
    return seen


def seconds_before_the_backend(x: Any, kernel: Any) -> float:
    """Return the least time from the call until the backend is asked to run the plan."""
    backend, ends = load("numpy"), []

    def run(*_: Any) -> None:
        ends.append(time.perf_counter())

    real, taken = backend.run, []
    backend.run = run  # type: ignore[method-assign]
    try:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            mtconv.conv_transpose(x, kernel, stride=2)
            taken.append(ends[-1] - start)
    finally:
        backend.run = real  # type: ignore[method-assign]
    return float(np.median(taken))


def main() -> None:
    """Print both figures, the functions that are called most, and the time."""
    x, kernel = layer()
    seen = calls_of(x, kernel)
    files = {file for file, _ in seen}
    print(f"{len(files)} files, {sum(seen.values())} calls")
    if "-v" in sys.argv:
        for (file, name), count in sorted(seen.items()):
            print(f"{count:5d} {file} {name}")
    print(f"{1e6 * seconds_before_the_backend(x, kernel):.2f} us before the backend runs")


if __name__ == "__main__":
    main()
