"""Where the two sides and the kernel stand: in rows for one axis, as grids for two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import product
from typing import Any

import numpy as np

from mtconv.drawing.cells import Canvas, Cell, Point
from mtconv.drawing.model import DrawnTap, Scene

__all__ = ["GridLayout", "PictureLayout", "RowLayout"]


# Inches: a cell where there is room, and the widest row of cells.
_CELL = 0.42
_WIDEST = 6.0


class PictureLayout(ABC):
    """Positions of everything in a picture, ``width`` by ``height`` cells large.

    A cell is ``inches`` long; ``unit`` cells are as long as one cell where there is room,
    which is what texts and gaps need.
    """

    width: float
    height: float

    def __init__(self, scene: Scene, across: int) -> None:
        self.scene = scene
        self.forward = scene.form == "conv"  # the arrows start on the big side
        self.inches = min(_CELL, _WIDEST / across)
        self.unit = _CELL / self.inches

    @abstractmethod
    def small(self, cell: Cell) -> Point:
        """Centre of a small cell."""

    @abstractmethod
    def big(self, cell: Cell) -> Point:
        """Centre of a big cell; those in the padding have places too."""

    @abstractmethod
    def kernel(self, tap: Cell) -> Point:
        """Centre of a tap of the kernel."""

    @abstractmethod
    def draw_labels(self, canvas: Canvas) -> None:
        """Name both sides and the kernel."""

    @abstractmethod
    def draw_taps(self, canvas: Canvas) -> list[list[Any]]:
        """Draw what connects the sides; return the marks of each small cell, C order."""

    def draw(self, canvas: Canvas) -> list[list[Any]]:
        """Draw it all; return the marks of each small cell."""
        scene, theme = self.scene, canvas.theme
        small = list(np.ndindex(*scene.small))
        taps = list(np.ndindex(*scene.kernel))
        inside = list(np.ndindex(*scene.big))
        beside = sorted(set(product(*(line.shown for line in scene.lines))) - set(inside))
        reached = scene.reached()

        def fill(cell: Cell) -> Any:
            return theme.phase(scene.phase(cell)) if cell in reached else theme.ground

        canvas.fill("small", self.small, small, lambda _: theme.ground)
        canvas.fill("big", self.big, inside, fill)
        canvas.fill("kernel", self.kernel, taps, lambda j: theme.phase(scene.tap_phase(j)))
        canvas.hatch("padding", self.big, beside)
        canvas.dash("output-padding", self.big, scene.added())
        canvas.number(self.kernel, taps, digits)
        repeated = {cell: scene.source(cell) for cell in beside}
        copies = {cell: source for cell, source in repeated.items() if source is not None}
        canvas.number(self.big, copies, lambda cell: digits(copies[cell]), theme.ink)
        self.draw_labels(canvas)
        return self.draw_taps(canvas)

    def taps_by_cell(self) -> list[list[DrawnTap]]:
        """Return the taps of each small cell, in C order."""
        by_cell: dict[Cell, list[DrawnTap]] = {
            cell: [] for cell in np.ndindex(*self.scene.small)
        }
        for tap in self.scene.taps:
            by_cell[tap.small].append(tap)
        return list(by_cell.values())


class RowLayout(PictureLayout):
    """One axis: kernel, input and result below one another, with a line for each tap."""

    def __init__(self, scene: Scene) -> None:
        (self.line,) = scene.lines
        cells = max(len(self.line.shown), self.line.axis.extent)
        super().__init__(scene, cells)
        self._left = 2.0 * self.unit  # room for the names of the rows
        self._kernel = 0.6
        self._input = self._kernel + 1.0 + 0.5 * self.unit
        self._result = self._input + 1.0 + 2.0 * self.unit
        self.width = self._left + cells + 0.1
        self.height = self._result + 0.6

    def _across(self, o: float) -> float:
        return self._left + o - self.line.shown.start + 0.5

    def small(self, cell: Cell) -> Point:
        """Place a small cell in the middle of the big cells it meets."""
        axis = self.line.axis
        middle = axis.stride * cell[0] + (axis.extent - 1) / 2 - axis.lo
        return self._across(middle), self._result if self.forward else self._input

    def big(self, cell: Cell) -> Point:
        """Place a big cell."""
        return self._across(cell[0]), self._input if self.forward else self._result

    def kernel(self, tap: Cell) -> Point:
        """Place a tap, as far apart as the dilation says."""
        return self._left + self.line.axis.dilation * tap[0] + 0.5, self._kernel

    def draw_labels(self, canvas: Canvas) -> None:
        """Name the rows."""
        for down, name in (
            (self._kernel, "kernel"),
            (self._input, "input"),
            (self._result, "result"),
        ):
            canvas.caption(0, down, name)

    def draw_taps(self, canvas: Canvas) -> list[list[Any]]:
        """Draw a line for each tap, dashed where it ends in cropped cells."""
        canvas.number(
            self.small, list(np.ndindex(*self.scene.small)), digits, canvas.theme.ink
        )
        canvas.number(
            self.big, sorted(c for c in self.scene.reached() if self._inside(c)), digits
        )
        frames = []
        for number, taps in enumerate(self.taps_by_cell()):
            marks = [
                canvas.frame(self.small, taps[0].small, taps[0].small, f"frame-{number}")
            ]
            for tap in taps:
                self._connect(canvas, tap, f"tap-{tap.small[0]}-{tap.tap[0]}", 1.6)
                gid = f"frame-{number}-{tap.tap[0]}"
                marks.append(self._connect(canvas, tap, gid, 4.0))
            frames.append(marks)
        return frames

    def _inside(self, cell: Cell) -> bool:
        return 0 <= cell[0] < self.line.axis.big

    def _connect(self, canvas: Canvas, tap: DrawnTap, gid: str, width: float) -> Any:
        ends = [self.small(tap.small), self.big(tap.big)]
        (across, down), (to, below) = reversed(ends) if self.forward else ends
        colour = canvas.theme.phase_line(self.scene.tap_phase(tap.tap))
        kept = tap.kept
        (line,) = canvas.axes.plot(
            (across, to),
            (down + 0.5, below - 0.5 - 0.12 * self.unit),
            color=colour if kept else canvas.theme.faint,
            linewidth=width if kept else width / 2,
            linestyle="-" if kept else "--",
            marker="v",
            markevery=[1],
            markersize=width + 3,
            solid_capstyle="butt",
            zorder=3 if kept else 1.5,
        )
        line.set_gid(gid)
        return line


class GridLayout(PictureLayout):
    """Two axes: kernel, input and result from left to right."""

    def __init__(self, scene: Scene) -> None:
        rows, columns = scene.small
        taps_down, taps_across = scene.kernel
        tall, wide = (len(line.shown) for line in scene.lines)
        super().__init__(scene, columns + taps_across + wide)
        # A caption is about two cells wide.
        narrow = max(columns, 2 * self.unit)
        beside = max(taps_across, 2 * self.unit) + self.unit
        gap = 2.0 * self.unit
        self._top = 0.9 * self.unit
        self._small_left = 0.1 + beside + (wide + gap if self.forward else 0)
        self._big_left = 0.1 + beside + (0 if self.forward else narrow + gap)
        self.width = beside + narrow + gap + wide + 0.2
        self.height = self._top + max(rows, taps_down, tall) + 0.2

    def small(self, cell: Cell) -> Point:
        """Place a small cell."""
        return self._small_left + cell[1] + 0.5, self._top + cell[0] + 0.5

    def big(self, cell: Cell) -> Point:
        """Place a big cell."""
        down, across = (
            o - line.shown.start for o, line in zip(cell, self.scene.lines, strict=True)
        )
        return self._big_left + across + 0.5, self._top + down + 0.5

    def kernel(self, tap: Cell) -> Point:
        """Place a tap; the gaps of a dilated kernel show in the marks."""
        return 0.1 + tap[1] + 0.5, self._top + tap[0] + 0.5

    def draw_labels(self, canvas: Canvas) -> None:
        """Name the grids."""
        names = ("result", "input") if self.forward else ("input", "result")
        for left, name in (
            (self._small_left, names[0]),
            (self._big_left, names[1]),
            (0.1, "kernel"),
        ):
            canvas.caption(left, self._top - 0.4 * self.unit, name)

    def draw_taps(self, canvas: Canvas) -> list[list[Any]]:
        """Mark, for each small cell, where its taps are, with the number of each."""
        frames = []
        for number, taps in enumerate(self.taps_by_cell()):
            first, last = taps[0], taps[-1]
            gid = f"frame-{number}"
            marks = [canvas.frame(self.small, first.small, first.small, gid)]
            marks += self._beams(canvas, first, last, gid)
            apart = any(line.axis.dilation > 1 for line in self.scene.lines)
            blocks = (
                [(tap.big, tap.big) for tap in taps] if apart else [(first.big, last.big)]
            )
            marks += [
                canvas.frame(self.big, *block, f"{gid}-{part}")
                for part, block in enumerate(blocks)
            ]
            names = {tap.big: digits(tap.tap) for tap in taps}
            kept = [tap.big for tap in taps if self.scene.source(tap.big) == tap.big]
            for text in canvas.number(self.big, kept, names.__getitem__):
                text.set_gid(f"{gid}-number-{len(marks)}")
                marks.append(text)
            frames.append(marks)
        return frames

    def _beams(
        self, canvas: Canvas, first: DrawnTap, last: DrawnTap, gid: str
    ) -> list[Any]:
        """Draw two lines from a small cell to the corners of its block."""
        beams = []
        towards = 0.5 if not self.forward else -0.5
        for name, tap, edge in (("upper", first, -0.5), ("lower", last, 0.5)):
            block = (tap.big[0], first.big[1] if not self.forward else last.big[1])
            (across, down), (to, below) = self.small(tap.small), self.big(block)
            (beam,) = canvas.axes.plot(
                (across + towards, to - towards),
                (down + edge, below + edge),
                color=canvas.theme.ink,
                linewidth=1.0,
                alpha=0.7,
                zorder=6,
            )
            beam.set_gid(f"{gid}-{name}")
            beams.append(beam)
        return beams


def digits(cell: Cell) -> str:
    """Write a cell's indices, one after another."""
    return (
        "".join(map(str, cell)) if max(cell, default=0) < 10 else ",".join(map(str, cell))
    )
