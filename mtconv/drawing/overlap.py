"""The map of overlapping taps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mtconv.drawing.theme import Theme
from mtconv.explaining.checkerboard import overlap_advice, overlap_of
from mtconv.spec import ConvSpec

__all__ = ["overlap_figure"]

_WIDEST = 5.0
_LEGIBLE = 0.2


def overlap_figure(spec: ConvSpec, theme: Theme) -> Figure:
    """Draw the counts as an image with their numbers, advice below."""
    counts = np.atleast_2d(overlap_of(spec))
    rows, columns = counts.shape
    advice = overlap_advice(spec)
    if len(advice) == 2:
        both = [f"both axes {advice[0]}"]
        apart = [f"rows {advice[0]}", f"columns {advice[1]}"]
        advice = both if advice[0] == advice[1] else apart
    words = max(0.082 * max(map(len, advice)), 3.0)
    # Cells grow until the map is as wide as the words below it.
    inches = min(_WIDEST / max(rows, columns), max(0.4, words / columns))
    width = max(columns * inches, words) + 0.3
    size = (width, rows * inches + 0.7 + 0.24 * len(advice))
    figure = Figure(figsize=size, facecolor=theme.ground)
    style: dict[str, Any] = {"color": theme.ink, "va": "center"}
    place = (0.15 / width, 1 - 0.25 / size[1])
    title = "taps that reach each element of the result"
    figure.text(*place, title, size=12, weight="bold", **style)
    for number, line in enumerate(advice):
        down = 0.24 * (len(advice) - number - 0.5) + 0.05
        figure.text(0.15 / width, down / size[1], line, size=9.5, **style)
    box = (0.15, size[1] - 0.5 - rows * inches, columns * inches, rows * inches)
    axes = figure.add_axes(
        (box[0] / width, box[1] / size[1], box[2] / width, box[3] / size[1])
    )
    axes.set_axis_off()
    axes.imshow(counts, cmap="cividis", vmin=0, aspect="auto", interpolation="nearest")
    if inches >= _LEGIBLE:
        _number(axes, counts)
    return figure


def _number(axes: Any, counts: Any) -> None:
    middle = counts.max() / 2
    for (row, column), count in np.ndenumerate(counts):
        colour = "#000000" if count >= middle else "#ffffff"
        axes.text(column, row, str(count), ha="center", va="center", size=9, color=colour)
