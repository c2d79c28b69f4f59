"""Spectra of NumPy arrays in three passes over pieces that stay in the caches.

The first pass transforms pieces of the planes of the input: a plane is what one residue of
one channel consists of. The second one multiplies spectra, the same frequencies of all
planes at a time. The third transforms back, and stores the result where it belongs. Where
planes are larger than the caches, the first axis is transformed there and back in the
second pass, whose pieces are columns.

What a piece is depends on sizes alone, and so do results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, lend
from mtconv.operators.circular.circle import circles_of
from mtconv.operators.circular.recall import Memory
from mtconv.operators.circular.stages import (
    Index,
    Stage,
    in_caches,
    pieces,
    row_length,
    run_passes,
)
from mtconv.operators.circular.transforms import numpy_back, numpy_forward, of_numpy
from mtconv.spec import ConvSpec

__all__ = ["Decided", "Passes", "Region", "Watch", "passes_of"]

Array = NDArray[Any]
Point = Callable[..., Array]
Store = Callable[[Array, Array], None]

_COMPLEX = np.dtype(np.complex128)


class Region(NamedTuple):
    """Items of a batch, groups, and columns of the frequencies that a piece has."""

    items: slice
    groups: slice
    columns: slice

    def spectrum(self, array: Array) -> Array:
        """View the piece of spectra (batch, groups, ..., columns)."""
        return array[self.items, self.groups, ..., self.columns]

    def symbol(self, array: Array) -> Array:
        """View what the piece is multiplied by, of an array (groups, ..., columns)."""
        return array[self.groups, ..., self.columns]


class Watch(Protocol):
    """What looks at pieces of the data, on any thread, while they are transformed."""

    def see(self, piece: Array) -> None:
        """Look at a piece."""

    def settle(self) -> Store | None:
        """Return what stores pieces of the result, None where none is wanted."""


class Decided(NamedTuple):
    """A watch that has seen everything."""

    store: Store | None

    def see(self, piece: Array) -> None:
        """Look at nothing."""

    def settle(self) -> Store | None:
        """Return what stores pieces of the result."""
        return self.store


class Decision:
    """What a watch decides once it has seen everything.

    Threads that ask at the same time decide alike.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._decided: Decided | None = None

    @property
    def store(self) -> Store | None:
        """What stores pieces of the result, None where none is wanted."""
        if self._decided is None:
            self._decided = Decided(self._watch.settle())
        return self._decided.store


