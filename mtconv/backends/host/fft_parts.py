"""What `fft` does with one piece, in integers: phases, blocks, what is joined at a time.

The spectra of a part of the kernel are made once, for all blocks and samples. Groups,
channels and phases are cut until those spectra fit the workspace, and those of one block
too; then as many blocks are taken at a time as stay in the caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

from mtconv.backends.host.cuts import slices
from mtconv.geometry import Axis, Phase, live_phases, windows
from mtconv.planning import tuning
from mtconv.planning.overlap import Blocks, blocks_of, most_elements

__all__ = ["Chunk", "Layout", "Part", "cells_of", "layout_of", "spots_of"]
__all__ += ["placed", "taps_of"]

Axes = tuple[Axis, ...]
Phases = tuple[Phase, ...]
Index = tuple[Any, ...]


class Chunk(NamedTuple):
    """Samples, and blocks of each axis, that are transformed at a time."""

    samples: slice
    blocks: tuple[slice, ...]


class Part(NamedTuple):
    """Groups, channels of both sides and phases that are joined at a time.

    ``matrices`` says that they are multiplied as matrices, one for each frequency, and
    ``adds`` that an earlier part has written to the same part of a result.
    """

    groups: slice
    small: slice
    big: slice
    phases: tuple[Phases, ...]
    chunks: tuple[Chunk, ...]
    matrices: bool
    adds: bool

    @property
    def kernel(self) -> Index:
        """Index the part of a kernel (g, ci, co, *taps)."""
        return self.groups, self.small, self.big


class Layout(NamedTuple):
    """The blocks of a piece, and its parts; ``covers`` says that they are all of it."""

    blocks: tuple[Blocks, ...]
    lengths: tuple[int, ...]
    spans: tuple[int, ...]
    parts: tuple[Part, ...]
    covers: bool


@lru_cache(maxsize=1024)
def layout_of(
    axes: Axes, sides: tuple[int, int, int, int], itemsize: int, transposed: bool
) -> Layout:
    """Lay out a piece of so many samples, groups, and channels of both sides.

    ``itemsize`` is that of the data; blocks are those of the big side if ``transposed``.
    """
    batch, *channels = sides
    phases = tuple(product(*map(_reached, axes)))
    if not phases or 0 in sides:
        return Layout((), (), (), (), covers=False)
    most = most_elements(itemsize, sum(channels[1:]))
    blocks = blocks_of(axes, transposed, most)
    lengths = tuple(axis.length for axis in blocks)
    plane = _plane(prod(lengths), lengths[-1], itemsize)
    counts = (*channels, len(phases))
    parts = tuple(_parts(counts, phases, plane, batch, blocks, transposed))
    spans = tuple(axis.span for axis in blocks)
    return Layout(blocks, lengths, spans, parts, all(map(_covered, axes)))


def _parts(
    counts: tuple[int, ...],
    phases: tuple[Phases, ...],
    plane: int,
    batch: int,
    blocks: tuple[Blocks, ...],
    transposed: bool,
) -> Iterator[Part]:
    """Cut groups, channels and phases, whose spectra of a block have ``plane`` bytes."""
    shares = _shares(counts, plane)
    unit = shares[0] * (shares[1] + shares[2] * shares[3]) * plane
    chunks = tuple(_chunks(max(1, tuning.BLOCKS_BYTES // unit), batch, blocks))
    matrices = prod(shares[1:]) >= tuning.JOINED_CHANNELS
    cuts = (slices(*pair) for pair in zip(counts, shares, strict=True))
    for groups, small, big, reached in product(*cuts):
        adds = small.start > 0 if transposed else big.start + reached.start > 0
        yield Part(groups, small, big, phases[reached], chunks, matrices, adds)


def _chunks(most: int, batch: int, blocks: tuple[Blocks, ...]) -> Iterator[Chunk]:
    """Cut samples and blocks; those of the last axes come together first."""
    cuts = []
    for axis in reversed(blocks):
        cuts.append(slices(axis.number, min(axis.number, most)))
        most = max(1, most // axis.number)
    for samples in slices(batch, min(batch, most)):
        for chosen in product(*reversed(cuts)):
            yield Chunk(samples, chosen)


def _shares(counts: tuple[int, ...], plane: int) -> tuple[int, ...]:
    """Halve groups, then the largest of the others, until their spectra fit."""
    shares = list(counts)
    while max(shares) > 1:
        groups, small, big, phases = shares
        of_kernel = prod(shares) * plane
        of_block = groups * (small + big * phases) * plane
        if of_kernel <= tuning.SPECTRA_BYTES and of_block <= tuning.UNIT_BYTES:
            break
        largest = 0 if groups > 1 else shares.index(max(shares))
        shares[largest] = -(-shares[largest] // 2)
    return tuple(shares)


def _plane(elements: int, last: int, itemsize: int) -> int:
    """Bound the bytes of a spectrum: two numbers more for each row than it has elements."""
    return (elements + 2 * (elements // last)) * itemsize


@lru_cache(maxsize=4096)
def _reached(axis: Axis) -> Phases:
    """List the phases that a tap reaches; the others would be noise instead of zero."""
    starts = {window.big_start % axis.stride for window in windows(axis)}
    return tuple(phase for phase in live_phases(axis) if phase.start in starts)


def _reach(axis: Axis, phase: Phase) -> tuple[int, int]:
    """Return the first cell of a phase that is in reach of its taps, and the end."""
    first = max(0, -phase.shift)
    size = axis.small + (phase.taps - 1) * phase.shift_step
    return first, max(first, min(phase.cells, size - phase.shift))


def _covered(axis: Axis) -> bool:
    """Return whether every element of the big side is in reach of a phase's taps."""
    ends = (_reach(axis, phase) for phase in _reached(axis))
    return sum(stop - first for first, stop in ends) == axis.big


def cells_of(axes: Axes, phases: Phases) -> tuple[Index, list[int]]:
    """Index the big cells of a phase that taps reach, and return the first's ``u``."""
    index, places = [], []
    for axis, phase in zip(axes, phases, strict=True):
        first, stop = _reach(axis, phase)
        start = phase.start + axis.stride * first
        index.append(slice(start, start + axis.stride * (stop - first), axis.stride))
        places.append(first + phase.shift)
    return (..., *index), places


def taps_of(phases: Phases) -> Index:
    """Index the taps of a phase."""
    return (..., *(slice(phase.tap, None, phase.tap_step) for phase in phases))


def placed(phases: tuple[Phases, ...]) -> tuple[Any, ...]:
    """Tell apart phases whose taps are others, or at other places."""
    return tuple(
        tuple((p.tap, p.tap_step, p.taps, p.shift_step) for p in axes) for axes in phases
    )


def spots_of(phases: Phases) -> Index:
    """Index the ``v`` of a phase's taps."""
    stops = ((phase.taps - 1) * phase.shift_step + 1 for phase in phases)
    steps = (phase.shift_step for phase in phases)
    return (..., *(slice(0, stop, step) for stop, step in zip(stops, steps, strict=True)))
