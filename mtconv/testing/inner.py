"""Inner products: exact for integers, in double precision for floats."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Comparison", "compare_products", "epsilon", "norm"]

_HALF = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


class Comparison(NamedTuple):
    """Both inner products, by how much they differ, and how they may."""

    left: complex
    right: complex
    gap: float
    allowed: float
    words: str

    @property
    def equal(self) -> bool:
        """Whether the difference is allowed; NaN is not."""
        return self.gap <= self.allowed


def compare_products(
    x: NDArray[Any],
    fx: NDArray[Any],
    y: NDArray[Any],
    fty: NDArray[Any],
    *,
    conjugate: bool = False,
    exact: bool = False,
    terms: int | None = None,
) -> Comparison:
    """Compare ``<fx, y>`` with ``<x, fty>``."""
    if all(array.dtype.kind in "iub" for array in (x, fx, y, fty)):
        left, right = _integer_dot(fx, y), _integer_dot(x, fty)
        bits = min(8 * array.dtype.itemsize for array in (fx, fty))
        words = f"(compared modulo 2**{bits})"
        return Comparison(left, right, float((left - right) % 2**bits != 0), 0.0, words)
    first, second = _dot(fx, y, conjugate), _dot(x, fty, conjugate)
    scale = max(norm(fx) * norm(y), norm(x) * norm(fty))
    count = max(fx.size, fty.size, 1) if terms is None else terms
    allowed = 0.0 if exact else 8 * epsilon(fx, fty) * sqrt(count) * scale
    gap = float(abs(first - second))
    words = (
        f"differ by {gap:.3g}, allowed {allowed:.3g} (products of norms: {scale:.3g}, "
        f"terms: {count})"
    )
    return Comparison(first, second, gap, allowed, words)


def epsilon(*arrays: NDArray[Any]) -> float:
    """Return the largest rounding unit among the dtypes of these arrays."""
    return max(
        (
            _HALF.get(array.dtype.name) or float(np.finfo(array.dtype).eps)
            for array in arrays
            if array.dtype.kind not in "iub"
        ),
        default=0.0,
    )


def norm(array: NDArray[Any]) -> float:
    """Return the Euclidean norm, summed in float64; squares neither overflow nor vanish."""
    wide = array.astype(np.result_type(array.dtype, np.float64)).ravel()
    largest = float(np.abs(wide).max(initial=0))
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(wide / largest))


def _integer_dot(a: NDArray[Any], b: NDArray[Any]) -> int:
    pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
    return sum(int(p) * int(q) for p, q in pairs)


def _dot(a: NDArray[Any], b: NDArray[Any], conjugate: bool) -> complex:
    wide = np.result_type(a.dtype, b.dtype, np.float64)
    a, b = a.astype(wide).ravel(), b.astype(wide).ravel()
    product = np.vdot(b, a) if conjugate else np.dot(a, b)
    return complex(product) if wide.kind == "c" else float(product)
