"""`fastfir`: polyphase with fewer products, by fast FIR (Winograd) forms.

Two neighbouring cells of a phase with two taps cost three products instead of four, with
three taps four instead of six, on every axis: sums of data times sums of taps, joined by
adds. A 4 x 4 kernel of stride 2 needs 9/16 of the products. The sums round, so the result
is not exact on integers; its error stays a small multiple of that of the other forms.
Phases with other numbers of taps, or with holes between taps, keep all their products.

Inside, channels come last: every sum, of cells any stride apart, is one of runs of
channels, and only the first and the last copy are strided.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, pairwise, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.columns import place
from mtconv.backends._numpy.fir import Family, Kin, family_of
from mtconv.backends._numpy.gemm import conv, kernel_grad
from mtconv.backends._numpy.product import matmul
from mtconv.backends._numpy.strided import window_view
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Kins = tuple[Kin, ...]

# Bytes of the sums of taps of some channels at a time.
TAP_BYTES = 2**25

# What rows of more than SHORT_BYTES of channels are made longer by: with a power of two
# between them, all cells of a channel would lie in a few places of the cache.
SPARE_BYTES = 64
SHORT_BYTES = 128

# Channels and cells of a tile that is turned from one order of axes to the other.
TILE_CHANNELS = 32
TILE_CELLS = 256


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Compute each kin of phases from sums of x and sums of taps.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    families = tuple(family_of(axis) for axis in axes)
    kins = tuple(product(*(family.kin for family in families)))
    if not kins:  # no tap reaches a cell
        out[...] = 0
        return
    cells = _channels_last(families, x, space)
    turned = _turned(families, out, space)
    groups, small, share, *taps = w.shape
    rows = sum(len(_weights(tuple(taps), kin)) for kin in kins)
    step = max(1, TAP_BYTES // max(rows * groups * small * w.itemsize, 1))
    for start in range(0, share, step):
        with space.frame():
            part = w[:, :, start : start + step]
            into = turned[..., start : start + step]
            for kin, sums in zip(kins, _taps(kins, part, start, space), strict=True):
                with space.frame():
                    data = _data(families, kin, cells, space)
                    products = _multiply(kin, data, sums, space)
                    _join(axes, families, kin, products, into, space)
    _write(families, turned, out)


def _turned(families: tuple[Family, ...], out: Array, space: Workspace) -> Array:
    """Make room for the result as (b, g, *big, co), and for what lands around it."""
    batch, groups, share = out.shape[:3]
    spare = SPARE_BYTES if share * out.itemsize > SHORT_BYTES else 0
    sizes = (stop - start for start, stop in (family.written for family in families))
    room = space.take((batch, groups, *sizes, share + spare // out.itemsize), out.dtype)
    room = room[..., :share]
    if any(family.holes for family in families):
        room[...] = 0
    return room


def _channels_last(families: tuple[Family, ...], x: Array, space: Workspace) -> Array:
    """Copy x to (b, g, *cells, ci), with zeros around it for the sums that need them."""
    groups, small, batch = x.shape[:3]
    lengths = (stop - start for start, stop in (family.read for family in families))
    cells = space.take((batch, groups, *lengths, small), x.dtype)
    first = tuple(family.read[0] for family in families)
    into = np.moveaxis(cells, -1, 0)
    mine = np.moveaxis(x, (2, 0, 1), (1, 2, 0))
    for start in range(0, small, TILE_CHANNELS):
        tile = slice(start, start + TILE_CHANNELS)
        place(mine[tile], first, into[tile])
    return cells


def _data(families: tuple[Family, ...], kin: Kins, cells: Array, space: Workspace) -> Array:
    """Sum cells: (*products, b, g, *steps, ci)."""
    counts = tuple(len(one.form.data) for one in kin)
    steps = tuple(one.steps for one in kin)
    sums = space.take((*counts, *cells.shape[:2], *steps, cells.shape[-1]), cells.dtype)
    starts = [one.first - f.read[0] for one, f in zip(kin, families, strict=True)]
    _sum_cells(kin, starts, cells, sums, space)
    return sums


def _sum_cells(
    kin: Kins, starts: list[int], cells: Array, sums: Array, space: Workspace
) -> None:
    """Sum along the first of the axes that are left, then along the others."""
    one, *rest = kin
    number = cells.ndim - 1 - len(kin)
    for p, terms in enumerate(one.form.data):
        views = []
        for at, factor in terms:
            first = starts[0] + at
            step = one.form.outputs
            index = slice(first, first + step * (one.steps - 1) + 1, step)
            views.append((cells[(slice(None),) * number + (index,)], factor))
        if not rest:
            _combine(views, sums[p])
        elif len(views) == 1 and views[0][1] == 1:
            _sum_cells(tuple(rest), starts[1:], views[0][0], sums[p], space)
        else:
            with space.frame():
                some = space.take(views[0][0].shape, cells.dtype)
                _combine(views, some)
                _sum_cells(tuple(rest), starts[1:], some, sums[p], space)


def _multiply(kin: Kins, data: Array, taps: Array, space: Workspace) -> Array:
    """Multiply sums of cells by sums of taps: (*products, b, g, *steps, *members, co)."""
    rank = len(kin)
    counts, lead = data.shape[:rank], data.shape[rank:-1]
    matrix = data.reshape(prod(counts), *lead[:2], -1, data.shape[-1])
    products = space.take((*matrix.shape[:-1], taps.shape[-1]), data.dtype)
    # (products, b, g, cells, ci) @ (products, 1, g, ci, member * co)
    if taps.shape[1] == 1:  # the cells of all items are rows of one matrix
        lead_cells = (len(matrix), 1, 1, -1)
        matmul(
            matrix.reshape(*lead_cells, data.shape[-1]),
            taps[:, None],
            products.reshape(*lead_cells, taps.shape[-1]),
        )
    else:
        matmul(matrix, taps[:, None], products)
    return products.reshape(*counts, *lead, *(len(one.members) for one in kin), -1)


def _taps(kins: tuple[Kins, ...], w: Array, start: int, space: Workspace) -> list[Array]:
    """Sum taps for each kin: (products, g, ci, member * co)."""
    groups, small, share = w.shape[:3]
    weights = [_weights(w.shape[3:], kin) for kin in kins]
    counts = [prod(len(one.members) for one in kin) for kin in kins]
    edges = [0, *accumulate(map(len, weights))]
    cuts = [slice(*pair) for pair in pairwise(edges)]  # the rows of each kin

    def fill(taps: Array) -> None:
        flat = w.reshape(-1, weights[0].shape[1]).T
        factors = np.concatenate(weights).astype(w.dtype)
        if max(counts) == 1:
            np.matmul(factors, flat, out=taps)
            return
        with space.frame():
            sums = space.take(taps.shape, w.dtype)
            np.matmul(factors, flat, out=sums)
            for count, mine in zip(counts, cuts, strict=True):
                ordered = sums[mine].reshape(-1, count, groups, small, share)
                into = taps[mine].reshape(-1, groups, small, count, share)
                into[...] = np.moveaxis(ordered, 1, 3)

    # Blocks that are cut elsewhere have the same phases, but other cells of them.
    phases = (tuple(phase[2:5] for phase in one.members) for kin in kins for one in kin)
    shape = (edges[-1], groups * small * share)
    taps = space.packed((start, *phases), shape, w.dtype, fill)
    return [
        taps[mine].reshape(-1, groups, small, count * share)
        for count, mine in zip(counts, cuts, strict=True)
    ]


@lru_cache(maxsize=1024)
def _weights(kernel: tuple[int, ...], kin: Kins) -> NDArray[np.float64]:
    """Factors of all taps in each sum: (product * member, taps)."""
    counts = tuple(len(one.form.taps) for one in kin)
    members = tuple(product(*(one.members for one in kin)))
    weights = np.zeros((prod(counts), len(members), *kernel))
    for p, chosen in enumerate(np.ndindex(*counts)):
        for number, group in enumerate(members):
            for terms in product(
                *(one.form.taps[n] for one, n in zip(kin, chosen, strict=True))
            ):
                tap = tuple(
                    phase.tap + m * phase.tap_step
                    for (m, _), phase in zip(terms, group, strict=True)
                )
                weights[(p, number, *tap)] += prod(factor for _, factor in terms)
    return weights.reshape(prod(counts) * len(members), -1)


def _join(
    axes: Axes,
    families: tuple[Family, ...],
    kin: Kins,
    products: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Sum products (*products, b, g, *steps, *members, co) to the cells of out."""
    rank = len(axes)
    for number in range(rank - 1, 0, -1):
        form = kin[number].form
        if form.outputs == len(form.data) == 1:
            continue
        shape = products.shape
        sums = space.take(
            (*shape[:number], form.outputs, *shape[number + 1 :]), products.dtype
        )
        lead: tuple[Any, ...] = (slice(None),) * number
        for e, terms in enumerate(form.joins):
            parts = [(products[(*lead, p)], factor) for p, factor in terms]
            _combine(parts, sums[(*lead, e)])
        products = sums
    room = np.moveaxis(out, -1, 2)
    for places in np.ndindex(*(one.form.outputs for one in kin)):
        landing = tuple(
            family.landing(one, axis.stride, at)
            for one, at, axis, family in zip(kin, places, axes, families, strict=True)
        )
        into = np.moveaxis(window_view(room, landing, writeable=True), 2, -1)
        first, *others = places
        parts = [(products[(p, *others)], f) for p, f in kin[0].form.joins[first]]
        if len(parts) <= 2:
            _combine(parts, into)
            continue
        with space.frame():  # written once
            total = space.take(into.shape, into.dtype)
            _combine(parts[:-1], total)
            _combine([(total, 1), parts[-1]], into)


