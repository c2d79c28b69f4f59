"""Transposed convolutions and their gradients on a GPU: JAX, torch and CuPy.

``python -m tests.benchmarks.bench_gpu --budget 170 --json gpu.json`` measures in order of
importance until the seconds are over, and writes the file after every layer, so that a
run that is stopped loses nothing. `tests.benchmarks.gpu_tables` makes tables of it.

A time is the median over rounds of a stretch of calls that are enqueued one after another
and waited for once, divided by their number; all calls of a layer are timed in turn. So
it is the card's time, or, for small layers, the time that the host needs to enqueue.
"float32" is without TensorFloat-32 on both sides, "tf32" allows it; torch tunes itself by
cuDNN's benchmark mode, and XLA by its own. ``--smoke`` runs everything on the CPU with tiny
sizes.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.benchmarks.gpu_engines import Call, Cupy, Jax, Torch
from tests.benchmarks.gpu_layers import model_layers, random_layers, report_layers, shrunk
from tests.benchmarks.harness import Layer

ENGINES = {"jax": Jax, "torch": Torch, "cupy": Cupy}
STAGES = ("reports", "float32", "forms", "bfloat16", "random", "tf32", "cupy")
SEED = 20261127

Pairs = tuple[tuple[str, str], ...]
MAPS = ("forward", "dx", "dw")

# A result may differ from the first of its map by so much of its largest element.
TOLERANCE = {"bfloat16": 3e-2, "tf32": 5e-3, "float32": 1e-3}


class Row(NamedTuple):
    """One layer in one stage, and what is timed on it."""

    stage: str
    layer: Layer
    mode: str
    pairs: Mapping[str, Pairs]


def pairs(forms: tuple[str, ...], whats: tuple[str, ...]) -> Pairs:
    """Pair every form with every map."""
    return tuple((form, what) for form in forms for what in whats)


def rows(stages: list[str], seed: int, smoke: bool) -> Iterator[Row]:
    """List what is measured, the most important first."""
    ours = pairs(("mtconv", "lax first"), ("forward", "grads"))
    theirs = pairs(("torch first", "torch last"), ("forward", "grads"))
    both = {"jax": ours, "torch": (*theirs, ("mtconv torch", "forward"))}
    models = [layer for layer in model_layers() if layer.dtype == "float32"]
    for stage in stages:
        layers, mode, wanted = models, "float32", both
        if stage == "reports":
            layers = report_layers()
            grads = pairs(("mtconv", "lax first"), ("grads",))
            forms = pairs((*Jax.FORMS, "lax first", "lax last"), MAPS)
            torch_forms = pairs(("torch first", "torch last"), (*MAPS, "grads"))
            wanted = {"jax": (*grads, *forms), "torch": torch_forms}
        elif stage == "float32":
            layers = model_layers()
        elif stage == "forms":
            layers = model_layers()
            wanted = {"jax": pairs(("native", "polyphase", "gemm"), MAPS)}
        elif stage == "random":
            layers = list(random_layers(20, seed))
        elif stage == "cupy":
            forms = pairs(("mtconv cupy", "cupyx"), ("forward",))
            wanted = {"cupy": forms, "torch": pairs(("torch first",), ("forward",))}
        else:
            mode = stage
        for layer in layers[:4] if smoke else layers:
            own = "bfloat16" if layer.dtype == "bfloat16" else mode
            # On the host bfloat16 is float32; the engines cast.
            layer = replace(layer, dtype="float32") if own == "bfloat16" else layer
            yield Row(stage, shrunk(layer) if smoke else layer, own, wanted)


def measure(row: Row, engines: Mapping[str, Any], smoke: bool) -> dict[str, Any]:
    """Time one row; what fails is noted and does no harm to the rest."""
    host = row.layer.arrays()
    calls: dict[str, Call] = {}
    errors: dict[str, str] = {}
    for name, wanted in row.pairs.items():
        if name not in engines:
            continue
        try:
            built = engines[name].calls(row.layer, host, row.mode, wanted)
        except Exception as error:
            errors[name] = _brief(error)
            continue
        for key, call in built.items():
            if isinstance(call, Exception):
                errors[key] = _brief(call)
            else:
                calls[key] = call
    differ(calls, errors, TOLERANCE[row.mode])
    times = time_in_turn(calls, errors, rounds=1 if smoke else 5)
    compiles = {k: c.compile_s for k, c in calls.items() if c.compile_s is not None}
    return {
        "stage": row.stage,
        "layer": row.layer.name,
        "mode": row.mode,
        "multiply_adds": row.layer.multiply_adds,
        "elements": [int(a.size) for a in host],
        "times": times,
        "compile": compiles,
        "errors": errors,
    }


def differ(calls: dict[str, Call], errors: dict[str, str], tolerance: float) -> None:
    """Run every call once; drop those that fail, and note results that differ."""
    first: dict[str, Any] = {}
    for key, call in list(calls.items()):
        try:
            result = call.host(call.wait(call.run()))
        except Exception as error:
            errors[key] = _brief(error)
            del calls[key]
            continue
        what = key.rpartition(" ")[2]
        known = first.setdefault("forward" if what == "grads" else what, result)
        if known.shape != result.shape:
            errors[key] = f"shape {result.shape}, not {known.shape}"
            continue
        error = float(abs(known - result).max() / max(abs(known).max(), 1e-30))
        if not error < tolerance:
            errors[key] = f"differs by {error:.2g} of the largest element"


def time_in_turn(
    calls: Mapping[str, Call], errors: dict[str, str], *, rounds: int, limit_s: float = 2.5
) -> dict[str, float]:
    """Median seconds of each call, timed in turn; rounds stop early after the limit."""
    samples: dict[str, list[float]] = {}
    count: dict[str, int] = {}
    for key, call in calls.items():
        try:
            seconds = min(_stretch(call, 1) for _ in range(2))
        except Exception as error:
            errors[key] = _brief(error)
            continue
        samples[key] = []
        count[key] = max(1, min(50, int(0.01 / max(seconds, 1e-7))))
    began = time.perf_counter()
    for number in range(rounds):
        if number and time.perf_counter() - began > limit_s:
            break
        for key, sample in samples.items():
            sample.append(_stretch(calls[key], count[key]) / count[key])
    return {key: statistics.median(sample) for key, sample in samples.items()}


def _stretch(call: Call, count: int) -> float:
    """Seconds from the first call to the end of the last."""
    start = time.perf_counter()
    for _ in range(count):
        result = call.run()
    call.wait(result)
    return time.perf_counter() - start


def _brief(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:200]}"


def report(key: str, made: dict[str, Any], seconds: float) -> None:
    """Print a row as soon as it is measured."""
    shown = "  ".join(f"{name} {1e3 * s:.3f}" for name, s in made["times"].items())
    print(f"{seconds:4.0f} s {key} [{made['mode']}], ms: {shown}", flush=True)
    for name, text in made["errors"].items():
        print(f"       {name}: {text}", flush=True)


def save(path: Path, known: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(known, indent=1))
    temporary.replace(path)


def start(names: list[str], smoke: bool, known: dict[str, Any]) -> dict[str, Any]:
    """Start the engines that there are, and note versions, card and why others are not."""
    engines: dict[str, Any] = {}
    for name in names:
        try:
            engines[name] = ENGINES[name](smoke)
        except Exception as error:
            known["absent"][name] = _brief(error)
            continue
        known["versions"][name] = engines[name].version
        known["card"] = engines[name].card
    known["versions"] |= {"python": platform.python_version(), "numpy": np.__version__}
    return engines


def main() -> None:
    """Measure until the budget is spent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=170.0, help="seconds in all")
    parser.add_argument("--json", type=Path, default=Path("build/bench_gpu.json"))
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--seed", type=int, default=SEED, help="of the random layers")
    parser.add_argument("--add", action="store_true", help="add to the rows of the file")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes on the CPU")
    arguments = parser.parse_args()
    began, path = time.monotonic(), arguments.json
    known: dict[str, Any] = {"seed": arguments.seed, "smoke": arguments.smoke, "rows": {}}
    known |= {"card": None, "versions": {}, "absent": {}, "ceilings": {}, "left_out": []}
    if arguments.add and path.exists():
        known |= json.loads(path.read_text())
    engines = start(arguments.engines.split(","), arguments.smoke, known)
    print(f"card {known['card']}, {known['versions']}, absent {known['absent']}")
    print(f"random layers from seed {arguments.seed}")
    if not engines:
        save(path, known)
        msg = "no engine has a GPU; --smoke takes the CPU"
        raise SystemExit(msg)
    if "jax" in engines:
        known["ceilings"] = engines["jax"].ceilings(64 if arguments.smoke else 4096)
    known["left_out"] = []
    for row in rows(arguments.stages.split(","), arguments.seed, arguments.smoke):
        key = f"{row.stage}/{row.layer.name}"
        if time.monotonic() - began > arguments.budget:
            known["left_out"].append(key)
            continue
        if not set(row.pairs) & set(engines):
            continue
        made, old = measure(row, engines, arguments.smoke), known["rows"].get(key, {})
        for part in ("times", "compile", "errors"):
            made[part] = {**old.get(part, {}), **made[part]}
        known["rows"][key] = made
        save(path, known)
        shown = "  ".join(f"{k} {1e3 * s:.3f}" for k, s in made["times"].items())
        print(
            f"{time.monotonic() - began:4.0f} s {key} [{row.mode}], ms: {shown}", flush=True
        )
        for name, text in made["errors"].items():
            print(f"       {name}: {text}", flush=True)
    save(path, known)
    print(f"left out for time: {len(known['left_out'])} rows")


if __name__ == "__main__":
    main()
