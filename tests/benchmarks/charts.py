"""Charts of the performance page: every layer a dot, at the ratio of two times.

The site draws them in the colours of both themes (docs/_extensions/speed.py), and
`tests.benchmarks.summary` draws that of the README.
"""

from __future__ import annotations

from collections import Counter
from math import floor, log2
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from mtconv.drawing.theme import THEMES, Theme
from tests.benchmarks.summary import Comparison, comparisons, pick, times

__all__ = ["draw_comparisons", "draw_layers", "write_picture"]

# The axis, in powers of two; what lies beyond is drawn at its end as a triangle.
LOW, HIGH = -3, 5
SLOWER, FASTER = "#D55E00", "#0072B2"
ON_DARK = {SLOWER: "#E69F00", FASTER: "#56B4E9"}
# Dots in a bin of a quarter of an octave lie above one another, up to this height.
BIN = 0.25
STEP, HEIGHT = 0.15, 0.5


def draw_comparisons(page: str, theme: Theme) -> Figure:
    """Draw a row for each comparison of the transposed convolution, a dot a layer.

    The other maps have rows for the first engine only, or the chart would fill a page.
    """
    every = comparisons(page)
    first = {(row.engine, row.layers) for row in every[:1]}
    rows = [
        row
        for row in every
        if row.map.startswith("conv_transpose") or (row.engine, row.layers) in first
    ]
    figure = Figure(figsize=(5.2, 0.75 + 0.72 * len(rows)), layout="constrained")
    axes = figure.subplots()
    _ground(figure, axes, theme)
    for number, row in enumerate(reversed(rows)):
        _dots(axes, row, number, theme)
        axes.text(
            LOW - 0.3,
            number + 0.62,
            f"{row.engine}: {row.map} vs {_short(row.peer)}"
            + (" (random)" if row.capped else ""),
            color=theme.ink,
            fontsize=8.5,
            # Without this, the lines of the axis cross the words.
            bbox={"facecolor": theme.ground, "edgecolor": "none", "pad": 1},
        )
    axes.set_ylim(-0.25, len(rows) - 0.05)
    axes.set_yticks([])
    axes.set_title(
        "Speed of mtconv relative to other libraries",
        loc="left",
        color=theme.ink,
        fontsize=11,
    )
    axes.set_xlabel(
        "← slower   times as fast   faster →\ndot: a layer; bar and number: geometric mean",
        color=theme.ink,
    )
    return figure


def draw_layers(page: str, theme: Theme) -> Figure:
    """Draw a row for each published layer, a mark for each engine, against torch."""
    every = pick(comparisons(page), "layers of published models", "conv_transpose")
    shown = [row for row in every if row.peer != "lax"]
    order = sorted(shown[0].ratios, key=lambda layer: shown[0].ratios[layer])
    figure = Figure(figsize=(6.4, 0.9 + 0.24 * len(order)), layout="constrained")
    axes = figure.subplots()
    _ground(figure, axes, theme)
    for row, marker, colour in zip(shown, "oDs", (FASTER, SLOWER, "#009E73"), strict=False):
        colour = ON_DARK.get(colour, colour) if theme is THEMES["dark"] else colour
        known = [layer for layer in order if layer in row.ratios]
        axes.plot(
            [_place(row.ratios[layer]) for layer in known],
            [order.index(layer) for layer in known],
            marker,
            color=colour,
            markersize=6,
            label=f"{row.engine} vs {_short(row.peer)}",
        )
    axes.set_yticks(range(len(order)), order, color=theme.ink, fontsize=8)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.grid(axis="y", color=theme.faint, alpha=0.3, linewidth=0.6)
    axes.set_title(
        "conv_transpose on each layer of published models",
        loc="left",
        color=theme.ink,
        fontsize=11,
    )
    axes.set_xlabel("← slower   times as fast   faster →", color=theme.ink)
    legend = figure.legend(loc="outside lower center", fontsize=8)
    legend.get_frame().set_facecolor(theme.ground)
    for text in legend.get_texts():
        text.set_color(theme.ink)
    return figure


def write_picture(page: str, path: Path) -> None:
    """Write the first chart in light colours, the same bytes for the same tables."""
    figure = draw_comparisons(page, THEMES["light"])
    with mpl.rc_context({"svg.hashsalt": "mtconv"}):
        figure.savefig(path, metadata={"Date": None})


def _short(peer: str) -> str:
    return peer.removeprefix("the faster of ").replace(" and ", "/")


def _place(ratio: float) -> float:
    """Return the place of a ratio on the axis."""
    return min(max(log2(ratio), LOW), HIGH)


def _ground(figure: Figure, axes: Any, theme: Theme) -> None:
    """Draw the axis of powers of two, and the line between slower and faster."""
    figure.set_facecolor(theme.ground)
    axes.set_facecolor(theme.ground)
    powers = range(LOW, HIGH + 1)
    axes.set_xticks(powers, [f"1/{2**-p}" if p < 0 else str(2**p) for p in powers])
    axes.set_xlim(LOW - 0.35, HIGH + 0.35)
    axes.tick_params(axis="x", color=theme.edge, labelcolor=theme.ink)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=theme.ink, linewidth=1)
    for power in powers:
        axes.axvline(power, color=theme.faint, alpha=0.25, linewidth=0.6, zorder=0)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.edge)


def _dots(axes: Any, row: Comparison, level: int, theme: Theme) -> None:
    """Draw the layers of a comparison as dots that are piled up, and their mean."""
    piled: Counter[int] = Counter()
    colours = {
        colour: ON_DARK[colour] if theme is THEMES["dark"] else colour
        for colour in (SLOWER, FASTER)
    }
    ratios = sorted(row.ratios.values())
    most = max(Counter(floor(_place(ratio) / BIN) for ratio in ratios).values())
    step = min(STEP, HEIGHT / max(most - 1, 1))
    for ratio in ratios:
        place = _place(ratio)
        group = floor(place / BIN)
        height = level + step * piled[group]
        piled[group] += 1
        beyond = ratio > 2**HIGH or ratio < 2**LOW
        axes.plot(
            [place if beyond else (group + 0.5) * BIN],
            [height],
            ("<" if ratio < 1 else ">") if beyond else "o",
            color=colours[SLOWER if ratio < 1 else FASTER],
            markersize=5,
            alpha=0.9,
        )
    mean = _place(row.mean)
    axes.plot([mean, mean], [level - 0.12, level + 0.5], color=theme.ink, linewidth=2)
    axes.text(
        HIGH + 0.3,
        level + 0.62,
        f"{times(row.mean)}×",
        color=theme.ink,
        fontsize=8.5,
        fontweight="bold",
        ha="right",
    )
