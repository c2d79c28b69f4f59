"""`fft`: phases as products of spectra, block by block; inserted zeros are not transformed.

A phase of the big side is a convolution of stride 1, ``y_p[t] = sum h[v] x[t + shift - v]``
with tap m of the phase at ``v = m*shift_step``. With ``u = t + shift`` nothing is negative.
All three maps are circular convolutions or correlations over ``u``, in blocks that overlap
by what the taps span (`mtconv.planning.overlap`); of each block the cells are kept onto
which nothing wraps. To spectra, phases are further channels of the big side.

The error is relative to the largest element, so this algorithm is not exact on integers;
`mtconv.backends._numpy.promises` makes it so for `auto`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.fft_parts import (
    Chunk,
    Layout,
    Part,
    cells_of,
    layout_of,
    placed,
    spots_of,
    taps_of,
)
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.backends.host.overlapped import read_cells, write_blocks
from mtconv.backends.host.spectra import (
    add_correlated,
    backward,
    forward,
    frequencies,
    joined,
)
from mtconv.backends.host.strided import block_view
from mtconv.geometry import live_phases
from mtconv.planning import tuning
from mtconv.planning.overlap import largest_block, most_elements

__all__ = ["NAME", "TRANSFORMS", "conv", "conv_transpose", "footprint", "kernel_grad"]

NAME = "fft"
TRANSFORMS = True


def conv_transpose(
    axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
) -> None:
    """Multiply the spectra of blocks of x by those of each phase's taps."""
    groups, small, batch = x.shape[:3]
    sides = (batch, groups, small, out.shape[2])
    layout = layout_of(axes, sides, x.dtype.itemsize, transposed=True)
    if not layout.covers:
        out[...] = 0
    for part in layout.parts:
        with space.frame():
            taps = _tap_spectra(layout, part, weights, x.dtype, space)
            target = _lead_by_groups(out)[part.groups, part.big]
            for chunk in part.chunks:
                with space.frame():
                    source = x[part.groups, part.small]
                    data = _small_spectra(layout, chunk, source, space)
                    total = joined(data, taps, space, matrices=part.matrices)
                    _store_phases(layout, part, chunk, total, target, axes, x.dtype, space)


def conv(axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace) -> None:
    """Correlate blocks of each phase of y with the phase's taps."""
    batch, groups, small = out.shape[:3]
    sides = (batch, groups, small, y.shape[2])
    layout = layout_of(axes, sides, y.dtype.itemsize, transposed=False)
    if not layout.parts:
        out[...] = 0
    for part in layout.parts:
        with space.frame():
            taps = _tap_spectra(layout, part, weights, y.dtype, space, correlate=True)
            target = _lead_by_groups(out)[part.groups, part.small]
            source = _lead_by_groups(y)[part.groups, part.big]
            for chunk in part.chunks:
                with space.frame():
                    data = _big_spectra(layout, part, chunk, source, axes, space)
                    total = joined(data, taps, space, matrices=part.matrices)
                    kept = tuple(slice(0, axis.size) for axis in layout.blocks)
                    blocks = _blocks(layout, chunk, total, kept, y.dtype, space)
                    place = target[:, :, chunk.samples]
                    starts = _starts(layout, chunk)
                    write_blocks(blocks, place, starts, space, add=part.adds)


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Correlate blocks of x with each phase of y, and add up the taps."""
    groups, small, batch = x.shape[:3]
    sides = (batch, groups, small, y.shape[2])
    layout = layout_of(axes, sides, x.dtype.itemsize, transposed=False)
    for part in layout.parts:
        source = x[part.groups, part.small]
        other = _lead_by_groups(y)[part.groups, part.big]
        with space.frame():
            total = _no_spectra(layout, part, source, other, space)
            for chunk in part.chunks:
                with space.frame():
                    left = _small_spectra(layout, chunk, source, space, apart=True)
                    right = _big_spectra(layout, part, chunk, other, axes, space)
                    add_correlated(total, left, right, space, matrices=part.matrices)
            _add_taps(layout, part, total, out[part.kernel], x.dtype, space)


def _lead_by_groups(array: Array) -> Array:
    """View (b, g, c, *space) as (g, c, b, *space)."""
    return array.transpose(1, 2, 0, *range(3, array.ndim))


def _starts(layout: Layout, chunk: Chunk) -> list[int]:
    """Return the first cell of a chunk's blocks on each axis."""
    pairs = zip(layout.blocks, chunk.blocks, strict=True)
    return [axis.first + axis.size * blocks.start for axis, blocks in pairs]


