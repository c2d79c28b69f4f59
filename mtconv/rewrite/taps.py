"""Where the taps of a transposed convolution go when its phases become channels.

Element ``stride*t + phase`` of the result reads input ``t + offset`` through tap ``tap``;
`mtconv.geometry.phases` says which. As a convolution of stride 1 over ``t``, a phase is a
channel and an offset a tap.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis, phases
from mtconv.spec import ConvSpec

__all__ = ["DenseAxis", "dense_axis", "placed_kernel"]


class DenseAxis(NamedTuple):
    """One axis as a convolution of stride 1 with a channel for each phase.

    ``placed`` has (tap of the kernel, phase, tap of the convolution). The convolution has
    ``cells`` outputs, and ``crop`` elements are left over at the high end once its phases
    are shuffled to space.
    """

    placed: tuple[tuple[int, int, int], ...]
    kernel: int
    dilation: int
    padding: tuple[int, int]
    cells: int
    crop: int


@lru_cache(maxsize=1024)
def dense_axis(axis: Axis) -> DenseAxis:
    """Place all taps of an axis."""
    reads = [
        (phase.tap + m * phase.tap_step, phase.start, phase.shift - m * phase.shift_step)
        for phase in phases(axis)
        for m in range(phase.taps)
    ]
    offsets = [offset for _, _, offset in reads] or [0]
    first = min(offsets)
    step = gcd(*(offset - first for offset in offsets)) or 1
    kernel = (max(offsets) - first) // step + 1
    cells = -(-axis.big // axis.stride)
    placed = tuple((tap, phase, (offset - first) // step) for tap, phase, offset in reads)
    # The last output reads inputs up to ``cells - 1 + max(offsets)``.
    padding = (-first, cells + max(offsets) - axis.small)
    return DenseAxis(placed, kernel, step, padding, cells, cells * axis.stride - axis.big)


def placed_kernel(
    spec: ConvSpec, axes: tuple[DenseAxis, ...], block: tuple[int, ...]
) -> NDArray[Any]:
    """Return, for each element of the convolution's kernel, where it is in the original.

    The result has shape (C_out * prod(block), C_in / groups, *k), channels of the result
    first and phases second; elements that no tap fills point behind the end.
    """
    small, share = spec.kernel_shape[:2]
    groups = spec.groups
    size = prod(spec.kernel_shape)
    sources = np.arange(size).reshape(groups, small // groups, share, *spec.kernel_size)
    taps = tuple(axis.kernel for axis in axes)
    table = np.full((groups, share, *block, small // groups, *taps), size)
    for places in product(*(axis.placed for axis in axes)):
        tap, phase, target = zip(*places, strict=True)
        part = sources[(slice(None), slice(None), slice(None), *tap)]
        every = slice(None)
        table[(every, every, *phase, every, *target)] = part.swapaxes(1, 2)
    return table.reshape(groups * share * prod(block), small // groups, *taps)
