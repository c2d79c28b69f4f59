"""Fast FIR forms, and which phases of an axis share their sums of x."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mtconv.geometry import Axis, Phase, live_phases

__all__ = ["Kin", "kin_of"]

# A sum of places with factors.
Sum = tuple[tuple[int, float], ...]

# Phases of fewer cells do not share sums of x with phases that begin elsewhere: the cells
# that only some of them use would cost more than sums of their own.
SHORT = 12


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

    They are computed on cells ``first`` to ``first + outputs*steps``, counted as small
    cells; the phases may use fewer.
    """

    form: Fir
    first: int
    steps: int
    members: tuple[Phase, ...]

    @property
    def lowest(self) -> int:
        """First place that a sum reads, relative to ``first``."""
        return min(place for terms in self.form.data for place, _ in terms)

    @property
    def reach(self) -> int:
        """How many steps the places of a sum span."""
        highest = max(place for terms in self.form.data for place, _ in terms)
        return (highest - self.lowest) // self.form.outputs


@lru_cache(maxsize=4096)
def kin_of(axis: Axis) -> tuple[Kin, ...]:
    """Group the phases of an axis: by taps, and by shift too where they are short."""
    found: dict[tuple[int, ...], list[Phase]] = {}
    for phase in live_phases(axis):
        key: tuple[int, ...] = (phase.taps, phase.shift_step)
        if phase.cells < SHORT:
            key = (*key, phase.shift, phase.cells)
        found.setdefault(key, []).append(phase)
    kin = []
    for members in found.values():
        form = form_of(members[0].taps, members[0].shift_step)
        first = min(phase.shift for phase in members)
        cells = max(phase.shift + phase.cells for phase in members) - first
        kin.append(Kin(form, first, -(-cells // form.outputs), tuple(members)))
    return tuple(kin)
