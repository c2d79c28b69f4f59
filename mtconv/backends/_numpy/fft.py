"""`fft`: each output phase as a product of spectra; inserted zeros are never transformed.

A phase of the big side is a convolution of stride 1, ``y_p[t] = sum h[v] x[t + shift - v]``
with tap m of the phase at ``v = m*shift_step``. With ``u = t + shift`` nothing is negative:
all three maps are circular convolutions or correlations over ``u``, of a length in which
nothing wraps. The error is relative to the largest element, so this algorithm is not exact
on integers; `mtconv.backends._numpy.promises` makes it so for `auto`.

Kernels of many taps are cut into parts and channels are taken a few at a time, so that
spectra fit the workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.weights import Weights
from mtconv.backends.host.workspace import Workspace
from mtconv.geometry import Axis, Phase, live_phases, windows

__all__ = ["NAME", "conv", "conv_transpose", "kernel_grad", "lengths_of", "parts_of"]

NAME = "fft"

Axes = tuple[Axis, ...]
Phases = tuple[Phase, ...]
Array = NDArray[Any]
Index = tuple[Any, ...]

# Taps of one phase that are transformed at a time.
PART_TAPS = 2**16

# Bytes of the spectra of the channels that are summed at a time.
SPECTRA_BYTES = 2**23


class Part(NamedTuple):
    """Neighbouring taps of a kernel: their relation, and their index in the kernel."""

    axes: Axes
    taps: Index


@lru_cache(maxsize=1024)
def parts_of(axes: Axes) -> tuple[Part, ...]:
    """Cut a kernel into parts of few taps; most kernels are one part."""
    counts = [1] * len(axes)

    def span(axis: Axis, count: int) -> int:
        return axis.dilation * (-(-axis.kernel // count) - 1) // axis.stride + 1

    while True:
        spans = [span(axis, count) for axis, count in zip(axes, counts, strict=True)]
        widest = max(range(len(axes)), key=lambda n: (counts[n] < axes[n].kernel, spans[n]))
        if prod(spans) <= PART_TAPS or counts[widest] >= axes[widest].kernel:
            break
        counts[widest] *= 2
    cuts = [_cut(axis, count) for axis, count in zip(axes, counts, strict=True)]
    return tuple(
        Part(tuple(axis for axis, _ in part), (..., *(taps for _, taps in part)))
        for part in product(*cuts)
    )


def _cut(axis: Axis, count: int) -> list[tuple[Axis, slice]]:
    """Cut the taps of one axis into so many parts."""
    count = min(count, axis.kernel)
    edges = [axis.kernel * n // count for n in range(count + 1)]
    return [
        (
            Axis(
                axis.small,
                axis.big,
                stop - start,
                axis.stride,
                axis.dilation,
                axis.lo - axis.dilation * start,
            ),
            slice(start, stop),
        )
        for start, stop in pairwise(edges)
    ]


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the spectra of x and of each phase's taps.

    x is (g, ci, b, *small), the weights (g, ci, co, *taps), of any dtype, out
    (b, g, co, *big).
    """
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    batch, groups, small = x.shape[:3]
    share = out.shape[2]
    out[...] = 0
    for part in parts_of(axes):
        lengths = lengths_of(part.axes)
        channels = _channels(small, groups * (batch + 3 * share), lengths, x.dtype)
        whole = _transform(x, lengths) if len(channels) == 1 else None
        for phases in _reached(part.axes):
            total: Array | None = None
            for some in channels:
                spectrum = (
                    whole if whole is not None else _transform(x[:, :, some], lengths)
                )
                taps = _tap_spectrum(part, phases, weights, some, x.dtype, space)
                total = _add(total, np.einsum("ngs...,gsb...->ngb...", spectrum, taps))
            if total is not None:
                result = _back(total, lengths, x.dtype)
                big, spots = _places(part.axes, phases)
                out[big] += result[spots]


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Correlate each phase of y with the phase's taps.

    y is (b, g, co, *big), the weights (g, ci, co, *taps), out (b, g, ci, *small).
    """
    batch, groups, share = y.shape[:3]
    small = out.shape[2]
    out[...] = 0
    for part in parts_of(axes):
        lengths = lengths_of(part.axes)
        channels = _channels(share, groups * (batch + 3 * small), lengths, y.dtype)
        total: Array | None = None
        for phases in _reached(part.axes):
            for some in channels:
                shifted = _shifted(part.axes, phases, y[:, :, some])
                taps = _tap_spectrum(
                    part, phases, weights, some, y.dtype, space, correlate=True
                )
                joined = np.einsum(
                    "ngb...,gsb...->ngs...", _transform(shifted, lengths), taps
                )
                total = _add(total, joined)
        if total is not None:
            cells: Index = tuple(slice(axis.small) for axis in axes)
            out += _back(total, lengths, y.dtype)[(..., *cells)]


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Correlate x with each phase of y and add up the taps.

    x is (g, ci, b, *small), y (b, g, co, *big), out (g, ci, co, *taps).
    """
    del space
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    batch, groups, small = x.shape[:3]
    share = y.shape[2]
    for part in parts_of(axes):
        lengths = lengths_of(part.axes)
        target = out[part.taps]
        for some in _channels(small, groups * (batch + 3 * share), lengths, x.dtype):
            spectrum = _transform(x[:, :, some].conj(), lengths).conj()
            for phases in _reached(part.axes):
                shifted = _transform(_shifted(part.axes, phases, y), lengths)
                joined = np.einsum("ngs...,ngb...->gsb...", spectrum, shifted)
                result = _back(joined, lengths, x.dtype)
                target[:, some][_taps(phases)] += result[_tap_spots(phases)]


