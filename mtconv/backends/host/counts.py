"""Sizes of one piece, from which algorithms work out the memory that they take."""

from __future__ import annotations

from math import gcd, prod
from typing import NamedTuple

from mtconv.geometry import Axis

__all__ = ["Counts", "at_a_time", "channels_at_a_time"]


class Counts(NamedTuple):
    """Sizes of a piece, in elements; channels are those of one group.

    ``lead`` are samples times groups, ``others`` the channels of the side that is not the
    result's (of x for a kernel gradient), and ``axes`` the axes, as long as the piece.
    """

    lead: int
    groups: int
    others: int
    channels: int
    axes: tuple[Axis, ...]
    itemsize: int
    transposed: bool = False

    @property
    def small(self) -> int:
        """Elements of the small side."""
        return prod(axis.small for axis in self.axes)

    @property
    def big(self) -> int:
        """Elements of the big side."""
        return prod(axis.big for axis in self.axes)

    @property
    def result(self) -> int:
        """Elements of the result of a transposed convolution or a convolution."""
        return self.lead * self.channels * (self.big if self.transposed else self.small)

    @property
    def taps(self) -> int:
        """Taps of the kernel."""
        return prod(axis.kernel for axis in self.axes)

    @property
    def phase(self) -> int:
        """Elements of a phase of the big side."""
        return prod(-(-axis.big // axis.stride) + 1 for axis in self.axes)

    @property
    def phase_taps(self) -> int:
        """Taps of the phase that has most."""
        steps = (axis.stride // gcd(axis.stride, axis.dilation) for axis in self.axes)
        pairs = zip(self.axes, steps, strict=True)
        return prod(-(-axis.kernel // step) for axis, step in pairs)


def at_a_time(limit: int, each: int, channels: int, itemsize: int) -> tuple[int, int]:
    """Bytes of what is done for as many channels as a limit allows, and their number.

    What does not fit the arena lives on until the next channels have theirs.
    """
    size = max(each * itemsize, 1)
    step = min(max(1, limit // size), max(channels, 1))
    return step * size * (2 if step < channels else 1), step


def channels_at_a_time(count: int, limit: int, each: int) -> list[slice]:
    """Cut channels, whose arrays have ``each`` bytes, into slices within a limit."""
    step = max(1, limit // max(each, 1))
    return [slice(start, start + step) for start in range(0, count, step)]
