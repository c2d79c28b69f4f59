"""Phases of a transposed convolution that one product computes.

A phase is a convolution of stride 1 along x; phases with as many taps are convolutions
along the same axes and differ in their kernels alone, so one product makes them all.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from mtconv.geometry import Axis, Phase, PhaseGroup, phase_groups

__all__ = ["PhaseIndices", "PhaseProduct", "phase_products"]

Index = tuple[Any, ...]
Axes = tuple[Axis, ...]


class PhaseIndices(NamedTuple):
    """One phase as indices.

    Its ``taps`` are those of the kernel, last one first, and fill the ``rows`` of the
    product's; they may be ``fewer``. Of what is computed, ``inner`` belongs to ``big``.
    """

    taps: Index
    rows: Index
    fewer: bool
    big: Index
    inner: Index


class PhaseProduct(NamedTuple):
    """Phases that are convolutions of x along the same ``axes``.

    Rows of ``sizes`` elements may go on to be ``full``, and there are so many ``taps``.
    ``alone`` says that the only phase is all of the result; ``key`` tells the kernels of
    one product from those of another.
    """

    axes: Axes
    sizes: tuple[int, ...]
    full: tuple[int, ...]
    taps: tuple[int, ...]
    phases: tuple[PhaseIndices, ...]
    alone: bool
    key: tuple[int, ...]


@lru_cache(maxsize=4096)
def phase_products(axes: Axes, *, merge: bool) -> tuple[PhaseProduct, ...]:
    """Sort the phases of all axes that have taps by their numbers of taps.

    To ``merge`` is to make one product of them all, some with fewer taps than the others.
    """
    alone = all(axis.stride == 1 for axis in axes)
    products = []
    for groups in product(*(phase_groups(a, "axis" if merge else "taps") for a in axes)):
        together = list(product(*(group.phases for group in groups)))
        members = tuple(_indices(axes, groups, phases) for phases in together)
        reads = tuple(group.reads for group in groups)
        key = tuple(n for phases in together for phase in phases for n in phase[2:5])
        sizes = tuple(axis.small for axis in reads)
        full = (*sizes[:1], *(axis.full for axis in reads[1:]))
        taps = tuple(axis.kernel for axis in reads)
        key = (int(merge), *key)
        products.append(PhaseProduct(reads, sizes, full, taps, members, alone, key))
    return tuple(products)


def _indices(
    axes: Axes, groups: tuple[PhaseGroup, ...], phases: tuple[Phase, ...]
) -> PhaseIndices:
    taps, rows, big, inner = [], [], [], []
    for axis, group, phase in zip(axes, groups, phases, strict=True):
        last = phase.tap + (phase.taps - 1) * phase.tap_step
        taps.append(slice(last, None, -phase.tap_step))
        rows.append(slice(group.reads.kernel - phase.taps, None))
        big.append(slice(phase.start, None, axis.stride))
        start = phase.shift - group.first
        inner.append(slice(start, start + phase.cells))
    fewer = any(row.start for row in rows)
    return PhaseIndices((..., *taps), tuple(rows), fewer, (..., *big), (..., *inner))
