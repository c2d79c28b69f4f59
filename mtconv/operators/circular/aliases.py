"""The solve with one small channel in NumPy, on the frequencies of the big side itself.

A small frequency meets ``stride`` big ones along each axis, its aliases. Where the matrix
of a frequency is a row, sums over aliases are all that a solve needs: the big side is
transformed as it is, and nothing is rearranged. Spectra of real arrays have half of the
last axis; the other half is conjugate and mirrored. Spectra are multiplied some rows of
the first axis at a time, which stay in the caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import lend
from mtconv.backends.host.threads import run_all, workers_at_most
from mtconv.operators.circular.circle import circles_of, scattered
from mtconv.operators.circular.symbol import Frequencies

__all__ = ["Aliases"]

Array = NDArray[Any]

# Bytes of the products of a spectrum that are worked out at a time.
_BLOCK_BYTES = 2**18

# Elements from which on threads are worth their start.
_THREADED = 2**16

Rows = tuple[int, int]


@dataclass(frozen=True)
class Aliases:
    """A real convolution of one small channel a group, on the frequencies of its big side.

    ``spectrum`` (groups, big channels, *big frequencies) is that of the transposed
    convolution, ``conjugate`` its conjugate divided by the number of aliases, and ``power``
    (groups, *small frequencies) the spectrum of both maps one after the other.
    """

    frequencies: Frequencies
    spectrum: Array
    conjugate: Array
    power: Array

    @classmethod
    def of(cls, frequencies: Frequencies, w: Array) -> Aliases:
        """Transform a kernel of shape `kernel_shape`."""
        response: Any = w
        for axis, circle in enumerate(circles_of(frequencies.spec), 2):
            library = frequencies.library
            response = scattered(library, response, axis, circle.taps, circle.size)
        spectrum = frequencies.transforms.forward(response)
        conjugate = spectrum.conj() / prod(frequencies.strides)
        made = cls(frequencies, spectrum, conjugate, spectrum.real)
        power = made.seen(spectrum[None])[0].real
        return cls(frequencies, spectrum, conjugate, np.ascontiguousarray(power))

    def inverse(self, weight: float) -> Array:
        """Return what the real and imaginary parts of spectra of y are multiplied by."""
        return np.repeat(1 / (self.power + weight), 2, -1)

    def solve(self, y: Array, inverse: Array, z: Array | None) -> Array:
        """Return ``z + A^H (A A^H + weight)^-1 (y - A z)`` for canonical arrays.

        ``inverse`` is that of the weight.
        """
        spec, transforms = self.frequencies.spec, self.frequencies.transforms
        shape = (len(y), *self.spectrum.shape[:2])
        rest = transforms.forward(y)
        if z is None:
            x = np.zeros((len(y), *self.spectrum.shape), self.spectrum.dtype)
        else:
            x = transforms.forward(z.reshape(*shape, *spec.big))
            rest -= self.seen(x)
        parts = rest.view(self.power.dtype)
        parts *= inverse
        self.spread(rest, x)
        x = x.reshape(shape[0], shape[1] * shape[2], *x.shape[-spec.rank :])
        return transforms.back(x, spec.big)  # type: ignore[no-any-return]

    def seen(self, x: Array) -> Array:
        """Return the spectrum of the convolution of what has the spectrum x."""
        cells, strides = self.frequencies.cells, self.frequencies.strides
        folded = np.empty((*x.shape[:2], *cells[:-1], x.shape[-1]), x.dtype)
        if len(cells) == 1:
            np.sum(self.conjugate * x, axis=2, out=folded)
        else:
            self._by_rows(partial(self._fold_rows, x, folded), x)
        return _folded_columns(folded, cells, strides[-1])

    def spread(self, rest: Array, x: Array) -> None:
        """Add the transposed convolution of what has the spectrum ``rest`` to x."""
        cells = self.frequencies.cells
        wide = _repeated_columns(rest, cells, x.shape[-1])
        if len(cells) == 1:
            x += self.spectrum * wide[:, :, None]
        else:
            self._by_rows(partial(self._add_rows, wide, x), x)

    def _by_rows(self, function: Callable[[Rows], None], x: Array) -> None:
        """Call a function for some rows of the first axis after the other."""
        count = self.frequencies.cells[0]
        row = x[:, :, :, 0].nbytes
        step = max(1, _BLOCK_BYTES // max(row, 1))
        blocks = [(start, min(start + step, count)) for start in range(0, count, step)]
        run_all(function, blocks, workers_at_most() if x.size >= _THREADED else 1)

    def _fold_rows(self, x: Array, folded: Array, rows: Rows) -> None:
        """Multiply rows, and add up aliases along all axes but the last one."""
        start, stop = rows
        cells, strides = self.frequencies.cells, self.frequencies.strides
        direct = len(cells) == 2 and x.shape[2] == 1
        with lend() as space:
            shape = (*x.shape[:3], stop - start, *x.shape[4:])
            total = folded[:, :, None, start:stop]
            if not direct:
                total = space.take(shape, x.dtype)
            part = space.take(shape, x.dtype)
            for number in range(strides[0]):
                piece = slice(number * cells[0] + start, number * cells[0] + stop)
                pair = self.conjugate[:, :, piece], x[:, :, :, piece]
                np.multiply(*pair, out=part if number else total)
                if number:
                    total += part
            if not direct:
                folded[:, :, start:stop] = _added(total, cells, strides)

    def _add_rows(self, wide: Array, x: Array, rows: Rows) -> None:
        """Add products with the rows that aliases share."""
        start, stop = rows
        cells, strides = self.frequencies.cells, self.frequencies.strides
        pairs = list(zip(strides, cells, strict=True))[1:-1]
        inner = [n for pair in pairs for n in pair]
        ones = [n for _, cell in pairs for n in (1, cell)]
        shape = (*x.shape[:3], stop - start, *inner, x.shape[-1])
        source = wide[:, :, start:stop].reshape(
            *wide.shape[:2], 1, stop - start, *ones, x.shape[-1]
        )
        with lend() as space:
            part = space.take(shape, x.dtype)
            for number in range(strides[0]):
                piece = slice(number * cells[0] + start, number * cells[0] + stop)
                factor = self.spectrum[:, :, piece].reshape(shape[1:])
                np.multiply(factor, source, out=part)
                x[:, :, :, piece] += part.reshape(*x.shape[:3], stop - start, *x.shape[4:])


def _repeated_columns(rest: Array, cells: tuple[int, ...], width: int) -> Array:
    """Continue a spectrum along the last axis, mirrored and again, to so many columns."""
    wide = np.empty((*rest.shape[:-1], width), rest.dtype)
    half, size = rest.shape[-1], cells[-1]
    wide[..., :half] = rest
    if width > half:
        stop = min(size, width)
        source = rest[..., size - half : size - stop : -1]
        for target, other in _negated(len(cells) - 1):
            np.conjugate(source[other], out=wide[..., half:stop][target])
    for start in range(size, width, size):
        stop = min(start + size, width)
        wide[..., start:stop] = wide[..., : stop - start]
    return wide


def _added(total: Array, cells: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Add up channels, and aliases along the axes between the first and the last one."""
    total = total[:, :, 0] if total.shape[2] == 1 else total.sum(axis=2)
    for axis in range(1, len(cells) - 1):
        shape = list(total.shape)
        shape[2 + axis : 3 + axis] = [strides[axis], cells[axis]]
        total = total.reshape(shape).sum(axis=2 + axis)
    return total


def _folded_columns(spectrum: Array, cells: tuple[int, ...], stride: int) -> Array:
    """Add up aliases along the last axis, of which one half is there."""
    if stride == 1:
        return spectrum
    size = cells[-1]
    half, whole = size // 2 + 1, size * stride
    total = spectrum[..., :half].copy()
    for m in range(1, stride):
        if 2 * m < stride:
            total += spectrum[..., m * size : m * size + half]
        else:
            last = whole - m * size
            mirrored = spectrum[..., last - half + 1 : last + 1][..., ::-1]
            for target, source in _negated(len(cells) - 1):
                total[target] += mirrored[source].conj()
    return total


def _negated(leading: int) -> Iterator[tuple[Any, Any]]:
    """List which parts of axes before the last one are at the negative frequencies."""
    zero, others = slice(0, 1), slice(1, None)
    backwards = slice(None, 0, -1)
    for parts in product(((zero, zero), (others, backwards)), repeat=leading):
        targets, sources = zip(*parts, strict=True) if parts else ((), ())
        yield (..., *targets, slice(None)), (..., *sources, slice(None))
