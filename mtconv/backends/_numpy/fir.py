"""Fast FIR forms, and which phases of an axis share their sums of x."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import NamedTuple

from mtconv.geometry import Axis, Phase, live_phases

__all__ = ["Family", "Kin", "family_of"]

# A sum of places with factors.
Sum = tuple[tuple[int, float], ...]

# Phases of fewer cells do not share sums of x with phases that begin elsewhere: the cells
# that only some of them use would cost more than sums of their own.
SHORT = 6


class Fir(NamedTuple):
    """A way to compute ``outputs`` neighbouring cells, ``y[q] = sum w[m] x[q - m*step]``.

    Product p is ``data[p]``, a sum of x at places relative to the first cell, times
    ``taps[p]``, a sum of taps; ``joins[e]`` sums products to cell e.
    """

    outputs: int
    data: tuple[Sum, ...]
    taps: tuple[Sum, ...]
    joins: tuple[Sum, ...]


_TWO = Fir(
    2,
    (((-1, 1), (0, -1)), ((0, 1),), ((1, 1), (0, -1))),
    (((1, 1),), ((0, 1), (1, 1)), ((0, 1),)),
    (((1, 1), (0, 1)), ((1, 1), (2, 1))),
)
_THREE = Fir(
    2,
    (((-2, 1), (0, -1)), ((-1, 1), (0, 1)), ((0, 1), (-1, -1)), ((-1, 1), (1, -1))),
    (((2, 1),), ((0, 0.5), (1, 0.5), (2, 0.5)), ((0, 0.5), (1, -0.5), (2, 0.5)), ((0, 1),)),
    (((0, 1), (1, 1), (2, 1)), ((1, 1), (2, -1), (3, -1))),
)


def form_of(taps: int, step: int) -> Fir:
    """Return the form with the fewest products for a phase."""
    if step == 1 and taps in (2, 3):
        return _TWO if taps == 2 else _THREE
    every = range(taps)
    return Fir(
        1,
        tuple(((-m * step, 1),) for m in every),
        tuple(((m, 1),) for m in every),
        (tuple((m, 1) for m in every),),
    )


class Kin(NamedTuple):
    """Phases of one axis that share their sums of x.

    They are computed on small cells ``first`` to ``first + outputs*steps``, of which each
    phase may use fewer. Small cell ``first + n`` of member ``m`` is big cell
    ``start + apart*m + stride*n``.
    """

    form: Fir
    first: int
    steps: int
    members: tuple[Phase, ...]
    start: int
    apart: int

    @property
    def lowest(self) -> int:
        """First place that a sum reads, relative to ``first``."""
        return min(place for terms in self.form.data for place, _ in terms)

    @property
    def length(self) -> int:
        """How many small cells the sums of all steps read."""
        highest = max(place for terms in self.form.data for place, _ in terms)
        return highest - self.lowest + self.form.outputs * (self.steps - 1) + 1


class Family(NamedTuple):
    """The kin of one axis, what they read of the small side and write of the big one.

    They write big cells ``origin + every*n`` only, and of those all but ``holes``.
    ``read`` and ``written`` are where small cells and such numbers begin and end.
    """

    kin: tuple[Kin, ...]
    read: tuple[int, int]
    origin: int
    every: int
    written: tuple[int, int]
    holes: bool

    def landing(self, one: Kin, stride: int, place: int) -> Axis:
        """Relate steps and members of a kin to what a place of its form writes."""
        first = (one.start + stride * place - self.origin) // self.every
        return Axis(
            one.steps,
            self.written[1] - self.written[0],
            len(one.members),
            stride * one.form.outputs // self.every,
            one.apart // self.every,
            self.written[0] - first,
        )


@lru_cache(maxsize=4096)
def family_of(axis: Axis) -> Family:
    """Group the phases of an axis: by taps, and by shift too where they are short."""
    found: dict[tuple[int, ...], list[Phase]] = {}
    for phase in live_phases(axis):
        key: tuple[int, ...] = (phase.taps, phase.shift_step)
        if axis.big // axis.stride < SHORT:
            key = (*key, phase.shift, phase.cells)
        found.setdefault(key, []).append(phase)
    kin = [_kin_of(axis, members) for members in found.values()]
    if not kin:
        return Family((), (0, 0), 0, 1, (0, 0), holes=True)
    ends = [one.first + one.lowest for one in kin]
    read = min(ends), max(end + one.length for end, one in zip(ends, kin, strict=True))
    steps = [axis.stride, *(one.start - kin[0].start for one in kin)]
    every = gcd(*steps, *(one.apart for one in kin if len(one.members) > 1))
    origin = kin[0].start % every
    last = max(
        one.start
        + one.apart * (len(one.members) - 1)
        + axis.stride * (one.form.outputs * one.steps - 1)
        for one in kin
    )
    start = min(0, *((one.start - origin) // every for one in kin))
    stop = max(-(-(axis.big - origin) // every), (last - origin) // every + 1)
    holes = len(live_phases(axis)) < min(axis.stride // every, -(-axis.big // every))
    return Family(tuple(kin), read, origin, every, (start, stop), holes)


def _kin_of(axis: Axis, members: list[Phase]) -> Kin:
    """Make a kin of phases; their first taps are neighbours, a dilation apart."""
    first = min(phase.shift for phase in members)
    members = sorted(members, key=lambda phase: phase.tap)
    start = members[0].start - axis.stride * (members[0].shift - first)
    form = form_of(members[0].taps, members[0].shift_step)
    cells = max(phase.shift + phase.cells for phase in members) - first
    steps = -(-cells // form.outputs)
    return Kin(form, first, steps, tuple(members), start, axis.dilation)
