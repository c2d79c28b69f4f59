"""`gemm`: one matrix product with all taps, then col2im, or im2col before it.

The kernel is never repacked: BLAS takes it transposed. Columns are made for so many
channels at a time that they stay in the second-level cache between product and add.
"""

from __future__ import annotations

from math import prod

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.col2im import overlap_add, sum_by_table, terms
from mtconv.backends._numpy.im2col import folds, gather, rows_of, samples_of
from mtconv.backends._numpy.taps_last import gather_last, short_rows, taps_first
from mtconv.backends.host.correlation import add_correlation
from mtconv.backends.host.correlation import footprint as correlation_footprint
from mtconv.backends.host.counts import Counts, at_a_time, channels_at_a_time
from mtconv.backends.host.matmul import (
    as_matrices,
    matmul,
    matrices_for,
    multiply,
    store,
)
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.planning import tuning
from mtconv.planning.gathers import extended_elements

__all__ = ["NAME", "TRANSFORMS", "conv", "conv_transpose", "footprint", "kernel_grad"]

NAME = "gemm"
TRANSFORMS = False


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Add the planes ``w.T @ x`` of every tap where they land."""
    _, small, share, *taps = weights.array.shape
    samples = samples_of(x)
    each = x.size // max(small, 1) * prod(taps)
    few = 0 < each * share <= tuning.FEW_COLUMNS and 0 < out.size <= tuning.FEW_ELEMENTS
    if few and len(samples) == 1 and terms(axes) * out.size <= tuning.FEW_TERMS:
        _by_table(axes, weights.array, samples[0], out, space)
        return
    limit = tuning.COLUMN_BYTES if small >= tuning.DEEP else tuning.COLUMN_BYTES // 2
    # As many as nearest to the limit, so that none are left for a thin last product.
    count = max(1, round(share * each * x.itemsize / limit))
    step = max(1, -(-share // count))
    for start in range(0, share, step):
        with space.frame():
            part = weights.array[:, :, start : start + step]
            planes = _planes(part, samples, x.shape[2:], space)
            overlap_add(axes, planes, out[:, :, start : start + step], space)


def _by_table(axes: Axes, w: Array, x: Array, out: Array, space: Workspace) -> None:
    """Look up the few columns that each element of the result sums."""
    rows = w.reshape(*w.shape[:2], -1).swapaxes(1, 2)
    flat = space.take((rows.shape[0] * rows.shape[1] * x.shape[2] + 1,), x.dtype)
    flat[-1] = 0
    np.matmul(rows, x, out=flat[:-1].reshape(*rows.shape[:2], -1))
    sum_by_table(axes, flat, out, space)


def _planes(w: Array, samples: Array, sizes: tuple[int, ...], space: Workspace) -> Array:
    """Multiply samples of ``sizes`` (b, *small) by the kernel; return planes."""
    groups, small, share, *taps = w.shape
    rows = w.reshape(groups, small, -1).swapaxes(1, 2)
    flat = space.take((len(samples), groups, rows.shape[1], samples.shape[3]), w.dtype)
    matmul(rows, samples, flat)
    if len(samples) == 1:
        return flat.reshape(groups, share, *taps, *sizes)
    planes = flat.reshape(len(samples), groups, share, *taps, *sizes[1:])
    return np.moveaxis(planes, 0, 2 + len(taps))


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Multiply the gathered columns of y by the kernel."""
    w = weights.array
    groups, small, share, *taps = w.shape
    folded = folds(len(out), prod(out.shape[3:]))
    result, in_place = matrices_for(out, space, folded=folded)
    each = result.nbytes // small * prod(taps)
    last = short_rows(axes, prod(y.shape[:3]), share, groups * small, "conv")
    for channels in channels_at_a_time(share, tuning.GATHER_BYTES, each):
        with space.frame():
            if last:
                rows = taps_first(weights, channels, space)
                columns = gather_last(axes, y[:, :, channels], space, folded=folded)
            else:
                rows = w[:, :, channels].reshape(groups, small, -1)
                columns = gather(axes, y[:, :, channels], space, folded=folded)
            multiply(rows, columns, result, space, add=channels.start > 0)
    if not in_place:
        store(result, out)


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Add x times the gathered columns of y to the kernel."""
    groups, small, share, *taps = out.shape
    rows = rows_of(x, share * prod(taps), space)
    each = rows.nbytes // small * prod(taps)
    last = short_rows(axes, prod(y.shape[:3]), share, groups * small, "kernel_grad")
    for channels in channels_at_a_time(share, tuning.GATHER_BYTES, each):
        with space.frame():
            part, target = y[:, :, channels], out[:, :, channels]
            if last:
                columns = gather_last(axes, part, space, folded=len(rows) == 1)
                target = np.moveaxis(target, 2, -1)
            else:
                columns = gather(axes, part, space, folded=len(rows) == 1)
            in_place = as_matrices(target[None])
            if in_place is not None:
                add_correlation(rows, columns, in_place[0], space)
                continue
            product = space.take((groups, small, columns.shape[2]), out.dtype)
            product[...] = 0
            add_correlation(rows, columns, product, space)
            target += product.reshape(target.shape)


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of planes, or of gathered columns, beside the loaded arrays."""
    if form == "conv_transpose":
        return _planes_footprint(c)
    each = c.lead * c.taps * c.small
    if form == "conv":
        gathered, step = at_a_time(tuning.GATHER_BYTES, each, c.others, c.itemsize)
        kept = 2 * c.lead * c.channels * c.small + c.groups * c.channels * step * c.taps
    else:
        gathered, step = at_a_time(tuning.GATHER_BYTES, each, c.channels, c.itemsize)
        kept = c.groups * c.others * step * c.taps + correlation_footprint(c, step * c.taps)
        kept += c.lead * c.others * c.small
    # y extended by zeros, and by phase, or with its channels last.
    extended = max(
        2 * c.big, min(extended_elements(c.axes), tuning.MOST_TURNED * c.taps * c.small)
    )
    return gathered + c.itemsize * (kept + step * c.lead * extended)


def _planes_footprint(c: Counts) -> int:
    product = c.lead * c.taps * c.small
    planes, done, left = 0, c.lead, c.taps * c.small
    for axis in c.axes:
        done *= -(-axis.big // axis.stride) + 1
        left //= max(axis.kernel * axis.small, 1)
        planes += done * left
    limit = tuning.COLUMN_BYTES
    count = max(1, round(c.channels * product * c.itemsize / limit))
    step = -(-c.channels // count)
    return c.itemsize * step * (product + planes) * (2 if step < c.channels else 1)
