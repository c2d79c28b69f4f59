"""Blocks of whole strides of a big side, as indices: what `subpixel` computes at a time.

Residues are the places of big elements in their stride. The first ones can have one tap
more than the others. Ranges of residues do not include their ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from mtconv.geometry import Axis

__all__ = ["Residues", "Span", "blocks_of", "residues_of", "spans_of", "strides_of"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]


class Residues(NamedTuple):
    """Residues ``first..last`` modulo the stride of one axis, all with ``taps`` taps."""

    taps: int
    first: int
    last: int


class Span(NamedTuple):
    """Strides ``strides``, residues ``low..high``; ``big`` is where residue 0 would be."""

    strides: slice
    low: int
    high: int
    big: int


def residues_of(axis: Axis) -> list[Residues]:
    """List the residues modulo the stride by their numbers of taps."""
    taps, extra = divmod(axis.kernel, axis.stride)
    both = [Residues(taps + 1, 0, extra), Residues(taps, extra, axis.stride)]
    return [residues for residues in both if residues.first < residues.last]


def strides_of(axis: Axis) -> tuple[int, int]:
    """Return the first stride that the big side touches, and the one after the last."""
    return axis.lo // axis.stride, (axis.lo + axis.big - 1) // axis.stride + 1


def spans_of(axis: Axis, residues: Residues) -> list[Span]:
    """Cut the strides of some residues where the big side cuts them."""
    start, stop, stride = axis.lo, axis.lo + axis.big, axis.stride
    origin = start // stride
    whole = (-(-start // stride), stop // stride)
    ends = [whole] if whole[0] < whole[1] else []
    cut = sorted({origin, stop // stride})
    ends += [(q, q + 1) for q in cut if not whole[0] <= q < whole[1]]
    spans = []
    for q, end in ends:
        low = max(residues.first, start - q * stride)
        high = min(residues.last, stop - (end - 1) * stride)
        if low < high:
            strides = slice(q - origin, end - origin)
            spans.append(Span(strides, low, high, q * stride - start))
    return spans


def blocks_of(axes: Axes, out: Array, spans: tuple[Span, ...]) -> Array:
    """View part of out as (b, g, co, stride, residue, stride, residue ...)."""
    for number, (axis, span) in enumerate(zip(axes, spans, strict=True)):
        lead = (slice(None),) * (3 + 2 * number)
        count = span.strides.stop - span.strides.start
        if count == 1:
            out = out[(*lead, None, slice(span.big + span.low, span.big + span.high))]
            continue
        out = out[(*lead, slice(span.big, span.big + count * axis.stride))]
        sizes = out.shape
        cut = (*sizes[: len(lead)], count, axis.stride, *sizes[len(lead) + 1 :])
        out = out.reshape(cut)[(*lead, slice(None), slice(span.low, span.high))]
    return out
