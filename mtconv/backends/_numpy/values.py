"""What depends on the values of the arrays, each question one pass over them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.folds import most_folds
from mtconv.geometry import windows
from mtconv.spec import ConvSpec

__all__ = ["all_finite", "fit_float64", "most_folded", "pieces"]

Array = NDArray[Any]

_AT_A_TIME = 2**20


@lru_cache(maxsize=1024)
def pads(form: str, spec: ConvSpec, algorithm: str) -> bool:
    """Return whether an exact algorithm multiplies zeros that stand for clipped taps."""
    if algorithm == "polyphase":
        return True
    if algorithm != "gemm" or form == "conv_transpose":
        return False  # an overlap-add drops what is clipped
    return any(
        axis.kernel != len(windows(axis))
        or any(window.cells != axis.small for window in windows(axis))
        for axis in (spec if spec.padding_mode == "zeros" else spec.padded).axes
    )


def all_finite(array: Array) -> bool:
    """Return whether no element is infinite or NaN."""
    if array.flags.c_contiguous and array.dtype.char in "fd":
        # One product by BLAS, which raises no warning; where it overflows, look closer.
        flat = array.ravel()
        if np.isfinite(np.vdot(flat, flat)):
            return True
    return all(bool(np.isfinite(part).all()) for part in pieces(array, _AT_A_TIME))


def pieces(array: Array, size: int) -> Iterator[Array]:
    """Cut an array into views of about ``size`` elements, the longest axis first."""
    if array.size <= size:
        if array.size:
            yield array
        return
    longest = max(range(array.ndim), key=array.shape.__getitem__)
    lead = (slice(None),) * longest
    step = max(1, array.shape[longest] * size // array.size)
    for start in range(0, array.shape[longest], step):
        yield from pieces(array[(*lead, slice(start, start + step))], size)


def fit_float64(
    form: str, spec: ConvSpec, first: Array, second: Array, bias: Array | None
) -> bool:
    """Return whether every partial sum of integers is exact in float64.

    Sums of products stay below 2**53 where the largest product times the number of terms
    does; BLAS then multiplies integers exactly.
    """
    small, share = spec.kernel_shape[:2]
    if form == "kernel_grad":
        terms = first.size
    else:
        terms = max(small // max(spec.groups, 1), share) * prod(spec.kernel_size)
        if form == "conv_transpose":
            terms *= most_folded(spec)
    bound = _largest(first) * _largest(second) * terms
    if bias is not None:
        bound += _largest(bias)
    return bound < 2**53


@lru_cache(maxsize=1024)
def most_folded(spec: ConvSpec) -> int:
    """Count the padded cells that a padding mode adds to one cell, at most."""
    if spec.padding_mode == "zeros":
        return 1
    return prod(
        most_folds(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        for axis in spec.axes
    )


def _largest(array: Array) -> int:
    if not array.size:
        return 0
    return max(abs(int(array.max())), abs(int(array.min())))
