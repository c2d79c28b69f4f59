"""Tables of the results of `tests.benchmarks.bench_gpu`, for the performance page.

``python -m tests.benchmarks.gpu_tables gpu.json [--write]`` prints them, and writes them
into the page. The page names the card, so results of several cards are several files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tests.benchmarks import harness

Rows = list[dict[str, Any]]

TITLES = {
    "reports": "Layers whose slowness was reported in public",
    "float32": "Layers of models, float32 without TensorFloat-32",
    "tf32": "Layers of models, float32 with TensorFloat-32",
    "bfloat16": "Layers of models, bfloat16",
    "random": "Random layers, float32 without TensorFloat-32",
    "cupy": "CuPy, float32",
}
MAPS = {"forward": "forward", "dx": "gradient by x", "dw": "gradient by the kernel"}


def number(value: float | None, factor: float = 1.0) -> str:
    """Write three digits, and no exponent."""
    if value is None:
        return "-"
    value *= factor
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def best(row: dict[str, Any], peer: str, what: str) -> float | None:
    """Return the time of the faster layout of a peer, where there is one."""
    names = [f"{peer} {order} {what}" for order in ("first", "last")]
    times = [row["times"][name] for name in names if name in row["times"]]
    return min(times, default=None)


def compared(rows: Rows, ours: str, whats: tuple[str, ...], peers: tuple[str, ...]) -> str:
    """Lay out times and ratios, with the geometric means and the smallest below."""
    blocks = []
    for what in whats:
        header = ["layer", f"{ours}, ms"]
        header += [f"{peer}, ms" for peer in peers] + [f"x {peer}" for peer in peers]
        ratios: dict[str, list[float]] = {peer: [] for peer in peers}
        lines = []
        for row in rows:
            own = row["times"].get(f"{ours} {what}")
            others = {peer: best(row, peer, what) for peer in peers}
            cells = [row["layer"], number(own, 1e3)]
            cells += [number(others[peer], 1e3) for peer in peers]
            for peer in peers:
                other = others[peer]
                ratio = other / own if own and other else None
                ratios[peer] += [ratio] if ratio else []
                cells.append(number(ratio))
            lines.append(cells)
        for name, join in (("geometric mean", harness.geometric_mean), ("smallest", min)):
            shown = [number(join(ratios[peer])) if ratios[peer] else "-" for peer in peers]
            lines.append([name, *[""] * (1 + len(peers)), *shown])
        label = "Forward" if what == "forward" else "Forward and both gradients"
        blocks += [f"{label}:", harness.markdown_table(header, lines)]
    return "\n\n".join(blocks)


def forms(rows: Rows, names: tuple[str, ...]) -> str:
    """Lay out the forms of every map, the fastest in bold."""
    lines = []
    for row in rows:
        for what, label in MAPS.items():
            times = [row["times"].get(f"{name} {what}") for name in names]
            known = [seconds for seconds in times if seconds is not None]
            if not known:
                continue
            cells = [
                f"**{number(t, 1e3)}**" if t == min(known) else number(t, 1e3)
                for t in times
            ]
            lines.append([row["layer"], label, *cells])
    header = ["layer", "map", *(f"{name}, ms" for name in names)]
    return harness.markdown_table(header, lines)


def compiling(rows: Rows) -> str:
    """Lay out the seconds to compile forward and both gradients."""
    lines = [
        [row["layer"], *(number(row["compile"].get(f"{n} grads")) for n in names)]
        for row in rows
        for names in [("mtconv", "lax first")]
    ]
    return harness.markdown_table(["layer", "mtconv, s", "lax, s"], lines)


def failures(rows: Rows) -> list[str]:
    """List what failed or gave another result."""
    return [
        f"- `{row['layer']}` ({row['stage']}), {name}: {text}"
        for row in rows
        for name, text in row["errors"].items()
    ]


def tables(results: dict[str, Any]) -> str:
    """Lay out all results of one card."""
    versions = ", ".join(f"{name} {v}" for name, v in results["versions"].items())
    blocks = [f"Measured on one {results['card']}: {versions}."]
    if results["ceilings"]:
        limits = results["ceilings"]
        rates = [f"{name} {limits[name] / 1e12:.3g}" for name in limits if name != "copy"]
        blocks.append(
            f"Measured limits of the card: a copy {limits['copy'] / 1e9:.0f} GB/s, matrix "
            f"products in 10^12 multiply-adds per second: {', '.join(rates)}."
        )
    rows = list(results["rows"].values())
    for stage, title in TITLES.items():
        chosen = [row for row in rows if row["stage"] == stage]
        if not chosen:
            continue
        blocks.append(f"#### {title}")
        if stage == "reports":
            names = ("native", "polyphase", "gemm", "inserted")
            blocks.append(forms(chosen, (*names, "lax first", "lax last", "torch first")))
            blocks.append(compared(chosen, "mtconv", ("grads",), ("lax", "torch")))
        elif stage == "cupy":
            blocks.append(compared(chosen, "mtconv cupy", ("forward",), ("torch",)))
        else:
            both = ("forward", "grads")
            blocks.append(compared(chosen, "mtconv", both, ("lax", "torch")))
        if stage == "float32":
            chosen_forms = [row for row in rows if row["stage"] == "forms"]
            if chosen_forms:
                blocks.append("Forms of mtconv, the fastest in bold:")
                blocks.append(forms(chosen_forms, ("native", "polyphase", "gemm")))
            blocks += ["Seconds to compile forward and both gradients:", compiling(chosen)]
    if lines := failures(rows):
        blocks += ["What failed or differed:", "\n".join(lines)]
    if results["left_out"]:
        blocks.append(f"Left out for time: {len(results['left_out'])} rows.")
    return "\n\n".join(blocks)


def main() -> None:
    """Print the tables of a file, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text())
    text = tables(results)
    if arguments.write:
        if results["smoke"]:
            msg = "results of a smoke run are no measurements"
            raise SystemExit(msg)
        harness.write_section("gpu tables", text)
    print(text)


if __name__ == "__main__":
    main()
