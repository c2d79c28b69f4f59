"""Assertions that implementations agree: mtconv's backends, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from inspect import signature
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mtconv
from mtconv import functional
from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.errors import BackendError, GeometryError, message, shown
from mtconv.planning.choose import INEXACT, support_of
from mtconv.planning.support import refusal
from mtconv.problem.build import Problem, problem
from mtconv.problem.options import check_word, freeze, freeze_sizes
from mtconv.testing.inner import epsilon, norm
from mtconv.testing.reference import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)
from mtconv.testing.report import compare
from mtconv.testing.words import check_names, check_words

__all__ = ["assert_backends_agree", "implementations"]

_NAME = "assert_backends_agree"

_REFERENCES: dict[str, Callable[..., NDArray[Any]]] = {
    "conv_transpose": reference_conv_transpose,
    "conv": reference_conv,
    "kernel_grad": reference_kernel_grad,
}


def implementations(backends: Collection[str] | None = None) -> Iterator[tuple[str, str]]:
    """List (backend, algorithm) of every backend that is installed.

    Parameters
    ----------
    backends : collection of str, optional
        Names of backends to list instead, installed or not.

    Returns
    -------
    iterator of (str, str)
        Names of a backend and of one of its algorithms.

    Examples
    --------
    >>> ("numpy", "gemm") in list(implementations(["numpy"]))
    True
    """
    for backend in BACKENDS if backends is None else backends:
        if backends is not None or not missing_packages(backend):
            for algorithm in support_of(backend).algorithms:
                yield backend, algorithm


def assert_backends_agree(
    first: Any,
    second: Any,
    bias: Any = None,
    *,
    form: str = "conv_transpose",
    backends: Collection[str] | None = None,
    exact: bool | None = None,
    **options: Any,
) -> None:
    """Assert that every backend and algorithm gives what the plain loops give.

    Parameters
    ----------
    first, second, bias : array_like
        The arguments of the map; NumPy arrays or sequences.
    form : str
        "conv_transpose", "conv" or "kernel_grad".
    backends : collection of str, optional
        Names of backends; by default all that are installed and declare the problem, and
        whose dtypes have the range of all numbers: JAX has no 64 bits while
        ``jax_enable_x64`` is off, and is then compared as single precision.
    exact : bool, optional
        Ask for equality; by default only where all arrays are of integers. Algorithms
        that are not exact ("fft") are left out for integers and where not all elements
        are finite, and compared by tolerance for other floats whatever is asked.
    **options
        The options of the map.

    Raises
    ------
    AssertionError
        At the first implementation that differs, with the geometry, the first wrong
        index and the taps that reach it; or that raises an exception of another library.
    GeometryError, BackendError, TypeError, ImportError
        If the call is wrong, or a backend cannot take these arrays or is not installed.

    Notes
    -----
    Arrays of different dtypes are converted to the dtype that NumPy gives their sum, since
    every library has rules of its own. Floats may differ from the loops, which sum in
    float64, by ``8 * eps * sqrt(terms)`` times the product of the norms of both arrays.

    Examples
    --------
    >>> assert_backends_agree([1, 2], [1, 10, 100], stride=2, backends=["numpy"])
    """
    form = check_word(_NAME, "form", form, tuple(_REFERENCES))
    named = None
    if backends is not None:
        named = check_words(_NAME, "backends", backends, tuple(BACKENDS))
    if exact not in (None, True, False):
        raise GeometryError(message(_NAME, "exact", "must be a bool", shown(exact)))
    _check_options(form, bias is not None, options)
    arrays = {"first": first, "second": second} | ({} if bias is None else {"bias": bias})
    a, b, *rest = _promoted({name: _as_numpy(name, v) for name, v in arrays.items()})
    bias_argument = dict(zip(("bias",), rest, strict=False))
    geometry = problem_of(form, a, b, options)
    expected = _REFERENCES[form](a, b, **bias_argument, **options)
    integers = expected.dtype.kind in "iu"
    for backend, algorithm in implementations(named):
        inexact = algorithm in INEXACT
        if inexact and (
            integers or not all(map(_is_finite, (a, b, *bias_argument.values())))
        ):
            continue
        dtype = _dtype_of(backend, expected.dtype)
        if named is None and (
            _lacks(backend, form, geometry, expected, bias)
            or not _fit(dtype, a, b, *bias_argument.values(), expected)
        ):
            continue
        title = f"{form} on {backend}, algorithm {algorithm!r}"
        options_here = options | {"backend": backend, "algorithm": algorithm}
        call = getattr(mtconv, form)
        got = _read(_run(title, call, (a, b), bias_argument | options_here))
        close = not integers and (inexact or not exact)
        allowed = tolerance(geometry, expected.astype(dtype), a, b) if close else 0.0
        compare(title, form, geometry, got, expected, allowed)
        if np.asarray(got).dtype != dtype:
            msg = (
                f"{title}: the result has dtype {np.asarray(got).dtype} instead of {dtype}"
            )
            raise AssertionError(msg)


def _lacks(
    backend: str, form: str, geometry: Problem, expected: NDArray[Any], bias: Any
) -> bool:
    """Return whether a backend does not declare a problem."""
    support = support_of(backend)
    if bias is not None and not support.bias:
        return True
    dtype = expected.dtype.name
    return refusal(support, backend, form, geometry.spec, dtype) is not None


def _dtype_of(backend: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of results: JAX has none of 64 bits while jax_enable_x64 is off."""
    if backend != "jax":
        return dtype
    from jax.dtypes import canonicalize_dtype

    narrow: np.dtype[Any] = np.dtype(canonicalize_dtype(dtype))
    return narrow


