"""Assertions that implementations agree: mtconv's backends, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mtconv
from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.planning.choose import INEXACT, support_of
from mtconv.planning.support import refusal
from mtconv.problem.build import Problem, problem
from mtconv.problem.options import freeze, freeze_sizes
from mtconv.testing.adjoint import epsilon, norm
from mtconv.testing.reference import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)
from mtconv.testing.report import compare

__all__ = ["assert_backends_agree", "assert_matches_reference", "implementations"]

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
        Names of backends; by default all that are installed and declare the problem.
    exact : bool, optional
        Ask for equality; by default only where all arrays are of integers. Algorithms
        that are not exact ("fft") are left out for integers, and compared by tolerance
        for floats whatever is asked.
    **options
        The options of the map.

    Raises
    ------
    AssertionError
        At the first implementation that differs, with the geometry, the first wrong
        index and the taps that reach it.

    Notes
    -----
    Floats may differ from the loops, which sum in float64, by ``8 * eps * sqrt(terms)``
    times the product of the norms of both arrays.

    Examples
    --------
    >>> assert_backends_agree([1, 2], [1, 10, 100], stride=2, backends=["numpy"])
    """
    function = getattr(mtconv, form)
    a, b = np.asarray(first), np.asarray(second)
    more = {} if bias is None else {"bias": bias}
    expected = _REFERENCES[form](first, second, **more, **options)
    found = problem_of(form, a, b, options)
    integers = expected.dtype.kind in "iu"
    for backend, algorithm in implementations(backends):
        inexact = algorithm in INEXACT
        if inexact and integers:
            continue
        if backends is None and _lacks(backend, form, found, expected, bias):
            continue
        got = function(
            first, second, **more, **options, backend=backend, algorithm=algorithm
        )
        close = not integers and (inexact or not exact)
        allowed = tolerance(found, expected, a, b) if close else 0.0
        title = f"{form} on {backend}, algorithm {algorithm!r}"
        compare(title, form, found, got, expected, allowed)


def _lacks(
    backend: str, form: str, found: Problem, expected: NDArray[Any], bias: Any
) -> bool:
    """Return whether a backend does not declare a problem."""
    support = support_of(backend)
    if bias is not None and not support.bias:
        return True
    dtype = expected.dtype.name
    return refusal(support, backend, form, found.spec, dtype) is not None


def assert_matches_reference(
    fn: Callable[..., Any],
    *,
    options: Collection[str] | None = None,
    max_examples: int = 200,
    **limits: Any,
) -> None:
    """Assert that a conv_transpose of your own is right, by property-based testing.

    Parameters
    ----------
    fn : callable
        Called as ``fn(x, kernel, bias, **options)`` with NumPy arrays (bias may be None)
        and the options of `mtconv.conv_transpose` that differ from their defaults.
    options : collection of str, optional
        Names of the options that fn has; the others keep their defaults. By default
        stride, padding, output_padding, dilation and groups.
    max_examples : int
        Number of random cases.
    **limits
        Further limits of `mtconv.strategies.problems`, for example ``ranks=(2,)``,
        ``paddings=("ints",)``, ``kinds=("batched",)`` or ``dtypes=("float32",)``.

    Raises
    ------
    AssertionError
        With the smallest failing case that was found, its geometry, the first wrong
        index and the taps that reach it. An exception that fn raises passes through.

    Notes
    -----
    Needs `hypothesis`. Arrays are integer-valued and without symmetry, so the comparison
    is by equality in any dtype. Cases shrink towards one axis, one channel, sizes of 1
    and default options, so what remains in the message is what the defect needs.

    Examples
    --------
    >>> def mine(x, kernel, bias, **options):
    ...     return reference_conv_transpose(x, kernel, bias, **options)
    >>> assert_matches_reference(mine, max_examples=20)
    """
    from hypothesis import HealthCheck, given, settings

    from mtconv.strategies import Case, problems

    names = options
    if names is None:
        names = ("stride", "padding", "output_padding", "dilation", "groups")

    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,  # a group of two would be no AssertionError
        suppress_health_check=list(HealthCheck),
    )
    @given(problems(options=names, **limits))
    def check(case: Case) -> None:
        expected = reference_conv_transpose(case.x, case.kernel, case.bias, **case.options)
        got = fn(case.x, case.kernel, case.bias, **case.options)
        found = problem_of("conv_transpose", case.x, case.kernel, case.options)
        compare(f"{case!r}", "conv_transpose", found, got, expected)

    check()


def tolerance(
    found: Problem, expected: NDArray[Any], first: NDArray[Any], second: NDArray[Any]
) -> float:
    """Bound the rounding error of one element of a map on these two arrays."""
    terms = max(found.spec.multiply_adds, 1)
    return 8 * epsilon(expected) * sqrt(terms) * norm(first) * norm(second)


def problem_of(
    form: str, first: NDArray[Any], second: NDArray[Any], options: dict[str, Any]
) -> Problem:
    """Return the problem of a call of one of the three maps on these arrays."""
    options = dict(options)
    size = None
    if form == "kernel_grad":
        size = freeze_sizes(form, "kernel_size", options.pop("kernel_size"))
    return problem(form, first.shape, second.shape, freeze(form, **options), size)
