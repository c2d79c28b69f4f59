"""Measure the NumPy backend beside torch and onnxruntime, and write the tables.

    python -m tests.benchmarks.bench_numpy [section ...]

Sections: layers, conv, memory, accuracy, ladder, calls, bounds; all without arguments.
torch, onnxruntime, onnx and threadpoolctl must be installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mtconv
from mtconv.planning.choose import INEXACT, choose_algorithm
from mtconv.planning.ladders.numpy import ALGORITHMS
from tests.benchmarks.bounds import bounds
from tests.benchmarks.harness import (
    Layer,
    geometric_mean,
    load_layers,
    markdown_table,
    time_in_turn,
    write_section,
)
from tests.benchmarks.problems import layer_problems, random_problems, time_algorithms

# Algorithms that are thought to take longer are left out of the table of errors.
ACCURACY_LIMIT_S = 0.5


def milliseconds(seconds: float | None) -> str:
    """Write a time, or a dash."""
    return "-" if seconds is None else f"{seconds * 1e3:.3g}"


def layers() -> str:
    """Compare conv_transpose with the faster of torch and onnxruntime."""
    from tests.benchmarks.peers import ort_transposed, torch_transposed

    rows, ratios = [], []
    for layer in load_layers():
        x, kernel, _ = layer.arrays()
        calls = {
            "mtconv": lambda layer=layer, x=x, kernel=kernel: mtconv.conv_transpose(
                x, kernel, backend="numpy", **layer.transposed_options
            ),
            "torch": torch_transposed(layer, x, kernel),
        }
        ort = ort_transposed(layer, x, kernel)
        if ort is not None:
            calls["onnxruntime"] = ort
        times = time_in_turn(calls, rounds=11, limit_s=4)
        peer = min(times["torch"], times.get("onnxruntime", float("inf")))
        ratios.append(peer / times["mtconv"])
        rows.append(
            (
                layer.name,
                chosen(layer, "conv_transpose"),
                milliseconds(times["mtconv"]),
                milliseconds(times["torch"]),
                milliseconds(times.get("onnxruntime")),
                f"{layer.multiply_adds / times['mtconv'] / 1e9:.1f}",
                f"{ratios[-1]:.2f}",
            )
        )
        print(*rows[-1], flush=True)
    header = (
        "layer",
        "algorithm",
        "mtconv ms",
        "torch ms",
        "onnxruntime ms",
        "10^9 madd/s",
        "ratio",
    )
    return markdown_table(header, rows) + "\n\n" + summary(ratios)


def conv() -> str:
    """Compare conv with torch on the big-to-small maps of the same layers."""
    from tests.benchmarks.peers import torch_conv

    rows, ratios = [], []
    for layer in load_layers():
        _, kernel, y = layer.arrays()
        calls = {
            "mtconv": lambda layer=layer, y=y, kernel=kernel: mtconv.conv(
                y, kernel, backend="numpy", **layer.options
            ),
            "torch": torch_conv(layer, y, kernel),
        }
        times = time_in_turn(calls, rounds=9, limit_s=3)
        ratios.append(times["torch"] / times["mtconv"])
        rows.append(
            (
                layer.name,
                chosen(layer, "conv"),
                milliseconds(times["mtconv"]),
                milliseconds(times["torch"]),
                f"{ratios[-1]:.2f}",
            )
        )
        print(*rows[-1], flush=True)
    header = ("layer", "algorithm", "mtconv ms", "torch ms", "ratio")
    return markdown_table(header, rows) + "\n\n" + summary(ratios)


def chosen(layer: Layer, form: str) -> str:
    """Name the algorithm that `auto` takes."""
    spec = mtconv.ConvSpec.from_shapes(
        layer.x_shape, layer.kernel_shape, **layer.transposed_options
    )
    return choose_algorithm(spec, form, layer.batch, layer.dtype)[0].algorithm


def summary(ratios: list[float]) -> str:
    """Sum up ratios of peers' times to mtconv's."""
    faster = sum(ratio >= 1 for ratio in ratios)
    return (
        f"Geometric mean of the ratios {geometric_mean(ratios):.2f}, smallest "
        f"{min(ratios):.2f}; at least 1.00 on {faster} of {len(ratios)} layers."
    )


def memory() -> str:
    """Peak memory of one call beyond the result, each in a process of its own."""
    rows, most = [], 0.0
    for layer in load_layers():
        libraries = ("mtconv", "torch", "onnxruntime")
        peaks = [_peak(layer.name, library) for library in libraries]
        most = max(most, *peaks[0])
        cells = [" / ".join(f"{mib:.1f}" for mib in peak) or "-" for peak in peaks]
        rows.append((layer.name, *cells))
        print(*rows[-1], flush=True)
    header = ("layer", "mtconv (traced / resident)", "torch", "onnxruntime")
    text = markdown_table(header, rows)
    return f"{text}\n\nMost extra memory of mtconv, two threads together: {most:.1f} MiB."


def _peak(name: str, library: str) -> tuple[float, ...]:
    code = f"from tests.benchmarks.memory import main; main({name!r}, {library!r})"
    command = [sys.executable, "-c", code]
    # glibc then returns what is freed, so that no call uses what another one left.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return tuple(json.loads(done.stdout))


def accuracy() -> str:
    """Judge the rounding errors of both maps."""
    return "\n\n".join(accuracy_of(form) for form in ("conv_transpose", "conv"))


def accuracy_of(form: str) -> str:
    """Largest error against float64, relative to the largest element, beside torch's."""
    from tests.benchmarks.peers import torch_conv, torch_transposed

    transposed = form == "conv_transpose"
    peer = torch_transposed if transposed else torch_conv
    rows, exact_worst, chosen_worst = [], 0.0, 0.0
    for layer in load_layers():
        if layer.dtype != "float32":
            continue
        x, kernel, y = layer.arrays()
        data = x if transposed else y
        options = layer.transposed_options if transposed else layer.options
        function = getattr(mtconv, form)
        truth = function(data.astype(float), kernel.astype(float), **options)
        scale = abs(truth).max()
        spec = mtconv.ConvSpec.from_shapes(
            x.shape, kernel.shape, **layer.transposed_options
        )
        candidates = choose_algorithm(spec, form, layer.batch)
        torch_error = abs(peer(layer, data, kernel)().numpy() - truth).max() / scale
        cells = []
        for algorithm in ALGORITHMS:
            cost = next(c.cost for c in candidates if c.algorithm == algorithm)
            if cost is None or cost.seconds > ACCURACY_LIMIT_S:
                cells.append("-")
                continue
            got = function(data, kernel, algorithm=algorithm, **options)
            error = abs(got - truth).max() / scale
            ratio = error / torch_error
            if algorithm not in INEXACT:
                exact_worst = max(exact_worst, ratio)
            if algorithm == candidates[0].algorithm:
                chosen_worst = max(chosen_worst, ratio)
            cells.append(f"{error:.1e}")
        rows.append((layer.name, candidates[0].algorithm, f"{torch_error:.1e}", *cells))
        print(*rows[-1], flush=True)
    text = markdown_table(("layer", "chosen", "torch", *ALGORITHMS), rows)
    return (
        f"`{form}`:\n\n{text}\n\nLargest ratio of an error to torch's: {exact_worst:.2f} "
        f"among `gemm`, `polyphase` and `direct`, {chosen_worst:.2f} among the chosen "
        f"algorithms."
    )


