"""JAX on the CPU against lax, torch and onnxruntime: run by `nox -s bench`.

Everybody takes and gives channels first. `lax` is timed in both layouts, its transposes
included, and the faster counts. Forward plus both gradients is one compiled program for
mtconv and for lax, and one pass of autograd for torch. Compile time is that of forward
plus both gradients, from tracing to the end of the first call.

Two bounds are measured beside: the product of matrices of the layer's sizes by `jnp.dot`,
and a pass that writes an array as large as the result from another.

``python -m tests.benchmarks.bench_jax [NAME ...] [--results FILE] [--write]`` measures
the layers whose names contain one of the words, adds them to the results in FILE, and
writes the tables of all results there into the documentation. Without a name it starts
anew.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import torch

import mtconv
from tests.benchmarks import harness
from tests.benchmarks.harness import Layer
from tests.benchmarks.lax_peer import lax_transposed, with_gradients
from tests.benchmarks.peers import THREADS, ort_transposed, torch_transposed

Call = Callable[[], Any]

# What takes longer is timed once: some of lax's loops take a minute.
SLOW_S = 2.0
# lax's gradients of this layer take many minutes.
FORWARD_ONLY = ("fcn32_depthwise_k64s32",)


def compiled(function: Callable[..., Any], *arrays: Any) -> tuple[Call, float, float]:
    """Compile; return the call, the seconds of the first call, and of the second."""
    jitted = jax.jit(function)

    def call() -> Any:
        return jax.block_until_ready(jitted(*arrays))

    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
        if seconds[0] > 10 * SLOW_S:
            return call, seconds[0], seconds[0]
    return call, seconds[0], seconds[1]


def torch_with_gradients(layer: Layer, x: Any, kernel: Any, y: Any) -> Call:
    """Return a call of torch's forward pass and both gradients."""
    torch.set_num_threads(THREADS)
    function = getattr(torch.nn.functional, f"conv_transpose{len(layer.input_size)}d")
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, kernel)]
    cotangent = torch.from_numpy(y)

    def call() -> Any:
        result = function(*leaves, **layer.transposed_options)
        return result, torch.autograd.grad(result, leaves, cotangent)

    return call