def _add(total: Array | None, joined: Array) -> Array:
    if total is None:
        return joined
    total += joined
    return total


def _channels(
    count: int, each: int, lengths: tuple[int, ...], dtype: np.dtype[Any]
) -> list[slice]:
    """Cut the channels that are summed, ``each`` of which has so many spectra."""
    itemsize = np.result_type(dtype, np.complex64).itemsize
    if dtype.kind != "c":
        itemsize //= 2  # of real arrays half a spectrum is enough
    step = max(1, SPECTRA_BYTES // max(each * prod(lengths) * itemsize, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _tap_spectrum(
    part: Part,
    phases: Phases,
    weights: Weights,
    channels: slice,
    dtype: np.dtype[Any],
    space: Workspace,
    *,
    correlate: bool = False,
) -> Array:
    """Transform the taps of one phase for some of the channels that are summed.

    Those are the small channels of a transposed convolution, and the big ones of a
    convolution, which needs the spectrum of a correlation.
    """
    lengths = lengths_of(part.axes)
    w = weights.array[part.taps]
    w = w[:, :, channels] if correlate else w[:, channels]

    def fill(spectrum: Array) -> None:
        sizes = [(phase.taps - 1) * phase.shift_step + 1 for phase in phases]
        taps = np.zeros((*w.shape[:3], *sizes), dtype)
        taps[_tap_spots(phases)] = w[_taps(phases)]
        if correlate:
            spectrum[...] = _transform(taps.conj(), lengths).conj()
        else:
            spectrum[...] = _transform(taps, lengths)

    last = lengths[-1] if dtype.kind == "c" else lengths[-1] // 2 + 1
    shape = (*w.shape[:3], *lengths[:-1], last)
    starts = tuple(taps.start for taps in part.taps[1:])
    form = (starts, phases, channels.start, lengths, correlate)
    return weights.packed(form, shape, np.result_type(dtype, np.complex64), space, fill)


def _shifted(axes: Axes, phases: Phases, y: Array) -> Array:
    """Place one phase of y over ``u``; what no tap reaches is left out."""
    sizes = [
        axis.small + (phase.taps - 1) * phase.shift_step
        for axis, phase in zip(axes, phases, strict=True)
    ]
    shifted = np.zeros((*y.shape[:3], *sizes), y.dtype)
    big, spots = _places(axes, phases)
    shifted[spots] = y[big]
    return shifted


def _places(axes: Axes, phases: Phases) -> tuple[Index, Index]:
    """Index the big cells of a phase that taps reach, and their ``u``."""
    big, spots = [], []
    for axis, phase in zip(axes, phases, strict=True):
        first = max(0, -phase.shift)
        size = axis.small + (phase.taps - 1) * phase.shift_step
        stop = max(first, min(phase.cells, size - phase.shift))
        start = phase.start + axis.stride * first
        big.append(slice(start, start + axis.stride * (stop - first), axis.stride))
        spots.append(slice(first + phase.shift, stop + phase.shift))
    return (..., *big), (..., *spots)


def _taps(phases: Phases) -> Index:
    return (..., *(slice(phase.tap, None, phase.tap_step) for phase in phases))


def _tap_spots(phases: Phases) -> Index:
    """Index the ``v`` of a phase's taps."""
    stops = ((phase.taps - 1) * phase.shift_step + 1 for phase in phases)
    steps = (phase.shift_step for phase in phases)
    return (..., *(slice(0, stop, step) for stop, step in zip(stops, steps, strict=True)))


def _reached(axes: Axes) -> Iterator[Phases]:
    """Yield the phases that a tap reaches; the others would be noise instead of zero."""
    return product(*map(_reached_of, axes))


@lru_cache(maxsize=4096)
def _reached_of(axis: Axis) -> tuple[Phase, ...]:
    starts = {window.big_start % axis.stride for window in windows(axis)}
    return tuple(phase for phase in live_phases(axis) if phase.start in starts)


@lru_cache(maxsize=4096)
def lengths_of(axes: Axes) -> tuple[int, ...]:
    """Transform lengths in which no phase wraps onto another cell."""
    return tuple(
        _fast_length(
            axis.small
            + max(((p.taps - 1) * p.shift_step for p in live_phases(axis)), default=0)
        )
        for axis in axes
    )


def _fast_length(least: int) -> int:
    """Smallest product of 2, 3 and 5 that is at least ``least``."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-least // three)
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best


def _transform(array: Array, lengths: tuple[int, ...]) -> Array:
    space = tuple(range(-len(lengths), 0))
    if array.dtype.kind == "c":
        return np.fft.fftn(array, lengths, axes=space)
    return np.fft.rfftn(array, lengths, axes=space)


def _back(spectrum: Array, lengths: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    space = tuple(range(-len(lengths), 0))
    if dtype.kind == "c":
        return np.fft.ifftn(spectrum, lengths, axes=space).astype(dtype, copy=False)
    return np.fft.irfftn(spectrum, lengths, axes=space).astype(dtype, copy=False)
