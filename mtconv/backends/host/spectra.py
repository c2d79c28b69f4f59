"""Transforms of blocks, and products of their spectra, in memory that is taken once.

Arrays are transformed axis by axis, so that rows of zeros are not transformed before they
are there, and rows that nobody asked for are not transformed back. NumPy writes every step
into memory of the workspace; with that it is as fast as SciPy, and for several axes faster.

Spectra of data are (groups, channels, blocks, *frequencies), and those of a kernel
(groups, channels, others, *frequencies), or (groups, frequencies, channels, others) where
matrices are multiplied for each frequency.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.fft import fft, ifft, irfft, rfft
from numpy.typing import NDArray

from mtconv.backends.host.memory import Workspace

__all__ = ["add_correlated", "backward", "forward", "frequencies", "joined", "turned"]

Array = NDArray[Any]


def frequencies(lengths: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return how many frequencies there are: for real numbers half of them."""
    last = lengths[-1] if dtype.kind == "c" else lengths[-1] // 2 + 1
    return (*lengths[:-1], last)


def forward(
    array: Array,
    lengths: tuple[int, ...],
    out: Array,
    space: Workspace,
    *,
    conjugate: bool = False,
) -> None:
    """Write the spectra of (..., *space) to out; what is missing to lengths is zero.

    With ``conjugate`` they are those of a correlation: conjugates, of real numbers.
    """
    rank = len(lengths)
    sizes = [*array.shape[:-1], out.shape[-1]]
    with space.frame():
        other = space.take(out.shape, out.dtype) if rank > 1 else out
        source = array.conj() if conjugate else array  # real numbers are not copied
        for axis in range(-1, -rank - 1, -1):
            if axis < -1:
                sizes[axis] = lengths[axis]
            target = _part(out if (rank + axis) % 2 == 0 else other, sizes)
            real = axis == -1 and array.dtype.kind != "c"
            (rfft if real else fft)(source, lengths[axis], axis=axis, out=target)
            source = target
    if conjugate:
        np.conjugate(out, out=out)


def backward(
    spectra: Array,
    lengths: tuple[int, ...],
    keep: tuple[slice, ...],
    dtype: np.dtype[Any],
    space: Workspace,
) -> Array:
    """Transform spectra back and return what is kept of each axis; they are overwritten."""
    rank = len(lengths)
    sizes = list(spectra.shape)
    kept = [part.stop - part.start for part in keep]
    result = space.take((*sizes[:-rank], *kept[:-1], lengths[-1]), dtype)
    with space.frame():
        other = space.take(spectra.shape, spectra.dtype) if rank > 1 else spectra
        source = spectra
        for axis in range(-rank, -1):
            target = _part(other if (rank + axis) % 2 == 0 else spectra, sizes)
            ifft(source, lengths[axis], axis=axis, out=target)
            rows: tuple[Any, ...] = (..., keep[axis], *(slice(None),) * (-1 - axis))
            source = target[rows]
            sizes[axis] = kept[axis]
        (ifft if dtype.kind == "c" else irfft)(source, lengths[-1], out=result)
    return result[..., keep[-1]]


def _part(memory: Array, sizes: list[int]) -> Array:
    """View the beginning of an array in other sizes."""
    return memory.reshape(-1)[: prod(sizes)].reshape(sizes)


def turned(spectra: Array, space: Workspace) -> Array:
    """Copy spectra (groups, a, b, *frequencies) to (groups, frequencies, b, a)."""
    flat = spectra.reshape(*spectra.shape[:3], -1)
    groups, a, b, count = flat.shape
    copy = space.take((groups, count, b, a), spectra.dtype)
    np.copyto(copy, flat.transpose(0, 3, 2, 1))
    return copy


def joined(data: Array, taps: Array, space: Workspace, *, matrices: bool) -> Array:
    """Multiply spectra (g, c, n, *f) by those of a kernel, and add them up over c.

    The kernel's are (g, c, others, *f), or (g, frequencies, c, others) for ``matrices``;
    the result is (g, others, n, *f), and may be in the memory of the data.
    """
    groups, channels, blocks, *rest = data.shape
    others = taps.shape[3 if matrices else 2]
    if channels == others == 1 and not matrices:
        return np.multiply(data, taps, out=data)
    result = space.take((groups, others, blocks, *rest), data.dtype)
    with space.frame():
        if matrices:
            left = turned(data, space)
            product = space.take((*left.shape[:3], others), data.dtype)
            np.matmul(left, taps, out=product)
            flat = result.reshape(groups, others, blocks, -1)
            np.copyto(flat, product.transpose(0, 3, 2, 1))
            return result
        np.multiply(data[:, :1], taps[:, 0, :, None], out=result)
        term = space.take(result.shape if channels > 1 else (0,), data.dtype)
        for channel in range(1, channels):
            part = data[:, channel : channel + 1]
            result += np.multiply(part, taps[:, channel, :, None], out=term)
    return result


def add_correlated(
    total: Array, left: Array, right: Array, space: Workspace, *, matrices: bool
) -> None:
    """Add the products of spectra (g, a, n, *f) and (g, b, n, *f), summed over n.

    The total is (g, a, b, *f), or (g, frequencies, a, b) for ``matrices``.
    """
    with space.frame():
        if matrices:
            product = space.take(total.shape, total.dtype)
            columns = turned(left, space).swapaxes(2, 3)
            total += np.matmul(columns, turned(right, space), out=product)
            return
        term = space.take((len(left), *left.shape[2:]), total.dtype)
        for a in range(left.shape[1]):
            for b in range(right.shape[1]):
                np.multiply(left[:, a], right[:, b], out=term)
                total[:, a, b] += term[:, 0] if term.shape[1] == 1 else term.sum(axis=1)
