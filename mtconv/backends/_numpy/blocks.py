"""Pieces of a problem whose workspace fits: each is a problem of its own.

Pieces depend on the problem alone, never on the number of threads, so results do not
depend on it either.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from mtconv.backends._numpy.extents import Sizes, fast_extent, fitted
from mtconv.backends._numpy.footprint import NO_COPIES, Copies
from mtconv.backends.host.cuts import AxisPiece, axis_pieces, slices
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

__all__ = ["FormPiece", "cut"]

Index = tuple[Any, ...]


class FormPiece(NamedTuple):
    """A part of the trilinear form: indices of its three arrays, and their relation.

    ``x`` is of (b, g, ci, *small), ``w`` of (g, ci, co, *taps), ``y`` of (b, g, co, *big);
    ``key`` tells this part of w from others.
    """

    x: Index
    w: Index
    y: Index
    axes: tuple[Axis, ...]
    key: tuple[int, ...] = ()


@lru_cache(maxsize=1024)
def cut(
    spec: ConvSpec,
    form: str,
    algorithm: str,
    batch: int,
    itemsize: int,
    copies: Copies = NO_COPIES,
) -> tuple[tuple[FormPiece, ...], ...]:
    """Cut a problem into parts of the result: the pieces that add up to each.

    None takes more than `tuning.MOST_BYTES` from the workspace.
    """
    sizes = Sizes(spec, form, algorithm, batch, itemsize)
    extent = fitted(sizes, fast_extent(sizes), copies)
    own, others = sizes.channels
    groups = slices(spec.groups, extent.groups)
    channels = slices(own, extent.channels)
    summed = slices(others, extent.others) or [slice(0, 0)]
    samples = slices(batch, extent.samples)
    axes = [
        axis_pieces(axis, size, taps, sizes.transposed)
        for axis, size, taps in zip(spec.axes, extent.space, extent.taps, strict=True)
    ]
    if form == "kernel_grad":
        tasks = (
            [_piece(b, g, ci, co, p) for b in samples for p in product(*blocks)]
            for g, co, ci in product(groups, channels, summed)
            for blocks in product(*(zip(*axis, strict=True) for axis in axes))
        )
    else:
        by_x = sizes.transposed  # sums run over the channels of x
        tasks = (
            [
                _piece(b, g, s if by_x else c, c if by_x else s, p)
                for s, p in product(summed, product(*parts))
            ]
            for g, c, b in product(groups, channels, samples)
            for parts in product(*axes)
        )
    # Padding modes bring more elements to a piece than its axes say.
    folds = sizes.transposed and spec.padding_mode != "zeros"
    return tuple(tuple(task) if folds else _live(task) for task in tasks if task)


def _piece(
    samples: slice, groups: slice, ci: slice, co: slice, space: tuple[AxisPiece, ...]
) -> FormPiece:
    w = (groups, ci, co, *(axis.taps for axis in space))
    return FormPiece(
        (samples, groups, ci, *(axis.small for axis in space)),
        w,
        (samples, groups, co, *(axis.big for axis in space)),
        tuple(axis.axis for axis in space),
        tuple(part.start for part in w),
    )


def _live(pieces: list[FormPiece]) -> tuple[FormPiece, ...]:
    """Leave out pieces that join no elements, but not the last one."""
    live = [p for p in pieces if all(a.small > 0 and a.big > 0 for a in p.axes)]
    return tuple(live or pieces[:1])
