"""`fastfir`: polyphase with fewer products, by fast FIR (Winograd) forms.

Two neighbouring cells of a phase with two taps cost three products instead of four, with
three taps four instead of six, on every axis: sums of data times sums of taps, joined by
adds. A 4 x 4 kernel of stride 2 needs 9/16 of the products. The sums round, so the result
is not exact on integers; its error stays a small multiple of that of the other forms.
Phases with other numbers of taps, or with holes between taps, keep all their products.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.fir import Kin, kin_of
from mtconv.backends._numpy.gemm import conv, kernel_grad
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, Phase, has_holes

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]

# Bytes of products at a time: few large matrix products, joined from the outer caches.
PRODUCT_BYTES = 2**23

# Bytes of the kernel whose taps are summed at a time.
TAP_BYTES = 2**19


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Compute each kin of phases from sums of x and sums of taps.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    out = out.transpose(1, 2, 0, *range(3, out.ndim))
    if any(has_holes(axis) for axis in axes):
        out[...] = 0
    for kin in product(*(kin_of(axis) for axis in axes)):
        members = list(product(*(one.members for one in kin)))
        with space.frame():
            data = _data(axes, kin, x, space)
            _multiply(axes, kin, members, data, w, out, space)


def _multiply(
    axes: Axes,
    kin: tuple[Kin, ...],
    members: list[tuple[Phase, ...]],
    data: Array,
    w: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Compute all phases of a kin from the sums of x, some channels at a time."""
    groups, small, share = w.shape[:3]
    count, batch = data.shape[0], data.shape[3]
    matrix = data.reshape(count, groups, small, -1)
    each = count * groups * len(members) * matrix.shape[3] * w.itemsize
    step = max(1, PRODUCT_BYTES // max(each, 1))
    for start in range(0, share, step):
        with space.frame():
            part = w[:, :, start : start + step]
            taps = _taps(kin, members, part, start, space)
            kernel = taps.reshape(count, groups, small, -1).swapaxes(2, 3)
            flat = space.take((count, groups, kernel.shape[2], matrix.shape[3]), w.dtype)
            np.matmul(kernel, matrix, out=flat)
            products = flat.reshape(
                *(len(one.form.data) for one in kin),
                groups,
                len(members),
                part.shape[2],
                batch,
                -1,
            )
            for number, group in enumerate(members):
                mine = products[(slice(None),) * (len(axes) + 1) + (number,)]
                _join(axes, kin, group, mine, out[:, start : start + step], space)


def _data(axes: Axes, kin: tuple[Kin, ...], x: Array, space: Workspace) -> Array:
    """Sum x: (product, g, ci, b, cells).

    Rows are as long as their padded planes, so that a shift by any place is one offset
    and every sum one long run; what the last cells of a row hold is never used.
    """
    planes, strides = _planes(axes, kin, x, space)
    cells = kin[0].steps * strides[0]
    counts = tuple(len(one.form.data) for one in kin)
    sums = space.take((prod(counts), *x.shape[:3], cells), x.dtype)
    for p, place in enumerate(np.ndindex(*counts)):
        terms = []
        for chosen in product(
            *(one.form.data[n] for one, n in zip(kin, place, strict=True))
        ):
            parity, offset = [], 0
            for (at, _), one, stride in zip(chosen, kin, strides, strict=True):
                shift, odd = divmod(at - one.lowest, one.form.outputs)
                parity.append(odd)
                offset += shift * stride
            plane = planes[tuple(parity)]
            terms.append((plane[..., offset : offset + cells], prod(f for _, f in chosen)))
        _combine(terms, sums[p])
    return sums


def _planes(
    axes: Axes, kin: tuple[Kin, ...], x: Array, space: Workspace
) -> tuple[Array, list[int]]:
    """Copy x to planes (*parities, g, ci, b, cells), and return the strides of a plane.

    A parity holds every ``outputs``-th cell of an axis; cells outside x are zero.
    """
    lengths = [one.steps + one.reach for one in kin]
    strides = [prod(lengths[number + 1 :]) for number in range(len(kin))]
    parities = tuple(one.form.outputs for one in kin)
    # Offsets on the inner axes reach past the last row.
    size = prod(lengths) + sum(
        one.reach * stride for one, stride in zip(kin[1:], strides[1:], strict=True)
    )
    planes = space.take((*parities, *x.shape[:3], size), x.dtype)
    planes[...] = 0
    for parity in np.ndindex(*parities):
        source: list[Any] = []
        target: list[Any] = []
        for axis, one, odd, length in zip(axes, kin, parity, lengths, strict=True):
            outputs = one.form.outputs
            first = one.first + one.lowest + odd
            start = max(0, -(first // outputs))
            stop = max(start, min(length, (axis.small - 1 - first) // outputs + 1))
            begin = first + outputs * start
            target.append(slice(start, stop))
            source.append(slice(begin, begin + outputs * (stop - start), outputs))
        rows = planes[parity][..., : prod(lengths)].reshape(*x.shape[:3], *lengths)
        rows[(..., *target)] = x[(..., *source)]
    return planes, strides


def _taps(
    kin: tuple[Kin, ...],
    members: list[tuple[Phase, ...]],
    w: Array,
    start: int,
    space: Workspace,
) -> Array:
    """Sum taps: (product, g, ci, member, co)."""
    counts = tuple(len(one.form.taps) for one in kin)
    shape = (prod(counts), *w.shape[:2], len(members), w.shape[2])
    found = tuple((phase.tap, phase.taps) for group in members for phase in group)

    def fill(taps: Array) -> None:
        _sum_taps(kin, members, w, taps, space)

    return space.packed((found, start), shape, w.dtype, fill)


def _sum_taps(
    kin: tuple[Kin, ...],
    members: list[tuple[Phase, ...]],
    w: Array,
    taps: Array,
    space: Workspace,
) -> None:
    """Fill ``taps``; some channels at a time, so that the kernel is read once."""
    groups, small, share = w.shape[:3]
    counts = tuple(len(one.form.taps) for one in kin)
    sizes = tuple(phase.taps for phase in members[0])
    step = max(1, TAP_BYTES // max(1, groups * share * prod(sizes) * w.itemsize))
    for number, group in enumerate(members):
        chosen_taps: Index = tuple(slice(p.tap, None, p.tap_step) for p in group)
        kernel = np.moveaxis(w[(..., *chosen_taps)], (0, 1, 2), (-3, -2, -1))
        for start in range(0, small, step):
            with space.frame():
                part = kernel[..., start : start + step, :]
                ordered = space.take(part.shape, w.dtype)
                np.copyto(ordered, part)
                for p, place in enumerate(np.ndindex(*counts)):
                    sums = (one.form.taps[n] for one, n in zip(kin, place, strict=True))
                    terms = [
                        (ordered[tuple(m for m, _ in chosen)], prod(f for _, f in chosen))
                        for chosen in product(*sums)
                    ]
                    _combine(terms, taps[p, :, start : start + step, number])


def _join(
    axes: Axes,
    kin: tuple[Kin, ...],
    group: tuple[Phase, ...],
    products: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Sum products (*products, g, co, b, cells) to the cells of one phase."""
    lengths = tuple(one.steps + one.reach for one in kin[1:])
    rows = (kin[0].steps, *lengths)
    for place in np.ndindex(*(one.form.outputs for one in kin)):
        cells: list[Any] = []
        target: list[Any] = []
        for e, axis, one, phase in zip(place, axes, kin, group, strict=True):
            outputs = one.form.outputs
            # Cell ``outputs*step + e`` of the kin is cell ``t`` of the phase.
            skipped = phase.shift - one.first
            start = max(0, -((e - skipped) // outputs))
            stop = (phase.cells - 1 + skipped - e) // outputs + 1
            first = phase.start + axis.stride * (outputs * start + e - skipped)
            cells.append(slice(start, stop))
            target.append(slice(first, None, axis.stride * outputs))
        joins = (one.form.joins[e] for one, e in zip(kin, place, strict=True))
        terms = [
            (products[tuple(p for p, _ in chosen)], prod(f for _, f in chosen))
            for chosen in product(*joins)
        ]
        with space.frame():
            *most, (last, sign) = terms
            shape = (*last.shape[:-1], *rows)
            place_out = out[(..., *target)]
            last = last.reshape(shape)[(..., *cells)]
            if not most:
                place_out[...] = last
                continue
            total = most[0][0]
            if len(most) > 1:
                total = space.take(products.shape[len(kin) :], products.dtype)
                _combine(most, total)
            total = total.reshape(shape)[(..., *cells)]
            (np.add if sign > 0 else np.subtract)(total, last, out=place_out)


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
