"""The solve with one small channel in NumPy, on the frequencies of the big side itself.

A small frequency meets ``stride`` big ones along each axis, its aliases. Where the matrix
of a frequency is a row, sums over aliases are all that a solve needs: the big side is
transformed as it is, and nothing is rearranged. Spectra of real arrays have half of the
last axis; the other half is conjugate and mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import lend
from mtconv.operators.circular.circle import circles_of, scattered
from mtconv.operators.circular.symbol import Frequencies

__all__ = ["Aliases"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Aliases:
    """A real convolution of one small channel a group, on the frequencies of its big side.

    ``spectrum`` (groups, big channels, *big frequencies) is that of the transposed
    convolution, ``conjugate`` its conjugate, and ``power`` (groups, *small frequencies) the
    spectrum of both maps one after the other.
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
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        folded = _folded(frequencies, power.sum(axis=1)).real
        return cls(frequencies, spectrum, spectrum.conj(), folded)

    def solve(self, y: Array, weight: float, z: Array | None) -> Array:
        """Return ``z + A^H (A A^H + weight)^-1 (y - A z)`` for canonical arrays."""
        spec, transforms = self.frequencies.spec, self.frequencies.transforms
        shape = (len(y), *self.spectrum.shape[:2])
        rest = transforms.forward(y)
        with lend() as space:
            scratch = space.take((len(y), *self.spectrum.shape), self.spectrum.dtype)
            if z is None:
                x = np.zeros(scratch.shape, scratch.dtype)
            else:
                x = transforms.forward(z.reshape(*shape, *spec.big))
                seen = np.multiply(self.conjugate, x, out=scratch)
                seen = seen[:, :, 0] if shape[2] == 1 else seen.sum(axis=2)
                rest -= _folded(self.frequencies, seen)
            rest /= self.power + weight
            x += _spread(self.frequencies, self.spectrum, rest[:, :, None], scratch)
        x = x.reshape(shape[0], shape[1] * shape[2], *x.shape[-spec.rank :])
        return transforms.back(x, spec.big)  # type: ignore[no-any-return]


def _folded(frequencies: Frequencies, spectrum: Array) -> Array:
    """Take means over aliases: big frequencies become small ones."""
    cells, strides = frequencies.cells, frequencies.strides
    if prod(strides) == 1:
        return spectrum
    rank = len(cells)
    for axis in range(rank - 1):
        place = spectrum.ndim - rank + axis
        shape = list(spectrum.shape)
        shape[place : place + 1] = [strides[axis], cells[axis]]
        spectrum = spectrum.reshape(shape).sum(axis=place)
    size, stride = cells[-1], strides[-1]
    half, whole = size // 2 + 1, size * stride
    total = spectrum[..., :half].copy()
    mirrored = np.zeros_like(total)
    for m in range(1, stride):
        if 2 * m < stride:
            total += spectrum[..., m * size : m * size + half]
        else:
            last = whole - m * size
            mirrored += spectrum[..., last - half + 1 : last + 1][..., ::-1]
    total += _negated(mirrored, rank - 1).conj()
    total /= prod(strides)
    return total


def _spread(
    frequencies: Frequencies, factor: Array, spectrum: Array, result: Array
) -> Array:
    """Multiply big frequencies by the small ones that they are aliases of."""
    cells, strides = frequencies.cells, frequencies.strides
    if prod(strides) == 1:
        return np.multiply(factor, spectrum, out=result)
    rank = len(cells)
    size, half = cells[-1], cells[-1] // 2 + 1
    mirrored = _negated(spectrum[..., 1 : size - half + 1], rank - 1)[..., ::-1]
    period = np.concatenate([spectrum, mirrored.conj()], axis=-1)
    leading = [n for pair in zip(strides, cells, strict=True) for n in pair][: 2 * rank - 2]
    ones = [n for count in cells for n in (1, count)][: 2 * rank - 2]
    period = period.reshape(*spectrum.shape[:-rank], *ones, size)
    factor = factor.reshape(*factor.shape[:2], *leading, factor.shape[-1])
    target = result.reshape(*result.shape[:3], *leading, result.shape[-1])
    for start in range(0, factor.shape[-1], size):
        part = factor[..., start : start + size]
        out = target[..., start : start + size]
        np.multiply(part, period[..., : part.shape[-1]], out=out)
    return result


def _negated(spectrum: Array, leading: int) -> Array:
    """Take the elements at the negative frequencies of the axes before the last one."""
    axes = tuple(range(spectrum.ndim - 1 - leading, spectrum.ndim - 1))
    return np.roll(np.flip(spectrum, axes), 1, axes) if axes else spectrum
