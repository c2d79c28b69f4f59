"""How many threads a problem is worth on NumPy, decided by its sizes alone."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from math import prod

from mtconv.planning import tuning
from mtconv.spec import ConvSpec

__all__ = ["Scale", "scale_of"]


class Scale(IntEnum):
    """How much work a problem is.

    Tiny and small problems run on the caller's thread, large ones on the pool. BLAS is
    limited to one thread unless the problem is tiny.
    """

    TINY = 0
    SMALL = 1
    LARGE = 2


@lru_cache(maxsize=1024)
def scale_of(spec: ConvSpec, batch: int, form: str) -> Scale:
    """Return the scale of a problem, by its multiply-adds and elements of its big side.

    The threads of a convolution wait for memory more than those of the other maps.
    """
    big = batch * spec.groups * spec.kernel_shape[1] * prod(spec.big)
    work = batch * spec.multiply_adds
    most = tuning.SMALL_WORK * (2 if form == "conv" else 1)
    if work >= most or big >= tuning.SMALL_ELEMENTS:
        return Scale.LARGE
    return Scale.SMALL if work >= tuning.TINY_WORK else Scale.TINY