def _extents(layout: Layout, chunk: Chunk) -> list[int]:
    """Return the cells of a chunk's blocks on each axis."""
    pairs = zip(layout.blocks, chunk.blocks, strict=True)
    return [axis.size * (blocks.stop - blocks.start) for axis, blocks in pairs]


def _small_spectra(
    layout: Layout, chunk: Chunk, x: Array, space: Workspace, *, apart: bool = False
) -> Array:
    """Transform blocks of the small side, (g, ci, samples and blocks, *frequencies).

    They are ``apart`` for a correlation with blocks of the other side, which overlap.
    """
    starts, sizes = _starts(layout, chunk), _extents(layout, chunk)
    if not apart:
        halos = [span - 1 for span in layout.spans]
        starts = [start - halo for start, halo in zip(starts, halos, strict=True)]
        sizes = [size + halo for size, halo in zip(sizes, halos, strict=True)]
    cells = read_cells([x[:, :, chunk.samples]], [starts], sizes, space)
    return _spectra(layout, cells, space, conjugate=apart)


def _big_spectra(
    layout: Layout, part: Part, chunk: Chunk, y: Array, axes: Axes, space: Workspace
) -> Array:
    """Transform blocks of phases, (g, co and phases, samples and blocks, *frequencies)."""
    firsts, sizes = _starts(layout, chunk), _extents(layout, chunk)
    sizes = [size + span - 1 for size, span in zip(sizes, layout.spans, strict=True)]
    y = y[:, :, chunk.samples]
    views, starts = [], []
    for phases in part.phases:
        index, places = cells_of(axes, phases)
        views.append(y[index])
        starts.append([n - place for n, place in zip(firsts, places, strict=True)])
    return _spectra(layout, read_cells(views, starts, sizes, space), space)


def _spectra(
    layout: Layout, cells: Array, space: Workspace, *, conjugate: bool = False
) -> Array:
    """Transform blocks of (g, c, phases, samples, *cells), those of a correlation apart."""
    steps = tuple(axis.size for axis in layout.blocks)
    blocks = block_view(cells, steps if conjugate else layout.lengths, steps)
    groups, channels, phases, *rest = blocks.shape[: -len(steps)]
    sizes = frequencies(layout.lengths, cells.dtype)
    lead = (groups, channels * phases, prod(rest))
    spectra = space.take((*lead, *sizes), np.result_type(cells.dtype, np.complex64))
    forward(blocks, layout.lengths, spectra, space, conjugate=conjugate)
    return spectra


def _blocks(
    layout: Layout,
    chunk: Chunk,
    spectra: Array,
    kept: tuple[slice, ...],
    dtype: np.dtype[Any],
    space: Workspace,
) -> Array:
    """Transform back: what is kept, as (g, c, samples, *blocks, *cells)."""
    cells = backward(spectra, layout.lengths, kept, dtype, space)
    counts = (blocks.stop - blocks.start for blocks in chunk.blocks)
    samples = chunk.samples.stop - chunk.samples.start
    return cells.reshape(*cells.shape[:2], samples, *counts, *cells.shape[3:])


def _store_phases(
    layout: Layout,
    part: Part,
    chunk: Chunk,
    total: Array,
    out: Array,
    axes: Axes,
    dtype: np.dtype[Any],
    space: Workspace,
) -> None:
    """Write blocks of each phase from their spectra."""
    pairs = zip(layout.spans, layout.lengths, strict=True)
    kept = tuple(slice(span - 1, length) for span, length in pairs)
    blocks = _blocks(layout, chunk, total, kept, dtype, space)
    blocks = blocks.reshape(len(out), -1, len(part.phases), *blocks.shape[2:])
    firsts = _starts(layout, chunk)
    for number, phases in enumerate(part.phases):
        index, places = cells_of(axes, phases)
        starts = [n - place for n, place in zip(firsts, places, strict=True)]
        place = out[:, :, chunk.samples][index]
        write_blocks(blocks[:, :, number], place, starts, space, add=part.adds)


