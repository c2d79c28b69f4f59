"""Whether the values of a call ask for a fallback of its plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.backends._numpy import promises
from mtconv.backends._numpy.algorithm import Algorithm, Array
from mtconv.backends._numpy.algorithms import ALGORITHMS
from mtconv.backends.host.inputs import dtype_of
from mtconv.backends.host.values import all_finite, fit_float64, most_folded
from mtconv.planning.plan import Plan

__all__ = ["settled"]


def settled(
    plan: Plan, first: Array, second: Array, bias: Array | None
) -> tuple[Algorithm, np.dtype[Any]]:
    """Return what computes a call: the plan's algorithm, or the fallback for its values."""
    name, computing = plan.algorithm, plan.computing
    for fallback in plan.fallbacks:
        algorithm = _checked(fallback.condition, name, plan, first, second, bias)
        if algorithm is not None:
            return algorithm, dtype_of(computing)
        name, computing = fallback.algorithm, fallback.computing
    return ALGORITHMS[name], dtype_of(computing)


def _checked(
    condition: str,
    name: str,
    plan: Plan,
    first: Array,
    second: Array,
    bias: Array | None,
) -> Algorithm | None:
    """Return what computes the call by an algorithm, or None where a condition holds."""
    if condition == "spectra":
        folds = most_folded(plan.spec)
        return promises.careful(plan.form, first, second, plan.dtype, folds)
    if condition == "sums":
        kept = fit_float64(plan.form, plan.spec, first, second, bias)
    else:
        kept = all_finite(first if condition == "infinite x" else second)
    return ALGORITHMS[name] if kept else None
