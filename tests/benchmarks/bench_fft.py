"""Long kernels between one channel: NumPy beside `scipy.signal.oaconvolve`, and the choice.

``python -m tests.benchmarks.bench_fft`` times the three maps with ``algorithm="auto"`` and
``"fft"`` and SciPy's overlap-add, in float64 and with two threads each, in one process,
three alternating repeats; a ratio is SciPy's time divided by ours.
``--choice SEED`` draws problems instead, and divides the time of the algorithm that is
chosen by that of the fastest; `fft` is timed as `auto` runs it, with a look at the values.
``--write`` puts the table into docs/performance.md, and the times into `results`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from scipy.signal import oaconvolve

import mtconv
from mtconv.backends import _numpy
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders.numpy import precautions
from mtconv.planning.plan import Plan, plan_for_spec
from tests.benchmarks.harness import (
    geometric_mean,
    markdown_table,
    measure,
    write_section,
)
from tests.benchmarks.summary import RESULTS

__all__ = ["PROBLEMS", "Problem", "draw", "main"]

MAPS = ("conv_transpose", "conv", "kernel_grad")
THREADS = 2

Calls = dict[str, Callable[[], Any]]


class Problem(NamedTuple):
    """A map of one channel: sizes of its data, taps, and the stride of every axis."""

    form: str
    sizes: tuple[int, ...]
    taps: tuple[int, ...]
    stride: int = 1
    dtype: str = "float64"

    @property
    def small(self) -> tuple[int, ...]:
        """Sizes of the small side; the data of a transposed convolution are that."""
        if self.form == "conv_transpose":
            return self.sizes
        pairs = zip(self.sizes, self.taps, strict=True)
        return tuple((size - taps) // self.stride + 1 for size, taps in pairs)

    @property
    def big(self) -> tuple[int, ...]:
        """Sizes of the big side."""
        if self.form != "conv_transpose":
            return self.sizes
        pairs = zip(self.sizes, self.taps, strict=True)
        return tuple(self.stride * (size - 1) + taps for size, taps in pairs)

    def arrays(self) -> tuple[Any, Any]:
        """Draw the two arrays of the call, with a batch and a channel of one."""
        rng = np.random.default_rng(0)
        sizes = {
            "conv_transpose": (self.small, self.taps),
            "conv": (self.big, self.taps),
            "kernel_grad": (self.small, self.big),
        }
        first, second = sizes[self.form]
        return (
            rng.standard_normal((1, 1, *first)).astype(self.dtype),
            rng.standard_normal((1, 1, *second)).astype(self.dtype),
        )

    def __str__(self) -> str:
        words = [" x ".join(map(str, sizes)) for sizes in (self.sizes, self.taps)]
        return f"{words[0]}, {words[1]} taps, stride {self.stride}"


SIZES = [
    ((2**18,), (513,)),
    *(((n, n), (k, k)) for n in (512, 1024) for k in (15, 31, 63)),
    ((300, 300), (25, 25)),
]
PROBLEMS = [
    Problem(form, *sizes, stride) for stride in (1, 2) for form in MAPS for sizes in SIZES
]


def ours(problem: Problem, algorithm: str) -> Callable[[], Any]:
    """Return a call of mtconv."""
    first, second = problem.arrays()
    options: dict[str, Any] = {"stride": problem.stride, "algorithm": algorithm}
    if problem.form == "kernel_grad":
        options["kernel_size"] = problem.taps
    function = getattr(mtconv, problem.form)
    return lambda: function(first, second, backend="numpy", **options)


def scipys(problem: Problem) -> Callable[[], Any]:
    """Return what a user of SciPy writes for the same result."""
    first, second = (array[0, 0] for array in problem.arrays())
    every = (slice(None, None, problem.stride),) * first.ndim
    back = (slice(None, None, -1),) * first.ndim

    def upsampled(array: Any) -> Any:
        if problem.stride == 1:
            return array
        zeros = np.zeros([problem.stride * (size - 1) + 1 for size in array.shape])
        zeros[every] = array
        return zeros

    calls: Calls = {
        "conv_transpose": lambda: oaconvolve(upsampled(first), second),
        "conv": lambda: oaconvolve(first, second[back], "valid")[every],
        "kernel_grad": lambda: oaconvolve(second, upsampled(first)[back], "valid"),
    }
    return calls[problem.form]


def beside_scipy(problems: list[Problem]) -> list[dict[str, Any]]:
    """Time problems beside SciPy, whose result has to agree."""
    rows = []
    for problem in problems:
        calls = {name: ours(problem, name) for name in ("auto", "fft")}
        calls["scipy"] = scipys(problem)
        results = {name: np.squeeze(call()) for name, call in calls.items()}
        scale = abs(results["scipy"]).max()
        for name in ("auto", "fft"):
            space = tuple(map(slice, results[name].shape))
            error = abs(results[name] - results["scipy"][space]).max()
            assert error < 1e-11 * scale, (problem, name, error / scale)
        seconds = measure(calls)
        rows.append({**problem._asdict(), "seconds": seconds})
        ratios = [seconds["scipy"] / seconds[name] for name in ("auto", "fft")]
        times = f"{1e3 * seconds['auto']:8.3f} ms"
        print(f"{problem.form:14} {problem!s:42} {times}  auto, fft: {ratios}", flush=True)
    return rows


def table_of(rows: list[dict[str, Any]]) -> str:
    """Lay out the ratios: a line for each size, and the means."""
    maps = [form for form in MAPS if any(row["form"] == form for row in rows)]
    header = ["data", "kernel", "stride", *maps]
    lines: list[list[str]] = []
    kept: dict[str, list[float]] = {form: [] for form in maps}
    for stride in (1, 2):
        for sizes, taps in SIZES:
            line = [" x ".join(map(str, sizes)), " x ".join(map(str, taps)), str(stride)]
            for form in maps:
                chosen = [
                    row["seconds"]["scipy"] / row["seconds"]["auto"]
                    for row in rows
                    if (row["form"], tuple(row["sizes"]), tuple(row["taps"]), row["stride"])
                    == (form, sizes, taps, stride)
                ]
                line.append(f"{chosen[0]:.2f}" if chosen else "")
                kept[form] += chosen if stride == 1 else []
            if any(line[3:]):
                lines.append(line)
    means = [f"{geometric_mean(kept[form]):.2f}" if kept[form] else "" for form in maps]
    return markdown_table(header, [*lines, ["geometric mean", "", "1", *means]])


def draw(seed: int, count: int) -> list[Problem]:
    """Draw problems of one channel: 1 to 3 axes, 3 to hundreds of taps, strides 1 to 3."""
    rng = np.random.default_rng(seed)
    drawn: list[Problem] = []
    while len(drawn) < count:
        rank = 1 + len(drawn) % 3
        most = (700, 40, 11)[rank - 1]
        taps = tuple(int(n) for n in np.exp(rng.uniform(np.log(3), np.log(most), rank)))
        if rng.random() < 0.7:
            taps = (taps[0],) * rank
        elements = np.exp(rng.uniform(np.log(2**11), np.log(2**20)))
        sizes = tuple(
            int(elements ** (1 / rank) * np.exp(rng.uniform(-0.4, 0.4))) + k for k in taps
        )
        form = MAPS[int(rng.integers(3))]
        dtype = ("float32", "float64")[int(rng.integers(2))]
        problem = Problem(form, sizes, taps, int(rng.integers(1, 4)), dtype)
        if 2**14 <= prod(problem.small) * prod(taps) <= 2**30:
            drawn.append(problem)
    return drawn


def plans_of(problem: Problem) -> tuple[Plan, dict[str, Plan]]:
    """Return the plan of `auto`, and one of each algorithm as `auto` would run it."""
    lead = (1, 1)
    form, dtype = problem.form, problem.dtype
    x, kernel, y = ((*lead, *n) for n in (problem.small, problem.taps, problem.big))
    shapes = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    spec = mtconv.ConvSpec.from_shapes(x, kernel, stride=problem.stride)
    if spec.big != problem.big:
        spec = mtconv.ConvSpec.from_shapes(
            x, kernel, stride=problem.stride, output_size=problem.big
        )

    def plan(algorithm: str) -> Plan:
        return plan_for_spec(form, spec, *shapes[form], dtype, algorithm, "numpy")

    ranked = choose_algorithm(spec, form, 1, dtype, "numpy", "auto")
    exact = plan("exact").algorithm
    plans = {}
    for candidate in ranked:
        name = candidate.algorithm
        if name == "fft":
            computing, fallbacks = precautions(spec, form, dtype, name, exact)
            plans[name] = replace(plan(name), computing=computing, fallbacks=fallbacks)
        elif not candidate.reason.startswith(("for strides", "has no")):
            plans[name] = plan(name)
    return plan("auto"), plans


def choices(problems: list[Problem]) -> list[dict[str, Any]]:
    """Time every algorithm on problems, but those that are hopeless."""
    rows = []
    for number, problem in enumerate(problems):
        auto, plans = plans_of(problem)
        arrays = problem.arrays()
        calls = {name: partial(_numpy.run, plan, *arrays) for name, plan in plans.items()}
        once = {}
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            once[name] = time.perf_counter() - start
        likely = {
            name: call
            for name, call in calls.items()
            if name == auto.algorithm or once[name] < 3 * min(once.values())
        }
        seconds = measure(likely, 0.02)
        best = min(seconds, key=lambda name: seconds[name])
        ratio = seconds[auto.algorithm] / seconds[best]
        estimates = {
            c.algorithm: c.cost.seconds
            for c in choose_algorithm(auto.spec, problem.form, 1, problem.dtype, "numpy")
            if c.cost
        }
        rows.append(
            {
                **problem._asdict(),
                "chosen": auto.algorithm,
                "seconds": {**once, **seconds},
                "estimates": estimates,
                "ratio": ratio,
            }
        )
        words = f"{auto.algorithm} for {best}" if best != auto.algorithm else best
        print(
            f"{number:3} {problem.form:14} {problem!s:42} {problem.dtype} {words:20} "
            f"{ratio:.2f}",
            flush=True,
        )
    return rows


def main() -> None:
    """Print ratios, or what choices cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choice", type=int, help="draw problems with this seed")
    parser.add_argument("--problems", default="0:100", help="which of them, as first:last")
    parser.add_argument("--strides", default="1,2")
    parser.add_argument("--maps", default=",".join(MAPS))
    parser.add_argument("--out", type=Path, help="a file for the times")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    first, last = map(int, arguments.problems.split(":"))
    with mtconv.workers(THREADS), scipy.fft.set_workers(THREADS):
        if arguments.choice is not None:
            rows = choices(draw(arguments.choice, last)[first:])
            ratios = sorted(row["ratio"] for row in rows)
            worst = ", ".join(f"{ratio:.2f}" for ratio in ratios[-5:])
            mean = geometric_mean(ratios)
            print(f"seed {arguments.choice}: {mean:.3f} in geometric mean, worst {worst}")
        else:
            strides = list(map(int, arguments.strides.split(",")))
            maps = arguments.maps.split(",")
            problems = [p for p in PROBLEMS if p.stride in strides and p.form in maps]
            rows = beside_scipy(problems[first:last])
            for name in ("auto", "fft"):
                both = [
                    row["seconds"]["scipy"] / row["seconds"][name]
                    for row in rows
                    if row["stride"] == 1 and row["form"] != "kernel_grad"
                ]
                if both:
                    mean = geometric_mean(both)
                    print(f"{name}: {mean:.2f} in geometric mean, least {min(both):.2f}")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows))
    if arguments.write:
        table = table_of(rows)
        write_section("fft beside scipy", table)
        lines = ",\n".join(map(json.dumps, rows))
        (RESULTS / "fft.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
