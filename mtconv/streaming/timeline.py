"""What a stream knows after so many elements: integers of one axis of unknown length.

Positions count input elements since the start. The number of output elements that are
settled at a position, and the input elements that later outputs need, come from
`mtconv.geometry`; here they are put in order of time. After a start-up everything repeats
with a period, so positions are kept small, however long a stream runs.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from mtconv.geometry import Axis, restrict, small_size, touched_big, touched_small

__all__ = [
    "Opening",
    "Piece",
    "Timeline",
    "first_steady",
    "open_steady",
    "piece_between",
    "rest_after",
]


@dataclass(frozen=True)
class Timeline:
    """The relation ``o = stride*i + dilation*j - lo`` along an axis of time.

    Parameters
    ----------
    form : str
        "conv_transpose" (the input is the small side) or "conv" (the big side).
    kernel, stride, dilation, lo : int
        As in `mtconv.geometry.Axis`.
    hi : int
        What is cropped at the end of the big side, less the output padding.
    held : int
        Settled output elements that are held back, so that every step gives as many.
    """

    form: str
    kernel: int
    stride: int
    dilation: int
    lo: int
    hi: int
    held: int = 0

    @property
    def transposed(self) -> bool:
        """Whether the input is the small side."""
        return self.form == "conv_transpose"

    @property
    def period(self) -> int:
        """Input elements after which everything repeats."""
        return 1 if self.transposed else self.stride

    @property
    def per_period(self) -> int:
        """Output elements of a period."""
        return self.stride if self.transposed else 1

    def axis(self, small: int, big: int) -> Axis:
        """Return the relation with these sizes."""
        return Axis(small, big, self.kernel, self.stride, self.dilation, self.lo)

    def natural(self, position: int) -> int:
        """Size of the whole result of so many input elements by formula."""
        if self.transposed:
            return self.axis(position, 0).full - self.lo - self.hi
        steps = self.kernel, self.stride, self.dilation
        return small_size(position, *steps, self.lo, self.hi)

    def total(self, position: int) -> int:
        """Size of the whole result of so many input elements; nothing comes of none."""
        return max(self.natural(position), 0) if position else 0

    def known(self, position: int) -> int:
        """Output elements that neither later input nor the end of it changes."""
        if position == 0:
            return 0
        if self.transposed:
            axis = self.axis(position + 1, self.total(position))
            settled = touched_big(axis, position, position + 1)[0]
        else:
            steps = self.kernel, self.stride, self.dilation
            settled = small_size(position, *steps, self.lo, min(self.hi, 0))
        return max(settled - self.held, 0)

    def kept(self, position: int) -> int:
        """Input elements before a position that outputs not yet given need."""
        first = self.known(position)
        if self.transposed:
            needed = touched_small(self.axis(position, first + 1), first, first + 1)
        else:
            needed = touched_big(self.axis(first + 1, position), first, first + 1)
        return position - needed[0]

    def canonical(self, position: int) -> int:
        """Return the smallest position from which the future looks the same."""
        late = position - _warm(self)
        return position if late < 0 else _warm(self) + late % self.period

    @property
    def halo(self) -> int:
        """The most input elements that outputs not yet given need, at any position."""
        return _halo(self)

    @property
    def roomy(self) -> int:
        """An input size that is large enough for every rule about sizes."""
        extent = self.axis(1, 1).extent
        steps = extent + self.stride + abs(self.lo) + abs(self.hi)
        return 2 * self.stride * (steps + self.held)


@lru_cache(maxsize=1024)
def _warm(timeline: Timeline) -> int:
    """Return the first position from which everything repeats with the period."""
    far = -(-timeline.roomy // timeline.period)

    def repeats(position: int) -> bool:
        later = position + far * timeline.period
        gain = far * timeline.per_period
        return (
            timeline.known(later) == timeline.known(position) + gain
            and timeline.total(later) == timeline.total(position) + gain
            and timeline.kept(later) == timeline.kept(position)
        )

    return bisect_left(range(far * timeline.period), True, key=repeats)


def first_steady(timeline: Timeline) -> int:
    """Return the first position of a stream that gives equally much at every step."""
    return _warm(timeline)


@lru_cache(maxsize=4096)
def rest_after(timeline: Timeline, position: int, count: int) -> int:
    """Count the outputs that ``count`` elements after a position and the end settle."""
    return max(timeline.total(position + count) - timeline.known(position), 0)


@lru_cache(maxsize=1024)
def _halo(timeline: Timeline) -> int:
    """Return what is kept just before the next output is settled, which is the most."""
    start = _warm(timeline)
    ahead = range(start + 1, start + timeline.period + 1)
    count = timeline.known(start) + 1
    step = bisect_left(ahead, count, key=timeline.known)
    return timeline.kept(start + step)


class Piece(NamedTuple):
    """One piece of a result: output elements, the input elements it needs, its relation.

    ``blank`` says that no input element reaches these outputs: ``start .. stop`` is then a
    place for a single zero.
    """

    outputs: int
    start: int
    stop: int
    axis: Axis
    blank: bool


@lru_cache(maxsize=4096)
def piece_between(
    timeline: Timeline, start: int, stop: int, *, last: bool = False
) -> Piece:
    """Describe what a step from one position to another gives; ``last`` for the flush."""
    first = timeline.known(start)
    end = timeline.total(stop) if last else timeline.known(stop)
    outputs = (first, max(first, end))
    if timeline.transposed:
        axis = timeline.axis(stop, outputs[1])
        needed = touched_small(axis, *outputs)
    else:
        axis = timeline.axis(outputs[1], stop)
        needed = touched_big(axis, *outputs)
    blank = needed[0] == needed[1]
    if blank:
        place = min(needed[0], stop - 1)
        needed = (place, place + 1)
    pair = (needed, outputs) if timeline.transposed else (outputs, needed)
    return Piece(outputs[1] - first, *needed, restrict(axis, *pair), blank)


class Opening(NamedTuple):
    """How a stream begins whose steps all give the same number of elements.

    ``lead`` output elements come before the first element of the result.
    """

    timeline: Timeline
    position: int
    lead: int


@lru_cache(maxsize=1024)
def open_steady(timeline: Timeline, lead: int) -> Opening:
    """Begin as if the stream had run on zeros for long.

    ``lead`` input elements come before the first element of the signal, which so begins
    at a multiple of the period.
    """
    position = _warm(timeline)
    position += -(position + lead) % timeline.period
    begin = (position + lead) // timeline.period * timeline.per_period
    # Nothing of the result is given before the first element of the signal has come.
    early = timeline.known(position + lead) - begin
    if early > 0:
        return open_steady(replace(timeline, held=timeline.held + early), lead)
    return Opening(timeline, position, begin - timeline.known(position))