def _tap_spectra(
    layout: Layout,
    part: Part,
    weights: Weights,
    dtype: np.dtype[Any],
    space: Workspace,
    *,
    correlate: bool = False,
) -> Array:
    """Return the spectra of a part of the kernel, as `joined` multiplies them.

    Those of a convolution are spectra of a correlation.
    """
    w = weights.array[part.kernel]
    complex_dtype = np.result_type(dtype, np.complex64)
    sizes = frequencies(layout.lengths, dtype)
    shape = (*w.shape[:2], w.shape[2] * len(part.phases), *sizes)

    def transform(spectra: Array) -> None:
        with space.frame():
            taps = space.take((*w.shape[:3], len(part.phases), *layout.spans), dtype)
            taps[...] = 0
            for number, phases in enumerate(part.phases):
                taps[:, :, :, number][spots_of(phases)] = w[taps_of(phases)]
            forward(taps, layout.lengths, spectra, space, conjugate=correlate)

    def turn(packed: Array) -> None:
        with space.frame():
            spectra = space.take(shape, complex_dtype)
            transform(spectra)
            np.copyto(packed, spectra.reshape(*shape[:3], -1).transpose(0, 3, 1, 2))

    starts = tuple(cut.start for cut in part.kernel)
    form = (placed(part.phases), starts, layout.lengths, correlate, part.matrices)
    if part.matrices:
        packed_shape = (shape[0], prod(sizes), *shape[1:3])
        packed = weights.packed(form, packed_shape, complex_dtype, space, turn)
        return packed.swapaxes(2, 3) if correlate else packed
    spectra = weights.packed(form, shape, complex_dtype, space, transform)
    return spectra.swapaxes(1, 2) if correlate else spectra


def _no_spectra(layout: Layout, part: Part, x: Array, y: Array, space: Workspace) -> Array:
    """Return spectra of zeros, as `add_correlated` adds to them."""
    sizes = frequencies(layout.lengths, x.dtype)
    groups, small, big = len(x), x.shape[1], y.shape[1] * len(part.phases)
    shape = (groups, small, big, *sizes)
    if part.matrices:
        shape = (groups, prod(sizes), small, big)
    total = space.take(shape, np.result_type(x.dtype, np.complex64))
    total[...] = 0
    return total


def _add_taps(
    layout: Layout,
    part: Part,
    total: Array,
    out: Array,
    dtype: np.dtype[Any],
    space: Workspace,
) -> None:
    """Add to a part of the kernel (g, ci, co, *taps) what its spectra say."""
    if part.matrices:
        sizes = frequencies(layout.lengths, dtype)
        copy = space.take((*total.shape[::2], total.shape[3], prod(sizes)), total.dtype)
        np.copyto(copy, total.transpose(0, 2, 3, 1))
        total = copy.reshape(*copy.shape[:3], *sizes)
    kept = tuple(slice(0, span) for span in layout.spans)
    taps = backward(total, layout.lengths, kept, dtype, space)
    taps = taps.reshape(*out.shape[:3], len(part.phases), *layout.spans)
    for number, phases in enumerate(part.phases):
        out[taps_of(phases)] += taps[:, :, :, number][spots_of(phases)]


def footprint(form: str, c: Counts) -> int:
    """Bound the bytes of a piece: the spectra of a part of the kernel, and of a chunk.

    Making the former takes three times as much, and adding up a gradient four times; a
    chunk has its cells, their spectra, and those of the step before.
    """
    elements, single = largest_block(c.axes, c.transposed, most_elements(c.itemsize))
    # Of rows of four elements and more; shorter ones are a few bytes.
    plane = elements * c.itemsize * 3 // 2 + 64
    phases = prod(len(live_phases(axis)) for axis in c.axes)
    kernel = c.groups * c.others * c.channels * phases * plane
    blocks = c.lead * (c.others + c.channels) * phases * plane
    kernel = min(kernel, max(tuning.SPECTRA_BYTES, plane))
    if not single or blocks > tuning.UNIT_BYTES:
        blocks = max(tuning.UNIT_BYTES, 2 * plane)
    bound = max(4 * kernel, 2 * kernel + 5 * blocks)
    if form != "kernel_grad":
        return bound
    return bound + c.groups * c.others * c.channels * c.taps * c.itemsize
