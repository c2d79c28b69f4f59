"""Measure what the promises of `auto` cost where it takes fft, and write the table.

    python -m tests.benchmarks.bench_promises [--write]

"looking" is the time that `promises.careful` takes, as a share of the whole call.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import mtconv
from mtconv.backends._numpy import promises
from tests.benchmarks.harness import markdown_table, time_in_turn, write_section

PROBLEMS = (
    ((84, 84), (27, 27)),
    ((512, 512), (31, 31)),
    ((8192,), (513,)),
    ((10**6,), (4097,)),
    ((48, 64, 64), (9, 9, 9)),
)


def arrays(
    shape: tuple[int, ...], kernel: tuple[int, ...], dtype: str
) -> tuple[dict[str, Any], Any]:
    """Draw real numbers, the same with a tenth of NaN, and whole numbers; and a kernel."""
    rng = np.random.default_rng(0)
    lead = (1, 1)
    x = rng.standard_normal((*lead, *shape)).astype(dtype)
    masked = x.copy()
    masked[rng.random(x.shape) < 0.1] = np.nan
    data = {"real": x, "masked": masked, "whole": np.rint(4 * x)}
    return data, rng.standard_normal((*lead, *kernel)).astype(dtype)


def row(shape: tuple[int, ...], kernel: tuple[int, ...], dtype: str) -> list[object]:
    """Time one problem in all its variants."""
    data, w = arrays(shape, kernel, dtype)
    whole = np.rint(4 * w)
    calls = {
        "named": lambda: mtconv.conv(data["real"], w, algorithm="fft"),
        "auto": lambda: mtconv.conv(data["real"], w),
        "masked": lambda: mtconv.conv(data["masked"], w),
        "whole": lambda: mtconv.conv(data["whole"], whole),
        "looking": lambda: promises.careful("conv", data["real"], w, w.dtype),
        "looking at whole": lambda: promises.careful("conv", data["whole"], whole, w.dtype),
    }
    seconds = time_in_turn(calls, rounds=21, limit_s=4)
    auto = seconds["auto"]
    return [
        " x ".join(map(str, shape)),
        " x ".join(map(str, kernel)),
        dtype,
        f"{auto * 1e3:.2f}",
        f"{seconds['named'] / auto:.2f}",
        f"{seconds['looking'] / auto:.1%}",
        f"{seconds['looking at whole'] / seconds['whole']:.1%}",
        f"{seconds['whole'] / auto:.2f}",
        f"{seconds['masked'] / auto:.2f}",
    ]


def main() -> None:
    """Print the table; write it to the page if asked."""
    header = [
        "data",
        "kernel",
        "dtype",
        "`auto`, ms",
        "`fft` by name",
        "looking",
        "looking at whole numbers",
        "whole numbers",
        "a tenth NaN",
    ]
    rows = [
        row(*problem, dtype) for problem in PROBLEMS for dtype in ("float32", "float64")
    ]
    table = markdown_table(header, rows)
    print(table)
    if "--write" in sys.argv:
        write_section("numpy promises", table)


if __name__ == "__main__":
    main()
