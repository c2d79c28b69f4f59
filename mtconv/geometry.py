"""Integer arithmetic of one spatial axis: the relation ``o = stride*i + dilation*j - lo``.

Six integers describe an axis: the small side ``n`` (index ``i``), the big side ``N``
(index ``o``), the kernel size ``k`` (index ``j``), ``stride``, ``dilation`` and ``lo``.
A triple ``(i, j, o)`` is a tap when the relation holds and every index is in range.
Convolution, transposed convolution, kernel gradient and sparse matrix are different sums
over the same taps, so everything about sizes, paddings, phases, halos and tiles is here,
once, and nothing here knows about arrays, options or errors.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

__all__ = [
    "Axis",
    "Phase",
    "Run",
    "Stretch",
    "Window",
    "alike",
    "big_sizes",
    "clip_stretch",
    "fold_index",
    "fold_margins",
    "fold_stretches",
    "has_holes",
    "live_phases",
    "most_folds",
    "padded_axis",
    "phases",
    "restrict",
    "runs",
    "same_lo",
    "small_size",
    "stretch_onto",
    "stretches",
    "touched_big",
    "touched_small",
    "windows",
]


# Cells of padding that are listed at most: the list of as many takes 32 GiB.
MOST_MARGINS = 2**30


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial axis: ``o = stride*i + dilation*j - lo``.

    Parameters
    ----------
    small : int
        Size ``n`` of the small side, the input of a transposed convolution.
    big : int
        Size ``N`` of the big side, the input of a convolution.
    kernel : int
        Number of taps ``k``.
    stride, dilation : int
        Steps of ``i`` and of ``j`` on the big side.
    lo : int
        What is cropped at the low end of the big side; negative values leave cells
        there that no tap reaches.

    Examples
    --------
    >>> axis = Axis(small=2, big=3, kernel=2, stride=1, dilation=1, lo=0)
    >>> [(w.tap, w.small_start, w.small_stop, w.big_start) for w in windows(axis)]
    [(0, 0, 2, 0), (1, 0, 2, 1)]
    """

    small: int
    big: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    lo: int = 0

    @property
    def extent(self) -> int:
        """Length that the dilated kernel spans, ``dilation*(k - 1) + 1``."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def full(self) -> int:
        """Size of the big side if nothing were cropped, ``stride*(n - 1) + extent``."""
        return self.stride * (self.small - 1) + self.extent

    @property
    def hi(self) -> int:
        """What is cropped at the high end; negative values leave cells no tap reaches."""
        return self.full - self.lo - self.big


class Window(NamedTuple):
    """Where one tap lands: small cells ``start..stop`` and the first big cell they meet.

    Small cell ``small_start + t`` meets big cell ``big_start + stride*t``.
    """

    tap: int
    small_start: int
    small_stop: int
    big_start: int

    @property
    def cells(self) -> int:
        """Number of cells that meet."""
        return self.small_stop - self.small_start


@lru_cache(maxsize=4096)
def windows(axis: Axis) -> tuple[Window, ...]:
    """List the taps of an axis that reach at least one big cell, in order of ``j``."""
    found = []
    for j in range(axis.kernel):
        shift = axis.dilation * j - axis.lo
        start = max(0, -(shift // axis.stride))
        stop = min(axis.small, (axis.big - 1 - shift) // axis.stride + 1)
        if start < stop:
            found.append(Window(j, start, stop, axis.stride * start + shift))
    return tuple(found)


class Phase(NamedTuple):
    """Big cells ``start + stride*t`` (``0 <= t < cells``) and the taps that feed them.

    Cell ``t`` receives ``x[t + shift - m*shift_step] * w[tap + m*tap_step]`` for
    ``0 <= m < taps``, small indices out of range counting as zero: a phase is a plain
    convolution of stride 1, and no inserted zero is ever multiplied.
    """

    start: int
    cells: int
    tap: int
    tap_step: int
    taps: int
    shift: int
    shift_step: int


@lru_cache(maxsize=4096)
def phases(axis: Axis) -> tuple[Phase, ...]:
    """Split the big side of an axis by residue modulo the stride.

    With ``g = gcd(stride, dilation)`` a residue that ``g`` does not divide has no taps;
    otherwise its taps are ``stride // g`` apart. Costs as many steps as the stride, where
    `live_phases` costs as many as the kernel has taps.
    """
    return tuple(_phase(axis, start) for start in range(min(axis.stride, axis.big)))


def alike(axis: Axis) -> bool:
    """Whether all phases have as many taps as each other, side by side in x."""
    even = axis.kernel % axis.stride == 0 and axis.big >= axis.stride
    return axis.stride == 1 or (axis.dilation == 1 and even)


@lru_cache(maxsize=4096)
def live_phases(axis: Axis) -> tuple[Phase, ...]:
    """List the phases that have taps, without going through the others."""
    distinct = min(axis.kernel, axis.stride // _gcd(axis.stride, axis.dilation))
    starts = ((axis.dilation * j - axis.lo) % axis.stride for j in range(distinct))
    return tuple(_phase(axis, start) for start in sorted(starts) if start < axis.big)


def has_holes(axis: Axis) -> bool:
    """Tell whether some phase has no taps, so that its cells are zero."""
    return len(live_phases(axis)) < min(axis.stride, axis.big)


def _phase(axis: Axis, start: int) -> Phase:
    common = _gcd(axis.stride, axis.dilation)
    tap_step = axis.stride // common
    shift_step = axis.dilation // common
    residue = (start + axis.lo) % axis.stride
    cells = (axis.big - 1 - start) // axis.stride + 1
    tap = taps = shift = 0
    if residue % common == 0:
        # The inverse of the dilation modulo tap_step picks the first tap.
        inverse = pow(shift_step, -1, tap_step) if tap_step > 1 else 0
        tap = (residue // common) * inverse % tap_step
        taps = max(0, -((tap - axis.kernel) // tap_step))
        shift = (start + axis.lo - axis.dilation * tap) // axis.stride
    return Phase(start, cells, tap, tap_step, taps, shift, shift_step)


class Run(NamedTuple):
    """Taps ``tap .. tap + taps`` that land side by side within one stride.

    Small cell ``i`` meets big cell ``stride*(i + shift) + residue + t`` through tap
    ``tap + t``, and ``residue + taps`` is at most the stride.
    """

    tap: int
    taps: int
    residue: int
    shift: int


@lru_cache(maxsize=4096)
def runs(axis: Axis) -> tuple[Run, ...]:
    """Split all taps of an axis into runs: few where the stride is large.

    With a dilation, neighbouring taps are not neighbours on the big side, and every run
    is a single tap.

    Examples
    --------
    >>> for run in runs(Axis(small=5, big=10, kernel=4, stride=2, lo=1)):
    ...     print(*run)
    0 1 1 -1
    1 2 0 0
    3 1 0 1
    """
    found = []
    tap = 0
    while tap < axis.kernel:
        shift, residue = divmod(axis.dilation * tap - axis.lo, axis.stride)
        taps = 1
        if axis.dilation == 1:
            taps = min(axis.kernel - tap, axis.stride - residue)
        found.append(Run(tap, taps, residue, shift))
        tap += taps
    return tuple(found)


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def small_size(big: int, kernel: int, stride: int, dilation: int, lo: int, hi: int) -> int:
    """Size of a convolution's result with ``lo`` and ``hi`` cells of padding."""
    extent = dilation * (kernel - 1) + 1
    return (big + lo + hi - extent) // stride + 1