def ladder(form: str) -> str:
    """Time every algorithm and compare the ladder's choice with the fastest."""
    losses = []
    for problem in (*layer_problems(), *random_problems(200)):
        chosen, times = time_algorithms(form, problem)
        losses.append(times[chosen] / min(times.values()))
        if losses[-1] > 1.25:
            shown = {name: milliseconds(seconds) for name, seconds in times.items()}
            print(problem[:3], chosen, shown, flush=True)
    within = sum(loss <= 1.25 for loss in losses) / len(losses)
    return (
        f"`{form}`: over the layers and 200 random geometries ({len(losses)} problems) the "
        f"choice costs {geometric_mean(losses):.3f} times the fastest algorithm in "
        f"geometric mean, and at most 1.25 times on {within:.0%} of them; the worst is "
        f"{max(losses):.2f} times."
    )


def ladders() -> str:
    """Judge the ladder of both maps."""
    return "\n\n".join(ladder(form) for form in ("conv_transpose", "conv"))


def calls() -> str:
    """Time the smallest layer, and dispatch and plan look-up alone."""
    from mtconv.backends import _numpy
    from tests.benchmarks.peers import torch_transposed

    layer = load_layers("d2l")[0]
    x, kernel, _ = layer.arrays()

    def call() -> Any:
        return mtconv.conv_transpose(x, kernel, stride=3, padding=2)

    def call_with_tuples() -> Any:
        return mtconv.conv_transpose(x, kernel, **layer.transposed_options)

    times = time_in_turn({"mtconv": call, "torch": torch_transposed(layer, x, kernel)})
    run = _numpy.run
    try:
        _numpy.run = lambda *_: None  # what is left is options, dispatch and plan
        alone = time_in_turn({"ints": call, "tuples": call_with_tuples})
    finally:
        _numpy.run = run
    return (
        f"`{layer.name}`: mtconv {times['mtconv'] * 1e6:.1f} microseconds, torch "
        f"{times['torch'] * 1e6:.1f}. Options, dispatch and plan look-up alone: "
        f"{alone['ints'] * 1e6:.1f} microseconds with options that are integers, "
        f"{alone['tuples'] * 1e6:.1f} with tuples of integers."
    )


SECTIONS: dict[str, Callable[[], str]] = {
    "layers": layers,
    "conv": conv,
    "memory": memory,
    "accuracy": accuracy,
    "ladder": ladders,
    "calls": calls,
    "bounds": bounds,
}


if __name__ == "__main__":
    for section in sys.argv[1:] or SECTIONS:
        text = SECTIONS[section]()
        write_section(f"numpy {section}", text)
        print(text, flush=True)
