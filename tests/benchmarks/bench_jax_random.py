"""JAX on the CPU on random layers: beside lax and torch, or algorithm by algorithm.

``python -m tests.benchmarks.bench_jax_random SEED --out FILE`` times mtconv, lax in both
layouts and torch, forward and with both gradients; with ``--maps`` the algorithms of the
JAX backend on each of the three maps instead. FILE keeps what was timed: a layer that is in
it is not timed again, and after ``--seconds`` no other one is begun, so that a long
measurement can be made in parts. A summary of all that FILE has is printed.

All calls of a layer are made in one process, two threads each, three alternating repeats,
each the median of a few calls. The process is ended when one of its calls computes for
longer than ``--patience`` seconds, compilation included; the call counts as so long, and
the layer is begun again without it in another process. Ratios are the peer's time divided
by ours; above 4 they count as 4. Compiled programs are kept in ``build/jax_programs``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from mtconv import ConvSpec
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders.jax import ALGORITHMS, packed, stacked
from tests.benchmarks.harness import Layer, geometric_mean, markdown_table
from tests.benchmarks.random_layers import draw_layers

FORMS = ("conv_transpose", "conv", "kernel_grad")
PEERS = ("lax", "torch")
MOST = 4.0
PROGRAMS = Path("build/jax_programs")
# What takes longer than this, and much longer than the fastest, is timed once.
SLOW_S = 0.5

Call = Callable[[], Any]
Row = dict[str, float]


def peer_calls(layer: Layer) -> Iterator[tuple[str, Call]]:
    """Make calls of whole programs: forward, and forward with both gradients."""
    import jax
    import jax.numpy as jnp

    import mtconv
    from tests.benchmarks.bench_jax import torch_with_gradients
    from tests.benchmarks.lax_peer import lax_transposed, with_gradients
    from tests.benchmarks.peers import torch_transposed

    x, kernel, y = layer.arrays()
    arrays = tuple(map(jnp.asarray, (x, kernel, y)))
    yield "torch", torch_transposed(layer, x, kernel)
    yield "torch grads", torch_with_gradients(layer, x, kernel, y)
    functions: dict[str, Callable[..., Any]] = {
        "mtconv": partial(mtconv.conv_transpose, **layer.transposed_options),
        "lax last": lax_transposed(layer, channels_last=True),
        "lax first": lax_transposed(layer, channels_last=False),
    }
    for name, function in functions.items():
        yield name, _blocking(jax.jit(function), *arrays[:2])
        yield f"{name} grads", _blocking(jax.jit(with_gradients(function)), *arrays)


def map_calls(layer: Layer) -> Iterator[tuple[str, Call]]:
    """Make calls of single maps, by every algorithm of JAX and by torch."""
    import jax
    import jax.numpy as jnp

    import mtconv
    from tests.benchmarks.bench_random import torch_gradient
    from tests.benchmarks.peers import torch_conv, torch_transposed

    x, kernel, y = layer.arrays()
    options = {**layer.options, "backend": "jax"}
    sized = {**options, "kernel_size": layer.kernel_size}
    torch_calls = (
        torch_transposed(layer, x, kernel),
        torch_conv(layer, y, kernel),
        torch_gradient(layer, x, kernel, y),
    )
    x, kernel, y = map(jnp.asarray, (x, kernel, y))
    ours = (
        (mtconv.conv_transpose, {**options, **layer.transposed_options}, (x, kernel)),
        (mtconv.conv, options, (y, kernel)),
        (mtconv.kernel_grad, sized, (x, y)),
    )
    for form, call, (function, settings, arrays) in zip(
        FORMS, torch_calls, ours, strict=True
    ):
        yield f"{form} torch", call
        for algorithm in ALGORITHMS:
            if _hopeless(layer, form, algorithm):
                continue
            fixed = partial(function, algorithm=algorithm, **settings)
            yield f"{form} {algorithm}", _blocking(jax.jit(fixed), *arrays)


def _hopeless(layer: Layer, form: str, algorithm: str) -> bool:
    """Whether an algorithm takes many times as long as others, and minutes to compile.

    XLA convolves groups one after the other, multiplies inserted zeros, and has a program
    for each phase that is a convolution of its own.
    """
    spec = spec_of(layer)
    if algorithm == "native":
        zeros = form == "conv_transpose" and prod(layer.stride) > 1
        return layer.groups > 1 or (zeros and not packed(spec))
    phases = prod(min(axis.stride, axis.kernel) for axis in spec.axes)
    alone = not stacked(spec)
    return algorithm == "polyphase" and alone and (layer.groups > 1 or phases > 16)


def spec_of(layer: Layer) -> ConvSpec:
    """Return the geometry of a layer."""
    options = layer.transposed_options
    return ConvSpec.from_shapes(layer.x_shape, layer.kernel_shape, **options)


def _blocking(function: Callable[..., Any], *arrays: Any) -> Call:
    import jax

    return lambda: jax.block_until_ready(function(*arrays))


def work(pipe: Any, layers: list[Layer], maps: bool, without: Row, budget_s: float) -> None:
    """Time layers; send each call's name before its first run, and a layer's times at last.

    Nothing is sent as the name when all have run.
    """
    import jax

    jax.config.update("jax_compilation_cache_dir", str(PROGRAMS.resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    for number, layer in enumerate(layers):
        calls = map_calls(layer) if maps else peer_calls(layer)
        pipe.send(_timed(pipe.send, calls, {} if number else without, budget_s))
        jax.clear_caches()


def _timed(
    say: Callable[[str], None],
    named: Iterator[tuple[str, Call]],
    without: Row,
    budget_s: float,
) -> Row:
    from tests.benchmarks.bench_random import measure

    seconds, calls = dict(without), {}
    for name, call in named:
        # Loops that are slow in one layout are in the other.
        if name in without or name.replace("first", "last") in without:
            continue
        say(name)
        call()
        start = time.perf_counter()
        call()
        seconds[name] = time.perf_counter() - start
        calls[name] = call
    say("")
    for name in list(calls):
        if seconds[name] > SLOW_S and seconds[name] > 2 * MOST * _fastest(seconds, name):
            del calls[name]
    seconds.update(measure(calls, budget_s))
    return seconds


def _fastest(seconds: Row, name: str) -> float:
    """Return the fastest of what is compared with a call."""
    if name.startswith(FORMS):
        form = name.split()[0]
        return min(s for other, s in seconds.items() if other.split()[0] == form)
    kind = kind_of(name)
    return min(s for other, s in seconds.items() if kind_of(other) == kind)


def timed(
    layers: list[Layer], maps: bool, patience_s: float, budget_s: float
) -> Iterator[Row]:
    """Time layers in another process, a new one after each call that takes too long."""
    context = multiprocessing.get_context("spawn")
    without: Row = {}
    while layers:
        receiving, sending = context.Pipe(duplex=False)
        task = (sending, layers, maps, without, budget_s)
        worker = context.Process(target=work, args=task, daemon=True)
        worker.start()
        sending.close()
        name, spent = "", 0.0
        while layers and not (name and _processor_s(worker.pid) - spent > patience_s):
            if not receiving.poll(1.0):
                continue
            message = receiving.recv()
            if isinstance(message, dict):
                without, layers, name = {}, layers[1:], ""
                yield message
            else:
                name, spent = message, _processor_s(worker.pid)
        if name:
            without = {**without, name: patience_s}
        worker.kill()
        worker.join()


def _processor_s(process: int | None) -> float:
    """Seconds that a process has computed, which do not pass while it is paused."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ratio(row: Row, peer: str, kind: str) -> float:
    peers = [
        s for name, s in row.items() if name.startswith(peer) and kind_of(name) == kind
    ]
    return min(MOST, min(peers) / row["mtconv grads" if kind else "mtconv"])


