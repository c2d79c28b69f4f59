"""`fastfir`: polyphase with fewer products, by fast FIR (Winograd) forms.

Two neighbouring cells of a phase with two taps cost three products instead of four, with
three taps four instead of six, on every axis: sums of data times sums of taps, joined by
adds. A 4 x 4 kernel of stride 2 needs 9/16 of the products. The sums round, so the result
is not exact on integers; its error stays a small multiple of that of the other forms.
Phases with other numbers of taps, or with holes between taps, keep all their products.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.gemm import conv, kernel_grad
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, Phase, phases

__all__ = ["conv", "conv_transpose", "form_of", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
Index = tuple[Any, ...]

# A sum of places with factors.
Sum = tuple[tuple[int, float], ...]

# Bytes of products that stay in the second-level cache until they are joined.
PRODUCT_BYTES = 2**21


class Fir(NamedTuple):
    """A way to compute ``outputs`` neighbouring cells, ``y[q] = sum w[m] x[q - m*step]``.

    Product p is ``data[p]``, a sum of x at places relative to the first cell, times
    ``taps[p]``, a sum of taps; ``joins[e]`` sums products to cell e.
    """

    outputs: int
    data: tuple[Sum, ...]
    taps: tuple[Sum, ...]
    joins: tuple[Sum, ...]


_TWO = Fir(
    2,
    (((-1, 1), (0, -1)), ((0, 1),), ((1, 1), (0, -1))),
    (((1, 1),), ((0, 1), (1, 1)), ((0, 1),)),
    (((1, 1), (0, 1)), ((1, 1), (2, 1))),
)
_THREE = Fir(
    2,
    (((-2, 1), (0, -1)), ((-1, 1), (0, 1)), ((0, 1), (-1, -1)), ((-1, 1), (1, -1))),
    (((2, 1),), ((0, 0.5), (1, 0.5), (2, 0.5)), ((0, 0.5), (1, -0.5), (2, 0.5)), ((0, 1),)),
    (((0, 1), (1, 1), (2, 1)), ((1, 1), (2, -1), (3, -1))),
)


def form_of(taps: int, step: int) -> Fir:
    """Return the form with the fewest products for a phase."""
    if step == 1 and taps in (2, 3):
        return _TWO if taps == 2 else _THREE
    every = range(taps)
    return Fir(
        1,
        tuple(((-m * step, 1),) for m in every),
        tuple(((m, 1),) for m in every),
        (tuple((m, 1) for m in every),),
    )


class Kin(NamedTuple):
    """Phases of one axis that read the same cells of x, and how they are computed."""

    form: Fir
    shift: int
    cells: int
    members: tuple[Phase, ...]

    @property
    def steps(self) -> int:
        """How many times ``outputs`` cells there are, the last ones perhaps not used."""
        return -(-self.cells // self.form.outputs)


@lru_cache(maxsize=4096)
def _kin(axis: Axis) -> tuple[Kin, ...]:
    found: dict[tuple[int, int, int, int], list[Phase]] = {}
    for phase in phases(axis):
        key = (phase.taps, phase.shift_step, phase.shift, phase.cells)
        found.setdefault(key, []).append(phase)
    return tuple(
        Kin(form_of(taps, step), shift, cells, tuple(members))
        for (taps, step, shift, cells), members in found.items()
    )


def conv_transpose(axes: Axes, x: Array, w: Array, out: Array, space: Workspace) -> None:
    """Compute each kin of phases from sums of x and sums of taps.

    x is (g, ci, b, *small), w (g, ci, co, *taps), out (b, g, co, *big).
    """
    groups, small, share = w.shape[:3]
    out = out.transpose(1, 2, 0, *range(3, out.ndim))
    for kin in product(*(_kin(axis) for axis in axes)):
        members = list(product(*(one.members for one in kin)))
        if not all(phase.taps for phase in members[0]):
            for group in members:
                out[(..., *_cells(axes, group))] = 0
            continue
        with space.frame():
            data = _data(axes, kin, x, space)
            matrix = data.reshape(-1, groups, small, prod(data.shape[len(axes) + 2 :]))
            each = matrix.shape[0] * groups * len(members) * matrix.shape[3] * x.itemsize
            step = max(1, PRODUCT_BYTES // max(each, 1))
            for start in range(0, share, step):
                with space.frame():
                    part = w[:, :, start : start + step]
                    target = out[:, start : start + step]
                    _channels(axes, kin, members, matrix, part, target, space)


def _channels(
    axes: Axes,
    kin: tuple[Kin, ...],
    members: list[tuple[Phase, ...]],
    data: Array,
    w: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Compute some channels of the result: products, then joins, member by member."""
    taps = _taps(kin, members, w, space)
    groups, small, share = w.shape[:3]
    kernel = taps.reshape(-1, groups, small, len(members) * share)
    count, batch = kernel.shape[0], out.shape[2]
    products = space.take((count, groups, kernel.shape[3], data.shape[3]), w.dtype)
    np.matmul(kernel.swapaxes(2, 3), data, out=products)
    steps = tuple(one.steps for one in kin)
    products = products.reshape(
        *(len(one.form.data) for one in kin), groups, len(members), share, batch, *steps
    )
    for number, group in enumerate(members):
        rank = len(axes)
        mine = products[(slice(None),) * (rank + 1) + (number,)]
        _join(axes, kin, group, 0, mine, out, space)


