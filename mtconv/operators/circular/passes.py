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
from functools import lru_cache, partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, lend
from mtconv.backends.host.threads import run_all, workers_at_most
from mtconv.operators.circular.circle import circles_of
from mtconv.operators.circular.transforms import of_numpy
from mtconv.spec import ConvSpec

__all__ = ["Passes", "Region", "passes_of"]

Array = NDArray[Any]
Index = tuple[slice, ...]
Point = Callable[..., Array]

# Elements of a piece: as many as stay in the caches of a processor, and pieces that threads
# share where that leaves enough of them.
_MOST = 2**16
_LEAST = 2**14
_PIECES = 8

# Elements of all planes from which on threads are worth their start.
_THREADED = 2**16


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

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Number of frequencies of each axis."""
        *others, last = self.cells
        return (*others, last // 2 + 1 if self.real else last)

    @property
    def by_columns(self) -> bool:
        """Return whether the first axis is transformed in the second pass."""
        return len(self.cells) > 1 and prod(self.frequencies) > _MOST

    @property
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
        finish: Callable[[Array], None] | None = None,
    ) -> None:
        """Transform arrays, compute with their spectra, and transform back to ``out``.

        All of them are `phases` or `planes`. ``point(region, *spectra)`` returns the
        spectrum of the result for a region, and may overwrite those that it gets;
        ``finish`` changes pieces of the result.
        """
        with lend() as space:
            spectra = [self._forward(array, space) for array in inputs]
            shape = self._flat(out)
            target = next((array for array in spectra if array.shape == shape), None)
            if target is None:
                target = space.take(shape, _COMPLEX)
            self._multiply(spectra, target, point)
            self._back(target, out, finish)

    def _flat(self, planes: Array) -> tuple[int, ...]:
        """Return the shape of the spectra of planes."""
        leading = planes.shape[: -len(self.cells)]
        residues = (prod(leading[3:]),) if len(leading) > 3 else ()
        return (*leading[:3], *residues, *self.rows_columns)

    def _inner(self) -> tuple[int, ...]:
        """List the axes that the first and the last pass transform."""
        return tuple(range(self.by_columns - len(self.cells), 0))

    def _forward(self, planes: Array, space: Workspace) -> Array:
        """Transform planes along the inner axes."""
        leading = planes.shape[: -len(self.cells)]
        spectra = space.take((*leading, *self.frequencies), _COMPLEX)
        name, dtype = ("rfftn", np.float64) if self.real else ("fftn", np.complex128)
        axes = self._inner()

        def transform(piece: Index, workers: int) -> None:
            part = planes[piece].astype(dtype, copy=False)
            spectra[piece] = of_numpy(name, part, workers, axes=axes)

        self._share(transform, spectra.shape, len(axes))
        return spectra.reshape(self._flat(planes))

    def _multiply(self, spectra: list[Array], target: Array, point: Point) -> None:
        """Let ``point`` compute region by region."""
        items, groups, *_ = target.shape
        rows, columns = self.rows_columns
        each = rows * max(prod(array.shape[2:-2]) for array in (*spectra, target))

        def multiply(piece: Index, workers: int) -> None:
            region = Region(*piece[:3])
            parts = [region.spectrum(array) for array in spectra]
            if self.by_columns:
                along = partial(of_numpy, workers=workers, axes=(-2,))
                parts = [along("fftn", part) for part in parts]
                result = along("ifftn", point(region, *parts), overwrite=True)
            else:
                result = point(region, *parts)
            stored = region.spectrum(target)
            if not np.may_share_memory(result, stored):
                stored[...] = result

        self._share(multiply, (items, groups, columns, each), 1)

    def _back(
        self, spectra: Array, out: Array, finish: Callable[[Array], None] | None
    ) -> None:
        """Transform spectra back along the inner axes, and store what comes out."""
        leading = out.shape[: -len(self.cells)]
        spectra = spectra.reshape(*leading, *self.frequencies)
        axes = self._inner()
        others = axes[:-1] if self.real else axes

        def transform(piece: Index, workers: int) -> None:
            part = spectra[piece]
            if others:
                part = of_numpy("ifftn", part, workers, overwrite=True, axes=others)
            if self.real:
                part = of_numpy("irfft", part, workers, n=self.cells[-1])
            if finish is not None:
                finish(part)
            np.copyto(out[piece], part, casting="unsafe")

        self._share(transform, spectra.shape, len(axes))

    @staticmethod
    def _share(
        function: Callable[[Index, int], None], shape: tuple[int, ...], whole: int
    ) -> None:
        """Call a function for every piece of a shape, on threads where that is worth it.

        The last ``whole`` axes are not cut.
        """
        total = prod(shape)
        most = min(max(total // _PIECES, _LEAST), _MOST)
        pieces = _cut(shape, len(shape) - whole, most)
        threads = workers_at_most() if total >= _THREADED else 1
        inner = max(1, threads // max(len(pieces), 1))
        run_all(lambda piece: function(piece, inner), pieces, threads)


_COMPLEX = np.dtype(np.complex128)


@lru_cache(maxsize=1024)
def passes_of(spec: ConvSpec, *, real: bool) -> Passes:
    """Return the passes of a spec with circular padding."""
    circles = circles_of(spec)
    cells = tuple(circle.cells for circle in circles)
    return Passes(cells, tuple(circle.stride for circle in circles), real)


@lru_cache(maxsize=1024)
def _cut(shape: tuple[int, ...], axes: int, most: int) -> tuple[Index, ...]:
    """Cut the first axes of a shape into pieces of at most so many elements, if they can.

    An axis is cut once the axes before it are cut to single elements.
    """
    sizes = [prod(shape[axis + 1 :]) for axis in range(axes)]
    last = next((n for n, size in enumerate(sizes) if size <= most), axes - 1)
    step = _step(shape[last], most // max(sizes[last], 1))
    steps = (*(1,) * last, step, *shape[last + 1 : axes])
    return tuple(product(*map(_slices, shape[:axes], steps)))


def _step(size: int, most: int) -> int:
    """Return the length of parts of nearly the same length, of at most so many elements."""
    parts = -(-size // max(most, 1))
    return -(-size // max(parts, 1))


def _slices(size: int, step: int) -> list[slice]:
    return [slice(n, min(n + step, size)) for n in range(0, size, max(step, 1))]
