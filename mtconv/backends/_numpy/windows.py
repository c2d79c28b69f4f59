"""The kernel gradient of `polyphase` by windows of x; `planning.gradients` chooses it.

A phase of y meets x through few taps. What these taps read of x is a window. Phases with as
many taps share their windows, which are gathered once, and one product joins them with the
phases. `gemm` gathers y instead, once for each tap: with more channels in y than in x that
is more to copy and to pack.
"""

from __future__ import annotations

from math import prod

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.im2col import folds, gather
from mtconv.backends.host.correlation import add_correlation
from mtconv.backends.host.correlation import footprint as correlation_footprint
from mtconv.backends.host.counts import Counts, at_a_time, channels_at_a_time
from mtconv.backends.host.matmul import as_matrices
from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.phase_products import PhaseProduct, phase_products
from mtconv.planning import tuning

__all__ = ["NAME", "TRANSFORMS", "footprint", "kernel_grad"]

NAME = "windows"
TRANSFORMS = False


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Add to the kernel gradient the products of windows of x with phases of y."""
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    for phases in phase_products(axes, merge=False):
        with space.frame():
            _add_phases(phases, x, y, out, space)


def _add_phases(
    phases: PhaseProduct, x: Array, y: Array, out: Array, space: Workspace
) -> None:
    """Add the gradient for the taps of some phases.

    A function of its own, so that windows are gone before those of the next phases.
    """
    folded = folds(len(x), prod(phases.sizes))
    rows = gather(phases.axes, x, space, folded=folded)
    # Bytes of all phases of one channel of y.
    each = rows.nbytes // rows.shape[2] * len(phases.phases)
    for channels in channels_at_a_time(out.shape[2], tuning.GATHER_BYTES, each):
        with space.frame():
            columns = _place_phases(phases, y[:, :, channels], folded, space)
            _add(phases, rows, columns, out[:, :, channels], space)


def _add(
    phases: PhaseProduct, rows: Array, columns: Array, out: Array, space: Workspace
) -> None:
    """Add the gradient of some channels of y for the taps of some phases."""
    groups, small, share = out.shape[:3]
    product = space.take((groups, rows.shape[2], columns.shape[2]), out.dtype)
    product[...] = 0
    add_correlation(rows, columns, product, space)
    parts = product.reshape(groups, small, *phases.taps, len(phases.phases), share)
    parts = np.moveaxis(parts, -1, 2)
    for number, phase in enumerate(phases.phases):
        out[phase.taps] += parts[(..., *phase.rows, number)]


def _place_phases(phases: PhaseProduct, y: Array, folded: bool, space: Workspace) -> Array:
    """Copy phases of y side by side: (n, g, phase * co, e), zero beyond their ends."""
    batch, groups, share = y.shape[:3]
    count = len(phases.phases)
    if phases.alone and not folded:
        in_place = as_matrices(y)
        if in_place is not None:
            return in_place
    lead = (groups, count, share)
    if folded:
        planes = space.take((1, *lead, batch, *phases.sizes), y.dtype)
        view = np.moveaxis(planes[0], 3, 0)
    else:
        planes = view = space.take((batch, *lead, *phases.sizes), y.dtype)
    for number, phase in enumerate(phases.phases):
        target = view[:, :, number]
        inner = target[phase.inner]
        if inner.size < target.size:
            target[...] = 0
        inner[...] = y[phase.big]
    return planes.reshape(len(planes), groups, count * share, -1)


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of windows of x, and of phases of y for some channels at a time."""
    del form
    most = 0
    for phases in phase_products(c.axes, merge=False):
        taps, count = prod(phases.taps), len(phases.phases)
        elements = prod(size + 1 for size in phases.sizes)  # of any piece
        extended = prod(axis.full + 1 for axis in phases.axes)
        windows = c.lead * c.others * (taps * elements + extended)
        each = c.lead * count * elements
        placed, step = at_a_time(tuning.GATHER_BYTES, each, c.channels, c.itemsize)
        product = c.groups * c.others * taps * count * step
        kept = windows + product + correlation_footprint(c, taps * count * step)
        most = max(most, placed + c.itemsize * kept)
    return most