def _data(axes: Axes, kin: tuple[Kin, ...], x: Array, space: Workspace) -> Array:
    """Sum x: (*products, g, ci, b, *steps)."""
    padded = _padded(axes, kin, x, space)
    rank = len(axes)
    for number, one in enumerate(kin):
        at = number + 3 + number  # products so far, g, ci, b, axes done
        lowest = min(place for terms in one.form.data for place, _ in terms)
        shape = list(padded.shape)
        shape[at] = one.steps
        sums = space.take((*shape[:number], len(one.form.data), *shape[number:]), x.dtype)
        for p, terms in enumerate(one.form.data):
            target = sums[(slice(None),) * number + (p,)]
            _combine(
                [
                    (
                        padded[
                            (slice(None),) * at
                            + (
                                slice(
                                    place - lowest,
                                    place - lowest + one.form.outputs * one.steps,
                                    one.form.outputs,
                                ),
                            )
                        ],
                        factor,
                    )
                    for place, factor in terms
                ],
                target,
            )
        padded = sums
    assert padded.ndim == 2 * rank + 3
    return padded


def _padded(axes: Axes, kin: tuple[Kin, ...], x: Array, space: Workspace) -> Array:
    """Copy the cells of x that the sums read; cells outside are zero."""
    sizes: list[int] = []
    source: list[Any] = []
    target: list[Any] = []
    for axis, one in zip(axes, kin, strict=True):
        places = [place for terms in one.form.data for place, _ in terms]
        first = one.shift + min(places)
        size = one.form.outputs * (one.steps - 1) + 1 + max(places) - min(places)
        start = min(max(0, -first), size)
        stop = max(start, min(size, axis.small - first))
        sizes.append(size)
        target.append(slice(start, stop))
        source.append(slice(start + first, stop + first))
    padded = space.take((*x.shape[:3], *sizes), x.dtype)
    padded[...] = 0
    padded[(..., *target)] = x[(..., *source)]
    return padded


def _taps(
    kin: tuple[Kin, ...], members: list[tuple[Phase, ...]], w: Array, space: Workspace
) -> Array:
    """Sum taps: (*products, g, ci, member, co)."""
    groups, small, share = w.shape[:3]
    counts = tuple(len(one.form.taps) for one in kin)
    taps = space.take((*counts, groups, small, len(members), share), w.dtype)
    for number, group in enumerate(members):
        chosen_taps: Index = tuple(slice(p.tap, None, p.tap_step) for p in group)
        kernel = w[(..., *chosen_taps)]
        for place in np.ndindex(*counts):
            sums = [one.form.taps[p] for one, p in zip(kin, place, strict=True)]
            terms = [
                (kernel[(..., *(m for m, _ in chosen))], prod(f for _, f in chosen))
                for chosen in product(*sums)
            ]
            _combine(terms, taps[(*place, slice(None), slice(None), number)])
    return taps


def _join(
    axes: Axes,
    kin: tuple[Kin, ...],
    group: tuple[Phase, ...],
    number: int,
    products: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Join products (*left, g, co, b, *cells done, *steps left) along axis ``number``."""
    one, axis, phase = kin[number], axes[number], group[number]
    left = len(axes) - number
    at = 3 + number  # in out, and among the axes of the products but for those left
    for e, terms in enumerate(one.form.joins):
        cells = len(range(e, phase.cells, one.form.outputs))
        if not cells:
            continue
        start = phase.start + e * axis.stride
        target = out[
            (slice(None),) * at + (slice(start, None, axis.stride * one.form.outputs),)
        ]
        chosen = [(products[p], factor) for p, factor in terms]
        if left == 1:
            _combine([(a[..., :cells], f) for a, f in chosen], target)
        else:
            cut = (slice(None),) * (left - 1 + at) + (slice(0, cells),)
            with space.frame():
                shape = chosen[0][0][cut].shape
                joined = space.take(shape, products.dtype)
                _combine([(a[cut], f) for a, f in chosen], joined)
                _join(axes, kin, group, number + 1, joined, target, space)


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


def _cells(axes: Axes, group: tuple[Phase, ...]) -> Index:
    return tuple(
        slice(phase.start, None, axis.stride)
        for phase, axis in zip(group, axes, strict=True)
    )
