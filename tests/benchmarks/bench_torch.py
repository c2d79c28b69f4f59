"""`mtconv.conv_transpose` on torch tensors beside `torch.nn.functional`, on random layers.

``python -m tests.benchmarks.bench_torch SEED --out FILE`` times the layers that a seed
draws (see `random_layers`): the call alone, and with gradients of x and the kernel. Layers
that take torch less than half a millisecond are left out. After ``--seconds`` it stops, and
the next call goes on where the file ends. When all layers are timed, and with ``--join``
on files, it prints the summary. ``--tiny`` times a repeated call of tiny layers instead.

Both have two threads in one process, and take turns in three repeats, each the median of
a few calls. A ratio is torch's time divided by ours, and ratios above 4 count as 4.
Compiled kernels take part after `mtconv warm`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import mtconv
from mtconv.backends._numba.warmed import state_text
from tests.benchmarks.harness import Layer, geometric_mean, markdown_table, measure
from tests.benchmarks.random_layers import draw_layers

__all__ = ["main"]

MODES = {"forward": "conv_transpose", "gradients": "with gradients of x and the kernel"}
LEAST_S = 5e-4
MOST = 4.0
THREADS = 2

# Shapes of x and the kernel, and the stride, of layers that take a few microseconds.
TINY = (
    ((1, 3, 8, 8), (3, 4, 3, 3), 2),
    ((1, 1, 16), (1, 1, 4), 2),
    ((2, 4, 6, 6), (4, 4, 2, 2), 2),
    ((1, 2, 4, 4, 4), (2, 2, 2, 2, 2), 1),
)

Call = Callable[[], Any]


def calls_of(layer: Layer, mode: str) -> dict[str, Call]:
    """Return the call of mtconv and that of torch."""
    x, kernel, y = (torch.from_numpy(array) for array in layer.arrays())
    options = layer.transposed_options
    native = getattr(torch.nn.functional, f"conv_transpose{len(layer.input_size)}d")
    functions = {"mtconv": mtconv.conv_transpose, "torch": native}
    if mode == "forward":
        return {name: _alone(f, x, kernel, options) for name, f in functions.items()}
    return {
        name: _with_gradients(f, x, kernel, y, options) for name, f in functions.items()
    }


def _alone(function: Any, x: Any, kernel: Any, options: Any) -> Call:
    @torch.inference_mode()
    def call() -> Any:
        return function(x, kernel, **options)

    return call


def _with_gradients(function: Any, x: Any, kernel: Any, y: Any, options: Any) -> Call:
    leaves = x.clone().requires_grad_(), kernel.clone().requires_grad_()

    def call() -> Any:
        return torch.autograd.grad(function(*leaves, **options), leaves, y)

    return call


def timed(layer: Layer) -> dict[str, Any]:
    """Time a layer; nothing but its name if it takes torch too little."""
    call = calls_of(layer, "forward")["torch"]
    call()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    if statistics.median(times) < LEAST_S:
        return {"layer": layer.name}
    row: dict[str, Any] = {"layer": layer.name}
    for mode in MODES:
        row[mode] = measure(calls_of(layer, mode))
    ratios = "  ".join(f"{m} {row[m]['torch'] / row[m]['mtconv']:5.2f}" for m in MODES)
    print(f"{layer.name:40} {1e3 * row['forward']['torch']:8.3f} ms  {ratios}", flush=True)
    return row


def summary(rows: list[dict[str, Any]]) -> str:
    """Lay out geometric means, shares and the worst layers."""
    table = []
    for mode, words in MODES.items():
        own = [row[mode] for row in rows if mode in row]
        ratios = sorted(min(MOST, s["torch"] / s["mtconv"]) for s in own)
        share = sum(ratio >= 1 for ratio in ratios) / len(ratios)
        worst = ", ".join(f"{ratio:.2f}" for ratio in ratios[:3])
        mean = f"{geometric_mean(ratios):.2f}"
        table.append([words, str(len(ratios)), mean, f"{share:.0%}", worst])
    header = ("call", "layers", "geometric mean", "at 1.0 or more", "worst")
    return markdown_table(header, table)


def tiny() -> str:
    """Time repeated calls of tiny layers, in microseconds."""
    table = []
    for x_shape, kernel_shape, stride in TINY:
        x, kernel = torch.ones(x_shape), torch.ones(kernel_shape)
        native = getattr(torch.nn.functional, f"conv_transpose{len(x_shape) - 2}d")
        functions = {"mtconv": mtconv.conv_transpose, "torch": native}
        for grad in (False, True):
            x.requires_grad_(grad)
            seconds = {
                name: _repeated(partial(function, x, kernel, stride=stride))
                for name, function in functions.items()
            }
            ours, theirs = (1e6 * seconds[name] for name in ("mtconv", "torch"))
            words = f"{x_shape} by {kernel_shape}{', with grad' if grad else ''}"
            cells = f"{ours:.1f}", f"{theirs:.1f}", f"{ours - theirs:.1f}"
            table.append([words, *cells])
    return markdown_table(("layer", "mtconv", "torch", "difference"), table)


def _repeated(call: Call, number: int = 1000) -> float:
    """Median seconds of a call over rounds of many calls."""
    rounds = []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(number):
            call()
        rounds.append((time.perf_counter() - start) / number)
    return statistics.median(rounds)


def run(seed: int, path: Path | None, seconds: float) -> list[dict[str, Any]] | None:
    """Time layers until the time is over; None where some are left."""
    rows: list[dict[str, Any]] = []
    if path is not None and path.exists():
        rows = json.loads(path.read_text())["rows"]
    began, layers = time.perf_counter(), draw_layers(seed)
    for layer in layers[len(rows) :]:
        if time.perf_counter() - began > seconds:
            break
        rows.append(timed(layer))
    if path is not None:
        path.write_text(json.dumps({"seed": seed, "rows": rows}))
    print(f"{len(rows)} of {len(layers)} layers are timed", flush=True)
    return rows if len(rows) == len(layers) else None


def main() -> None:
    """Time layers, or join what was timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--join", type=Path, nargs="*")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"torch {torch.__version__}, {THREADS} threads; {state_text()}", flush=True)
    rows: list[dict[str, Any]] | None
    if arguments.tiny:
        print(tiny())
        return
    if arguments.join:
        parts = [json.loads(path.read_text()) for path in arguments.join]
        rows = [row for part in parts for row in part["rows"]]
    else:
        rows = run(arguments.seed, arguments.out, arguments.seconds)
    if rows is not None:
        print(summary(rows))


if __name__ == "__main__":
    main()