@dataclass(frozen=True)
class Passes:
    """The passes of real or complex arrays with so many cells.

    Spectra have the shape (batch, groups, channels, rows, columns), those of the big side
    (batch, groups, channels, residues, rows, columns): the rows are the frequencies of the
    first axis where it is transformed in the second pass, otherwise there is one.
    """

    cells: tuple[int, ...]
    strides: tuple[int, ...]
    real: bool

    @cached_property
    def frequencies(self) -> tuple[int, ...]:
        """Number of frequencies of each axis."""
        *others, last = self.cells
        return (*others, last // 2 + 1 if self.real else last)

    @cached_property
    def by_columns(self) -> bool:
        """Return whether the first axis is transformed in the second pass."""
        return len(self.cells) > 1 and not in_caches(prod(self.frequencies))

    @cached_property
    def rows_columns(self) -> tuple[int, int]:
        """Return the last two sizes of spectra."""
        count = prod(self.frequencies)
        rows = self.cells[0] if self.by_columns else 1
        return rows, count // rows

    def symbol(self, array: Array) -> Array:
        """View what spectra are multiplied by, (..., all frequencies)."""
        return array.reshape(*array.shape[:-1], *self.rows_columns)

    def phases(self, y: Array, groups: int) -> Array:
        """View the big side (batch, channels, *big) as (batch, groups, ..., *cells)."""
        pairs = [n for pair in zip(self.cells, self.strides, strict=True) for n in pair]
        y = y.reshape(len(y), groups, y.shape[1] // max(groups, 1), *pairs)
        stop = 3 + len(pairs)
        return y.transpose(0, 1, 2, *range(4, stop, 2), *range(3, stop, 2))

    def planes(self, x: Array, groups: int) -> Array:
        """View the small side (batch, channels, *cells) as (batch, groups, ..., *cells)."""
        return x.reshape(len(x), groups, x.shape[1] // max(groups, 1), *self.cells)

    def run(
        self,
        inputs: tuple[Array, ...],
        out: Array,
        point: Point,
        watch: Watch | None = None,
        memory: Memory | None = None,
    ) -> bool:
        """Transform arrays, compute with their spectra, and transform back to ``out``.

        All of them are `phases` or `planes`. ``point(region, *spectra)`` returns the
        spectrum of the result for a region, and may overwrite those that it gets. ``watch``
        looks at pieces of the inputs, and decides how those of the result are stored.
        ``memory`` has what earlier calls made of the first input, whose spectrum ``point``
        leaves alone then. Returns whether there is a result.
        """
        watch = Decided(_store) if watch is None else watch
        decision = Decision(watch)
        with lend() as space:
            kept = None if memory is None else memory.recall(inputs[0])
            if kept is None:
                first, spectra = self._forward(inputs, space, watch)
            else:
                first, spectra = self._forward(inputs[1:], space, watch)
                spectra.insert(0, self._kept(kept, space))
            stages = [first]
            if memory is not None and kept is None and memory.returns(inputs[0]):
                run_passes(stages)
                stages = []
                memory.keep(inputs[0], spectra[0])
            target = self._target(spectra, self.flat(out), space)
            stages.append(self._multiply(spectra, target, point, decision))
            stages.append(self._back(target, out, decision))
            run_passes(stages)
        return decision.store is not None

    def _target(
        self, spectra: list[Array], shape: tuple[int, ...], space: Workspace
    ) -> Array:
        """Return memory for the spectrum of the result.

        A region of the result takes the place of one that was read before.
        """
        for array in spectra:
            if array.size == prod(shape) and array.flags.writeable:
                return array.reshape(shape)
        return self.room(shape, space)

    def room(self, shape: tuple[int, ...], space: Workspace) -> Array:
        """Return memory for spectra (..., rows, columns)."""
        *leading, rows, columns = shape
        wider = row_length(columns) if rows > 1 else columns
        return space.take((*leading, rows, wider), _COMPLEX)[..., :columns]

    def _kept(self, kept: Array, space: Workspace) -> Array:
        """Return a spectrum that is known, or a copy where it is transformed in place."""
        if not self.by_columns:
            return kept
        copy = self.room(kept.shape, space)
        copy[...] = kept
        return copy

    def flat(self, planes: Array) -> tuple[int, ...]:
        """Return the shape of the spectra of planes."""
        leading = planes.shape[: -len(self.cells)]
        residues = (prod(leading[3:]),) if len(leading) > 3 else ()
        return (*leading[:3], *residues, *self.rows_columns)

    def inner(self) -> tuple[int, ...]:
        """List the axes that the first and the last pass transform."""
        return tuple(range(self.by_columns - len(self.cells), 0))

    def forward(self, planes: Array, workers: int) -> Array:
        """Transform planes along the inner axes."""
        result: Array = numpy_forward(planes, self.inner(), workers, real=self.real)
        return result

    def back(self, spectra: Array, workers: int) -> Array:
        """Transform spectra back along the inner axes; they are overwritten."""
        size = self.cells[-1]
        result: Array = numpy_back(
            spectra, self.inner(), workers, real=self.real, size=size
        )
        return result

    def _forward(
        self, inputs: tuple[Array, ...], space: Workspace, watch: Watch
    ) -> tuple[Stage, list[Array]]:
        """Transform planes along the inner axes; also returns where their spectra are."""
        whole, tasks, results = len(self.inner()), [], []
        for planes in inputs:
            result = self.room(self.flat(planes), space)
            leading = planes.shape[: -len(self.cells)]
            spectra = result.reshape(*leading, *self.frequencies)
            each = pieces(spectra.shape, whole)
            tasks += [(planes[piece], spectra[piece]) for piece in each]
            results.append(result)

        def transform(task: tuple[Array, Array], workers: int) -> None:
            planes, spectra = task
            watch.see(planes)
            spectra[...] = self.forward(planes, workers)

        return Stage(transform, tasks, sum(array.size for array in results)), results

    def _multiply(
        self, spectra: list[Array], target: Array, point: Point, decision: Decision
    ) -> Stage:
        """Let ``point`` compute region by region."""
        items, groups, *_ = target.shape
        rows, columns = self.rows_columns
        each = rows * max(prod(array.shape[2:-2]) for array in (*spectra, target))

        def multiply(piece: Index, workers: int) -> None:
            if decision.store is None:
                return
            region = Region(*piece)
            parts = [region.spectrum(array) for array in spectra]
            if self.by_columns:
                parts = [_columns("fft", part, workers) for part in parts]
            result = point(region, *parts)
            if self.by_columns:
                result = _columns("ifft", result, workers)
            stored = region.spectrum(target)
            if not np.may_share_memory(result, stored):
                stored[...] = result

        shape = (items, groups, columns, each)
        return Stage(multiply, pieces(shape, 1), prod(shape))

    def _back(self, spectra: Array, out: Array, decision: Decision) -> Stage:
        """Transform spectra back along the inner axes, and store what comes out."""
        leading = out.shape[: -len(self.cells)]
        spectra = spectra.reshape(*leading, *self.frequencies)

        def transform(piece: Index, workers: int) -> None:
            store = decision.store
            if store is not None:
                store(self.back(spectra[piece], workers), out[piece])

        whole = len(self.inner())
        return Stage(transform, pieces(spectra.shape, whole), spectra.size)


def _columns(name: str, spectrum: Array, workers: int) -> Array:
    """Transform columns, in place where that can be."""
    result: Array = of_numpy(name, spectrum, workers, overwrite=True, axis=-2)
    return result


def _store(result: Array, out: Array) -> None:
    np.copyto(out, result, casting="unsafe")


@lru_cache(maxsize=1024)
def passes_of(spec: ConvSpec, *, real: bool) -> Passes:
    """Return the passes of a spec with circular padding."""
    circles = circles_of(spec)
    cells = tuple(circle.cells for circle in circles)
    return Passes(cells, tuple(circle.stride for circle in circles), real)
