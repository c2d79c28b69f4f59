"""NumPy arrays as arguments: conversion, refusals, dtypes, and questions about values."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import fsum, inf, isfinite, isnan, prod, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import BackendError, message
from mtconv.folds import most_folds
from mtconv.planning import tuning
from mtconv.planning.support import NUMBERS
from mtconv.spec import ConvSpec

__all__ = ["LARGEST_WHOLE", "Traits", "all_finite", "asarray", "dtype_of", "fit_float64"]
__all__ += ["joined", "largest", "most_folded", "pieces", "result_dtype", "traits"]

Array = NDArray[Any]

# From here on all numbers of double precision are whole, and neighbours are 2 apart.
LARGEST_WHOLE = 2.0**53


def _masked_class() -> Any:
    """Return the class of masked arrays; none exist before `numpy.ma` is imported."""
    return getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())


def asarray(function: str, argument: str, array: Any) -> NDArray[Any]:
    """Convert neutral arrays to NumPy; refuse what cannot be added and multiplied."""
    if type(array) is not np.ndarray:
        if isinstance(array, (np.matrix, _masked_class())):
            msg = message(
                function,
                argument,
                "must be a plain array",
                type(array).__name__,
                fix="Use .filled(0) or numpy.asarray first; a mask would be lost.",
            )
            raise BackendError(msg)
        try:
            array = np.asarray(array)
        except (ValueError, TypeError) as error:
            msg = message(
                function,
                argument,
                "must be a regular nested sequence",
                str(error).rstrip("."),
            )
            raise BackendError(msg) from None
    if array.dtype.kind not in "iufc" and array.dtype.name != "bfloat16":
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {array.dtype}",
            fix="Convert it, for example with .astype(float).",
        )
        raise BackendError(msg)
    return array  # type: ignore[no-any-return]


def result_dtype(*arrays: NDArray[Any] | None) -> str:
    """Name the dtype that NumPy promotes these arrays to."""
    dtypes = [array.dtype for array in arrays if array is not None]
    first = dtypes[0]
    for dtype in dtypes:
        if dtype is not first:
            first = np.result_type(*dtypes)
            break
    return _name(first)


# NumPy works a name out every time, with an import, which fails at shutdown.
_NAMES = {np.dtype(name): name for name in NUMBERS if name != "bfloat16"}


def _name(dtype: np.dtype[Any]) -> str:
    """Name a dtype."""
    return _NAMES.get(dtype) or dtype.name


@lru_cache(maxsize=64)
def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of a name, in native byte order."""
    return np.dtype(name)


def all_finite(array: Array) -> bool:
    """Return whether no element is infinite or NaN."""
    kind = array.dtype.char
    # BLAS would use threads of its own, which can take a hundred times as long to meet.
    alone = kind == "f" or (kind == "d" and array.size <= tuning.UNSHARED_TERMS)
    # Of another byte order NumPy would hand BLAS a copy of the whole array.
    if alone and array.flags.c_contiguous and array.dtype.isnative:
        # One product by BLAS, which raises no warning; where it overflows, look closer.
        flat = array.ravel()
        if np.isfinite(np.vdot(flat, flat)):
            return True
    return all(
        bool(np.isfinite(part).all()) for part in pieces(array, tuning.ELEMENTS_AT_A_TIME)
    )


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
    bound = largest(first) * largest(second) * terms
    if bias is not None:
        bound += largest(bias)
    return bound < 2**53


@lru_cache(maxsize=1024)
def most_folded(spec: ConvSpec) -> int:
    """Count the padded elements that a padding mode adds to one element, at most."""
    if spec.padding_mode == "zeros":
        return 1
    return prod(
        most_folds(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        for axis in spec.axes
    )


def largest(array: Array) -> int:
    """Return the largest magnitude of integers."""
    if not array.size:
        return 0
    return max(abs(int(array.max())), abs(int(array.min())))


class Traits(NamedTuple):
    """What the floating values of an array are like; those that are NaN do not count.

    Values of 2**53 and more do not count as ``whole``: they say nothing of the precision
    that whoever made them had in mind.
    ``largest`` is the largest magnitude, infinite where an element is; ``norm`` is the
    Euclidean norm, worked out for ``whole`` arrays only.
    """

    nan: bool
    largest: float
    nonnegative: bool
    whole: bool
    norm: float


def traits(array: Array, *, whole: bool = True) -> Traits:
    """Look at an array once, part by part, which takes no memory of its size.

    Whether its elements are whole numbers is not asked where ``whole`` is false.
    """
    nan = False
    low, high, squares = 0.0, 0.0, 0.0
    real = array.dtype.kind != "c"
    size = tuning.VALUES_AT_A_TIME
    if array.flags.c_contiguous:
        if array.dtype.char in "dD" and array.dtype.isnative:
            size = array.size  # which takes no memory
        array = array.reshape(-1)  # parts of it are views
    for part in pieces(array, size):
        values = part.astype(np.float64 if real else np.complex128, copy=False).ravel()
        if not real:
            values = values.view(np.float64)
        least, most = float(values.min()), float(values.max())
        part_nan = isnan(least)
        if part_nan:  # these two reductions pass over NaN
            least, most = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        nan = nan or part_nan
        if isnan(least):
            continue  # and nothing else
        low, high = min(low, least), max(high, most)
        if not isfinite(low) or not isfinite(high):
            return Traits(nan, inf, nonnegative=False, whole=False, norm=inf)
        whole = whole and max(-low, high) < LARGEST_WHOLE
        # A first look at few of them spares most arrays the second one.
        whole = whole and _all_whole(values[:64], part_nan)
        for few in pieces(values, tuning.VALUES_AT_A_TIME) if whole else ():
            whole = whole and _all_whole(few, part_nan)
            kept = few[~np.isnan(few)] if part_nan else few
            squares += float(kept @ kept) if whole else 0.0
    norm = sqrt(squares) if whole else 0.0
    return Traits(nan, max(-low, high), low >= 0 and real, whole, norm)


def joined(parts: Iterable[Traits]) -> Traits:
    """Return the traits of an array from those of its parts, in any order."""
    parts = tuple(parts)
    return Traits(
        any(part.nan for part in parts),
        max((part.largest for part in parts), default=0.0),
        all(part.nonnegative for part in parts),
        all(part.whole for part in parts),
        sqrt(fsum(part.norm**2 for part in parts)),
    )


def _all_whole(values: Array, nan: bool) -> bool:
    """Return whether all values but NaN, if there may be any, are whole numbers."""
    whole = np.rint(values) == values
    return bool((whole | np.isnan(values) if nan else whole).all())