def kind_of(name: str) -> str:
    """Return "grads" for programs with gradients, and nothing for others."""
    return "grads" if name.endswith("grads") else ""


def peer_table(rows: dict[str, Row]) -> str:
    """Lay out geometric means and the worst layers."""
    lines = []
    for kind in ("", "grads"):
        for peer in PEERS:
            ratios = sorted((_ratio(row, peer, kind), name) for name, row in rows.items())
            mean = geometric_mean(ratio for ratio, _ in ratios)
            worst = ", ".join(f"{ratio:.2f}" for ratio, _ in ratios[:3])
            ahead = sum(ratio >= 1 for ratio, _ in ratios) / len(ratios)
            title = "with gradients" if kind else "forward"
            lines.append([title, peer, len(ratios), f"{mean:.2f}", f"{ahead:.0%}", worst])
    return markdown_table(["", "of", "layers", "mean", "ahead", "worst"], lines)


def choices(rows: dict[str, Row], layers: dict[str, Layer]) -> Iterator[tuple[Any, ...]]:
    """Yield layer, map, chosen algorithm, best one, chosen over best, torch over chosen."""
    for name, row in rows.items():
        layer = layers[name]
        spec = spec_of(layer)
        for form in FORMS:
            own = {key.split()[1]: s for key, s in row.items() if key.split()[0] == form}
            torch_s = own.pop("torch")
            ranked = choose_algorithm(spec, form, layer.batch, layer.dtype, "jax")
            chosen, best = ranked[0].algorithm, min(own, key=lambda a: own[a])
            yield name, form, chosen, best, own[chosen] / own[best], torch_s / own[chosen]


