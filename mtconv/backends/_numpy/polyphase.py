"""`polyphase`: one dense convolution of stride 1 per output phase.

The shifted copies of x that feed a phase are put side by side, so that BLAS sums over
channels and taps in one product; no inserted zero is multiplied and every element of the
result is written once. Phases with as many taps share their copies and one product.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._numpy import shifted, tap_rows
from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.im2col import folds, gather, gather_runs, runs_are_short
from mtconv.backends._numpy.shifted import kernel_grad
from mtconv.backends._numpy.tap_rows import conv
from mtconv.backends.host.counts import Counts, at_a_time
from mtconv.backends.host.inputs import all_finite
from mtconv.backends.host.matmul import as_matrices, multiply
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.phase_products import PhaseProduct, phase_products
from mtconv.geometry import has_holes, phase_groups
from mtconv.planning import tuning

__all__ = ["NAME", "TRANSFORMS", "conv", "conv_transpose", "footprint", "kernel_grad"]
__all__ += ["products_for", "stacked"]

NAME = "polyphase"
TRANSFORMS = False

Index = tuple[Any, ...]


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Compute each group of phases from the shifted copies of x that feed it."""
    if _holes_and_strides(axes)[0]:
        out[...] = 0
    x = x.transpose(2, 0, 1, *range(3, x.ndim))
    for phases in products_for(axes, x, weights.array.shape[2]):
        with space.frame():
            _multiply(phases, x, weights, out, space)


def products_for(axes: Axes, x: Array, share: int) -> tuple[PhaseProduct, ...]:
    """Choose between several products and one, some of whose taps are zero.

    Kernels of few rows cost copies of x, not products; a zero must not meet an infinity.
    """
    products = phase_products(axes, merge=False)
    few = share * _holes_and_strides(axes)[1] <= tuning.MOST_ROWS
    if few and len(products) > 1 and all_finite(x):
        return phase_products(axes, merge=True)
    return products


@lru_cache(maxsize=4096)
def _holes_and_strides(axes: Axes) -> tuple[bool, int]:
    """Return whether elements of the result have no tap, and the product of strides."""
    return any(map(has_holes, axes)), prod(axis.stride for axis in axes)


def _multiply(
    phases: PhaseProduct, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the copies of x by the taps of some phases; write the phases."""
    share, count = weights.array.shape[2], len(phases.phases)
    stack, sizes = stacked(phases, x, count * share, space)
    whole = (len(stack), stack.shape[3]) == (len(out), prod(out.shape[3:]))
    alone = phases.alone and whole and stack.shape[2] > 1
    step = max(1, tuning.RESULT_BYTES // (stack.nbytes // stack.shape[2] * count))
    for start in range(0, share, step):
        part = out[:, :, start : start + step]
        with space.frame():
            rows = _pack(phases, weights, slice(start, start + step), space)
            in_place = as_matrices(part) if alone else None
            if in_place is not None:
                multiply(rows, stack, in_place, space)
                continue
            result = space.take((len(stack), *rows.shape[:2], stack.shape[3]), x.dtype)
            multiply(rows, stack, result, space)
            _write(phases, result, sizes, part)


def _write(phases: PhaseProduct, result: Array, sizes: tuple[int, ...], out: Array) -> None:
    """Write the phases (b, g, phase * co, e), or samples side by side, to out."""
    batch, groups, channels = out.shape[:3]
    count = len(phases.phases)
    if len(result) == batch:
        planes = result.reshape(batch, groups, count, channels, *sizes)
    else:
        planes = result.reshape(groups, count, channels, batch, *sizes)
        planes = np.moveaxis(planes, 3, 0)
    for number, phase in enumerate(phases.phases):
        out[phase.big] = planes[:, :, number][phase.inner]


def stacked(
    phases: PhaseProduct, x: Array, products: int, space: Workspace
) -> tuple[Array, tuple[int, ...]]:
    """Gather the copies of x (b, g, ci, *small) for some phases; also return their sizes.

    Many products per element are worth short rows; for few, rows go on past their ends.
    """
    axes, sizes, full = phases.axes, phases.sizes, phases.full
    elements = prod(sizes)
    if folds(len(x), elements):
        return gather(axes, x, space, folded=True), sizes
    wasted = (prod(full) - elements) * products
    if wasted < tuning.MOST_WASTE * elements and runs_are_short(axes, elements):
        return gather_runs(axes, x, space), full
    return gather(axes, x, space, folded=False), sizes


def _pack(
    phases: PhaseProduct, weights: Weights, channels: slice, space: Workspace
) -> Array:
    """Order the taps of some phases, last ones first, as (g, phase * co, ci * tap)."""
    w = weights.array[:, :, channels]
    groups, small, share = w.shape[:3]

    def fill(rows: Array) -> None:
        for number, phase in enumerate(phases.phases):
            if phase.fewer:
                rows[:, number] = 0
            target = rows[(slice(None), number, ..., *phase.rows)]
            target[...] = w[phase.taps].swapaxes(1, 2)

    shape = (groups, len(phases.phases), share, small, *phases.taps)
    form = (phases.key, channels.start)
    rows = weights.packed(form, shape, w.dtype, space, fill)
    return rows.reshape(groups, len(phases.phases) * share, -1)


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of copies, packed taps and phases beside the loaded arrays."""
    if form == "conv":
        return tap_rows.footprint(c)
    if form == "kernel_grad":
        return c.itemsize * shifted.footprint(c)
    phases = prod(min(axis.stride, axis.kernel) for axis in c.axes)
    each = c.lead * c.phase * phases
    result, step = at_a_time(tuning.RESULT_BYTES, each, c.channels, c.itemsize)
    packed = c.groups * c.others * step * c.phase_taps * phases
    return c.itemsize * (c.lead * c.others * _copies(c) + packed) + 2 * result


def _copies(c: Counts) -> int:
    """Elements of the copies of one channel of x, and of x extended by zeros."""
    taps = cells = full = 1
    for axis in c.axes:
        groups = (*phase_groups(axis, "taps"), *phase_groups(axis, "axis"))
        reads = [group.reads for group in groups]
        taps *= max((axis.kernel for axis in reads), default=0)
        cells *= max((axis.small for axis in reads), default=0)
        full *= max((axis.full for axis in reads), default=0)
    # Rows go on past their ends, and x is extended, only where that is not much more.
    few = tuning.FEW_ZEROS // max(c.lead * c.others, 1)
    return taps * min(full, 4 * cells + few) + min(full, max(4 * cells, 2 * c.small, few))
