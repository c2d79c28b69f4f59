"""NumPy: matrix products on BLAS, array operations in place, piece by piece.

`run` arranges the axes, sees whether the values of the call ask for one of the plan's
fallbacks, and hands the arrays to `engine`, which cuts the problem into pieces and calls an
algorithm for each. A kernel gradient that is not finite may be computed a second time.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import engine, promises
from mtconv.backends._numpy.algorithm import Algorithm, Array
from mtconv.backends._numpy.algorithms import ALGORITHMS, WINDOWS
from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import all_finite, dtype_of, fit_float64, most_folded
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.backends.host.memory import Packs
from mtconv.backends.host.prepared import PreparedKernel, prepare
from mtconv.planning.candidate import Fallback
from mtconv.planning.ladders.numpy import gradient_way
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run", "run_prepared", "settled"]

NAME = "numpy"


def run(
    plan: Plan,
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | None = None,
    precision: Any = None,
    packs: Packs | None = None,
) -> NDArray[Any]:
    """Execute a plan; every `precision` is what NumPy always does.

    ``packs`` keeps what algorithms make of the kernel for the next call with it.
    """
    del precision
    dtype = dtype_of(plan.dtype)
    small = prod(plan.shape) * dtype.itemsize < results.LEAST_BYTES
    result = (np.empty if small else results.empty)(plan.shape, dtype)
    if not result.size:
        return result
    algorithm, computing = settled(plan, first, second, bias)
    if plan.form == "kernel_grad":
        x, y = _arranged(first, plan.data), _arranged(second, plan.data)
        w = _kernel(result, plan.kernel)
        algorithm = _gradient_algorithm(plan, algorithm, len(x), computing.name)
    else:
        w = _kernel(second, plan.kernel)
        x, y = _arranged(first, plan.data), _arranged(result, plan.data)
        if plan.form == "conv":
            x, y = y, x
    groups = plan.spec.groups
    call = engine.Computation(
        algorithm,
        plan.spec,
        computing,
        x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:]),
        w.reshape(groups, w.shape[0] // groups, *w.shape[1:]),
        y.reshape(len(y), groups, y.shape[1] // groups, *y.shape[2:]),
        plan.tables,
        None if bias is None else bias.reshape(groups, -1),
        packs,
    )
    _MAPS[plan.form](call)
    instead = _gradient_fallback(plan, algorithm, first, second, result)
    if instead is not None:
        algorithm, computing = ALGORITHMS[instead.algorithm], dtype_of(instead.computing)
        engine.kernel_grad(call._replace(algorithm=algorithm, dtype=computing))
    return result


_MAPS = {
    "conv_transpose": engine.conv_transpose,
    "conv": engine.conv,
    "kernel_grad": engine.kernel_grad,
}


def run_prepared(
    plan: Plan,
    prepared: PreparedKernel,
    data: NDArray[Any],
    bias: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Execute a plan like the one that a kernel was prepared for, of any batch size.

    The first call of a transposed convolution packs the kernel as the plan's algorithm
    needs it, and later calls use that, from any thread. Packs take a few times the memory
    of the kernel; those of `fft` are spectra as large as its blocks.
    """
    return run(plan, data, prepared.kernel, bias, packs=prepared.packs)


# Arrays that are arranged so need no view.
_CANONICAL = Arrangement(batch=True, channels=True, order=None, inverse=None)
_CANONICAL_KERNEL = _CANONICAL._replace(batch=False)


def _arranged(array: Array, arrangement: Arrangement) -> Array:
    """View an array with batch, channels and space."""
    if arrangement == _CANONICAL:
        return array
    return canonical(array, arrangement)  # type: ignore[no-any-return]


def _kernel(array: Array, arrangement: Arrangement) -> Array:
    """View a kernel with both channel axes, (small, big / groups, *k)."""
    if arrangement == _CANONICAL_KERNEL:
        return array
    view = canonical(array, arrangement)
    return view[0] if arrangement.channels else view  # type: ignore[no-any-return]


# Conditions of kernel gradients that are checked when the gradient is there.
_CHECKED_AFTERWARDS = frozenset({"infinite x", "infinite data"})


def settled(
    plan: Plan, first: Array, second: Array, bias: Array | None
) -> tuple[Algorithm, np.dtype[Any]]:
    """Return what computes a call: the plan's algorithm, or the fallback for its values.

    Infinities of a kernel gradient are left to `_gradient_fallback`.
    """
    name, computing = plan.algorithm, plan.computing
    for condition, instead, own in plan.fallbacks:
        if condition == "spectra":
            folds = most_folded(plan.spec)
            careful = promises.careful(plan.form, first, second, plan.dtype, folds)
            if careful is not None:
                return careful, dtype_of(computing)
        elif condition in _CHECKED_AFTERWARDS or _fit(condition, plan, first, second, bias):
            break
        name, computing = instead, own
    return ALGORITHMS[name], dtype_of(computing)


def _gradient_algorithm(
    plan: Plan, algorithm: Algorithm, batch: int, dtype: str
) -> Algorithm:
    """Return what computes the plan's kernel gradient: `polyphase` has two ways."""
    if algorithm is not ALGORITHMS["polyphase"]:
        return algorithm
    way = plan.tables.get("way")
    if way is None:
        way = plan.tables["way"] = gradient_way(plan.spec, batch, dtype)
    return WINDOWS if way == "windows" else algorithm


def _gradient_fallback(
    plan: Plan, algorithm: Algorithm, first: Array, second: Array, gradient: Array
) -> Fallback | None:
    """Return the fallback of a kernel gradient that padded zeros have spoilt, if they have.

    A padded zero times infinity is NaN. x and y are looked at only where the gradient is
    not finite: it is mostly smaller than they are.
    """
    last = plan.fallbacks[-1] if plan.fallbacks else None
    if last is None or last.condition not in _CHECKED_AFTERWARDS:
        return None
    if isinstance(algorithm, promises.Careful) or all_finite(gradient):
        return None
    return None if _fit(last.condition, plan, first, second, None) else last


def _fit(
    condition: str, plan: Plan, first: Array, second: Array, bias: Array | None
) -> bool:
    """Return whether the values of a call do not meet a condition."""
    if condition == "sums":
        return fit_float64(plan.form, plan.spec, first, second, bias)
    looked_at = {"infinite kernel": (second,), "infinite x": (first,)}
    return all(map(all_finite, looked_at.get(condition, (first, second))))
