"""Bytes that one block takes beside its result: an upper bound for each algorithm.

The sizes are those of the arrays that the algorithms take from the workspace at one time,
for the largest block of a cut. `cut` makes blocks smaller until the bound fits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from math import ceil, gcd, prod
from typing import NamedTuple

from mtconv.backends._numpy import columns, direct, fft, gemm, polyphase, wide
from mtconv.backends._numpy.kinds import class_axes
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

__all__ = ["NO_COPIES", "Copies", "Extent", "between_phases", "footprint"]


class Copies(NamedTuple):
    """Which arrays have to be copied, block by block, for BLAS or another dtype.

    ``data`` is the side that is not the result, or y for a kernel gradient; ``x`` is the
    other argument of that. Blocks of x are also copied where samples are put side by side
    or rows are cut.
    """

    data: bool = False
    x: bool = False
    kernel: bool = False
    result: bool = False


NO_COPIES = Copies()

# Strides of which a block has at least one.
SHORT_STRIDE = 64


class Extent(NamedTuple):
    """How much one block covers.

    ``channels`` are those of the result's side (of y for a kernel gradient), within a
    group, and ``cells`` the elements on each axis of that side (of x for a gradient).
    """

    items: int
    groups: int
    channels: int
    cells: tuple[int, ...]


class _Counts(NamedTuple):
    """Elements of a block: channels summed over, axes as large as the block, products."""

    lead: int  # samples times groups
    groups: int
    summed: int
    channels: int
    axes: tuple[Axis, ...]
    itemsize: int

    @property
    def small(self) -> int:
        return prod(axis.small for axis in self.axes)

    @property
    def big(self) -> int:
        return prod(axis.big for axis in self.axes)

    @property
    def taps(self) -> int:
        return prod(axis.kernel for axis in self.axes)

    @property
    def phase(self) -> int:
        """Elements of a phase of the big side."""
        return prod(-(-axis.big // axis.stride) + 1 for axis in self.axes)

    @property
    def phase_taps(self) -> int:
        """Taps of the phase that has most."""
        return prod(_phase_taps(axis) for axis in self.axes)


def footprint(
    spec: ConvSpec, form: str, algorithm: str, extent: Extent, itemsize: int, copies: Copies
) -> int:
    """Bound the bytes that a block takes from the workspace."""
    small, share = spec.kernel_shape[:2]
    small //= max(spec.groups, 1)
    transposed = form == "conv_transpose"
    folds = transposed and spec.padding_mode != "zeros"
    # The parts of the padded result that fold onto a block are up to twice as long.
    scale = 2 if folds else 1
    axes = tuple(
        _block_axis(axis, scale * longest(axis, cells), transposed=True)
        if transposed
        else _block_axis(axis, cells, transposed=False)
        for axis, cells in zip(spec.axes, extent.cells, strict=True)
    )
    counts = _Counts(
        extent.items * extent.groups,
        extent.groups,
        share if form == "conv" else small,
        extent.channels,
        axes,
        itemsize,
    )
    if algorithm == "fft":  # it converts the taps that it transforms
        copies = copies._replace(kernel=False)
    rows_cut = spec.rank > 1 and axes[-1].small < spec.axes[-1].small
    loaded = _loaded(form, counts, copies, folds=folds, side=rows_cut)
    return itemsize * loaded + _MODELS[form, _module(spec, algorithm)](counts)


def between_phases(axis: Axis, cells: int) -> bool:
    """Return whether blocks of about so many elements are cut where phases begin."""
    return axis.stride <= SHORT_STRIDE or cells >= axis.stride


def longest(axis: Axis, cells: int) -> int:
    """Bound the elements of a block of about so many, after cuts were moved."""
    return cells + axis.stride - 1 if between_phases(axis, cells) else cells


def _module(spec: ConvSpec, algorithm: str) -> str:
    if algorithm == "polyphase" and wide.pays(spec.axes):
        return "wide"
    return algorithm


def _block_axis(axis: Axis, cells: int, *, transposed: bool) -> Axis:
    """Relate so many elements of one side to all that may meet them on the other."""
    if transposed:
        big = min(axis.big, cells) if axis.big else cells
        small = min(axis.small, (big + axis.extent - 2) // axis.stride + 1)
        return replace(axis, small=max(small, 0), big=big)
    small = min(axis.small, cells)
    reach = axis.stride * (small - 1) + axis.extent
    return replace(axis, small=small, big=min(axis.big, max(reach, 0)))


def _loaded(form: str, c: _Counts, copies: Copies, *, folds: bool, side: bool) -> int:
    """Elements of the copied blocks of both arguments and of the result.

    ``side`` says that rows of x are cut.
    """
    items = c.lead // max(c.groups, 1)
    few = columns.FOLDED_CELLS if form == "conv_transpose" else sys.maxsize
    side |= items > 1 and c.small < few
    if form == "kernel_grad":
        kernel = c.groups * c.summed * c.channels * c.taps
        y = copies.data * c.channels * c.big
        x = (copies.x or side) * c.summed * c.small
        return c.lead * (x + y) + kernel
    kernel = c.groups * c.summed * c.channels * c.taps if copies.kernel else 0
    if form == "conv_transpose":
        data = (copies.data or side) * c.small
    else:
        data = copies.data * c.big
    result = c.big if form == "conv_transpose" else c.small
    results = copies.result + 2 * folds
    return c.lead * (c.summed * data + results * c.channels * result) + kernel


def _phase_taps(axis: Axis) -> int:
    step = axis.stride // gcd(axis.stride, axis.dilation)
    return -(-axis.kernel // step)


def _gemm_transposed(c: _Counts) -> int:
    product = c.lead * c.taps * c.small
    planes, done, left = 0, c.lead, c.taps * c.small
    for axis in c.axes:
        done *= -(-axis.big // axis.stride) + 1
        left //= max(axis.kernel * axis.small, 1)
        planes += done * left
    limit = gemm.COLUMN_BYTES
    count = max(1, round(c.channels * product * c.itemsize / limit))
    step = -(-c.channels // count)
    return c.itemsize * step * (product + planes) * (2 if step < c.channels else 1)


def _polyphase_transposed(c: _Counts) -> int:
    stack = c.lead * c.summed * _stacked(c)
    phases = prod(min(axis.stride, axis.kernel) for axis in c.axes)
    each = c.lead * c.phase * phases
    result, step = _at_a_time(polyphase.RESULT_BYTES, each, c.channels, c.itemsize)
    packed = c.groups * c.summed * step * c.phase_taps * phases
    return c.itemsize * (stack + packed) + 2 * result


def _stacked(c: _Counts) -> int:
    """Elements of the copies of one channel of x, and of x extended by zeros."""
    classes = [
        [reads for merge in (False, True) for reads in class_axes(axis, merge=merge)]
        for axis in c.axes
    ]
    taps = prod(max((axis.kernel for axis in found), default=0) for found in classes)
    cells = prod(max((axis.small for axis in found), default=0) for found in classes)
    full = prod(max((axis.full for axis in found), default=0) for found in classes)
    # Rows go on past their ends, and x is extended, only where that is not much more.
    few = columns.FEW_ZEROS // max(c.lead * c.summed, 1)
    return taps * min(full, 4 * cells + few) + min(full, max(4 * cells, 2 * c.small, few))


def _wide_transposed(c: _Counts) -> int:
    spots = c.lead * prod(axis.big // axis.stride + 2 for axis in c.axes)
    depth = c.summed * prod(-(-axis.kernel // axis.stride) for axis in c.axes)
    each = spots * prod(axis.stride for axis in c.axes)
    result, step = _at_a_time(wide.RESULT_BYTES, each, c.channels, c.itemsize)
    packed = c.groups * c.summed * step * c.taps
    return c.itemsize * (2 * depth * spots + packed) + 2 * result


def _direct(c: _Counts, result: int, products: int) -> int:
    part, step = _at_a_time(direct.PART_BYTES, c.lead * result, c.channels, c.itemsize)
    return part + 2 * c.itemsize * step * c.lead * products


def _direct_transposed(c: _Counts) -> int:
    return _direct(c, c.big, min(c.big, c.small))


def _direct_conv(c: _Counts) -> int:
    return _direct(c, c.small, c.small)


def _gemm_conv(c: _Counts) -> int:
    result = c.lead * c.channels * c.small * c.itemsize
    each = c.lead * c.taps * c.small
    gathered, step = _at_a_time(gemm.GATHER_BYTES, each, c.summed, c.itemsize)
    # y extended by zeros, and by phase.
    return 2 * result + gathered + 2 * step * c.lead * c.big * c.itemsize


def _polyphase_conv(c: _Counts) -> int:
    first, *rest = c.axes
    residues = min(first.kernel, first.stride)
    height = first.small + first.dilation * (first.kernel - 1) // first.stride + 1
    if polyphase.far_apart(first):
        height = first.small
    inside = prod(axis.kernel * axis.small for axis in rest)
    gathered = c.lead * c.summed * residues * height * inside
    packed = c.groups * c.channels * c.summed * c.taps
    extended = 2 * c.lead * c.summed * (c.big // max(residues, 1) + 1)
    result = 2 * c.lead * c.channels * c.small
    return c.itemsize * (gathered + packed + extended + result)


def _wide_columns(c: _Counts, channels: int) -> int:
    each = c.lead * c.taps * c.small
    gathered, step = _at_a_time(2 * wide.RESULT_BYTES, each, channels, c.itemsize)
    full = prod(max(axis.full, 0) for axis in c.axes)
    return gathered + step * c.lead * full * c.itemsize


def _wide_conv(c: _Counts) -> int:
    return 2 * c.lead * c.channels * c.small * c.itemsize + _wide_columns(c, c.summed)


def _gemm_grad(c: _Counts) -> int:
    each = c.lead * c.taps * c.small
    gathered, step = _at_a_time(gemm.GATHER_BYTES, each, c.channels, c.itemsize)
    product = c.groups * c.summed * step * c.taps
    return gathered + c.itemsize * (2 * step * c.lead * c.big + product)


def _polyphase_grad(c: _Counts) -> int:
    gathered = c.lead * c.channels * c.phase_taps * c.small
    extended = 2 * c.lead * c.channels * c.phase
    product = c.groups * c.summed * c.channels * c.phase_taps
    return c.itemsize * (gathered + extended + product)


def _wide_grad(c: _Counts) -> int:
    product = c.groups * c.summed * c.channels * c.taps * c.itemsize
    return product + _wide_columns(c, c.channels)


def _direct_grad(c: _Counts) -> int:
    return c.itemsize * 2 * c.lead * c.small


def _spectrum(c: _Counts) -> int:
    """Bytes of one real spectrum of the block, the others being as large."""
    parts = fft.parts_of(c.axes)
    return max(prod(fft.lengths_of(part.axes)) for part in parts) * c.itemsize


def _fft(c: _Counts, inputs: int, outputs: int) -> int:
    each = _spectrum(c)
    at_once = c.lead * (1 + 3 * outputs)
    step = min(inputs, max(1, ceil(fft.SPECTRA_BYTES / max(each * at_once, 1))))
    # The transforms have temporaries as large as what they make.
    return each * (2 * step * at_once + 4 * c.lead * outputs)


def _fft_maps(c: _Counts) -> int:
    return _fft(c, c.summed, c.channels)


def _fft_grad(c: _Counts) -> int:
    product = c.groups * c.summed * c.channels * c.taps * c.itemsize
    return product + _fft(c, c.summed, c.channels)


def _at_a_time(limit: int, each: int, channels: int, itemsize: int) -> tuple[int, int]:
    """Bytes of what is done for as many channels as a limit allows, and their number.

    What does not fit the arena lives on until the next channels have theirs.
    """
    size = max(each * itemsize, 1)
    step = min(max(1, limit // size), max(channels, 1))
    return step * size * (2 if step < channels else 1), step


_MODELS: dict[tuple[str, str], Callable[[_Counts], int]] = {
    ("conv_transpose", "gemm"): _gemm_transposed,
    ("conv_transpose", "polyphase"): _polyphase_transposed,
    ("conv_transpose", "wide"): _wide_transposed,
    ("conv_transpose", "direct"): _direct_transposed,
    ("conv_transpose", "fft"): _fft_maps,
    ("conv", "gemm"): _gemm_conv,
    ("conv", "polyphase"): _polyphase_conv,
    ("conv", "wide"): _wide_conv,
    ("conv", "direct"): _direct_conv,
    ("conv", "fft"): _fft_maps,
    ("kernel_grad", "gemm"): _gemm_grad,
    ("kernel_grad", "polyphase"): _polyphase_grad,
    ("kernel_grad", "wide"): _wide_grad,
    ("kernel_grad", "direct"): _direct_grad,
    ("kernel_grad", "fft"): _fft_grad,
}
