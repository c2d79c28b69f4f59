"""Regularized solves with one channel on the small side of a group, line by line.

Three stages: lines of z and of y are transformed; for a few frequencies at a time the rest
is filtered and added to the spectrum of z; and lines are transformed back to x.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import KEPT_BYTES
from mtconv.backends.host.results import empty
from mtconv.backends.host.threads import workers_at_most
from mtconv.operators.circular.lines import COMPLEX, Lines, Side, Step
from mtconv.operators.circular.recall import Known, Memory
from mtconv.operators.circular.stages import Index, Stage, pieces, run_passes

__all__ = ["LineSolver", "scale_of", "suits", "symbols_of"]

Array = NDArray[Any]

# Elements that a piece has at least. With fewer, calls take longer than their arithmetic.
_LEAST = 3 * 2**15

# Elements that one frequency of the last axis may have. Neighbouring frequencies share
# cache lines, so a block needs several of them, and has to stay in the caches.
_MOST = 2**15


def suits(lines: Lines, share: int) -> bool:
    """Return whether enough frequencies of the last axis make a block."""
    return 0 < share * prod(lines.strides) * prod(lines.cells[:-1]) <= _MOST


def symbols_of(lines: Lines, symbol: Array) -> Array:
    """Arrange a symbol (groups, 1, share, residues, frequencies) as blocks are.

    The result is (groups, halves, channels, *frequencies).
    """
    groups, _, share, residues, count = symbol.shape
    symbols = symbol.reshape(groups, 1, share * residues, count)
    if lines.big.paired:
        symbols = symbols.reshape(groups, share * residues // 2, 2, count)
        even, odd = symbols[:, :, 0], symbols[:, :, 1]
        symbols = np.stack([(even - 1j * odd) / 2, (even + 1j * odd).conj() / 2], axis=1)
    return lines.turned(symbols)


def scale_of(lines: Lines, symbol: Array, weight: float) -> Array:
    """Return what the rest is multiplied by, for both parts of a complex number.

    The result is (groups, *frequencies, 2).
    """
    power = (symbol.real**2 + symbol.imag**2).sum(axis=(1, 2, 3))
    scale = lines.turned((2 if lines.big.paired else 1) / (power + weight))
    return np.stack([scale, scale], axis=-1)


class Block:
    """What is done to frequencies of the last axis, step by step, in memory that is given.

    ``load`` fills ``start`` with the spectrum of z, and ``before`` also leaves A z in
    ``rest``. Once ``rest`` is ``y - A z``, scaled, ``after_start`` adds ``A^H`` of it to z
    and transforms back; ``after_zero`` does without z. ``numbers`` is ``rest``. It and
    ``start`` have two real numbers for each complex one. ``other`` is scratch.
    """

    def __init__(
        self, side: Side, spectra: Array, symbols: Array, piece: Index, memory: list[Array]
    ) -> None:
        """Take a piece (batch, groups, columns) of the spectra of lines."""
        self.piece = piece
        shape = block_shape(symbols, piece)
        blocks, products = (array[: prod(shape)].reshape(shape) for array in memory[:2])
        shape = (*shape[:3], *shape[4:])
        sums = memory[2][: prod(shape)].reshape(shape)
        symbols = symbols[piece[1], :, :, piece[2]]
        spectra = spectra[piece[:2]]
        rest, opposite, columns = sums[:, :, 0], sums[:, :, -1], piece[2]
        self.rest, self.other = rest, products[:, :, 0]
        self.numbers = rest.view(np.float64).reshape(*rest.shape, 2)
        self.start = blocks.view(np.float64).reshape(*blocks.shape, 2)
        self.load = side.loading(spectra, columns, blocks, self.other)
        # Before the rest is known, A z takes its place.
        self.before: list[Step] = [
            *self.load,
            partial(np.multiply, blocks, symbols, out=products),
            *_adding_up(products, sums),
        ]
        spread: list[Step] = [partial(np.conjugate, rest, out=rest)]
        if side.paired:
            self.before += [
                partial(np.conjugate, opposite, out=opposite),
                partial(np.add, rest, opposite, out=rest),
            ]
            spread.insert(0, partial(np.copyto, opposite, rest))
        # The conjugate of a symbol times the rest.
        spread.append(partial(np.multiply, symbols, sums[:, :, :, None], out=products))
        back = side.storing(spectra, columns, blocks, self.other)
        self.after_start: list[Step] = [
            *spread,
            partial(np.conjugate, products, out=products),
            partial(np.add, blocks, products, out=blocks),
            *back,
        ]
        self.after_zero: list[Step] = [
            *spread,
            partial(np.conjugate, products, out=blocks),
            *back,
        ]


def block_shape(symbols: Array, piece: Index) -> tuple[int, ...]:
    """Return the shape of a block: (batch, groups, halves, channels, *frequencies)."""
    items, groups, columns = (part.stop - part.start for part in piece)
    _, halves, channels, _, *others = symbols.shape
    return (items, groups, halves, channels, columns, *others)


def _adding_up(products: Array, sums: Array) -> list[Step]:
    """List sums along the fourth axis, which are faster than a reduction of few terms."""
    first, *others = products.transpose(3, 0, 1, 2, *range(4, products.ndim))
    if not others:
        return [partial(np.copyto, sums, first)]
    steps: list[Step] = [partial(np.add, first, others[0], out=sums)]
    return steps + [partial(np.add, sums, term, out=sums) for term in others[1:]]


class LineSolver:
    """Solves for batches of one size, one call at a time; its memory is used again."""

    def __init__(self, lines: Lines, symbols: Array, batch: int) -> None:
        self.batch = batch
        self._lines, self._side, self._symbols = lines, lines.big, symbols
        groups, halves, channels, columns, *others = symbols.shape
        # As many elements of y as of x: z has a filter of its own, as in `filters.py`.
        self._single = halves * channels == 1
        share = halves * channels // prod(lines.strides)
        size = (n * s for n, s in zip(lines.cells, lines.strides, strict=True))
        self._shape = (batch, groups * share, *size)
        self._spectra = lines.big.room((batch, groups, share))
        self._of_data = lines.small.room((batch, groups, 1))
        self._new: Array = np.empty((batch, groups, 1, 1, columns, *others), COMPLEX)
        self._z_pieces = pieces(self._spectra.shape, 1, _LEAST)
        self._y_pieces = pieces(self._of_data.shape, 1, _LEAST)
        rows = lines.cells[:-1]
        shape = (batch, groups, channels, *rows, lines.big.columns)
        self._spectra_of_blocks = self._spectra.reshape(shape)
        shape = (batch, groups, 1, *rows, lines.small.columns)
        self._of_data_of_blocks = self._of_data.reshape(shape)
        each = halves * channels * prod(others)
        places = pieces((batch, groups, columns, each), 1, _LEAST)
        # Blocks of small arrays are kept; others have memory for as many as threads.
        elements = sum(self._elements(piece) for piece in places)
        used = COMPLEX.itemsize * elements + self._new.nbytes
        used += sum(map(_bytes_of, (self._spectra, self._of_data)))
        self.keeps = used <= KEPT_BYTES
        self._spare: deque[list[Array]] = deque()
        self._blocks: list[Any] = list(places)
        if self.keeps:
            self._blocks = [self._block(piece, self._memory([piece])) for piece in places]
        else:
            threads = range(min(len(places), workers_at_most()))
            self._spare.extend(self._memory(places) for _ in threads)

    def _elements(self, piece: Index) -> int:
        return 3 * prod(block_shape(self._symbols, piece))

    def _memory(self, places: Sequence[Index]) -> list[Array]:
        """Make memory for any of these blocks."""
        size = max(prod(block_shape(self._symbols, piece)) for piece in places)
        return [np.empty(size, COMPLEX) for _ in range(3)]

    def _block(self, piece: Index, memory: list[Array]) -> Block:
        return Block(self._side, self._spectra_of_blocks, self._symbols, piece, memory)

    def run(
        self, scale: Array, weight: float, y: Array, z: Array | None, memory: Memory
    ) -> Array:
        """Return ``z + A^H (A A^H + weight)^-1 (y - A z)`` for a convolution A.

        The arrays are canonical, and z is None for zero. ``memory`` knows the spectrum of a
        y that comes again and again.
        """
        groups = len(self._symbols)
        x = empty(self._shape, np.dtype(np.float64) if self._lines.real else COMPLEX)
        self._scale, self._weight = scale, weight
        self._result = self._side.view(x, groups)
        self._y = self._lines.small.view(y, groups)
        self._z = None if z is None else self._side.view(z, groups)
        self._known: Array | None = None
        likely = memory.likely(self._y)
        tasks: list[Any] = [(self._look, likely)]
        if likely is None:
            tasks = [(self._forward_y, piece) for piece in self._y_pieces]
        if z is not None:
            tasks += [(self._forward_z, piece) for piece in self._z_pieces]
        total = self._spectra.size
        run_passes(
            [
                Stage(_call, tasks, total),
                Stage(self._solve, self._blocks, total),
                Stage(self._back, self._z_pieces, total),
            ],
            multiplies=False,
        )
        if self._known is None and memory.returns(self._y):
            memory.keep(self._y, self._new)
        del self._y, self._z, self._result, self._known, self._scale
        return x

    def _look(self, likely: Known) -> None:
        """Look whether y is known, and transform it otherwise."""
        if likely.of(self._y):
            self._known = likely.spectrum
        else:
            self._forward_y(())

    def _forward_y(self, piece: Index) -> None:
        self._lines.small.forward(self._y[piece], self._of_data[piece])

    def _forward_z(self, piece: Index) -> None:
        assert self._z is not None
        self._side.forward(self._z[piece], self._spectra[piece])

    def _back(self, piece: Index, _: int) -> None:
        self._side.back(self._spectra[piece], self._result[piece])

    def _data(self, block: Block) -> Array:
        """Return a block of the spectrum of y."""
        items, groups, columns = block.piece
        if self._known is not None:
            known: Array = self._known[items, groups, 0, 0, columns]
            return known
        new = self._new[items, groups, :, :, columns]
        lines = self._of_data_of_blocks[items, groups]
        _run_steps(self._lines.small.loading(lines, columns, new, block.other[:, :, :1]))
        return new[:, :, 0, 0]

    def _solve(self, task: Any, _: int) -> None:
        """Filter a block, and transform it back along all axes but the last."""
        if isinstance(task, Block):
            self._filter(task)
        else:
            memory = self._spare.pop()
            self._filter(self._block(task, memory))
            self._spare.append(memory)

    def _filter(self, block: Block) -> None:
        scale = self._scale[block.piece[1:]]
        if self._z is None:
            np.copyto(block.rest, self._data(block))
        elif self._single:
            _run_steps(block.load)
            np.multiply(block.start, scale[:, None, None], out=block.start)
            np.multiply(block.start, self._weight, out=block.start)
            np.copyto(block.rest, self._data(block))
        else:
            _run_steps(block.before)
            np.subtract(self._data(block), block.rest, out=block.rest)
        np.multiply(block.numbers, scale, out=block.numbers)
        _run_steps(block.after_zero if self._z is None else block.after_start)


def _bytes_of(room: Array) -> int:
    """Return the bytes of a `Side.room`, with what lies between its lines."""
    return int(room.size // max(room.shape[-1], 1) * room.strides[-2])


def _call(task: Any, _: int) -> None:
    function, argument = task
    function(argument)


def _run_steps(steps: list[Step]) -> None:
    for step in steps:
        step()
