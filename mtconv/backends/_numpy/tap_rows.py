"""The convolution of `polyphase`: rows of y, gathered once, serve all taps of an axis.

The first axis of y is cut by residue modulo its stride. Its taps fall into runs of
neighbours within a stride, or of every second row and so on where stride and dilation have
a common divisor. Each run is one product with rows that others use too.
"""

from __future__ import annotations

from math import prod

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.im2col import fill, folds, gather
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.matmul import matrices_for, multiply, store
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.residue_rows import ResidueRows, far_apart, residue_rows
from mtconv.geometry import TapRun, taps_between

__all__ = ["conv", "footprint"]


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Add up what each run of the first axis's taps gives."""
    folded = folds(len(out), prod(out.shape[3:]))
    result, in_place = matrices_for(out, space, folded=folded)
    if far_apart(axes[0]):
        _conv_by_run(axes, y, weights, result, space, folded)
    else:
        _conv_by_rows(axes, y, weights, result, space, folded)
        if folded:  # samples lie inside a row
            sizes = out.shape[1:3] + out.shape[3:4] + out.shape[:1] + out.shape[4:]
            out[...] = np.moveaxis(result.reshape(sizes), 3, 0)
            return
    if not in_place:
        store(result, out)


def _conv_by_run(
    axes: Axes, y: Array, weights: Weights, result: Array, space: Workspace, folded: bool
) -> None:
    """Gather for each run what its taps meet."""

    def columns(run: TapRun) -> Array:
        reads = (taps_between(axes[0], run.tap, run.tap + run.taps), *axes[1:])
        return gather(reads, y, space, folded=folded)

    for number, run in enumerate(residue_rows(axes[0]).runs):
        taps = weights.array[:, :, :, run.tap : run.tap + run.taps]
        rows = taps.reshape(*taps.shape[:2], -1)
        with space.frame():
            # Without a name, so that they are gone before those of the next run.
            multiply(rows, columns(run), result, space, add=number > 0)


def _conv_by_rows(
    axes: Axes, y: Array, weights: Weights, result: Array, space: Workspace, folded: bool
) -> None:
    """Gather the rows of every residue, which all runs then share."""
    rows = residue_rows(axes[0])
    columns, inside = _gather_rows(rows, axes, y, space, folded=folded)
    depth = columns.shape[2] // len(rows.residues)
    for number, run in enumerate(rows.runs):
        start = rows.residues.index(run.residue) * depth
        terms = slice(start, start + run.taps * depth)
        elements = slice(run.shift * inside, (run.shift + axes[0].small) * inside)
        with space.frame():
            kernel = _pack(run, weights, space)
            part = columns[..., terms, elements]
            multiply(kernel, part, result, space, add=number > 0)


def _pack(run: TapRun, weights: Weights, space: Workspace) -> Array:
    """Order the taps of a run as (g, ci, residue * co * other taps)."""
    w = weights.array
    taps = w[:, :, :, run.tap : run.tap + run.taps]

    def fill(rows: Array) -> None:
        rows[...] = np.moveaxis(taps, 3, 2)

    shape = (*w.shape[:2], run.taps, w.shape[2], *w.shape[4:])
    rows = weights.packed(("rows", run.tap), shape, w.dtype, space, fill)
    return rows.reshape(*w.shape[:2], -1)


def _gather_rows(
    rows: ResidueRows, axes: Axes, y: Array, space: Workspace, *, folded: bool
) -> tuple[Array, int]:
    """Gather y by the residues of its first axis: (n, g, residue * co * taps, e).

    Elements are rows of the first axis times small elements of the others; also return how
    many a row has. Folded, the samples lie inside a row, and n is 1.
    """
    first, *rest = axes
    batch, groups, share = y.shape[:3]
    small = [axis.small for axis in rest]
    lead = (groups, len(rows.residues), share, *(axis.kernel for axis in rest))
    if folded:
        columns = space.take((1, *lead, rows.height, batch, *small), y.dtype)
        view = np.moveaxis(columns[0], len(lead) + 1, 0)
    else:
        columns = view = space.take((batch, *lead, rows.height, *small), y.dtype)
    for number, residue in enumerate(rows.axes):
        target = view[:, :, number, :, None]
        if residue is None:
            target[...] = 0
        else:
            part = y[:, :, :, residue.first :: first.stride]
            fill((residue.rows, *rest), part, target, space)
    inside = prod(small) * (batch if folded else 1)
    return columns.reshape(len(columns), groups, -1, rows.height * inside), inside


def footprint(c: Counts) -> int:
    """Bound the bytes of rows and packed taps beside the loaded arrays."""
    first, *rest = c.axes
    residues = min(first.kernel, first.stride)
    height = first.small + first.dilation * (first.kernel - 1) // first.stride + 1
    if far_apart(first):
        height = first.small
    inside = prod(axis.kernel * axis.small for axis in rest)
    gathered = c.lead * c.others * residues * height * inside
    packed = c.groups * c.channels * c.others * c.taps
    extended = 2 * c.lead * c.others * (c.big // max(residues, 1) + 1)
    result = 2 * c.lead * c.channels * c.small
    return c.itemsize * (gathered + packed + extended + result)