def _fit(dtype: np.dtype[Any], *arrays: NDArray[Any]) -> bool:
    """Return whether a dtype has the range of all these numbers."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return all(
            array.size == 0 or limits.min <= array.min() <= array.max() <= limits.max
            for array in arrays
        )
    with np.errstate(over="ignore"):
        return all(
            array.dtype.kind in "iu"
            or bool((np.isfinite(array.astype(dtype)) == np.isfinite(array)).all())
            for array in arrays
        )


def _run(
    title: str,
    function: Callable[..., Any],
    arrays: tuple[NDArray[Any], NDArray[Any]],
    options: dict[str, Any],
) -> Any:
    """Call one implementation; an exception that is not mtconv's own is wrong."""
    try:
        return function(*arrays, **options)
    except (GeometryError, BackendError, ImportError, MemoryError):
        raise
    except Exception as error:
        msg = f"{title} raised {type(error).__name__}: {error}"
        raise AssertionError(msg) from error


def _check_options(form: str, bias: bool, options: dict[str, Any]) -> None:
    parameters = signature(getattr(functional, form)).parameters
    own = ("bias", "backend", "algorithm", "precision")
    known = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY and n not in own]
    check_names(_NAME, options, known)
    if form != "kernel_grad":
        return
    if "kernel_size" not in options:
        rule, fix = "must be given for form='kernel_grad'", "Pass kernel_size=3."
        raise GeometryError(message(_NAME, "kernel_size", rule, "nothing", fix=fix))
    if bias:
        rule = "must be left out for form='kernel_grad', which has none"
        raise GeometryError(message(_NAME, "bias", rule, "an array"))


def _as_numpy(argument: str, value: Any) -> NDArray[Any]:
    """Convert an argument, or raise the errors that the maps have for such arrays."""
    fix = "Convert it with numpy.asarray first."
    if isinstance(value, np.ma.MaskedArray):
        rule, fix = "must be a plain array", "Use .filled(0); a mask would be lost."
        raise BackendError(message(_NAME, argument, rule, "a masked array", fix=fix))
    try:
        array = np.asarray(value)
    except Exception as error:
        rule = "must be an array that numpy.asarray takes"
        got = f"one of type {type(value).__name__} ({error})"
        raise BackendError(message(_NAME, argument, rule, got, fix=fix)) from error
    if array.dtype.kind not in "iufc" and array.dtype.name != "bfloat16":
        rule = "must have integer, floating or complex elements"
        got = f"dtype {array.dtype}"
        raise BackendError(message(_NAME, argument, rule, got))
    return array


def _promoted(arrays: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Convert all arrays to one dtype, by NumPy's rules: each library has its own."""
    try:
        dtype = np.result_type(*arrays.values())
    except TypeError as error:
        rule = "must have a dtype that NumPy promotes with that of `first`"
        got = " and ".join(str(array.dtype) for array in arrays.values())
        fix = "Convert them with .astype first."
        raise BackendError(message(_NAME, "second", rule, got, fix=fix)) from error
    return [array.astype(dtype.newbyteorder("="), copy=False) for array in arrays.values()]


def _read(result: Any) -> NDArray[Any]:
    """Return a result as a NumPy array; torch hands over no bfloat16."""
    if str(getattr(result, "dtype", "")) == "torch.bfloat16":
        import ml_dtypes

        return np.asarray(result.float()).astype(ml_dtypes.bfloat16)
    return np.asarray(result)


def _is_finite(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iu" or bool(np.isfinite(array).all())


def tolerance(
    geometry: Problem,
    expected: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
) -> float:
    """Bound the rounding error of one element of a map on these two arrays.

    Elements that are not finite count as zeros.
    """
    terms = max(geometry.spec.multiply_adds, 1)
    norms = [norm(np.where(np.isfinite(a), a, a.dtype.type(0))) for a in (first, second)]
    return 8 * epsilon(expected) * sqrt(terms) * norms[0] * norms[1]


def problem_of(
    form: str, first: NDArray[Any], second: NDArray[Any], options: dict[str, Any]
) -> Problem:
    """Return the problem of a call of one of the three maps on these arrays."""
    options = dict(options)
    size = None
    if form == "kernel_grad":
        size = freeze_sizes(form, "kernel_size", options.pop("kernel_size"))
    return problem(form, first.shape, second.shape, freeze(form, **options), size)