def bounds(layer: Layer) -> dict[str, Call]:
    """Return calls that take as long as one map has to: its product, and its result."""
    taps = prod(layer.kernel_size)
    inner = layer.in_channels // layer.groups
    shape = (layer.groups, layer.out_channels // layer.groups * taps, inner)
    cells = layer.batch * prod(layer.input_size)
    left = jnp.ones(shape, layer.dtype)
    right = jnp.ones((layer.groups, inner, cells), layer.dtype)
    y = jnp.ones(layer.y_shape, layer.dtype)
    product = jax.jit(lambda a, b: jnp.matmul(a, b, precision="highest"))
    copy = jax.jit(lambda y: y + 1)
    found: dict[str, Call] = {"copy": lambda: jax.block_until_ready(copy(y))}
    if inner > 1:
        found["product"] = lambda: jax.block_until_ready(product(left, right))
    return found


def measure(layer: Layer, peers: bool = True) -> dict[str, float]:
    """Time one layer on every engine: seconds by name, "grads" with the gradients."""
    x, kernel, y = layer.arrays()
    arrays = tuple(map(jnp.asarray, (x, kernel, y)))
    calls: dict[str, Call] = {
        "torch": torch_transposed(layer, x, kernel),
        "torch grads": torch_with_gradients(layer, x, kernel, y),
        **bounds(layer),
    }
    found: dict[str, float] = {}
    if peers and (ort := ort_transposed(layer, x, kernel)) is not None:
        calls["onnxruntime"] = ort

    def add(name: str, function: Callable[..., Any], *operands: Any) -> float:
        call, first, second = compiled(function, *operands)
        if name.endswith("grads"):
            found[name.replace("grads", "compile")] = max(first - second, 0.0)
        if second > SLOW_S:
            found[name] = second
        else:
            calls[name] = call
        return second

    function = partial(mtconv.conv_transpose, **layer.transposed_options)
    add("mtconv", function, *arrays[:2])
    add("mtconv grads", with_gradients(function), *arrays)
    for channels_last in (True, False) if peers else ():
        name = "lax last" if channels_last else "lax first"
        function = lax_transposed(layer, channels_last)
        slow = add(name, function, *arrays[:2]) > SLOW_S
        if layer.name not in FORWARD_ONLY:
            slow |= add(f"{name} grads", with_gradients(function), *arrays) > SLOW_S
        if slow:  # its loops are as slow in the other layout
            break
    found.update(harness.time_in_turn(calls, rounds=7, limit_s=8.0))
    for suffix in ("", " grads", " compile"):
        both = [found[n + suffix] for n in ("lax last", "lax first") if n + suffix in found]
        if both:
            found[f"lax{suffix}"] = min(both)
    return found


def tables(results: dict[str, dict[str, float]]) -> str:
    """Lay out all results, with the geometric means of the ratios below."""
    blocks = []
    for title, suffix in (("Forward", ""), ("Forward and both gradients", " grads")):
        peers = ("lax", "torch") if suffix else ("lax", "torch", "onnxruntime")
        shown = ("mtconv", *peers) if suffix else ("mtconv", *peers, "product", "copy")
        header = ["layer", *(f"{name}, ms" for name in shown), *(f"x {p}" for p in peers)]
        rows = []
        ratios: dict[str, list[float]] = {peer: [] for peer in peers}
        for name, row in results.items():
            cells = [name, *(_number(row.get(column + suffix), 1e3) for column in shown)]
            for peer in peers:
                ratio = None
                if peer + suffix in row:
                    ratio = row[peer + suffix] / row["mtconv" + suffix]
                    ratios[peer].append(ratio)
                cells.append(_number(ratio))
            rows.append(cells)
        means = (
            f"{harness.geometric_mean(ratios[p]):.2f}" if ratios[p] else "-" for p in peers
        )
        rows.append(["geometric mean", *[""] * len(shown), *means])
        blocks += [f"{title}:", harness.markdown_table(header, rows)]
    return "\n\n".join(blocks)


def compile_table(results: dict[str, dict[str, float]]) -> str:
    """Lay out the seconds to compile forward and both gradients."""
    rows = [
        [name, *(_number(row.get(f"{engine} compile")) for engine in ("mtconv", "lax"))]
        for name, row in results.items()
    ]
    return harness.markdown_table(["layer", "mtconv, s", "lax, s"], rows)


def below_torch(results: dict[str, dict[str, float]]) -> str:
    """Say for every layer that torch does faster what bounds it here."""
    lines = []
    for name, row in results.items():
        for what, suffix, maps in (("forward", "", 1), ("with gradients", " grads", 3)):
            ours, theirs = row["mtconv" + suffix], row["torch" + suffix]
            if ours <= theirs:
                continue
            products, copies = maps * row.get("product", 0.0), maps * row["copy"]
            rest = max(ours - products - copies, 0.0)
            parts = {"products": products, "passes over the result": copies, "rest": rest}
            most = max(parts, key=lambda part: parts[part])
            shares = ", ".join(f"{k} {_number(v, 1e3)} ms" for k, v in parts.items())
            why = {
                "products": "XLA's matrix products",
                "passes over the result": "memory bandwidth",
                "rest": "columns: their overlap-add and gathering"
                if products
                else "elementwise loops over the taps",
            }[most]
            lines.append(
                f"- `{name}`, {what}, {theirs / ours:.2f}x: {why} ({shares} of "
                f"{_number(ours, 1e3)} ms)."
            )
    return "\n".join(lines)


def _number(value: float | None, factor: float = 1.0) -> str:
    """Write three digits, and no exponent."""
    if value is None:
        return "-"
    value *= factor
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure, print, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of the layers' names; all without")
    parser.add_argument("--results", type=Path, default=Path("build/bench_jax.json"))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="without lax, onnxruntime")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    path: Path = arguments.results
    fresh = not (arguments.names and path.exists())
    known = {} if fresh else json.loads(path.read_text())
    for layer in harness.load_layers(*arguments.names):
        row = measure(layer, peers=not arguments.quick)
        known[layer.name] = {**known.get(layer.name, {}), **row}
        shown = "  ".join(f"{name} {1e3 * s:.2f}" for name, s in row.items())
        print(f"{layer.name}: {shown}", flush=True)
        for key, seconds in row.items():
            peer, _, suffix = key.partition(" ")
            if peer in ("torch", "lax") and suffix in ("", "grads"):
                ours = row[f"mtconv {suffix}".strip()]
                print(f"   x {key}: {seconds / ours:.2f}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=1))
    order = [layer.name for layer in harness.load_layers() if layer.name in known]
    ordered = {name: known[name] for name in order}
    texts = {
        "jax tables": tables(ordered),
        "jax compile": compile_table(ordered),
        "jax bounds": below_torch(ordered),
    }
    for marker, text in texts.items():
        if arguments.write:
            harness.write_section(marker, text)
        print(text)


if __name__ == "__main__":
    main()
