"""Integer arithmetic of one spatial axis: the relation ``o = stride*i + dilation*j - lo``.

Six integers describe an axis: the small side ``n`` (index ``i``), the big side ``N``
(index ``o``), the kernel size ``k`` (index ``j``), ``stride``, ``dilation`` and ``lo``.
A triple ``(i, j, o)`` is a tap when the relation holds and every index is in range.
Convolution, transposed convolution, kernel gradient and sparse matrix are different sums
over the same taps, so everything about sizes, paddings, phases, halos and tiles is here,
once, and nothing here knows about arrays, options or errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mtconv.sizes import at_least, cached, larger

__all__ = [
    "Axis",
    "Phase",
    "PhaseGroup",
    "TapRun",
    "Window",
    "alike",
    "big_sizes",
    "has_holes",
    "live_phases",
    "natural_size",
    "padded_axis",
    "phase_axis",
    "phase_groups",
    "phases",
    "restrict",
    "runs",
    "same_padding",
    "same_size",
    "small_size",
    "spaced_runs",
    "taps_between",
    "touched_big",
    "touched_small",
    "windows",
]


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


@cached(4096)
def windows(axis: Axis) -> tuple[Window, ...]:
    """List the taps of an axis that reach at least one big cell, in order of ``j``."""
    reaching = []
    for j in range(axis.kernel):
        shift = axis.dilation * j - axis.lo
        start = max(0, -(shift // axis.stride))
        stop = min(axis.small, (axis.big - 1 - shift) // axis.stride + 1)
        if start < stop:
            reaching.append(Window(j, start, stop, axis.stride * start + shift))
    return tuple(reaching)


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


@cached(4096)
def phases(axis: Axis) -> tuple[Phase, ...]:
    """Split the big side of an axis by residue modulo the stride.

    With ``g = gcd(stride, dilation)`` a residue that ``g`` does not divide has no taps;
    otherwise its taps are ``stride // g`` apart. Costs as many steps as the stride, where
    `live_phases` costs as many as the kernel has taps.
    """
    # Of a big side that is a symbol every residue is listed; some may have no elements.
    short = at_least(axis.big, axis.stride) is False
    residues = axis.big if short else axis.stride
    return tuple(_phase(axis, start) for start in range(residues))


def alike(axis: Axis) -> bool:
    """Whether all phases have as many taps as each other, side by side in x."""
    if axis.stride == 1:
        return True
    even = axis.dilation == 1 and axis.kernel % axis.stride == 0
    return even and at_least(axis.big, axis.stride) is True


@cached(4096)
def live_phases(axis: Axis) -> tuple[Phase, ...]:
    """List the phases that have taps, without going through the others."""
    distinct = min(axis.kernel, axis.stride // _gcd(axis.stride, axis.dilation))
    starts = ((axis.dilation * j - axis.lo) % axis.stride for j in range(distinct))
    return tuple(
        _phase(axis, start)
        for start in sorted(starts)
        if at_least(axis.big, start + 1) is not False
    )


def has_holes(axis: Axis) -> bool:
    """Return whether some phase has no taps, so that its cells are zero."""
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


class PhaseGroup(NamedTuple):
    """Phases of one axis that are convolutions of stride 1 along the same axis.

    Cell ``t`` of a phase is small cell ``t + phase.shift - first`` of ``reads``, whose big
    side is the small side of the whole axis, and whose taps count those of the phase
    backwards: a phase of fewer taps has the last of them.
    """

    first: int
    reads: Axis
    phases: tuple[Phase, ...]


@cached(4096)
def phase_groups(axis: Axis, by: str = "taps") -> tuple[PhaseGroup, ...]:
    """Group the phases of an axis that have taps.

    Parameters
    ----------
    axis : Axis
        The axis.
    by : str
        What the phases of a group share: "taps", their number of taps; "reads", the small
        cells of every tap too; "axis", nothing else, so that there is one group.

    Returns
    -------
    tuple of PhaseGroup
        The groups, in the order of their first phases; empty where no phase has taps.

    Examples
    --------
    Three taps and stride 2: one phase has taps 0 and 2, the other has tap 1.

    >>> for group in phase_groups(Axis(small=4, big=9, kernel=3, stride=2)):
    ...     print([phase.tap for phase in group.phases], group.reads.kernel)
    [0] 2
    [1] 1
    """
    groups: dict[tuple[int, ...], list[Phase]] = {}
    for phase in live_phases(axis):
        key = {"taps": (phase.taps,), "reads": (phase.taps, phase.shift), "axis": ()}[by]
        groups.setdefault(key, []).append(phase)
    return tuple(_phase_group(axis, tuple(members)) for members in groups.values())


def _phase_group(axis: Axis, members: tuple[Phase, ...]) -> PhaseGroup:
    first = min(phase.shift for phase in members)
    cells = max(phase.shift + phase.cells for phase in members) - first
    taps, step = max(phase.taps for phase in members), members[0].shift_step
    reads = Axis(cells, axis.small, taps, 1, step, (taps - 1) * step - first)
    return PhaseGroup(first, reads, members)


@cached(4096)
def phase_axis(axis: Axis, phase: Phase) -> Axis:
    """Relate small cells to the cells of one phase: a convolution of stride 1."""
    return Axis(axis.small, phase.cells, phase.taps, 1, phase.shift_step, phase.shift)


class TapRun(NamedTuple):
    """Taps ``tap .. tap + taps`` that land side by side within one stride.

    Small cell ``i`` meets big cell ``stride*(i + shift) + residue + t`` through tap
    ``tap + t``, and ``residue + taps`` is at most the stride.
    """

    tap: int
    taps: int
    residue: int
    shift: int


@cached(4096)
def runs(axis: Axis) -> tuple[TapRun, ...]:
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
    listed = []
    tap = 0
    while tap < axis.kernel:
        shift, residue = divmod(axis.dilation * tap - axis.lo, axis.stride)
        taps = 1
        if axis.dilation == 1:
            taps = min(axis.kernel - tap, axis.stride - residue)
        listed.append(TapRun(tap, taps, residue, shift))
        tap += taps
    return tuple(listed)


@cached(4096)
def spaced_runs(axis: Axis) -> tuple[int, tuple[TapRun, ...]]:
    """Split all taps into runs of cells a common step of stride and dilation apart.

    Small cell ``i`` meets big cell ``stride*(i + shift) + step*(residue + t) - lo`` through
    tap ``tap + t`` of a run; the step is returned too.

    >>> spaced_runs(Axis(small=5, big=50, kernel=4, stride=8, dilation=2))
    (2, (TapRun(tap=0, taps=4, residue=0, shift=0),))
    """
    step = _gcd(axis.stride, axis.dilation)
    stride, dilation = axis.stride // step, axis.dilation // step
    return step, runs(Axis(axis.small, axis.big, axis.kernel, stride, dilation))


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def small_size(big: int, kernel: int, stride: int, dilation: int, lo: int, hi: int) -> int:
    """Size of a convolution's result with ``lo`` and ``hi`` cells of padding."""
    extent = dilation * (kernel - 1) + 1
    return (big + lo + hi - extent) // stride + 1


