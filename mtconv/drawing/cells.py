"""Grids of cells on matplotlib axes, each cell at the coordinates it is asked to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from mtconv.drawing.theme import Theme

__all__ = ["Canvas", "Cell", "Place", "Point"]

# Smaller cells than this, in inches, carry no numbers.
_LEGIBLE = 0.19

Cell = tuple[int, ...]
Point = tuple[float, float]
Place = Callable[[Cell], Point]  # a cell's centre


@dataclass(frozen=True)
class Canvas:
    """Axes of a picture, whose unit of length is one cell of ``inches``."""

    axes: Any
    theme: Theme
    inches: float

    def fill(self, name: str, place: Place, cells: Iterable[Cell], colour: Any) -> None:
        """Draw cells with an outline; ``colour`` gives the fill of each.

        The collection gets the id ``name``.
        """
        cells = list(cells)
        fills = [colour(cell) for cell in cells]
        collection = PatchCollection(
            [_square(place(cell)) for cell in cells],
            facecolors=fills,
            edgecolors=self.theme.edge if self.inches > 0.12 else "none",
            linewidths=0.8,
            zorder=2,
        )
        collection.set_gid(name)
        self.axes.add_collection(collection)

    def hatch(self, name: str, place: Place, cells: Iterable[Cell]) -> None:
        """Draw cells that are cropped or padded: an outline that steps back, hatched."""
        collection = PatchCollection(
            [_square(place(cell)) for cell in cells],
            facecolors="none",
            edgecolors=self.theme.faint,
            linewidths=0.6,
            hatch="////",
            zorder=1,
        )
        collection.set_gid(name)
        self.axes.add_collection(collection)

    def dash(self, name: str, place: Place, cells: Iterable[Cell]) -> None:
        """Draw a dashed outline around cells that output padding adds."""
        collection = PatchCollection(
            [_square(place(cell)) for cell in cells],
            facecolors="none",
            edgecolors=self.theme.mark,
            linewidths=2.2,
            linestyles=(0, (2.5, 1.5)),
            zorder=4,
        )
        collection.set_gid(name)
        self.axes.add_collection(collection)

    def number(
        self,
        place: Place,
        cells: Iterable[Cell],
        text: Callable[[Cell], str],
        colour: str = "#000000",
    ) -> list[Any]:
        """Write into the cells, where they are large enough to be read."""
        written = [(cell, text(cell)) for cell in cells]
        longest = max((len(words) for _, words in written), default=0)
        points = min(10.0, 72 * self.inches * 1.25 / max(longest, 2))
        if self.inches < _LEGIBLE or points < 4:
            return []
        style = {
            "ha": "center",
            "va": "center",
            "size": points,
            "color": colour,
            "zorder": 5,
        }
        return [self.axes.text(*place(cell), words, **style) for cell, words in written]

    def frame(self, place: Place, first: Cell, last: Cell, gid: str) -> Any:
        """Outline the block of cells from first to last."""
        (left, top), (right, bottom) = place(first), place(last)
        outline = Rectangle(
            (left - 0.5, top - 0.5),
            right - left + 1,
            bottom - top + 1,
            fill=False,
            edgecolor=self.theme.ink,
            linewidth=min(2.6, max(1.0, 9 * self.inches)),
            joinstyle="round",
            clip_on=False,
            zorder=6,
        )
        outline.set_gid(gid)
        self.axes.add_patch(outline)
        return outline

    def caption(self, across: float, down: float, text: str, **style: Any) -> None:
        """Write a line of text that is no part of a cell."""
        style = {"size": 10, "color": self.theme.ink, "va": "center"} | style
        self.axes.text(across, down, text, **style)


def _square(centre: Point) -> Rectangle:
    return Rectangle((centre[0] - 0.5, centre[1] - 0.5), 1, 1)
