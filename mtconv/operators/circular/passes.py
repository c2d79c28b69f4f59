"""Spectra of NumPy arrays in three passes over pieces that stay in the caches.

The first pass transforms pieces of the planes of the input: a plane is what one residue of
one channel consists of. The second one multiplies spectra, the same frequencies of all
planes at a time. The third transforms back, and stores the result where it belongs. Where
planes are larger than the caches, the first axis is transformed there and back in the
second pass, whose pieces are columns.

What a piece is depends on sizes alone, and so do results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace, lend
from mtconv.backends.host.threads import run_stages, workers_at_most
from mtconv.operators.circular.circle import circles_of
from mtconv.operators.circular.transforms import numpy_back, numpy_forward, of_numpy
from mtconv.spec import ConvSpec

__all__ = ["Decided", "Index", "Memory", "Passes", "Region", "Stage", "Watch", "passes_of"]
__all__ += ["pieces", "run_passes"]

Array = NDArray[Any]
Index = tuple[slice, ...]
Point = Callable[..., Array]
Store = Callable[[Array, Array], None]

_COMPLEX = np.dtype(np.complex128)

# Elements of a piece: as many as stay in the caches of a processor, and pieces that threads
# share where that leaves enough of them.
_MOST = 2**17
_LEAST = 2**14
_PIECES = 4

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


class Known(NamedTuple):
    """An array in double precision and its spectrum."""

    array: Array
    spectrum: Array

    def of(self, array: Array) -> bool:
        """Return whether an array like this one has the same bits."""
        return np.array_equal(_bits(array), _bits(self.array))


class Memory:
    """The spectrum of an array that comes again and again, as data of ADMM do.

    An array is remembered at its second call, and told by all of its bits.
    """

    def __init__(self) -> None:
        self._glimpse: tuple[Any, ...] | None = None
        self._known: Known | None = None

    def recall(self, array: Array) -> Array | None:
        """Return the spectrum of an array, if it is known."""
        likely = self.likely(array)
        return likely.spectrum if likely is not None and likely.of(array) else None

    def likely(self, array: Array) -> Known | None:
        """Return what is known of an array that begins in the same way."""
        known = self._known
        if known is None or _glimpse(array) != _glimpse(known.array):
            return None
        return known

    def returns(self, array: Array) -> bool:
        """Return whether the array was probably there in the call before."""
        glimpse = _glimpse(array)
        returns = glimpse is not None and glimpse == self._glimpse
        self._glimpse = glimpse
        return returns

    def keep(self, array: Array, spectrum: Array) -> None:
        """Keep copies of both."""
        known = Known(array.copy(), spectrum.copy())
        known.spectrum.flags.writeable = False
        self._known = known


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
        return len(self.cells) > 1 and prod(self.frequencies) > _MOST

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
        # A column that is transformed has its rows in different sets of the caches, which
        # an odd number of cache lines from one row to the next makes of them.
        wider = 4 * (-(-columns // 4) | 1) if rows > 1 else columns
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


class Stage(NamedTuple):
    """Tasks that do not depend on each other, and the number of their elements.

    ``function`` gets a task, and how many threads it may use itself.
    """

    function: Callable[[Any, int], None]
    tasks: Sequence[Any]
    total: int


def run_passes(stages: Sequence[Stage]) -> None:
    """Run one stage after another, on threads where there are enough elements."""
    largest = max(stage.total for stage in stages)
    threads = workers_at_most() if largest >= _THREADED else 1

    def calls(stage: Stage) -> list[tuple[Stage, Any, int]]:
        inner = max(1, threads // max(len(stage.tasks), 1))
        return [(stage, task, inner) for task in stage.tasks]

    run_stages(_call, [calls(stage) for stage in stages], threads)


def _call(task: tuple[Stage, Any, int]) -> None:
    stage, piece, workers = task
    stage.function(piece, workers)


def _glimpse(array: Array) -> tuple[Any, ...] | None:
    """Return a little of an array without gaps, by which most others can be told."""
    if not array.flags.c_contiguous or array.dtype.char not in "dD":
        return None
    return array.shape, array.dtype, array.reshape(-1)[:8].tobytes()


def _bits(array: Array) -> Array:
    """View an array of double precision as integers."""
    return array.view(np.uint64)


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


def pieces(shape: tuple[int, ...], whole: int) -> tuple[Index, ...]:
    """Cut a shape into pieces; the last ``whole`` axes are not cut."""
    most = min(max(prod(shape) // _PIECES, _LEAST), _MOST)
    return _cut(shape, len(shape) - whole, most)


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