def natural_size(
    small: int, kernel: int, stride: int, dilation: int, lo: int, hi: int
) -> int:
    """Size of a transposed convolution's result with ``lo`` and ``hi`` elements cropped."""
    return stride * (small - 1) + dilation * (kernel - 1) + 1 - lo - hi


def big_sizes(
    small: int, kernel: int, stride: int, dilation: int, lo: int, hi: int
) -> range:
    """List the sizes that a convolution with this padding maps to ``small``.

    The first is the natural size of the transposed convolution (what
    ``output_padding=0`` gives) as long as that is positive.
    """
    base = natural_size(small, kernel, stride, dilation, lo, hi)
    return range(max(base, 1), max(base + stride, 1))


def same_size(big: int, stride: int) -> int:
    """Size of a convolution's result with "same" padding, ``ceil(big / stride)``."""
    return (big - 1) // stride + 1


def same_padding(
    big: int, kernel: int, stride: int, dilation: int, *, lower: bool
) -> tuple[int, int]:
    """Both paddings of "same" (or "same_lower") for a convolution of ``big`` elements."""
    extent = dilation * (kernel - 1) + 1
    total = extent - 1 - (big - 1) % stride
    if extent < stride:  # otherwise the total is never negative
        total = larger(total, 0)
    less = total // 2
    return (total - less, less) if lower else (less, total - less)


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


def taps_between(axis: Axis, start: int, stop: int) -> Axis:
    """Keep taps ``start..stop``: the same relation with another ``lo``."""
    lo = axis.lo - axis.dilation * start
    return Axis(axis.small, axis.big, stop - start, axis.stride, axis.dilation, lo)


def padded_axis(axis: Axis) -> Axis:
    """Take the padding of an axis into its big side: ``lo = 0``, nothing cropped."""
    big = axis.lo + axis.big + larger(axis.hi, 0)
    return Axis(axis.small, big, axis.kernel, axis.stride, axis.dilation, 0)
