"""How many threads a problem on NumPy is worth, by its sizes alone."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from math import prod

from mtconv.planning import tuning
from mtconv.spec import ConvSpec

__all__ = ["Scale", "scale_of"]


class Scale(IntEnum):
    """How much work a problem is: for BLAS on this thread, for one thread, or for all."""

    TINY = 0
    SMALL = 1
    LARGE = 2


@lru_cache(maxsize=1024)
def scale_of(spec: ConvSpec, batch: int) -> Scale:
    """Return whether threads would cost more than they bring, and whether BLAS has any."""
    big = batch * spec.groups * spec.kernel_shape[1] * prod(spec.big)
    work = batch * spec.multiply_adds
    if work >= tuning.SMALL_WORK or big >= tuning.SMALL_ELEMENTS:
        return Scale.LARGE
    return Scale.SMALL if work >= tuning.TINY_WORK else Scale.TINY
