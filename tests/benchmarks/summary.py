"""What the tables of the performance page say at a glance: sentences, and a picture.

``python -m tests.benchmarks.summary`` reads the tables in docs/performance.md and the times
of `bench_random` in `results`, and writes the sentences at the head of that page, those of
the front pages, and the picture of the README. Every benchmark that writes a table does the
same (`harness.write_section`), so no sentence is older than its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from tests.benchmarks.harness import DOCS, geometric_mean, replace_section

__all__ = ["Comparison", "comparisons", "front_sentences", "page_sentences", "update"]

ROOT = DOCS.parents[1]
RESULTS = Path(__file__).with_name("results")

# Ratios above this count as this, as in the table of layers drawn at random.
MOST = 4.0


@dataclass(frozen=True)
class Comparison:
    """Ratios of layers, by name: the time of ``peer`` divided by that of mtconv.

    ``engine`` and ``map`` say what mtconv computed; ``capped`` ratios count as at most 4.
    """

    engine: str
    map: str
    peer: str
    layers: str
    ratios: dict[str, float]
    capped: bool = False

    @property
    def mean(self) -> float:
        """Return the geometric mean of the ratios."""
        most = MOST if self.capped else float("inf")
        return geometric_mean(min(ratio, most) for ratio in self.ratios.values())

    @property
    def median(self) -> float:
        """Return the median of the ratios, which few extreme layers do not change."""
        return median(self.ratios.values())

    @property
    def ahead(self) -> int:
        """Return the number of layers on which mtconv is at least as fast."""
        return sum(ratio >= 1 for ratio in self.ratios.values())


def tables(page: str, marker: str) -> list[list[dict[str, str]]]:
    """Read the tables of a section: for each a list of rows, cells by column."""
    _, _, rest = page.partition(f"<!-- begin {marker} -->")
    section, _, _ = rest.partition(f"<!-- end {marker} -->")
    read = []
    for block in section.split("\n\n"):
        lines = [line for line in block.strip().splitlines() if line.startswith("|")]
        if lines:
            header, _, *rows = [line.strip("| ").split(" | ") for line in lines]
            read.append([dict(zip(header, row, strict=False)) for row in rows])
    return read


def column(table: list[dict[str, str]], name: str) -> dict[str, float]:
    """Return the numbers of a column, by layer; rows without one are left out."""
    rows = [(row["layer"], row.get(name, "-")) for row in table]
    return {
        layer: float(cell)
        for layer, cell in rows
        if cell.strip() not in ("", "-") and layer != "geometric mean"
    }


def comparisons(page: str, results: Path = RESULTS) -> list[Comparison]:
    """Return all comparisons that the tables of the page and the results allow."""
    published = "layers of published models"
    got = [*_timed(results, "random"), *_timed(results, "public")]
    engine = "NumPy alone"
    for marker, form, peer in (
        ("numpy layers", "conv_transpose", "the faster of torch and onnxruntime"),
        ("numpy conv", "conv", "torch"),
    ):
        for table in tables(page, marker):
            ratios = column(table, "ratio")
            got.append(Comparison(engine, form, peer, published, ratios))
    for form, table in zip(
        ("conv_transpose", "conv_transpose and its gradients"),
        tables(page, "jax tables"),
        strict=False,
    ):
        for peer in ("lax", "torch"):
            ratios = column(table, f"x {peer}")
            got.append(Comparison("JAX", form, peer, published, ratios))
    return [comparison for comparison in got if comparison.ratios]


def _timed(results: Path, kind: str) -> Iterable[Comparison]:
    """Read the times of `bench_random`, of layers drawn at random or of public ones."""
    random = kind == "random"
    layers = "layers drawn at random" if random else "layers of published models"
    # The tables of the page have the public layers with NumPy alone.
    engines = {"numba": "compiled kernels"} | ({"numpy": "NumPy alone"} if random else {})
    for backend, engine in engines.items():
        path = results / f"{kind}-{backend}.json"
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        for form in ("conv_transpose", "conv", "kernel_grad"):
            ratios, peers = {}, set()
            for row in rows:
                if row["map"] == form:
                    seconds = dict(row["seconds"])
                    ours = seconds.pop(backend)
                    ratios[row["layer"]] = min(seconds.values()) / ours
                    peers |= set(seconds)
            both = "the faster of torch and onnxruntime"
            peer = both if len(peers) > 1 else "torch"
            yield Comparison(engine, form, peer, layers, ratios, capped=random)


def pick(every: list[Comparison], *words: str) -> list[Comparison]:
    """Return the comparisons whose engine, map, peer or layers are these words."""
    return [
        comparison
        for comparison in every
        if set(words)
        <= {comparison.engine, comparison.map, comparison.peer, comparison.layers}
    ]


def times(value: float) -> str:
    """Write a ratio with two digits after the point, and with fewer from 10 on."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def page_sentences(page: str, results: Path = RESULTS) -> list[str]:
    """Write what the tables say, for the head of the performance page."""
    every = comparisons(page, results)
    published = pick(every, "layers of published models")
    lines = [
        _mean_sentence(comparison)
        for form in ("conv_transpose", "conv")
        for comparison in every
        if comparison.map == form and comparison.engine != "JAX"
    ]
    for peer in ("lax", "torch"):
        lines += _jax_sentence(pick(published, "JAX", peer))
    for comparison in pick(published, "conv_transpose", "NumPy alone"):
        lines += [_extremes(comparison)]
    return [*lines, *_memory_sentence(page)]


