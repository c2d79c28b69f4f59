"""Fit the times of `mtconv.planning.ladders.jax_costs` to measured times.

``python -m tests.benchmarks.fit_jax SEED=FILE ...`` reads files that `bench_jax_random
--maps` wrote, prints the table of that module, and what choices by it cost: on all layers,
and on layers that were left out of the fit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize, nnls

from mtconv.planning.ladders.jax import candidates
from mtconv.planning.ladders.jax_costs import COUNTS, counts
from mtconv.spec import ConvSpec
from tests.benchmarks.bench_jax_random import FORMS, spec_of
from tests.benchmarks.harness import geometric_mean
from tests.benchmarks.random_layers import draw_layers

ROUNDS = 8
STEPS = 200
# The share of a count that was found to take no time.
TRIFLE = 0.003
# Estimates whose logarithms differ by so much are still weighed against each other; what
# errors of estimates weigh beside choices, and what a choice loses at most, as a logarithm.
SOFTNESS, WEIGHT, MOST_LOST = 0.15, 0.5, 3.0
PARTS = 6

Table = dict[tuple[str, str], dict[str, int]]


class Timed(NamedTuple):
    """One map of a layer, and the seconds of the algorithms that compete for it."""

    name: str
    spec: ConvSpec
    form: str
    batch: int
    seconds: dict[str, float]


def load(sources: Iterable[str]) -> list[Timed]:
    """Read times; maps for which a rule knows the algorithm are left out."""
    listed = []
    for source in sources:
        seed, _, path = source.partition("=")
        rows = json.loads(Path(path).read_text())
        for layer in draw_layers(int(seed), 100):
            for form in FORMS if layer.name in rows else ():
                spec, row = spec_of(layer), rows[layer.name]
                names = candidates(spec, form, layer.dtype)
                own = {a: row[f"{form} {a}"] for a in names if f"{form} {a}" in row}
                if len(names) > 1:
                    listed.append(Timed(layer.name, spec, form, layer.batch, own))
    return listed


def fit(timed: Sequence[Timed]) -> Table:
    """Fit one row for each map and algorithm: to times, and then to choices too."""
    table: Table = {}
    for form in FORMS:
        own = [t for t in timed if t.form == form]
        rows = {a: _fit_times(a, [t for t in own if a in t.seconds]) for a in COUNTS}
        for algorithm, each in _fit_choices(own, rows).items():
            named = zip(COUNTS[algorithm], 1e12 * each, strict=True)
            table[form, algorithm] = {name: _short(v) for name, v in named if _short(v)}
    return table


def _short(value: float) -> int:
    """Round to two digits."""
    return round(float(f"{value:.2g}")) if value >= 1 else 0


def _fit_times(algorithm: str, timed: Sequence[Timed]) -> Any:
    """Fit the times of one algorithm, so that relative errors are small."""
    counted = np.array([_row(algorithm, t) for t in timed])
    measured = np.array([t.seconds[algorithm] for t in timed])
    scale = np.maximum(counted.max(axis=0), 1)
    weights = 1 / measured
    for _ in range(ROUNDS):  # towards errors of the logarithm
        lhs = counted / scale * weights[:, None]
        solution, _ = nnls(lhs, measured * weights)
        weights = 1 / np.sqrt(measured * (counted / scale @ solution + 1e-9))
    fitted = solution / scale
    # What takes no time so far gets a trifle, which the fit to choices can enlarge.
    share = (counted / (counted @ fitted)[:, None]).mean(axis=0)
    return np.maximum(fitted, np.where(share > 0, TRIFLE / np.maximum(share, 1e-300), 0))


def _fit_choices(timed: Sequence[Timed], rows: dict[str, Any]) -> dict[str, Any]:
    """Fit what choices cost, together with the errors of estimates, from a first fit on.

    A choice is a mean over algorithms, weighted by how small their estimates are.
    """
    used = {a: np.array([a in t.seconds for t in timed]) for a in rows}
    counted = {
        a: np.array([_row(a, t) if a in t.seconds else [0.0] * len(rows[a]) for t in timed])
        for a in rows
    }
    measured = np.array(
        [[log(t.seconds[a]) if a in t.seconds else np.inf for a in rows] for t in timed]
    )
    valid = np.isfinite(measured)
    lost = np.minimum(measured - measured.min(axis=1, keepdims=True), MOST_LOST)
    ends = np.cumsum([0, *map(len, rows.values())])

    def loss(logarithms: Any) -> tuple[float, Any]:
        estimates, shares = np.full(measured.shape, np.inf), []
        for number, algorithm in enumerate(rows):
            part = np.exp(logarithms[ends[number] : ends[number + 1]])
            terms = counted[algorithm] * part
            total = terms.sum(axis=1) + 1e-12
            shares.append(terms / total[:, None])
            estimates[:, number] = np.where(used[algorithm], np.log(total), np.inf)
        best = estimates.min(axis=1, keepdims=True)
        chosen = np.exp((best - estimates) / SOFTNESS)
        chosen /= chosen.sum(axis=1, keepdims=True)
        mean = (chosen * lost).sum(axis=1, keepdims=True)
        errors = np.subtract(estimates, measured, where=valid, out=np.zeros(valid.shape))
        slopes = 2 * WEIGHT * errors - chosen * (lost - mean) / SOFTNESS
        gradient = [s.T @ slopes[:, n] for n, s in enumerate(shares)]
        return float(mean.sum() + WEIGHT * (errors**2).sum()), np.concatenate(gradient)

    start = np.log(np.concatenate(list(rows.values())) + 1e-30)
    end = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    parts = np.split(np.exp(end), ends[1:-1])
    return dict(zip(rows, parts, strict=True))


def _row(algorithm: str, t: Timed) -> list[float]:
    counted = counts(algorithm, t.spec, t.form, t.batch)
    return [counted[name] for name in COUNTS[algorithm]]


def losses(table: Table, timed: Sequence[Timed]) -> dict[str, list[tuple[float, Any]]]:
    """Return chosen over best of every map, with the layer and both algorithms."""
    result: dict[str, list[tuple[float, Any]]] = {form: [] for form in FORMS}
    for t in timed:
        estimates = {
            a: sum(
                n * counts(a, t.spec, t.form, t.batch)[name]
                for name, n in table[t.form, a].items()
            )
            for a in t.seconds
            if (t.form, a) in table
        }
        chosen = min(estimates, key=lambda a: estimates[a])
        best = min(t.seconds, key=lambda a: t.seconds[a])
        loss = t.seconds[chosen] / t.seconds[best]
        result[t.form].append((loss, (t.name, chosen, best)))
    return result


def main() -> None:
    """Fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", help="SEED=FILE")
    arguments = parser.parse_args()
    timed = load(arguments.sources)
    table = fit(timed)
    for (form, algorithm), row in table.items():
        print(f'    ("{form}", "{algorithm}"): {row},')
    within = losses(table, timed)
    without: dict[str, list[float]] = {form: [] for form in FORMS}
    order = {name: n for n, name in enumerate(sorted({t.name for t in timed}))}
    for part in range(PARTS):
        rest = [t for t in timed if order[t.name] % PARTS != part]
        own = [t for t in timed if order[t.name] % PARTS == part]
        for form, rows in losses(fit(rest), own).items():
            without[form] += [loss for loss, _ in rows]
    for form in FORMS:
        worst = sorted(within[form], reverse=True)[:8]
        print(
            f"{form}: {geometric_mean(loss for loss, _ in within[form]):.3f}, of layers "
            f"left out {exp(sum(map(log, without[form])) / len(without[form])):.3f}"
        )
        for loss, row in worst:
            print(f"    {loss:.2f}", *row)


if __name__ == "__main__":
    main()
