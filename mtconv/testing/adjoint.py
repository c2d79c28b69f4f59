"""The dot test for any two callables: exact on integers, scaled on floats."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assert_adjoint", "epsilon", "norm"]

_HALF = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def assert_adjoint(
    f: Callable[[Any], Any],
    f_transposed: Callable[[Any], Any],
    x: Any,
    y: Any = None,
    *,
    conjugate: bool = False,
    exact: bool | None = None,
    terms: int | None = None,
) -> None:
    """Assert that ``<f(x), y> == <x, f_transposed(y)>``.

    Parameters
    ----------
    f, f_transposed : callable
        Two linear maps, each from one array to one array, of any library whose arrays
        `numpy.asarray` takes.
    x : array
        Input of f.
    y : array, optional
        Input of f_transposed, of the shape of ``f(x)``. Left out, it is an array of small
        integers of no symmetry, always the same.
    conjugate : bool
        True where f_transposed is the conjugate transpose (``.H``): the inner product is
        then the Hermitian one. The default is the plain transpose.
    exact : bool, optional
        Ask for equality. By default integers do, and floats do not. Integer-valued floats
        of a map that sums products are exact too, and then worth asking for.
    terms : int, optional
        How many products an element of either result sums, for the tolerance of floats;
        by default the larger of both sizes, which is enough for any dense matrix.

    Raises
    ------
    AssertionError
        If a shape does not fit or the inner products differ.

    Notes
    -----
    Inner products of integers are exact: modulo ``2**bits`` of the narrowest dtype, so
    that they hold for results that wrapped. Those of floats are summed in float64, and
    the allowed difference is ``8 * eps * sqrt(terms)`` times the larger of ``|f(x)| |y|``
    and ``|x| |f_transposed(y)|``: relative to the product of norms and not to the inner
    product, which may cancel.

    Examples
    --------
    >>> import mtconv
    >>> assert_adjoint(
    ...     lambda x: mtconv.conv_transpose(x, [1, 2, 3], stride=2),
    ...     lambda y: mtconv.conv(y, [1, 2, 3], stride=2),
    ...     [1, 10, 100],
    ... )
    """
    given = np.asarray(x)
    fx = np.asarray(f(x))
    if y is None:
        y = (np.arange(fx.size) * 5 % 9 - 3).reshape(fx.shape).astype(fx.dtype)
    cotangent = np.asarray(y)
    if cotangent.shape != fx.shape:
        msg = f"y has shape {cotangent.shape}, but f(x) has shape {fx.shape}"
        raise AssertionError(msg)
    fty = np.asarray(f_transposed(y))
    if fty.shape != given.shape:
        msg = (
            f"f takes shape {given.shape} to {fx.shape}, but f_transposed takes "
            f"{cotangent.shape} to {fty.shape}: transposes map back"
        )
        raise AssertionError(msg)
    if all(array.dtype.kind in "iub" for array in (given, fx, cotangent, fty)):
        _compare_integers(given, fx, cotangent, fty)
        return
    left, right = _dot(fx, cotangent, conjugate), _dot(given, fty, conjugate)
    scale = max(norm(fx) * norm(cotangent), norm(given) * norm(fty))
    count = max(fx.size, fty.size, 1) if terms is None else terms
    allowed = 0.0 if exact else 8 * epsilon(fx, fty) * sqrt(count) * scale
    if not abs(left - right) <= allowed:  # NaN fails
        msg = (
            f"not adjoint: <f(x), y> = {left} and <x, f_transposed(y)> = {right} differ "
            f"by {abs(left - right):.3g}, allowed {allowed:.3g} (products of norms: "
            f"{scale:.3g}, terms: {count})"
        )
        raise AssertionError(msg)


def _compare_integers(
    x: NDArray[Any], fx: NDArray[Any], y: NDArray[Any], fty: NDArray[Any]
) -> None:
    left, right = _integer_dot(fx, y), _integer_dot(x, fty)
    bits = min(8 * array.dtype.itemsize for array in (fx, fty))
    if (left - right) % 2**bits:
        msg = (
            f"not adjoint: <f(x), y> = {left} and <x, f_transposed(y)> = {right} "
            f"(compared modulo 2**{bits})"
        )
        raise AssertionError(msg)


def epsilon(*arrays: NDArray[Any]) -> float:
    """Largest rounding unit among the dtypes of these arrays."""
    return max(
        _HALF.get(array.dtype.name) or float(np.finfo(array.dtype).eps)
        for array in arrays
        if array.dtype.kind not in "iub"
    )


def norm(array: NDArray[Any]) -> float:
    """Euclidean norm, summed in float64."""
    wide = np.result_type(array.dtype, np.float64)
    return float(np.linalg.norm(array.astype(wide).ravel()))


def _integer_dot(a: NDArray[Any], b: NDArray[Any]) -> int:
    pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
    return sum(int(p) * int(q) for p, q in pairs)


def _dot(a: NDArray[Any], b: NDArray[Any], conjugate: bool) -> complex:
    wide = np.result_type(a.dtype, b.dtype, np.float64)
    a, b = a.astype(wide).ravel(), b.astype(wide).ravel()
    return complex(np.vdot(b, a) if conjugate else np.dot(a, b))
