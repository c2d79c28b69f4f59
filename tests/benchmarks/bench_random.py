"""Layers drawn at random: compiled kernels and NumPy beside torch and onnxruntime.

``python -m tests.benchmarks.bench_random SEED --layers 0:33 --out a.json`` times some of
the layers that a seed draws (see `random_layers`) and writes a file;
``python -m tests.benchmarks.bench_random --join a.json b.json`` prints the summary, and
``--write`` puts it into docs/performance.md, and the times into `results`, from which the
charts are drawn. All calls are whole calls, two threads each,
in one process, three alternating repeats, each the median of a few calls; a ratio is the
faster peer's time divided by ours, and ratios above 4 count as 4.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

import mtconv
from tests.benchmarks.harness import (
    Layer,
    geometric_mean,
    load_layers,
    markdown_table,
    measure,
    write_section,
)
from tests.benchmarks.peers import ort_conv, ort_transposed, torch_conv, torch_transposed
from tests.benchmarks.random_layers import draw_layers
from tests.benchmarks.summary import RESULTS

__all__ = ["main"]

MAPS = ("conv_transpose", "conv", "kernel_grad")
MOST = 4.0
WORDS = {"numba": "With compiled kernels", "numpy": "With NumPy alone"}

Calls = dict[str, Callable[[], Any]]


def calls_of(layer: Layer, form: str, backend: str) -> Calls:
    """Return calls of one map: ours, and those of the peers that have it."""
    x, kernel, y = layer.arrays()
    if form == "conv_transpose":
        options = layer.transposed_options
        calls: Mapping[str, Any] = {
            backend: lambda: mtconv.conv_transpose(x, kernel, backend=backend, **options),
            "torch": torch_transposed(layer, x, kernel),
            "onnxruntime": ort_transposed(layer, x, kernel),
        }
    elif form == "conv":
        options = layer.options
        calls = {
            backend: lambda: mtconv.conv(y, kernel, backend=backend, **options),
            "torch": torch_conv(layer, y, kernel),
            "onnxruntime": ort_conv(layer, y, kernel),
        }
    else:
        options = {**layer.options, "kernel_size": layer.kernel_size}
        calls = {
            backend: lambda: mtconv.kernel_grad(x, y, backend=backend, **options),
            "torch": torch_gradient(layer, x, kernel, y),
        }
    return {name: call for name, call in calls.items() if call is not None}


def torch_gradient(layer: Layer, x: Any, kernel: Any, y: Any) -> Callable[[], Any]:
    """Return a call of torch's kernel gradient of the convolution."""
    tensors = [torch.from_numpy(array) for array in (x, y, kernel)]
    geometry = [list(sizes) for sizes in (layer.stride, layer.padding, layer.dilation)]
    rest = (False, [0] * len(layer.stride), layer.groups, [False, True, False])
    backward = torch.ops.aten.convolution_backward

    @torch.inference_mode()
    def run() -> Any:
        return backward(*tensors, None, *geometry, *rest)[1]

    return run


def run(layers: list[Layer], maps: tuple[str, ...], backend: str) -> list[dict[str, Any]]:
    """Time all maps of some layers."""
    rows = []
    for layer in layers:
        for form in maps:
            seconds = measure(calls_of(layer, form, backend))
            rows.append({"layer": layer.name, "map": form, "seconds": seconds})
            ours = seconds[backend]
            peers = {name: s for name, s in seconds.items() if name != backend}
            ratios = "  ".join(f"{name} {s / ours:5.2f}" for name, s in peers.items())
            print(f"{form:14} {layer.name:40} {1e3 * ours:8.3f} ms  {ratios}", flush=True)
    return rows


def summary(rows: list[dict[str, Any]], backend: str) -> list[list[str]]:
    """Lay out geometric means, shares and the worst layers of every map."""
    table = []
    for form in MAPS:
        own = [row["seconds"] for row in rows if row["map"] == form]
        if not own:
            continue
        cells = [form, str(len(own))]
        for peer in ("torch", "onnxruntime"):
            having = [s for s in own if peer in s]
            ratios = [min(MOST, s[peer] / s[backend]) for s in having]
            cells.append(f"{geometric_mean(ratios):.2f}" if ratios else "")
        fastest = [min(t for name, t in s.items() if name != backend) for s in own]
        pairs = zip(fastest, own, strict=True)
        ratios = sorted(min(MOST, fast / s[backend]) for fast, s in pairs)
        share = sum(ratio >= 1 for ratio in ratios) / len(ratios)
        worst = ", ".join(f"{ratio:.2f}" for ratio in ratios[:3])
        table.append([*cells, f"{geometric_mean(ratios):.2f}", f"{share:.0%}", worst])
    return table


def store(rows: list[dict[str, Any]], seeds: list[str], name: str) -> None:
    """Write the times, to four digits and a row a line, where the charts look for them."""
    rounded = [
        {**row, "seconds": {name: float(f"{s:.4g}") for name, s in row["seconds"].items()}}
        for row in rows
    ]
    lines = ",\n".join(json.dumps(row) for row in rounded)
    text = f'{{"seed": {json.dumps(", ".join(seeds))}, "rows": [\n{lines}\n]}}\n'
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text)


def main() -> None:
    """Time layers, or join what was timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--layers", default="0:66", help="which of them, as first:last")
    parser.add_argument("--maps", default=",".join(MAPS))
    parser.add_argument("--backend", default="numba")
    parser.add_argument("--public", nargs="*", help="files of layers in place of a seed")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--join", type=Path, nargs="*")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.join:
        parts = [json.loads(path.read_text()) for path in arguments.join]
        rows = [row for part in parts for row in part["rows"]]
        seeds = sorted({str(part["seed"]) for part in parts})
    else:
        first, last = map(int, arguments.layers.split(":"))
        layers = (
            [layer for path in arguments.public for layer in load_layers(path=path)]
            if arguments.public
            else draw_layers(arguments.seed)
        )
        print(f"seed {arguments.seed}, torch {torch.__version__}, two threads", flush=True)
        with mtconv.workers(2):
            maps = tuple(arguments.maps.split(","))
            rows = run(layers[first:last], maps, arguments.backend)
        seeds = [str(arguments.seed)]
        if arguments.out:
            got = {"seed": arguments.seed, "rows": rows}
            arguments.out.write_text(json.dumps(got))
    header = [
        "map",
        "layers",
        "of torch",
        "of onnxruntime",
        "of the faster",
        "ahead",
        "worst",
    ]
    table = markdown_table(header, summary(rows, arguments.backend))
    print(f"seed {', '.join(seeds)}\n{table}")
    if arguments.write:
        backend = arguments.backend
        kind = "public" if seeds == ["None"] else "random"
        store(rows, seeds, f"{kind}-{backend}")
        of = "" if kind == "public" else f" Seed {', '.join(seeds)}."
        write_section(f"{kind} {backend}", f"{WORDS[backend]}.{of}\n\n{table}")


if __name__ == "__main__":
    main()
