"""Fit the weights of `mtconv.planning.gradients` to measured times.

``python -m tests.benchmarks.fit_gradients time SEED ... --folder FOLDER`` times the ways of
kernel gradients on random layers, all of a layer in turn, and keeps the times in FOLDER.
``fit SEED ... --test SEED ... --folder FOLDER`` fits the weights to the times of the first
seeds, and prints them. Then it prints what choices cost, by the new weights and by those of
the module: on the layers of the fit, and on those of ``--test``, which were left out of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

import mtconv
from mtconv.backends import _numpy
from mtconv.planning.gradients import CALLS, PRODUCTS, WEIGHTS, counts
from mtconv.planning.ladders.numpy import rates_of
from mtconv.planning.plan import plan_for
from mtconv.problem.options import freeze
from mtconv.spec import ConvSpec
from tests.benchmarks.bench_jax_random import spec_of
from tests.benchmarks.bench_random import measure, torch_gradient
from tests.benchmarks.harness import Layer, geometric_mean
from tests.benchmarks.random_layers import draw_layers

LAYERS = 66
THREADS = 2
ITEMSIZE = 4  # random layers are in single precision

# Estimates whose logarithms differ by so much are still weighed against each other; what
# errors of estimates weigh beside choices, and what weights far from 1 do; what a choice
# loses at most, as a logarithm.
SOFTNESS, ERRORS, FAR, MOST_LOST = 0.15, 0.3, 0.002, 2.0
STEPS = 200

# A ratio to torch counts for at most this, so that a few layers do not hide the others.
MOST_AHEAD = 4.0

Table = dict[str, dict[str, float]]


class Timed(NamedTuple):
    """A layer, the unweighted seconds of each way, and what each way and torch took."""

    name: str
    counted: dict[str, dict[str, float]]
    seconds: dict[str, float]


def calls_of(layer: Layer) -> dict[str, Callable[[], Any]]:
    """Make calls of each way, and of torch."""
    x, kernel, y = layer.arrays()
    options = freeze("kernel_grad", **layer.options)
    sides, size = (x.shape, y.shape), layer.kernel_size

    def call(way: str) -> Callable[[], Any]:
        algorithm = "gemm" if way == "columns" else "polyphase"
        named = (options, layer.dtype, algorithm, "numpy")
        # Plans are kept for later calls, and the way with them: this one needs its own.
        plan = replace(plan_for("kernel_grad", *sides, *named, kernel_size=size))
        plan.tables["way"] = way
        return lambda: _numpy.run(plan, x, y)

    ways: dict[str, Callable[[], Any]] = {way: call(way) for way in WEIGHTS}
    return {**ways, "torch": torch_gradient(layer, x, kernel, y)}


def time_layers(seed: int, folder: Path) -> None:
    """Time the layers of a seed that were not timed before."""
    path = folder / f"{seed}.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    with mtconv.workers(THREADS):
        for layer in draw_layers(seed, LAYERS):
            if layer.name in rows:
                continue
            seconds = measure(calls_of(layer), 0.04)
            rows[layer.name] = {name: float(f"{s:.4g}") for name, s in seconds.items()}
            path.write_text(json.dumps(rows, indent=1))
            shown = "  ".join(f"{name} {1e3 * s:.3f}" for name, s in seconds.items())
            print(f"{seed} {layer.name}: {shown}", flush=True)


def load(seeds: Iterable[int], folder: Path) -> list[Timed]:
    """Read what was timed, and count what each way does."""
    listed = []
    for seed in seeds:
        rows = json.loads((folder / f"{seed}.json").read_text())
        for layer in draw_layers(seed, LAYERS):
            counted = {
                way: _unweighted(way, spec_of(layer), layer.batch) for way in WEIGHTS
            }
            listed.append(Timed(f"{seed} {layer.name}", counted, rows[layer.name]))
    return listed


def _unweighted(way: str, spec: ConvSpec, batch: int) -> dict[str, float]:
    """Return the seconds that each count would take with a weight of 1."""
    rates = rates_of(ITEMSIZE)
    own = counts(way, spec, batch, rates.block / ITEMSIZE)
    each = dict.fromkeys(own, rates.element)
    each |= dict.fromkeys(PRODUCTS, 1 / rates.gemm) | dict.fromkeys(CALLS, rates.call)
    return {name: own[name] * each[name] for name in WEIGHTS[way]}


def fit(timed: Sequence[Timed], start: Table) -> Table:
    """Fit the weights to times and to choices at once, from a table on.

    A choice is a mean over ways, weighted by how small their estimates are.
    """
    names = [(way, name) for way, row in start.items() for name in row]
    matrices = [np.array([list(t.counted[way].values()) for t in timed]) for way in start]
    ends = np.cumsum([0, *map(len, start.values())])
    measured = np.log([[t.seconds[way] for way in start] for t in timed])
    lost = np.minimum(measured - measured.min(axis=1, keepdims=True), MOST_LOST)

    def loss(logarithms: Any) -> float:
        parts = [np.exp(logarithms[a:b]) for a, b in pairwise(ends)]
        sums = [m @ part for m, part in zip(matrices, parts, strict=True)]
        estimates = np.log(np.stack(sums, axis=1) + 1e-9)
        chosen = np.exp((estimates.min(axis=1, keepdims=True) - estimates) / SOFTNESS)
        chosen /= chosen.sum(axis=1, keepdims=True)
        errors = np.minimum((estimates - measured) ** 2, 1).sum()
        far = (logarithms**2).sum()
        return float((chosen * lost).sum() + ERRORS * errors + FAR * far)

    first = np.log([start[way][name] for way, name in names])
    options = {"maxiter": STEPS, "maxfun": 10**5}
    end = np.exp(minimize(loss, first, method="L-BFGS-B", options=options).x)
    table: Table = {way: {} for way in start}
    for (way, name), weight in zip(names, end, strict=True):
        table[way][name] = float(f"{weight:.2g}")
    return table


def report(title: str, table: Table, timed: Sequence[Timed]) -> None:
    """Print what choices by a table cost, and how they compare with torch."""
    losses, ratios = [], []
    for t in timed:
        estimates = {
            way: sum(weight * t.counted[way][name] for name, weight in row.items())
            for way, row in table.items()
        }
        chosen = min(table, key=lambda way: estimates[way])
        best = min(table, key=lambda way: t.seconds[way])
        losses.append((t.seconds[chosen] / t.seconds[best], t.name, chosen, best))
        ratios.append(min(MOST_AHEAD, t.seconds["torch"] / t.seconds[chosen]))
    mean, of_torch = geometric_mean(loss for loss, *_ in losses), geometric_mean(ratios)
    print(f"{title}: chosen over best {mean:.4f}, of torch {of_torch:.3f}")
    for loss, *row in sorted(losses, reverse=True)[:5]:
        print(f"    {loss:.2f}", *row)


def main() -> None:
    """Time layers, or fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["time", "fit"])
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--test", nargs="*", type=int, default=[])
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.task == "time":
        for seed in arguments.seeds:
            time_layers(seed, arguments.folder)
        return
    timed = load(arguments.seeds, arguments.folder)
    table = fit(timed, WEIGHTS)
    for way, row in table.items():
        print(f'    "{way}": {row},')
    for title, listed in (
        ("fitted", timed),
        ("test", load(arguments.test, arguments.folder)),
    ):
        if listed:
            report(f"{title}, by the new table", table, listed)
            report(f"{title}, by the table of the module", WEIGHTS, listed)


if __name__ == "__main__":
    main()
