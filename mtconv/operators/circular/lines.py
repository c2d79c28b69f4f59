"""Spectra of NumPy arrays line by line, written where they belong by NumPy's transforms.

Lines along the last axis are transformed first, from the array itself into memory that is
kept between calls. Then come the other axes, for a few frequencies of the last axis at a
time: a block of them stays in the caches until it is transformed back. Nothing is copied
between, and what a transform reads or writes may have any strides.

Real elements with an even and an odd place on the last axis are the parts of a complex
number in memory, where its stride is even. So pairs of residues are transformed as complex
arrays without gaps. With the spectra P and Q of two residues, ``P + iQ`` comes out; and
``conj(P - iQ)`` at the frequency of the opposite sign. Both are multiplied for the
frequencies of real arrays, so that no pair is taken apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from mtconv.operators.circular.circle import circles_of
from mtconv.operators.circular.passes import Passes
from mtconv.operators.circular.stages import row_length
from mtconv.spec import ConvSpec

__all__ = ["COMPLEX", "Lines", "Side", "Step", "lines_of"]

Array = NDArray[Any]

Step = Callable[[], Any]

COMPLEX = np.dtype(np.complex128)


@dataclass(frozen=True)
class Lines:
    """Transforms of real or complex arrays with so many cells, line by line.

    Spectra of lines have the shape (batch, groups, channels, *residues, *others, columns).
    Blocks of frequencies have their columns before the other axes.
    """

    cells: tuple[int, ...]
    strides: tuple[int, ...]
    real: bool

    @cached_property
    def small(self) -> Side:
        """The small side, of one residue."""
        return Side(self.cells, (1,) * len(self.cells), self.real, paired=False)

    @cached_property
    def big(self) -> Side:
        """The big side."""
        paired = self.real and self.strides[-1] % 2 == 0
        return Side(self.cells, self.strides, self.real, paired=paired)

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Number of frequencies of the last axis, and of the others."""
        *others, last = self.cells
        return (last // 2 + 1 if self.real else last, *others)

    def turned(self, array: Array) -> Array:
        """Bring all frequencies (..., frequencies) into the order of blocks."""
        count, *others = self.frequencies
        array = array.reshape(*array.shape[:-1], *others, count)
        return np.ascontiguousarray(np.moveaxis(array, -1, array.ndim - len(self.cells)))


@dataclass(frozen=True)
class Side:
    """One side of an operator; ``paired`` where pairs of residues are complex numbers.

    Then columns have a second half: those of the opposite frequencies.
    """

    cells: tuple[int, ...]
    strides: tuple[int, ...]
    real: bool
    paired: bool

    @cached_property
    def _passes(self) -> Passes:
        *strides, last = self.strides
        if self.paired:
            return Passes(self.cells, (*strides, last // 2), real=False)
        return Passes(self.cells, self.strides, self.real)

    @property
    def columns(self) -> int:
        """Elements of a transformed line, and the first of pairs once more."""
        last = self.cells[-1]
        if self.paired:
            return last + 1
        return last // 2 + 1 if self.real else last

    def view(self, array: Array, groups: int) -> Array:
        """View (batch, channels, *big) as (batch, groups, ..., *residues, *cells)."""
        if self.paired:
            array = np.ascontiguousarray(array).view(COMPLEX)
        return self._passes.phases(array, groups)

    def room(self, leading: tuple[int, ...]) -> Array:
        """Make memory for the spectra of lines, (*leading, *residues, *others, columns)."""
        *strides, last = self.strides
        residues = (*strides, last // 2 if self.paired else last)
        shape = (*leading, *residues, *self.cells[:-1], row_length(self.columns))
        return np.empty(shape, COMPLEX)[..., : self.columns]

    def forward(self, lines: Array, out: Array) -> None:
        """Transform lines of a `view`."""
        if self.paired:
            fft.fft(lines, out=out[..., :-1])
        else:
            (fft.rfft if self.real else fft.fft)(lines, out=out)

    def back(self, spectra: Array, out: Array) -> None:
        """Transform lines back into a `view`."""
        if self.paired:
            fft.ifft(spectra[..., :-1], out=out)
        elif self.real:
            fft.irfft(spectra, self.cells[-1], out=out)
        else:
            fft.ifft(spectra, out=out)

    def loading(
        self, spectra: Array, columns: slice, blocks: Array, other: Array
    ) -> list[Step]:
        """List what transforms frequencies of the last axis along the others.

        ``spectra`` are (batch, groups, n, *others, columns), and ``blocks`` are (batch,
        groups, halves, n, frequencies, *others); ``other`` is memory like one of them.
        """
        steps: list[Step] = []
        if self.paired and columns.start == 0:  # opposite to itself
            steps.append(partial(np.copyto, spectra[..., -1], spectra[..., 0]))
        for half, part in enumerate(self._halves(spectra, columns)):
            transform, norm = (fft.ifft, "forward") if half else (fft.fft, None)
            turns = self._turns(blocks[:, :, half], other)
            steps += self._along_others(transform, norm, [part, *turns[::-1]])
        return steps

    def storing(
        self, spectra: Array, columns: slice, blocks: Array, other: Array
    ) -> list[Step]:
        """List what transforms back what `loading` transformed, into the same places."""
        steps: list[Step] = []
        for half, part in enumerate(self._halves(spectra, columns)):
            transform, norm = (fft.fft, "forward") if half else (fft.ifft, None)
            turns = self._turns(blocks[:, :, half], other)
            steps += self._along_others(transform, norm, [*turns, part])
        return steps

    def _along_others(
        self, transform: Callable[..., Array], norm: str | None, arrays: list[Array]
    ) -> list[Step]:
        """List transforms along one axis after another, from each array into the next."""
        if len(self.cells) == 1:
            return [partial(np.copyto, arrays[1], arrays[0])]
        return [
            partial(transform, source, axis=axis, norm=norm, out=target)
            for axis, (source, target) in zip(
                range(-len(self.cells), -1), pairwise(arrays), strict=True
            )
        ]

    def _halves(self, spectra: Array, columns: slice) -> list[Array]:
        """View columns, and those of the opposite frequencies."""
        views = [spectra[..., columns]]
        if self.paired:
            last = self.cells[-1]
            opposite = slice(last - columns.start, last - columns.stop, -1)
            views.append(spectra[..., opposite])
        return views

    def _turns(self, block: Array, other: Array) -> list[Array]:
        """List memory for each of the other axes in turn, the block's first."""
        block, other = self._standing(block), self._standing(other)
        return [(block, other)[n % 2] for n in range(max(len(self.cells) - 1, 1))]

    def _standing(self, block: Array) -> Array:
        """View a block with the columns last."""
        rank = len(self.cells)
        axes = range(block.ndim)
        first = block.ndim - rank
        return block.transpose(*axes[:first], *axes[first + 1 :], first)


@lru_cache(maxsize=1024)
def lines_of(spec: ConvSpec, *, real: bool) -> Lines:
    """Return the transforms of a spec whose big side is the stride times the small one."""
    circles = circles_of(spec)
    cells = tuple(circle.cells for circle in circles)
    return Lines(cells, tuple(circle.stride for circle in circles), real)