def big_sizes(
    small: int, kernel: int, stride: int, dilation: int, lo: int, hi: int
) -> range:
    """List the sizes that a convolution with this padding maps to ``small``.

    The first is the natural size of the transposed convolution (what
    ``output_padding=0`` gives) as long as that is positive.
    """
    base = stride * (small - 1) + dilation * (kernel - 1) + 1 - lo - hi
    return range(max(base, 1), max(base + stride, 1))


def same_lo(big: int, kernel: int, stride: int, dilation: int, *, lower: bool) -> int:
    """Low padding of "same" (or "same_lower") for a convolution of ``big`` cells."""
    small = -(-big // stride)
    total = max(stride * (small - 1) + dilation * (kernel - 1) + 1 - big, 0)
    return total - total // 2 if lower else total // 2


def touched_small(axis: Axis, start: int, stop: int) -> tuple[int, int]:
    """Small cells that reach big cells ``start..stop``: the halo of a transposed conv."""
    first = -((axis.extent - 1 - start - axis.lo) // axis.stride)
    last = (stop - 1 + axis.lo) // axis.stride
    first = min(max(first, 0), axis.small)
    return first, max(first, min(last + 1, axis.small))


def touched_big(axis: Axis, start: int, stop: int) -> tuple[int, int]:
    """Big cells that small cells ``start..stop`` reach: the halo of a convolution."""
    first = axis.stride * start - axis.lo
    last = axis.stride * (stop - 1) + axis.extent - 1 - axis.lo
    first = min(max(first, 0), axis.big)
    return first, max(first, min(last + 1, axis.big))


def restrict(axis: Axis, small: tuple[int, int], big: tuple[int, int]) -> Axis:
    """Keep small cells ``small[0]..small[1]`` and big cells ``big[0]..big[1]``.

    The block has the same relation with another ``lo``; tiles, chunks and shards are
    such blocks.
    """
    return Axis(
        small=small[1] - small[0],
        big=big[1] - big[0],
        kernel=axis.kernel,
        stride=axis.stride,
        dilation=axis.dilation,
        lo=axis.lo + big[0] - axis.stride * small[0],
    )


def padded_axis(axis: Axis) -> Axis:
    """Take the padding of an axis into its big side: ``lo = 0``, nothing cropped."""
    big = axis.lo + axis.big + max(axis.hi, 0)
    return Axis(axis.small, big, axis.kernel, axis.stride, axis.dilation, 0)


def fold_margins(
    size: int, lo: int, hi: int, mode: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Source cells of the ``lo`` cells before and the ``hi`` cells after an axis.

    Raises
    ------
    MemoryError
        If they are `MOST_MARGINS` or more; to list them would take as long as to run out.
    """
    if lo + hi >= MOST_MARGINS:
        msg = f"padding of {lo} and {hi} cells is too much to list"
        raise MemoryError(msg)
    return (
        tuple(_source(o, size, mode) for o in range(-lo, 0)),
        tuple(_source(o, size, mode) for o in range(size, size + hi)),
    )


@lru_cache(maxsize=16)
def fold_index(size: int, lo: int, hi: int, mode: str) -> tuple[int, ...]:
    """Source cell of each cell of an axis padded by ``lo`` and ``hi`` in this mode.

    `fold_stretches` says the same without a list as long as the axis.
    """
    before, after = fold_margins(size, lo, hi, mode)
    return (*before, *range(size), *after)


class Stretch(NamedTuple):
    """Padded cells from ``start`` on whose sources follow one another.

    Cell ``start + t`` repeats cell ``source + step*t``; ``step`` is 1, -1 or 0.
    """

    start: int
    cells: int
    source: int
    step: int


@lru_cache(maxsize=1024)
def fold_stretches(size: int, lo: int, hi: int, mode: str) -> tuple[Stretch, ...]:
    """List the stretches of an axis padded by ``lo`` and ``hi`` in this mode.

    Examples
    --------
    >>> for stretch in fold_stretches(size=4, lo=2, hi=1, mode="reflect"):
    ...     print(*stretch)
    0 2 2 -1
    2 4 0 1
    6 1 2 -1
    """
    found = []
    o = -lo
    while o < size + hi:
        step, last = _stretch_end(o, size, mode)
        cells = min(last + 1, size + hi) - o
        found.append(Stretch(o + lo, cells, _source(o, size, mode), step))
        o += cells
    return tuple(found)


def _stretch_end(o: int, size: int, mode: str) -> tuple[int, int]:
    """Step of the stretch that cell ``o`` is in, and its last cell."""
    if mode == "replicate" or size == 1:
        if 0 <= o < size and size > 1:
            return 1, size - 1
        return 0, -1 if o < 0 and size > 1 else sys.maxsize
    if mode == "circular":
        return 1, o - o % size + size - 1
    period = 2 * size if mode == "symmetric" else 2 * (size - 1)
    place = o % period
    if place < size:
        return 1, o - place + size - 1
    return -1, o - place + period - 1


def clip_stretch(stretch: Stretch, start: int, stop: int) -> Stretch | None:
    """Keep padded cells ``start..stop`` of a stretch, or None where it has none."""
    first = max(stretch.start, start)
    last = min(stretch.start + stretch.cells, stop)
    if first >= last:
        return None
    source = stretch.source + stretch.step * (first - stretch.start)
    return Stretch(first, last - first, source, stretch.step)


def stretch_onto(stretch: Stretch, start: int, stop: int) -> tuple[int, int] | None:
    """Find the padded cells of a stretch whose sources are ``start..stop``."""
    if stretch.step == 0:
        inside = start <= stretch.source < stop
        return (stretch.start, stretch.start + stretch.cells) if inside else None
    if stretch.step == 1:
        first, last = start - stretch.source, stop - stretch.source
    else:
        first, last = stretch.source - stop + 1, stretch.source - start + 1
    first, last = max(first, 0), min(last, stretch.cells)
    if first >= last:
        return None
    return stretch.start + first, stretch.start + last


def most_folds(size: int, lo: int, hi: int, mode: str) -> int:
    """Count the padded cells that repeat one cell of the axis, at most."""
    changes: dict[int, int] = {}
    for _, cells, source, step in fold_stretches(size, lo, hi, mode):
        count = cells if step == 0 else 1
        other = source + step * (cells - 1)
        first, last = min(source, other), max(source, other)
        changes[first] = changes.get(first, 0) + count
        changes[last + 1] = changes.get(last + 1, 0) - count
    return max(accumulate(changes[cell] for cell in sorted(changes)))


def stretches(index: tuple[int, ...]) -> tuple[Stretch, ...]:
    """Cut source cells, such as those of `fold_index`, into few stretches.

    Examples
    --------
    >>> for stretch in stretches(fold_index(size=4, lo=2, hi=1, mode="reflect")):
    ...     print(*stretch)
    0 3 2 -1
    3 3 1 1
    6 1 2 1
    """
    found = []
    start = 0
    while start < len(index):
        stop = start + 1
        step = index[stop] - index[start] if stop < len(index) else 1
        if abs(step) > 1:
            step = 1
        while stop < len(index) and index[stop] - index[stop - 1] == step:
            stop += 1
        found.append(Stretch(start, stop - start, index[start], step))
        start = stop
    return tuple(found)


def _source(o: int, size: int, mode: str) -> int:
    """Cell of an axis of ``size`` cells that cell ``o`` outside of it repeats."""
    if mode == "circular":
        return o % size
    if mode == "replicate":
        return min(max(o, 0), size - 1)
    if mode == "reflect":
        period = max(2 * (size - 1), 1)
        return min(o % period, period - o % period)
    if mode == "symmetric":
        return min(o % (2 * size), 2 * size - 1 - o % (2 * size))
    raise ValueError(mode)