def choice_table(rows: dict[str, Row], layers: dict[str, Layer]) -> str:
    """Lay out what the choices of the ladder cost, and how the best compare with torch."""
    listed = list(choices(rows, layers))
    lines = []
    for form in FORMS:
        own = [row for row in listed if row[1] == form]
        losses = sorted((row[4] for row in own), reverse=True)
        ratios = [min(MOST, row[5]) for row in own]
        best = [min(MOST, row[5] * row[4]) for row in own]
        lines.append(
            [
                form,
                len(own),
                f"{geometric_mean(losses):.3f}",
                ", ".join(f"{loss:.2f}" for loss in losses[:3]),
                f"{geometric_mean(ratios):.2f}",
                f"{geometric_mean(best):.2f}",
            ]
        )
    header = ["map", "layers", "chosen over best", "worst", "of torch", "best of torch"]
    return markdown_table(header, lines)


def main() -> None:
    """Time layers, or print what was timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--layers", default="0:1000", help="which of them, as first:last")
    parser.add_argument("--maps", action="store_true", help="every algorithm of each map")
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--patience", type=float, default=20.0)
    parser.add_argument("--budget", type=float, default=0.06, help="seconds for a median")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    drawn = draw_layers(arguments.seed, arguments.count)
    path: Path = arguments.out
    rows = json.loads(path.read_text()) if path.exists() else {}
    first, last = map(int, arguments.layers.split(":"))
    began = time.perf_counter()
    left = [layer for layer in drawn[first:last] if layer.name not in rows]
    results = timed(left, arguments.maps, arguments.patience, arguments.budget)
    for layer, row in zip(left, results, strict=False):
        rows[layer.name] = {name: float(f"{s:.4g}") for name, s in row.items()}
        lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(r)}" for n, r in rows.items())
        path.write_text(f"{{\n{lines}\n}}\n")
        shown = "  ".join(f"{name} {1e3 * s:.2f}" for name, s in row.items())
        print(f"{layer.name}: {shown}", flush=True)
        if time.perf_counter() - began > arguments.seconds:
            break
    layers = {layer.name: layer for layer in drawn}
    if rows:
        print(f"seed {arguments.seed}, {len(rows)} of {len(drawn)} layers")
        print(choice_table(rows, layers) if arguments.maps else peer_table(rows))


if __name__ == "__main__":
    main()
