"""How much one piece of a problem covers: as much as is fast, and no more than fits.

Pieces are cut along samples, groups, channels, space and taps. What they cover depends on
the problem alone, never on the number of threads, so results do not depend on it either.
"""

from __future__ import annotations

from math import prod
from sys import maxsize
from typing import NamedTuple

from mtconv.backends._numpy.footprint import Copies, Extent, footprint
from mtconv.backends.host.cuts import axis_slices, finer, halved
from mtconv.geometry import Axis, taps_between
from mtconv.planning import tuning
from mtconv.planning.gathers import shared_columns
from mtconv.planning.scale import Scale, scale_of
from mtconv.spec import ConvSpec

__all__ = ["Sizes", "fast_extent", "fitted", "targets"]


class Sizes(NamedTuple):
    """A problem with the algorithm that computes it."""

    spec: ConvSpec
    form: str
    algorithm: str
    batch: int
    itemsize: int

    @property
    def transposed(self) -> bool:
        """Return whether the result is on the big side."""
        return self.form == "conv_transpose"

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of a group: of the result's side (y for a gradient), of the other."""
        small, share = self.spec.kernel_shape[:2]
        small //= max(self.spec.groups, 1)
        return (small, share) if self.form == "conv" else (share, small)

    @property
    def elements(self) -> tuple[int, ...]:
        """Elements of the side that is cut in space."""
        return self.spec.big if self.transposed else self.spec.small

    @property
    def ratio(self) -> int:
        """Elements of that side for one of the small side."""
        return prod(axis.stride for axis in self.spec.axes) if self.transposed else 1

    @property
    def gathers_rows(self) -> bool:
        """Return whether taps share rows, and pieces may be larger for it.

        Results of many channels would leave the caches.
        """
        few = self.channels[0] <= tuning.TILED_ROWS
        return few and self.algorithm == "polyphase" and self.form == "conv"

    @property
    def multiplies_halos(self) -> bool:
        """Return whether blocks compute products for the halo too, which is then lost."""
        return self.algorithm == "fft" or (self.transposed and self.algorithm == "gemm")


