"""What a picture shows, as integers: cells, taps, phases and the matrix; no plotting.

A picture has the cells of both sides in the coordinates of the big side, those that are
cropped or padded included. Everything is read off `mtconv.geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message
from mtconv.sketch.line import AxisStrip
from mtconv.spec import ConvSpec

__all__ = ["DrawnTap", "Scene"]

# The longest stretch of the big side that stays readable, by number of spatial axes.
_LONGEST = {1: 32, 2: 16}


@dataclass(frozen=True)
class DrawnTap:
    """Small cell ``small`` meets big cell ``big`` through tap ``tap``, all by axis.

    ``kept`` is False where the big cell lies in the padding.
    """

    small: tuple[int, ...]
    tap: tuple[int, ...]
    big: tuple[int, ...]
    kept: bool


class Scene:
    """A geometry of one or two spatial axes, cut to what one picture can show.

    Parameters
    ----------
    spec : ConvSpec
        The geometry; its channels are not drawn, since all pairs look the same.
    form : str
        "conv_transpose" or "conv": which way the arrows point.
    """

    def __init__(self, spec: ConvSpec, form: str) -> None:
        if spec.rank not in _LONGEST:
            msg = message(
                "draw",
                "spec",
                "must have one or two spatial axes",
                f"{spec.rank} axes",
                fix="Each axis has a relation of its own: draw them one by one.",
            )
            raise GeometryError(msg)
        if form not in ("conv_transpose", "conv"):
            msg = message(
                "draw", "form", "must be one of 'conv_transpose', 'conv'", repr(form)
            )
            raise GeometryError(msg)
        self.spec = spec
        self.form = form
        self.lines = tuple(
            AxisStrip.of(axis, spec.padding_mode, _LONGEST[spec.rank]) for axis in spec.axes
        )

    @property
    def small(self) -> tuple[int, ...]:
        """Number of small cells drawn, by axis."""
        return tuple(line.axis.small for line in self.lines)

    @property
    def big(self) -> tuple[int, ...]:
        """Number of big cells drawn, by axis, without the padding."""
        return tuple(line.axis.big for line in self.lines)

    @property
    def kernel(self) -> tuple[int, ...]:
        """Number of taps, by axis."""
        return tuple(line.axis.kernel for line in self.lines)

    def phase(self, cell: tuple[int, ...]) -> int:
        """Return the number of a big cell's phase, the last axis counting fastest."""
        return self._number(
            [line.phase(o) for line, o in zip(self.lines, cell, strict=True)]
        )

    def tap_phase(self, tap: tuple[int, ...]) -> int:
        """Return the phase that a tap feeds: the same for every small cell."""
        return self._number(
            [line.tap_phase(j) for line, j in zip(self.lines, tap, strict=True)]
        )

    def _number(self, residues: list[int]) -> int:
        number = 0
        for line, residue in zip(self.lines, residues, strict=True):
            number = number * line.axis.stride + residue
        return number

    def source(self, cell: tuple[int, ...]) -> tuple[int, ...] | None:
        """Cell that a drawn big cell stands for: itself, or the one that padding repeats.

        None where it is zero padding, which a transposed convolution crops.
        """
        cells = []
        for line, o in zip(self.lines, cell, strict=True):
            if o not in line.source:
                return None
            cells.append(line.source[o])
        return tuple(cells)

    @cached_property
    def taps(self) -> tuple[DrawnTap, ...]:
        """Every tap of the relation, in order of the small cells."""
        taps = []
        for triples in product(*(line.taps for line in self.lines)):
            small, tap, big = zip(*triples, strict=True)
            taps.append(DrawnTap(small, tap, big, self.source(big) is not None))
        return tuple(sorted(taps, key=lambda tap: (tap.small, tap.tap)))

    def reached(self) -> set[tuple[int, ...]]:
        """Big cells that at least one tap reaches."""
        return {tap.big for tap in self.taps}

    def added(self) -> list[tuple[int, ...]]:
        """List the big cells that output padding adds; a convolution has none."""
        if self.form == "conv":
            return []
        return [
            cell
            for cell in np.ndindex(*self.big)
            if any(
                o >= line.axis.big - line.added
                for o, line in zip(cell, self.lines, strict=True)
            )
        ]

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix: cells of the result and of the input."""
        big, small = prod(self.big), prod(self.small)
        return (big, small) if self.form == "conv_transpose" else (small, big)

    def matrix(self) -> NDArray[np.int64]:
        """Tap number at row y, column x; -1 where the matrix has no entry.

        Rows are the cells of the result and columns those of the input, in C order;
        the number counts the taps in C order too. Where several taps add up in one entry
        of a folded padding, the last is given.
        """
        entries = np.full((prod(self.big), prod(self.small)), -1)
        for tap in self.taps:
            cell = self.source(tap.big)
            if cell is not None:
                row = np.ravel_multi_index(cell, self.big)
                column = np.ravel_multi_index(tap.small, self.small)
                entries[row, column] = np.ravel_multi_index(tap.tap, self.kernel)
        return entries if self.form == "conv_transpose" else entries.T