def _mean_sentence(comparison: Comparison) -> str:
    return (
        f"With {comparison.engine}, `{comparison.map}` is {times(comparison.mean)} times "
        f"as fast as {comparison.peer} in geometric mean over {len(comparison.ratios)} "
        f"{comparison.layers}, and at least as fast on {comparison.ahead} of them."
    )


def _jax_sentence(pair: list[Comparison]) -> list[str]:
    if len(pair) != 2:
        return []
    forward, gradients = pair
    peer = "`lax`" if forward.peer == "lax" else forward.peer
    return [
        f"On JAX, `conv_transpose` is {times(forward.mean)} times as fast as {peer} "
        f"(median {times(forward.median)}), and {times(gradients.mean)} times with both "
        f"gradients (median {times(gradients.median)}); forward, it is at least as fast on "
        f"{forward.ahead} of {len(forward.ratios)} layers."
    ]


def _extremes(comparison: Comparison) -> str:
    ranked = sorted(comparison.ratios, key=lambda layer: comparison.ratios[layer])

    def listed(layers: list[str]) -> str:
        return ", ".join(f"`{x}` ({times(comparison.ratios[x])})" for x in layers)

    return (
        f"{comparison.engine} is furthest ahead on {listed(ranked[:-4:-1])}, and furthest "
        f"behind on {listed(ranked[:3])}."
    )


def _memory_sentence(page: str) -> list[str]:
    lines = []
    for table in tables(page, "numpy memory"):
        most = []
        for name in ("mtconv (traced / resident)", "torch", "onnxruntime"):
            cells = [row[name].rpartition("/")[2].strip() for row in table]
            most.append(max(float(cell) for cell in cells if cell != "-"))
        lines.append(
            f"Beyond the result, NumPy takes at most {most[0]:.0f} MiB on these layers, "
            f"torch up to {most[1]:.0f} MiB, and onnxruntime up to {most[2]:.0f} MiB."
        )
    return lines


def front_sentences(page: str, link: str, results: Path = RESULTS) -> list[str]:
    """Write two sentences for a front page, of which ``link`` leads to the tables."""
    every = pick(comparisons(page, results), "conv_transpose")
    parts = [
        f"{times(drawn.mean)} times as fast as {drawn.peer} with compiled kernels, over "
        f"{len(drawn.ratios)} layers drawn at random"
        for drawn in pick(every, "compiled kernels", "layers drawn at random")
    ]
    (numpy,) = pick(every, "NumPy alone", "layers of published models")
    (lax,) = pick(every, "JAX", "lax")
    parts.append(
        f"{times(numpy.mean)} times as fast as {numpy.peer} with NumPy alone and "
        f"{times(lax.mean)} times as fast as `lax` on JAX (median {times(lax.median)}), "
        f"over {len(numpy.ratios)} layers of published models"
    )
    return [
        "On a CPU with two cores, `conv_transpose` is, in geometric mean, "
        f"{'; '.join(parts)}.",
        "It is not faster everywhere: each dot of the chart is a layer, mtconv is slower "
        f"on those left of the line, and the [tables]({link}) name them.",
    ]


FRONT_PAGES = {
    ROOT / "README.md": "docs/performance.md",
    DOCS.with_name("index.md"): "performance.md",
}


def wrapped(sentences: list[str], width: int = 92) -> str:
    """Join sentences and break lines between words, never within a link or code."""
    lines: list[str] = [""]
    for word in " ".join(sentences).split():
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) > width:
            lines.append(word)
        else:
            lines[-1] = joined
    return "\n".join(lines)


def update() -> None:
    """Write all sentences, and the picture of the README where matplotlib is installed."""
    page = DOCS.read_text()
    bullets = [f"- {sentence}" for sentence in page_sentences(page)]
    texts = ["\n  ".join(wrapped([line]).splitlines()) for line in bullets]
    replace_section("summary", "\n".join(texts), DOCS)
    for path, link in FRONT_PAGES.items():
        replace_section("speed", wrapped(front_sentences(page, link)), path)
    if find_spec("matplotlib"):
        from tests.benchmarks import charts  # which needs this module

        charts.write_picture(page, DOCS.with_name("_static") / "speed.svg")


if __name__ == "__main__":
    update()
