"""Whether the values of a call ask for a fallback of its plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mtconv.backends._numpy import promises
from mtconv.backends._numpy.algorithm import Algorithm, Array
from mtconv.backends._numpy.algorithms import ALGORITHMS
from mtconv.backends.host.inputs import dtype_of
from mtconv.backends.host.values import all_finite, fit_float64, most_folded
from mtconv.planning.plan import Plan

__all__ = ["settled"]

# Returns what computes the call by an algorithm, or None where its condition holds.
Check = Callable[[str, Plan, Array, Array, Array | None], Algorithm | None]


def settled(
    plan: Plan, first: Array, second: Array, bias: Array | None
) -> tuple[Algorithm, np.dtype[Any]]:
    """Return what computes a call: the plan's algorithm, or the fallback for its values."""
    name, computing = plan.algorithm, plan.computing
    for fallback in plan.fallbacks:
        algorithm = _CHECKS[fallback.condition](name, plan, first, second, bias)
        if algorithm is not None:
            return algorithm, dtype_of(computing)
        name, computing = fallback.algorithm, fallback.computing
    return ALGORITHMS[name], dtype_of(computing)


def _if_sums_fit(
    name: str, plan: Plan, first: Array, second: Array, bias: Array | None
) -> Algorithm | None:
    fit = fit_float64(plan.form, plan.spec, first, second, bias)
    return ALGORITHMS[name] if fit else None


def _if_kernel_finite(
    name: str, plan: Plan, first: Array, second: Array, bias: Array | None
) -> Algorithm | None:
    del plan, first, bias
    return ALGORITHMS[name] if all_finite(second) else None


def _if_x_finite(
    name: str, plan: Plan, first: Array, second: Array, bias: Array | None
) -> Algorithm | None:
    del plan, second, bias
    return ALGORITHMS[name] if all_finite(first) else None


def _if_spectra_keep_promises(
    name: str, plan: Plan, first: Array, second: Array, bias: Array | None
) -> Algorithm | None:
    del name, bias
    folds = most_folded(plan.spec)
    return promises.careful(plan.form, first, second, plan.dtype, folds)


_CHECKS: dict[str, Check] = {
    "spectra": _if_spectra_keep_promises,
    "infinite kernel": _if_kernel_finite,
    "infinite x": _if_x_finite,
    "sums": _if_sums_fit,
}
