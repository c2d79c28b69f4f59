"""What the benchmarks share: layers, timing in turn, and tables written into the docs.

Times of different programs are comparable only within one process and one stretch of
time, so callables are timed in turn, round after round, and only medians and their
ratios are reported.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, prod
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "DOCS",
    "Layer",
    "geometric_mean",
    "load_layers",
    "markdown_table",
    "measure",
    "replace_section",
    "time_in_turn",
    "write_section",
]

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"

# Worker threads of BLAS and OpenMP libraries poll for this long after a call; a pause
# keeps those of one callable from slowing the next.
PAUSE_S = 0.03

# How often `measure` takes all calls in turn.
REPEATS = 3


@dataclass(frozen=True)
class Layer:
    """A transposed convolution of a published model, described as torch describes it."""

    name: str
    source: str
    batch: int
    in_channels: int
    out_channels: int
    input_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    dtype: str

    @property
    def x_shape(self) -> tuple[int, ...]:
        """Shape of the small side's array."""
        return (self.batch, self.in_channels, *self.input_size)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Shape of the kernel, (in channels, out channels / groups, *k)."""
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of the big side's array."""
        space = (
            s * (n - 1) + d * (k - 1) + 1 - 2 * p + extra
            for n, k, s, p, extra, d in zip(
                self.input_size,
                self.kernel_size,
                self.stride,
                self.padding,
                self.output_padding,
                self.dilation,
                strict=True,
            )
        )
        return (self.batch, self.out_channels, *space)

    @property
    def conv_size(self) -> tuple[int, ...]:
        """Sizes of the convolution of the big side: those of the small one, at least."""
        return tuple(
            (big + 2 * p - d * (k - 1) - 1) // s + 1
            for big, k, s, p, d in zip(
                self.y_shape[2:],
                self.kernel_size,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        )

    @property
    def options(self) -> dict[str, Any]:
        """Options of `mtconv.conv` and, with output_padding, of `conv_transpose`."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def transposed_options(self) -> dict[str, Any]:
        """Options of `mtconv.conv_transpose`."""
        return {**self.options, "output_padding": self.output_padding}

    @property
    def multiply_adds(self) -> int:
        """Useful multiply-adds, cropped taps included."""
        return prod(self.x_shape) * prod(self.kernel_shape[1:])

    def arrays(self, seed: int = 0) -> tuple[Any, Any, Any]:
        """Make x, the kernel and y, standard normal, the kernel scaled by its fan."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(self.x_shape).astype(self.dtype)
        kernel = rng.standard_normal(self.kernel_shape).astype(self.dtype)
        y = rng.standard_normal(self.y_shape).astype(self.dtype)
        fan = self.in_channels // self.groups * prod(self.kernel_size)
        return x, kernel / np.asarray(fan**0.5, self.dtype), y


def load_layers(*names: str, path: Path | str | None = None) -> list[Layer]:
    """Load all layers, or those whose names contain one of ``names``."""
    rows = json.loads(Path(path or Path(__file__).with_name("layers.json")).read_text())
    layers = [
        Layer(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
        for row in rows
    ]
    return [
        layer for layer in layers if not names or any(name in layer.name for name in names)
    ]


def time_in_turn(
    callables: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 9,
    sample_s: float = 0.02,
    limit_s: float = 20.0,
    pause_s: float = PAUSE_S,
) -> dict[str, float]:
    """Median seconds of each callable, all timed in turn, round after round.

    A sample is as many calls as take ``sample_s``; as many before it, not timed, bring back
    the caches that the others took. Rounds stop early after ``limit_s``.
    """
    calls = {}
    for name, function in callables.items():
        function()
        spent = min(_seconds(function) for _ in range(3))
        calls[name] = max(1, int(sample_s / max(spent, 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in callables}
    began = time.perf_counter()
    for number in range(rounds):
        if number >= 3 and time.perf_counter() - began > limit_s:
            break
        for name, function in callables.items():
            time.sleep(pause_s)
            for _ in range(calls[name]):
                function()
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            samples[name].append((time.perf_counter() - start) / calls[name])
    return {name: statistics.median(times) for name, times in samples.items()}


def measure(
    calls: Mapping[str, Callable[[], object]], budget_s: float = 0.06
) -> dict[str, float]:
    """Median seconds of each call, taken in turn `REPEATS` times."""
    medians: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            time.sleep(0.005)  # until the threads of the call before sleep
            call()
            times: list[float] = []
            began = time.perf_counter()
            while len(times) < 3 or (
                len(times) < 40 and time.perf_counter() - began < budget_s
            ):
                start = time.perf_counter()
                call()
                times.append(time.perf_counter() - start)
                if times[-1] > budget_s:
                    break
            medians[name].append(statistics.median(times))
    return {name: statistics.median(times) for name, times in medians.items()}


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def geometric_mean(values: Iterable[float]) -> float:
    """Geometric mean of positive numbers."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a table in Markdown; all columns but the first are aligned right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "|".join([" --- ", *[" ---: "] * (len(header) - 1)]) + "|",
    ]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def write_section(marker: str, text: str, path: Path = DOCS) -> None:
    """Write a table into a document; sentences and picture made from tables follow it."""
    replace_section(marker, text, path)
    if path == DOCS:
        from tests.benchmarks import summary  # which needs this module

        summary.update()


def replace_section(marker: str, text: str, path: Path) -> None:
    """Replace what stands between the two comments of a marker in a document.

    The comments are ``<!-- begin MARKER -->`` and ``<!-- end MARKER -->``.
    """
    begin, end = f"<!-- begin {marker} -->", f"<!-- end {marker} -->"
    document = path.read_text()
    head, got, rest = document.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (got and closed):
        msg = f"{path} has no section {marker!r}: write '{begin}' and '{end}' into it"
        raise ValueError(msg)
    path.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}")
