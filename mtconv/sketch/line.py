"""One axis of a picture as integers: which cells and taps are drawn, and their phases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mtconv import geometry
from mtconv.folds import fold_index
from mtconv.geometry import Axis

__all__ = ["PHASE_COLOURS", "AxisStrip"]

# The palette of Okabe and Ito (2008) without its black: told apart by people with any
# colour vision. Its yellow is last since it is faint on white.
PHASE_COLOURS = (
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#0072B2",
    "#999999",
    "#F0E442",
)

_MIN_CELLS = 2


@dataclass(frozen=True)
class AxisStrip:
    """One axis of a picture: the part of the relation that is drawn.

    Parameters
    ----------
    axis : Axis
        The relation, with as many cells as are drawn.
    whole : Axis
        The relation that was asked for.
    mode : str
        Padding mode.
    """

    axis: Axis
    whole: Axis
    mode: str

    @classmethod
    def of(cls, axis: Axis, mode: str, longest: int) -> AxisStrip:
        """Keep the first small cells whose reach fits into ``longest`` big cells."""
        most = max(_MIN_CELLS, (longest - axis.extent) // axis.stride + 1)
        if axis.small <= most:
            return cls(axis, axis, mode)
        stop = geometry.touched_big(axis, 0, most)[1]
        return cls(geometry.restrict(axis, (0, most), (0, stop)), axis, mode)

    @property
    def cut(self) -> bool:
        """Whether fewer cells are drawn than there are."""
        return self.axis is not self.whole

    @property
    def added(self) -> int:
        """Number of cells at the high end that output padding adds.

        With as much padding at both ends, they are what the low end crops more than the
        high end; where that is no output padding, they are what no tap reaches.
        """
        axis = self.axis
        if self.cut or self.mode != "zeros":
            return 0
        surplus = axis.lo - axis.hi
        return (
            surplus if 0 < surplus < axis.stride else min(max(-axis.hi, 0), axis.stride - 1)
        )

    @cached_property
    def shown(self) -> range:
        """Big cells that are drawn: those in range and those that taps reach beside."""
        axis = self.axis
        return range(min(0, -axis.lo), max(axis.big, axis.full - axis.lo))

    @cached_property
    def taps(self) -> tuple[tuple[int, int, int], ...]:
        """All triples (i, j, o) of the relation, those in the padding included."""
        axis = self.axis
        uncropped = Axis(axis.small, axis.full, axis.kernel, axis.stride, axis.dilation)
        return tuple(
            (w.small_start + t, w.tap, w.big_start + axis.stride * t - axis.lo)
            for w in geometry.windows(uncropped)
            for t in range(w.cells)
        )

    @cached_property
    def source(self) -> dict[int, int]:
        """Cell that each drawn cell stands for; zeros and cropped cells are left out."""
        sources = {o: o for o in range(self.axis.big)}
        if self.mode != "zeros" and not self.cut:
            lo, hi = max(self.axis.lo, 0), max(self.axis.hi, 0)
            index = fold_index(self.axis.big, lo, hi, self.mode)
            sources = {o - lo: cell for o, cell in enumerate(index)}
        return sources

    def phase(self, o: int) -> int:
        """Residue of a big cell modulo the stride: the number of its phase."""
        return o % self.axis.stride

    def tap_phase(self, j: int) -> int:
        """Phase of the big cells that tap ``j`` feeds."""
        return (self.axis.dilation * j - self.axis.lo) % self.axis.stride
