"""`polyphase`: one dense convolution of stride 1 per output phase.

Each phase's taps are gathered side by side, so that BLAS sums over channels and taps in
one product; no inserted zero is multiplied and every result cell is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis, Phase, phases

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Axes = tuple[Axis, ...]
Phases = tuple[Phase, ...]
Index = tuple[Any, ...]


def conv_transpose(axes: Axes, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Compute each phase from the shifted copies of x that feed it."""
    groups, _, share = w.shape[:3]
    y = np.zeros((*x.shape[:2], share, *(axis.big for axis in axes)), x.dtype)
    for found in _live(axes):
        taps, cells = _selection(axes, found)
        counts = tuple(phase.taps for phase in found)
        spots = tuple(phase.cells for phase in found)
        shifted = np.zeros((*x.shape[:3], *counts, *spots), x.dtype)
        for number, source, target in _shifts(axes, found):
            shifted[(..., *number, *target)] = x[(..., *source)]
        kernel = np.moveaxis(w[(..., *taps)], 2, -1).reshape(groups, -1, share)
        product_ = np.matmul(
            kernel.swapaxes(1, 2), shifted.reshape(*x.shape[:2], kernel.shape[1], -1)
        )
        y[(..., *cells)] = product_.reshape(*product_.shape[:3], *spots)
    return y


def conv(axes: Axes, y: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Add up what each phase of y gives."""
    groups, small = w.shape[:2]
    sizes = tuple(axis.small for axis in axes)
    x = np.zeros((*y.shape[:2], small, *sizes), y.dtype)
    for found in _live(axes):
        taps, _ = _selection(axes, found)
        columns = _columns(axes, found, y)
        kernel = w[(..., *taps)].reshape(groups, small, -1)
        part = np.matmul(kernel, columns)
        x += part.reshape(x.shape)
    return x


def kernel_grad(axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Join x with each phase of y; every tap belongs to one phase."""
    share = y.shape[2]
    taps = tuple(axis.kernel for axis in axes)
    w = np.zeros((*x.shape[1:3], share, *taps), x.dtype)
    rows = x.reshape(*x.shape[:3], -1)
    for found in _live(axes):
        selection, _ = _selection(axes, found)
        part = np.matmul(rows, _columns(axes, found, y).swapaxes(2, 3))
        target = w[(..., *selection)]
        w[(..., *selection)] = part.sum(axis=0, dtype=w.dtype).reshape(target.shape)
    return w


def _live(axes: Axes) -> Iterator[Phases]:
    """Yield the phases that have taps, as one phase per axis."""
    for found in product(*(phases(axis) for axis in axes)):
        if all(phase.taps for phase in found):
            yield found


def _selection(axes: Axes, found: Phases) -> tuple[Index, Index]:
    """Return the kernel taps and the big cells of one phase."""
    taps = tuple(slice(phase.tap, None, phase.tap_step) for phase in found)
    cells = tuple(
        slice(phase.start, None, axis.stride)
        for phase, axis in zip(found, axes, strict=True)
    )
    return taps, cells


def _columns(axes: Axes, found: Phases, y: NDArray[Any]) -> NDArray[Any]:
    """Gather one phase of y as (batch, groups, channels * taps, small cells)."""
    counts = tuple(phase.taps for phase in found)
    sizes = tuple(axis.small for axis in axes)
    _, cells = _selection(axes, found)
    phase_of_y = y[(..., *cells)]
    columns = np.zeros((*y.shape[:3], *counts, *sizes), y.dtype)
    for number, source, target in _shifts(axes, found):
        columns[(..., *number, *source)] = phase_of_y[(..., *target)]
    rows = y.shape[2] * int(np.prod(counts))
    return columns.reshape(*y.shape[:2], rows, int(np.prod(sizes)))


def _shifts(axes: Axes, found: Phases) -> Iterator[tuple[Any, Any, Any]]:
    """Yield each tap of a phase, the small cells it reads, the phase's cells they feed."""
    for number in np.ndindex(*(phase.taps for phase in found)):
        source, target = [], []
        for m, phase, axis in zip(number, found, axes, strict=True):
            shift = phase.shift - m * phase.shift_step
            start, stop = max(0, -shift), min(phase.cells, axis.small - shift)
            stop = max(start, stop)
            target.append(slice(start, stop))
            source.append(slice(start + shift, stop + shift))
        yield number, tuple(source), tuple(target)
