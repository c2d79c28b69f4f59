"""Bytes that a piece takes beside its result: an upper bound for each algorithm.

The sizes are those of the arrays that are taken from the workspace at one time, for the
largest piece of a cut. `extents.fitted` makes pieces smaller until the bound fits. What an
algorithm takes itself is its own to say: `footprint` of its module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

from mtconv.backends._numpy.algorithms import BY_NAME
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.cuts import longest
from mtconv.geometry import Axis, taps_between
from mtconv.planning import tuning
from mtconv.spec import ConvSpec

__all__ = ["NO_COPIES", "Copies", "Extent", "footprint"]


class Copies(NamedTuple):
    """Which arrays have to be copied, piece by piece, for BLAS or another dtype.

    ``data`` is the side that is not the result, or y for a kernel gradient; ``x`` is the
    other argument of that. Blocks of x are also copied where samples are put side by side
    or rows are cut.
    """

    data: bool = False
    x: bool = False
    kernel: bool = False
    result: bool = False


NO_COPIES = Copies()


class Extent(NamedTuple):
    """How much one piece covers.

    ``channels`` are those of the result's side (of y for a kernel gradient), within a
    group, and ``others`` those of the other side; ``space`` are the elements on each axis
    of the result's side (of x for a gradient).
    """

    samples: int
    groups: int
    channels: int
    others: int
    space: tuple[int, ...]
    taps: tuple[int, ...]

    def sides(self) -> tuple[int, ...]:
        """Return all lengths, in the order in which it is better to cut them."""
        lead = (self.samples, self.groups, self.channels)
        return (*lead, *self.space, self.others, *self.taps)

    @classmethod
    def from_sides(cls, sides: Sequence[int]) -> Extent:
        """Undo `sides`."""
        rank = (len(sides) - 4) // 2
        samples, groups, channels, *space = sides[: 3 + rank]
        others, *taps = sides[3 + rank :]
        return cls(samples, groups, channels, others, tuple(space), tuple(taps))


def footprint(
    spec: ConvSpec, form: str, algorithm: str, extent: Extent, itemsize: int, copies: Copies
) -> int:
    """Bound the bytes that a piece takes from the workspace."""
    folds = form == "conv_transpose" and spec.padding_mode != "zeros"
    counts = _counts(spec, form, extent, itemsize, folds=folds)
    module = BY_NAME[algorithm]
    whole = extent.taps == spec.kernel_size
    kernel = (copies.kernel or not whole) and not module.TRANSFORMS
    side = spec.rank > 1 and counts.axes[-1].small < spec.axes[-1].small
    extent_copies = copies._replace(kernel=kernel)
    elements = _loaded(form, counts, extent_copies, side=side)
    # What is computed for a part of the result and then added to it.
    sums = folds + (folds or not whole or extent.others < _others(spec, form))
    if form != "kernel_grad":
        elements += sums * counts.result
    return itemsize * elements + module.footprint(form, counts)


def _others(spec: ConvSpec, form: str) -> int:
    small, share = spec.kernel_shape[:2]
    return share if form == "conv" else small // max(spec.groups, 1)


def _counts(
    spec: ConvSpec, form: str, extent: Extent, itemsize: int, *, folds: bool
) -> Counts:
    """Return sizes of the largest piece of an extent."""
    transposed = form == "conv_transpose"
    # The parts of the padded result that fold onto a block are up to twice as long.
    scale = 2 if folds else 1
    axes = []
    for axis, size, taps in zip(spec.axes, extent.space, extent.taps, strict=True):
        part = taps_between(axis, 0, taps)
        if transposed:
            size = scale * longest(axis, size)
        axes.append(_block_axis(part, size, transposed=transposed))
    lead = extent.samples * extent.groups
    sides = (lead, extent.groups, extent.others, extent.channels)
    return Counts(*sides, tuple(axes), itemsize, transposed)


def _block_axis(axis: Axis, size: int, *, transposed: bool) -> Axis:
    """Relate so many elements of one side to all that may meet them on the other."""
    if transposed:
        big = min(axis.big, size) if axis.big else size
        small = min(axis.small, (big + axis.extent - 2) // axis.stride + 1)
        return replace(axis, small=max(small, 0), big=big)
    small = min(axis.small, size)
    reach = axis.stride * (small - 1) + axis.extent
    return replace(axis, small=small, big=min(axis.big, max(reach, 0)))


def _loaded(form: str, c: Counts, copies: Copies, *, side: bool) -> int:
    """Elements of the copied blocks of both arguments and of the result.

    ``side`` says that rows of x are cut.
    """
    kernel = c.groups * c.others * c.channels * prod(axis.kernel for axis in c.axes)
    if form == "kernel_grad":
        y = copies.data * c.channels * c.big
        x = (copies.x or side) * c.others * c.small
        return c.lead * (x + y) + kernel
    if form == "conv_transpose":
        samples = c.lead // max(c.groups, 1)
        side |= samples > 1 and c.small < tuning.FOLDED_ELEMENTS
        data = (copies.data or side) * c.small
    else:
        data = copies.data * c.big
    return c.lead * c.others * data + copies.result * c.result + copies.kernel * kernel
