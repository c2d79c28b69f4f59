"""How one axis is shared by shards: the halo, and the relation that all of them use.

Integers only. A compiled program is the same on every shard, so the relation has to be
one for all; where result and input do not grow in step, each shard takes its own window
of a slightly larger block.
"""

from __future__ import annotations

from typing import NamedTuple

from mtconv.errors import GeometryError, message
from mtconv.geometry import Axis, touched_big, touched_small

__all__ = ["Border", "Split", "borders", "forward", "ring", "shared", "transposed"]


class Split(NamedTuple):
    """One axis of a map on several shards of ``own`` input elements each.

    A shard reads ``left`` and ``right`` further elements of its neighbours. ``axis`` is the
    relation between what it then has and its part of the result. ``drift`` tells how
    much further the result moves from shard to shard than ``stride`` times the input;
    shard ``p`` has its window ``spare - p*drift`` (or ``-p*drift``) elements from the
    start. On a ``ring`` the last shard and the first are neighbours.
    """

    shards: int
    own: int
    left: int
    right: int
    axis: Axis
    drift: int
    ring: bool = False

    @property
    def spare(self) -> int:
        """Elements by which blocks are larger than windows."""
        return abs(self.drift) * (self.shards - 1)


def transposed(axis: Axis, count: int, reads: bool) -> Split:
    """Share the axis of a transposed convolution: shards of x, halos of x.

    Where another axis has no tap in reach the map ``reads`` nothing and has no halos.
    """
    own, result = axis.small // count, axis.big // count
    left = right = 0
    for p in range(count if reads else 0):
        start, stop = touched_small(axis, p * result, (p + 1) * result)
        if start < stop:
            left, right = max(left, p * own - start), max(right, stop - (p + 1) * own)
    drift = result - axis.stride * own
    spare = abs(drift) * (count - 1)
    lo = axis.lo + axis.stride * left + min(0, drift * (count - 1))
    local = Axis(
        own + left + right, result + spare, axis.kernel, axis.stride, axis.dilation, lo
    )
    return Split(count, own, left, right, local, drift)


def forward(axis: Axis, count: int, reads: bool) -> Split:
    """Share the axis of a convolution or kernel gradient: shards of y, halos of y."""
    result = axis.small // count
    shards = range(count if reads else 0)
    spans = [touched_big(axis, p * result, (p + 1) * result) for p in shards]
    return _of_spans(axis, count, spans)


def ring(axis: Axis, count: int) -> Split:
    """Share the axis of a map with circular padding: shards of y, halos of y.

    What reaches beyond an end of the array belongs to the shards at its other end.
    """
    result = axis.small // count
    starts = [axis.stride * p * result - axis.lo for p in range(count)]
    length = axis.stride * (result - 1) + axis.extent
    spans = [(start, start + length) for start in starts]
    return _of_spans(axis, count, spans)._replace(ring=True)


def _of_spans(axis: Axis, count: int, spans: list[tuple[int, int]]) -> Split:
    """Share the axis by what each shard reads of y."""
    own, result = axis.big // count, axis.small // count
    left = right = 0
    for p, (start, stop) in enumerate(spans):
        if start < stop:
            left, right = max(left, p * own - start), max(right, stop - (p + 1) * own)
    drift = own - axis.stride * result
    spare = abs(drift) * (count - 1)
    lo = axis.lo - left + min(0, drift * (count - 1))
    local = Axis(
        result, own + left + right + spare, axis.kernel, axis.stride, axis.dilation, lo
    )
    return Split(count, own, left, right, local, drift)


class Border(NamedTuple):
    """Elements of the shard ``hop`` places before a shard, ``width`` from ``source`` on."""

    hop: int
    source: int
    width: int


def borders(split: Split) -> dict[Border, list[int]]:
    """List what a shard receives, and at which places of its extended block it stands.

    Only around a ring can the same elements stand at several places.
    """
    own = split.own
    listed: dict[Border, list[int]] = {}

    def note(hop: int, source: int, width: int, place: int) -> None:
        hop = hop % split.shards if split.ring else hop
        listed.setdefault(Border(hop, source, width), []).append(place)

    place = split.left
    for hop, width in enumerate(_hops(split.left, own), 1):
        place -= width
        note(hop, own - width, width, place)
    place = split.left + own
    for hop, width in enumerate(_hops(split.right, own), 1):
        note(-hop, 0, width, place)
        place += width
    return listed


def _hops(halo: int, own: int) -> list[int]:
    """Elements that come from the neighbour, from its neighbour, and so on."""
    return [min(own, halo - start) for start in range(0, halo, own)]


def shared(function: str, argument: str, name: str, size: int, count: int) -> int:
    """Return a shard's part of an axis; shards of different sizes are refused."""
    if size % count:
        msg = message(
            function,
            argument,
            f"must be divisible by the {count} shards of the mesh",
            f"size {size}",
            axis=name,
            fix="Choose padding or output_size so that all shards are of one size.",
        )
        raise GeometryError(msg)
    return size // count
