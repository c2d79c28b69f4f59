"""One picture of a geometry: both sides, kernel, taps, phases, and the matrix beside."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mtconv.drawing.cells import Canvas, Cell, Point
from mtconv.drawing.layouts import GridLayout, PictureLayout, RowLayout, digits
from mtconv.drawing.model import Scene
from mtconv.drawing.theme import Theme
from mtconv.drawing.words import legend, title

__all__ = ["Picture"]

# Inches.
_MARGIN = 0.15
_HEADING, _LINE = 0.62, 0.24
_MATRIX = 3.4
# A larger matrix would be a grey patch.
_MATRIX_ENTRIES = 100_000


class Picture:
    """A figure, and in `frames` the artists that mark each small cell's part in it.

    Parameters
    ----------
    scene : Scene
        What to show.
    theme : Theme
        The colours.
    matrix : bool
        Whether the matrix stands beside; one of more than 100 000 entries does not.
    """

    def __init__(self, scene: Scene, theme: Theme, *, matrix: bool) -> None:
        self.scene = scene
        self.theme = theme
        layout: PictureLayout = (RowLayout if len(scene.lines) == 1 else GridLayout)(scene)
        text = legend(scene)
        width, height = layout.width * layout.inches, layout.height * layout.inches
        rows, columns = scene.matrix_shape
        matrix = matrix and rows * columns <= _MATRIX_ENTRIES
        tall = min(max(height - 0.3, 2.0), 0.4 * rows)
        wide = min(_MATRIX, max(columns * tall / rows, min(0.28 * columns, 1.6)))
        drawn = width + (wide + 0.8 if matrix else 0.0)
        words = 0.082 * max(map(len, text))
        below = _LINE * len(text) + _MARGIN
        self._size = (
            max(drawn, words, 0.115 * len(title(scene))) + 2 * _MARGIN,
            _HEADING + max(height, tall + 0.5) + below,
        )
        self.figure = Figure(figsize=self._size, facecolor=theme.ground)
        top = self._size[1] - _HEADING
        self._write(0.25, title(scene), size=12, weight="bold")
        for number, line in enumerate(text):
            self._write(self._size[1] - below + _LINE * (number + 0.5), line, size=9.5)
        axes = self._axes(_MARGIN, top - height, width, height)
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        self.frames = layout.draw(Canvas(axes, theme, layout.inches))
        if matrix:
            axes = self._axes(_MARGIN + width + 0.7, top - 0.35 - tall, wide, tall)
            self._draw_matrix(Canvas(axes, theme, min(wide / columns, tall / rows)), tall)

    def show(self, number: int | None) -> None:
        """Show the marks of one small cell (in C order), or of none."""
        for frame, marks in enumerate(self.frames):
            for mark in marks:
                mark.set_visible(frame == number)

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Any:
        whole, tall = self._size
        axes = self.figure.add_axes(
            (left / whole, bottom / tall, width / whole, height / tall)
        )
        axes.set_axis_off()
        return axes

    def _write(self, down: float, text: str, **style: Any) -> None:
        place = (_MARGIN / self._size[0], 1 - down / self._size[1])
        self.figure.text(*place, text, color=self.theme.ink, va="center", **style)

    def _draw_matrix(self, canvas: Canvas, tall: float) -> None:
        """Draw each entry in the colour of its tap's phase, with the tap's number."""
        scene = self.scene
        taps = scene.matrix()
        rows, columns = taps.shape
        entries: dict[Cell, Cell] = {}
        image = np.zeros((rows, columns, 4))
        for row, column in np.argwhere(taps >= 0).tolist():
            tap = np.unravel_index(taps[row, column], scene.kernel)
            entries[row, column] = tuple(map(int, tap))
            colour = self.theme.phase(scene.tap_phase(entries[row, column]))
            image[row, column] = (*colour, 1.0)
        canvas.axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        edges = {"edgecolors": self.theme.faint, "linewidth": 0.4, "clip_on": False}
        mesh = canvas.axes.pcolormesh(
            np.arange(columns + 1) - 0.5,
            np.arange(rows + 1) - 0.5,
            image,
            **(edges if canvas.inches > 0.1 else {}),
        )
        mesh.set_gid("matrix")
        border = Rectangle((-0.5, -0.5), columns, rows, fill=False, clip_on=False)
        border.set(edgecolor=self.theme.faint, linewidth=0.6)
        canvas.axes.add_patch(border)
        above = -0.5 - 0.18 * rows / tall
        name = f"matrix, {rows} × {columns}"
        canvas.caption((columns - 1) / 2, above, name, ha="center")
        canvas.number(_entry, entries, lambda entry: digits(entries[entry]))
        for number, marks in enumerate(self.frames):
            # A small cell is a column of the transposed convolution, a row of the other.
            ends = (0, number), (rows - 1, number)
            if scene.form == "conv":
                ends = (number, 0), (number, columns - 1)
            marks.append(canvas.frame(_entry, *ends, f"frame-{number}-matrix"))


def _entry(entry: Cell) -> Point:
    return entry[1], entry[0]
