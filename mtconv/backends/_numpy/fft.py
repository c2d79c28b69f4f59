"""`fft`: each output phase as a product of spectra; inserted zeros are never transformed.

A phase of the big side is a convolution of stride 1, ``y_p[t] = sum h[v] x[t + shift - v]``
with tap m of the phase at ``v = m*shift_step``. With ``u = t + shift`` nothing is negative:
all three maps are circular convolutions or correlations over ``u``, of a length in which
nothing wraps. The error is relative to the largest element, so this algorithm is not exact
on integers; `mtconv.backends._numpy.promises` makes it so for `auto`.

Channels are taken a few at a time, so that spectra fit the workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.fft import fftn, ifftn, irfftn, rfftn

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis, Phase, live_phases, windows
from mtconv.planning import tuning

__all__ = ["NAME", "TRANSFORMS", "conv", "conv_transpose", "footprint", "kernel_grad"]

NAME = "fft"
TRANSFORMS = True

Phases = tuple[Phase, ...]
Index = tuple[Any, ...]


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the spectra of x and of each phase's taps."""
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    batch, groups, small = x.shape[:3]
    lengths = _lengths(axes)
    cuts = _channels(small, groups * (batch + 3 * out.shape[2]), lengths, x.dtype)
    whole = _transform(x, lengths) if len(cuts) == 1 else None
    out[...] = 0
    for phases in _reached(axes):
        total: Array | None = None
        for channels in cuts:
            data = _transform(x[:, :, channels], lengths) if whole is None else whole
            taps = _tap_spectrum(axes, phases, weights, channels, x.dtype, space)
            total = _add(total, np.einsum("ngs...,gsb...->ngb...", data, taps))
        if total is not None:
            big, spots = _places(axes, phases)
            out[big] += _back(total, lengths, x.dtype)[spots]


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Correlate each phase of y with the phase's taps."""
    batch, groups, share = y.shape[:3]
    lengths = _lengths(axes)
    cuts = _channels(share, groups * (batch + 3 * out.shape[2]), lengths, y.dtype)
    out[...] = 0
    total: Array | None = None
    for phases in _reached(axes):
        for channels in cuts:
            data = _transform(_shifted(axes, phases, y[:, :, channels]), lengths)
            taps = _tap_spectrum(axes, phases, weights, channels, y.dtype, space, True)
            total = _add(total, np.einsum("ngb...,gsb...->ngs...", data, taps))
    if total is not None:
        elements: Index = tuple(slice(axis.small) for axis in axes)
        out += _back(total, lengths, y.dtype)[(..., *elements)]


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Correlate x with each phase of y and add up the taps."""
    del space
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    batch, groups, small = x.shape[:3]
    lengths = _lengths(axes)
    each = groups * (batch + 3 * y.shape[2])
    for channels in _channels(small, each, lengths, x.dtype):
        data = _transform(x[:, :, channels].conj(), lengths).conj()
        for phases in _reached(axes):
            shifted = _transform(_shifted(axes, phases, y), lengths)
            joined = np.einsum("ngs...,ngb...->gsb...", data, shifted)
            result = _back(joined, lengths, x.dtype)
            out[:, channels][_taps(phases)] += result[_tap_spots(phases)]


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
    step = max(1, tuning.SPECTRA_BYTES // max(each * prod(lengths) * itemsize, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _tap_spectrum(
    axes: Axes,
    phases: Phases,
    weights: Weights,
    channels: slice,
    dtype: np.dtype[Any],
    space: Workspace,
    correlate: bool = False,
) -> Array:
    """Transform the taps of one phase for some of the channels that are summed.

    Those are the small channels of a transposed convolution, and the big ones of a
    convolution, which needs the spectrum of a correlation.
    """
    lengths = _lengths(axes)
    w = weights.array
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
    form = (phases, channels.start, lengths, correlate)
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
def _lengths(axes: Axes) -> tuple[int, ...]:
    """Transform lengths in which no phase wraps onto another cell."""
    return tuple(
        fast_length(
            axis.small
            + max(((p.taps - 1) * p.shift_step for p in live_phases(axis)), default=0)
        )
        for axis in axes
    )


def fast_length(least: int) -> int:
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
        return fftn(array, lengths, axes=space)
    return rfftn(array, lengths, axes=space)


def _back(spectrum: Array, lengths: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    space = tuple(range(-len(lengths), 0))
    if dtype.kind == "c":
        return ifftn(spectrum, lengths, axes=space).astype(dtype, copy=False)
    return irfftn(spectrum, lengths, axes=space).astype(dtype, copy=False)


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of the spectra of a piece, the real ones of which are as large."""
    each = prod(_lengths(c.axes)) * c.itemsize
    at_once = c.lead * (1 + 3 * c.channels)
    step = min(c.others, max(1, ceil(tuning.SPECTRA_BYTES / max(each * at_once, 1))))
    # The transforms have temporaries as large as what they make.
    spectra = each * (2 * step * at_once + 4 * c.lead * c.channels)
    if form != "kernel_grad":
        return spectra
    return spectra + c.groups * c.others * c.channels * c.taps * c.itemsize
