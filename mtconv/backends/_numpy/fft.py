"""`fft`: each output phase as a product of spectra; inserted zeros are never transformed.

A phase of the big side is ``y_p[t] = sum x[u] h_p[t - u]`` with ``h_p`` the phase's taps
at ``m*shift_step - shift``. All three maps are circular convolutions or correlations of
one common length, read back where they do not wrap. The error is relative to the largest
element of the result, so this algorithm is not exact on integers.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.weights import Weights
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, Phase, live_phases, windows

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Axes = tuple[Axis, ...]
Array = NDArray[Any]


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the spectra of x and of each phase's taps.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    x = _batch_first(x)
    lengths = _lengths(axes)
    out[...] = 0
    spectrum = _transform(x, lengths)
    for found in _live(axes):
        taps = _tap_spectrum(found, weights, lengths, space)
        joined = np.einsum("ngs...,gsb...->ngb...", spectrum, taps)
        result = _back(joined, lengths, x.dtype)
        for number, (axis, phase, length) in enumerate(
            zip(axes, found, lengths, strict=True)
        ):
            result = _read(result, number + 3, _reach(axis, phase), length, phase.cells)
        out[(..., *_cells(axes, found))] = result


def _tap_spectrum(
    found: tuple[Phase, ...], weights: Weights, lengths: tuple[int, ...], space: Workspace
) -> Array:
    """Transform the taps of one phase."""
    w = weights.array

    def fill(spectrum: Array) -> None:
        taps = _place(w, [_tap_places(p) for p in found], lengths, sign=1)
        spectrum[...] = _transform(taps, lengths)

    last = lengths[-1] if w.dtype.kind == "c" else lengths[-1] // 2 + 1
    shape = (*w.shape[:3], *lengths[:-1], last)
    key = tuple((phase.tap, phase.taps, phase.shift) for phase in found)
    kind = np.result_type(w.dtype, np.complex64)
    return weights.packed((key, lengths), shape, kind, space, fill)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Correlate each phase of y with the phase's taps.

    y is (b, g, co, *big), w (g, ci, co, *taps), out (b, g, ci, *small).
    """
    del space
    w = weights.array
    lengths = _lengths(axes)
    total: Array | None = None
    for found in _live(axes):
        taps = _place(w, [_tap_places(p) for p in found], lengths, sign=-1)
        phase_of_y = _phase(axes, found, y, lengths)
        joined = np.einsum(
            "ngb...,gsb...->ngs...",
            _transform(phase_of_y, lengths),
            _transform(taps, lengths),
        )
        total = joined if total is None else total + joined
    sizes = tuple(axis.small for axis in axes)
    cells: tuple[Any, ...] = tuple(slice(size) for size in sizes)
    if total is None:
        out[...] = 0
    else:
        out[...] = _back(total, lengths, y.dtype)[(..., *cells)]


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Correlate x with each phase of y and add up the taps.

    x is (g, ci, b, *small), y (b, g, co, *big), out (g, ci, co, *taps).
    """
    del space
    x = _batch_first(x)
    lengths = _lengths(axes)
    cells = [[(u, u) for u in range(axis.small)] for axis in axes]
    spectrum = _transform(_place(x, cells, lengths, sign=-1), lengths)
    for found in _live(axes):
        phase_of_y = _phase(axes, found, y, lengths)
        joined = np.einsum(
            "ngs...,ngb...->gsb...", spectrum, _transform(phase_of_y, lengths)
        )
        result = _back(joined, lengths, x.dtype)
        places = [_tap_places(phase) for phase in found]
        source: tuple[Any, ...] = np.ix_(
            *(
                [place % length for _, place in axis_places]
                for axis_places, length in zip(places, lengths, strict=True)
            )
        )
        target: tuple[Any, ...] = tuple(slice(p.tap, None, p.tap_step) for p in found)
        out[(..., *target)] += result[(..., *source)]


def _batch_first(x: Array) -> Array:
    return x.transpose(2, 0, 1, *range(3, x.ndim))


def _live(axes: Axes) -> list[tuple[Phase, ...]]:
    """List the phases that a tap reaches; the others would be noise instead of zero."""
    return list(product(*map(_reached, axes)))


def _reached(axis: Axis) -> list[Phase]:
    starts = {window.big_start % axis.stride for window in windows(axis)}
    return [phase for phase in live_phases(axis) if phase.start in starts]


def _lengths(axes: Axes) -> tuple[int, ...]:
    """Transform lengths in which no phase of the full result wraps onto another cell."""
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


def _tap_places(phase: Phase) -> list[tuple[int, int]]:
    """Return each tap of a phase and where it stands in the phase's filter."""
    return [
        (phase.tap + m * phase.tap_step, m * phase.shift_step - phase.shift)
        for m in range(phase.taps)
    ]


def _place(
    source: Array,
    places: list[list[tuple[int, int]]],
    lengths: tuple[int, ...],
    *,
    sign: int,
) -> Array:
    """Copy elements to the places of a circular array (mirrored for sign = -1)."""
    lead = source.ndim - len(lengths)
    target = np.zeros((*source.shape[:lead], *lengths), source.dtype)
    at: tuple[Any, ...] = np.ix_(
        *(
            [sign * place % length for _, place in axis_places]
            for axis_places, length in zip(places, lengths, strict=True)
        )
    )
    taken: tuple[Any, ...] = np.ix_(
        *([tap for tap, _ in axis_places] for axis_places in places)
    )
    target[(..., *at)] = source[(..., *taken)]
    return target


def _reach(axis: Axis, phase: Phase) -> tuple[int, int]:
    """Cells of a phase that some tap may reach, before clipping to the result."""
    return -phase.shift, axis.small - 1 + (phase.taps - 1) * phase.shift_step - phase.shift


def _read(array: Array, at: int, reach: tuple[int, int], length: int, count: int) -> Array:
    """Read cells 0 to ``count`` of a circular axis; cells out of reach are zero."""
    cells = np.arange(count)
    inside = (cells >= reach[0]) & (cells <= reach[1])
    shape = [1] * array.ndim
    shape[at] = count
    taken = np.take(array, cells % length, axis=at)
    return np.where(inside.reshape(shape), taken, array.dtype.type(0))


def _phase(
    axes: Axes, found: tuple[Phase, ...], y: Array, lengths: tuple[int, ...]
) -> Array:
    """Place one phase of y on the circular axes, leaving out cells no tap reaches."""
    places = []
    for axis, phase in zip(axes, found, strict=True):
        first, last = _reach(axis, phase)
        cells = range(max(first, 0), min(last + 1, phase.cells))
        places.append([(phase.start + axis.stride * t, t) for t in cells])
    return _place(y, places, lengths, sign=1)


def _cells(axes: Axes, found: tuple[Phase, ...]) -> tuple[Any, ...]:
    return tuple(
        slice(phase.start, None, axis.stride)
        for axis, phase in zip(axes, found, strict=True)
    )


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