def _write(families: tuple[Family, ...], turned: Array, out: Array) -> None:
    """Copy (b, g, *big, co) to out (b, g, co, *big), some rows at a time."""
    if any(family.every > 1 for family in families):
        out[...] = 0
    live: list[Any] = [...]
    within: list[Any] = [slice(None)] * 2
    for family, size in zip(families, out.shape[3:], strict=True):
        live.append(slice(family.origin, None, family.every))
        cells = -(-(size - family.origin) // family.every)
        within.append(slice(-family.written[0], cells - family.written[0]))
    target = out[tuple(live)]
    source = np.moveaxis(turned[tuple(within)], -1, 2)
    rows = max(1, TILE_CELLS // max(prod(target.shape[4:]), 1))
    for first in range(0, target.shape[3], rows):
        target[:, :, :, first : first + rows] = source[:, :, :, first : first + rows]


def _combine(terms: list[tuple[Array, float]], out: Array) -> None:
    """Write the sum of arrays times factors; the first factor of many is not -1."""
    first, factor = terms[0]
    if len(terms) == 1:
        if factor == 1:
            np.copyto(out, first)
        else:
            np.multiply(first, factor, out=out)
        return
    if all(abs(f) == abs(factor) for _, f in terms):
        second, sign = terms[1]
        (np.add if sign == factor else np.subtract)(first, second, out=out)
        for more, sign in terms[2:]:
            (np.add if sign == factor else np.subtract)(out, more, out=out)
        if factor != 1:
            np.multiply(out, factor, out=out)
        return
    raise AssertionError(terms)