def fast_extent(sizes: Sizes) -> Extent:
    """Choose the extent of pieces that is fast: few of them, in the caches."""
    spec, batch = sizes.spec, sizes.batch
    small, blocks = scale_of(spec, batch, sizes.form) < Scale.LARGE, 1
    if not small:
        many = batch * spec.multiply_adds >= tuning.FEW_BLOCKS_WORK
        blocks = tuning.LEAST_BLOCKS if many else tuning.FEW_BLOCKS
    space, taps, target = _space(sizes, blocks)
    block = max(1, prod(space) // sizes.ratio)
    samples = max(1, min(batch, target // block))
    columns = prod(taps) * spec.kernel_shape[1] * block * samples * sizes.itemsize
    groups = max(1, min(spec.groups, tuning.GROUP_BYTES // max(columns, 1)))
    channels, others = sizes.channels
    extent = Extent(samples, groups, channels, others, space, taps)
    return extent if small else _shared(sizes, extent, blocks)


def _space(sizes: Sizes, blocks: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Choose elements and taps of a piece; also return the elements it should have.

    Blocks of space are cut down to the target as long as their halos are short beside them.
    Beyond the hard limit halos may be as long as the block; then taps are cut, which makes
    halos shorter, and last of all space again.
    """
    taps, elements, ratio = sizes.spec.kernel_size, sizes.elements, sizes.ratio
    outer = max(sizes.spec.rank - 1, 1)
    ones = (1,) * sizes.spec.rank
    while True:
        target, hard = targets(sizes, taps)
        share = _share(sizes, blocks)
        target = min(target, share)
        space = elements
        if prod(space) > target * ratio:
            least = _halos(sizes, taps, tuning.LEAST_HALOS)
            space = halved(space, target * ratio, least, outer)
        if sizes.algorithm == "fft" and space == elements and share < maxsize:
            # Transforms take long enough for two threads, whatever the halos cost.
            least = _halos(sizes, taps, tuning.FEW_HALOS)
            space = halved(space, prod(space) * 2 // 3, least, outer)
        if prod(space) <= hard * ratio:
            break
        floors = _halos(sizes, taps, 1) if sizes.multiplies_halos else ones
        space = halved(space, hard * ratio, floors)
        if prod(space) <= max(hard * ratio, 1) or prod(taps) == 1 or floors == ones:
            break
        taps = _fewer_taps(sizes.spec.axes, taps)
    while sizes.algorithm == "fft" and _spanned(sizes.spec.axes, taps) > tuning.PART_TAPS:
        taps = _fewer_taps(sizes.spec.axes, taps)
    return halved(space, hard * ratio, ones), taps, target


def _share(sizes: Sizes, blocks: int) -> int:
    """Elements of a block of which every thread has one, if only space can be shared."""
    shares = sizes.batch * sizes.spec.groups
    if sizes.form != "conv":  # blocks of channels of a convolution would each gather y
        shares *= sizes.channels[0]
    whole = sizes.batch * prod(sizes.spec.small)
    if sizes.algorithm == "fft":  # whose halos and overlaps cost more than uneven shares
        whole = whole * tuning.UNEVEN // 8
    return -(-whole // blocks) if shares < blocks > 1 else maxsize


def _halos(sizes: Sizes, taps: tuple[int, ...], times: int) -> tuple[int, ...]:
    """Return the elements of each axis that are so many times its halo, and a stride."""
    axes = [
        taps_between(axis, 0, count)
        for axis, count in zip(sizes.spec.axes, taps, strict=True)
    ]
    if sizes.transposed:
        return tuple(times * max(a.extent - a.stride, 0) + a.stride for a in axes)
    return tuple(times * max(a.extent // a.stride, 1) for a in axes)


def _fewer_taps(axes: tuple[Axis, ...], taps: tuple[int, ...]) -> tuple[int, ...]:
    """Halve the taps of the axis whose kernel spans most strides, of those with several."""
    spans = [a.dilation * (n - 1) // a.stride for a, n in zip(axes, taps, strict=True)]
    widest = max(range(len(taps)), key=lambda axis: (taps[axis] > 1, spans[axis]))
    return (*taps[:widest], -(-taps[widest] // 2), *taps[widest + 1 :])


def _spanned(axes: tuple[Axis, ...], taps: tuple[int, ...]) -> int:
    """Count the places between the first and the last tap of a phase."""
    spans = (a.dilation * (n - 1) // a.stride + 1 for a, n in zip(axes, taps, strict=True))
    return prod(spans)


def _shared(sizes: Sizes, extent: Extent, blocks: int) -> Extent:
    """Cut further until there are enough blocks for threads.

    Channels come first, since every block of the batch packs the kernel again.
    """
    samples, groups, channels = extent.samples, extent.groups, extent.channels
    spec, batch = sizes.spec, sizes.batch
    whole, _ = sizes.channels
    count = -(-spec.groups // groups)
    if sizes.form != "kernel_grad":
        edges = zip(spec.axes, extent.space, strict=True)
        count *= prod(len(axis_slices(a, size, sizes.transposed)) for a, size in edges)
        count *= -(-batch // samples)
    # A few channels are no even shares where samples could be.
    even = whole >= tuning.LEAST_SHARES * blocks or whole % blocks == 0
    if even or batch == 1 or sizes.form == "kernel_grad":
        channels, count = finer(whole, channels, count, blocks)
    groups, count = finer(spec.groups, groups, count, blocks)
    if sizes.form != "kernel_grad":
        samples, count = finer(batch, samples, count, blocks)
    return extent._replace(samples=samples, groups=groups, channels=channels)


def targets(sizes: Sizes, taps: tuple[int, ...]) -> tuple[int, int]:
    """Return the small elements that a piece should have, and may have at most."""
    spec, item = sizes.spec, sizes.itemsize
    small, co = spec.kernel_shape[:2]
    ci = small // max(spec.groups, 1)
    count = prod(taps)
    strides = prod(axis.stride for axis in spec.axes)
    copies = prod(-(-n // a.stride) for n, a in zip(taps, spec.axes, strict=True))
    inputs = max(1, tuning.BLOCK_BYTES // (4 * item * max(ci, 1)))
    phases = sizes.transposed and sizes.algorithm in ("polyphase", "subpixel")
    each = max(copies, strides, ci) if phases else max(count, ci, 1)
    hard = max(1, tuning.BLOCK_BYTES // (3 * item * each))
    if sizes.algorithm == "fft":
        hard = max(1, tuning.BLOCK_BYTES // (3 * item * max(ci + co * strides, 1)))
        return hard, hard
    if sizes.algorithm == "direct":
        return max(tuning.PART_BYTES // (item * max(co * strides, ci, 1)), 2**12), hard
    if not sizes.transposed:
        columns = shared_columns(spec.axes, co) if sizes.gathers_rows else count * co
        if sizes.algorithm == "windows":  # windows of x, and phases of y
            columns = copies * ci + strides * co
        target = max(tuning.GATHER_BYTES // (item * max(columns, 1)), 256)
    elif sizes.algorithm == "gemm":
        target = max(tuning.COLUMN_BYTES // item // max(count * co, 1), 1024)
    else:
        target = max(tuning.STACK_BYTES // (item * max(copies * ci, strides, 1)), 256)
    return min(target, inputs, hard), hard


def fitted(sizes: Sizes, extent: Extent, copies: Copies) -> Extent:
    """Cut pieces further until they fit `MOST_BYTES`, along as few sides as possible."""

    def size(extent: Extent) -> int:
        problem = (sizes.spec, sizes.form, sizes.algorithm)
        return footprint(*problem, extent, sizes.itemsize, copies)

    while size(extent) > tuning.MOST_BYTES:
        sides = [side for side, length in enumerate(extent.sides()) if length > 1]
        if not sides:
            break
        fitting = []
        for side in sides:
            half = _halved(extent, side)
            while size(half) > tuning.MOST_BYTES and half.sides()[side] > 1:
                half = _halved(half, side)
            if size(half) <= tuning.MOST_BYTES:
                fitting.append(half)
        if fitting:
            # Of pieces as large, the one that is cut along the first of their sides.
            return max(fitting, key=lambda extent: prod(extent.sides()))
        extent = min((_halved(extent, side) for side in sides), key=size)
    return extent


def _halved(extent: Extent, side: int) -> Extent:
    """Halve one side."""
    sides = list(extent.sides())
    sides[side] = -(-sides[side] // 2)
    return Extent.from_sides(sides)
