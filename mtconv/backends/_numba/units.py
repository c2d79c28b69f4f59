"""The index relation as offsets: cells of the input that one unit of the result meets.

The result of a map is cut into *units* along every axis: one cell each for a convolution,
a whole stride of cells for a transposed one, so that every unit looks alike. Unit ``u``
reads the input cell ``in_step*u + start + offset`` for every tap, and writes its cell
``phase`` to ``out_step*u + phase``. Whatever stride, dilation and padding are, the rest is
a table of offsets.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mtconv.geometry import Axis, phases, windows

__all__ = ["POINT", "UnitTap", "Units", "units"]


class UnitTap(NamedTuple):
    """A tap, and the cell that it meets: counted from the first one that a unit meets."""

    tap: int
    offset: int


class Units(NamedTuple):
    """The units of a result along one axis; ``phases`` has the taps of each cell of one."""

    number: int
    in_size: int
    out_size: int
    in_step: int
    out_step: int
    start: int
    phases: tuple[tuple[UnitTap, ...], ...]

    @property
    def reach(self) -> int:
        """Largest offset of a tap."""
        return max((tap.offset for phase in self.phases for tap in phase), default=0)

    @property
    def taps(self) -> int:
        """Number of taps of all phases."""
        return sum(len(phase) for phase in self.phases)

    def box(self, block: int) -> int:
        """Count the input cells that so many units reach over."""
        return self.in_step * (block - 1) + self.reach + 1

    @property
    def inside(self) -> bool:
        """Whether no unit reaches outside of the input."""
        return self.start >= 0 and self.start + self.box(self.number) <= self.in_size


# An axis of one cell, for problems of fewer axes than the kernels have.
POINT = Units(1, 1, 1, 1, 1, 0, ((UnitTap(0, 0),),))


@lru_cache(maxsize=4096)
def units(axis: Axis, form: str) -> Units:
    """Cut an axis of a convolution ("conv") or transposed convolution into units.

    Examples
    --------
    >>> units(Axis(small=4, big=8, kernel=3, stride=2, lo=1), "conv_transpose").phases
    ((UnitTap(tap=1, offset=0),), (UnitTap(tap=0, offset=1), UnitTap(tap=2, offset=0)))
    """
    if form == "conv":
        live = [window.tap for window in windows(axis)]
        first = axis.dilation * (live[0] if live else 0)
        taps = tuple(UnitTap(tap, axis.dilation * tap - first) for tap in live)
        return Units(
            axis.small, axis.big, axis.small, axis.stride, 1, first - axis.lo, (taps,)
        )
    shifted = [
        [UnitTap(p.tap + m * p.tap_step, p.shift - m * p.shift_step) for m in range(p.taps)]
        for p in phases(axis)
    ]
    lowest = min((tap.offset for phase in shifted for tap in phase), default=0)
    moved = tuple(
        tuple(UnitTap(tap, offset - lowest) for tap, offset in phase) for phase in shifted
    )
    number = -(-axis.big // axis.stride)
    return Units(number, axis.small, axis.big, 1, len(moved), lowest, moved)
