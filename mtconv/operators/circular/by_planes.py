"""Regularized solves with one channel on the small side of a group, plane by plane.

A plane of the big side is multiplied by its symbol as soon as it is transformed, and what
the filter makes of a plane is transformed back at once, so that both are in the caches.
Only sums of planes lie between, and x starts from z itself, not from its spectrum.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, lend
from mtconv.operators.circular.passes import Passes
from mtconv.operators.circular.recall import Memory
from mtconv.operators.circular.stages import Index, Stage, pieces, run_passes

__all__ = ["solve_by_planes"]

Array = NDArray[Any]
Task = tuple[Callable[[Index, int], None], Index]

_COMPLEX = np.dtype(np.complex128)


def solve_by_planes(
    passes: Passes,
    filters: tuple[Array, Array],
    y: Array,
    z: Array | None,
    x: Array,
    memory: Memory,
) -> None:
    """Write ``z + A^H (A A^H + weight)^-1 (y - A z)`` for a convolution A to x.

    ``filters`` are the symbol and the filter of the weight. The arrays are canonical, and
    z is None for zero. The passes transform no columns.
    """
    groups = filters[0].shape[0]
    with lend() as space:
        data = DataSpectrum(passes, passes.planes(y, groups), memory, space)
        phases = passes.phases(x, groups)
        shape = (*phases.shape[: -len(passes.cells)], *passes.frequencies)
        symbol, filtered = (array[:, 0].reshape(shape[1:]) for array in filters)
        tasks, total = data.tasks(), prod(shape)
        first = Stage(_call, tasks, total)
        if z is None:
            back = _back(passes, filtered, lambda: data.spectrum, phases)
            run_passes([first, back])
        else:
            products = space.take(shape, _COMPLEX)
            rest = space.take((*shape[:2], 1, *passes.frequencies), _COMPLEX)
            tasks += _products(passes, symbol, passes.phases(z, groups), products)
            back = _back(passes, filtered, lambda: rest, phases)
            run_passes([first, _rest(data, products, rest), back, _sum(z, x)])
        data.keep()


def _call(task: Task, workers: int) -> None:
    function, piece = task
    function(piece, workers)


class DataSpectrum:
    """The spectrum of y, known from an earlier call where y is the same."""

    def __init__(self, passes: Passes, y: Array, memory: Memory, space: Workspace) -> None:
        self._passes, self._y, self._memory = passes, y, memory
        self._likely = memory.likely(y)
        self._same = False
        leading = y.shape[: -len(passes.cells)]
        self._new = space.take((*leading, *passes.frequencies), _COMPLEX)

    def tasks(self) -> list[Task]:
        """List the tasks after which `spectrum` is there."""
        if self._likely is not None:
            return [(self._look, ())]
        whole = len(self._passes.cells)
        return [(self._transform, piece) for piece in pieces(self._new.shape, whole)]

    def _look(self, _: Index, workers: int) -> None:
        self._same = self._likely is not None and self._likely.of(self._y)
        if not self._same:
            self._transform((), workers)

    def _transform(self, piece: Index, workers: int) -> None:
        self._new[piece] = self._passes.forward(self._y[piece], workers)

    @property
    def spectrum(self) -> Array:
        """The spectrum (batch, groups, 1, *frequencies)."""
        known = self._same and self._likely
        return known.spectrum if known else self._new

    def keep(self) -> None:
        """Keep what is new, if y was probably there in the call before."""
        if not self._same and self._memory.returns(self._y):
            self._memory.keep(self._y, self._new)


def _products(passes: Passes, symbol: Array, z: Array, products: Array) -> list[Task]:
    """List tasks that transform planes of z, and multiply them by their symbols."""

    def multiply(piece: Index, workers: int) -> None:
        spectra = passes.forward(z[piece], workers)
        np.multiply(spectra, symbol[piece[1:]], out=products[piece])

    each = pieces(products.shape, len(passes.cells))
    return [(multiply, piece) for piece in each]


def _rest(data: DataSpectrum, products: Array, rest: Array) -> Stage:
    """Subtract the sums of products from the spectrum of y."""
    items, groups = products.shape[:2]
    flat = rest.reshape(items, groups, -1)
    columns = flat.shape[2]
    summands = products.reshape(items, groups, -1, columns)

    def subtract(piece: Index, _: int) -> None:
        spectrum = data.spectrum.reshape(flat.shape)
        total = summands[(*piece[:2], slice(None), piece[2])].sum(axis=2)
        np.subtract(spectrum[piece], total, out=flat[piece])

    return Stage(subtract, pieces(flat.shape, 0), products.size)


def _back(
    passes: Passes, filtered: Array, rest: Callable[[], Array], phases: Array
) -> Stage:
    """Multiply by the filter, and transform back."""
    rank = len(passes.cells)
    shape = (*phases.shape[:-rank], *passes.frequencies)

    def store(piece: Index, workers: int) -> None:
        part = rest()[piece[:2]]
        residues = (1,) * (len(shape) - part.ndim)
        part = part.reshape(*part.shape[:3], *residues, *passes.frequencies)
        phases[piece] = passes.back(filtered[piece[1:]] * part, workers)

    return Stage(store, pieces(shape, rank), prod(shape))


def _sum(z: Array, x: Array) -> Stage:
    """Add z to x, which takes longer where the phases of both have to be read."""

    def add(piece: Index, _: int) -> None:
        np.add(x[piece], z[piece], out=x[piece])

    return Stage(add, pieces(x.shape, 0), x.size)
