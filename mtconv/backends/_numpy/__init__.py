"""NumPy: matrix products on BLAS, array operations in place, piece by piece.

`run` arranges the axes, sees whether the values of the call ask for one of the plan's
fallbacks, and hands the arrays to `engine`, which cuts the problem into pieces and calls an
algorithm for each.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mtconv.backends._numpy import engine
from mtconv.backends._numpy.conditions import settled
from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import dtype_of
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.backends.host.memory import Packs
from mtconv.backends.host.prepared import PreparedKernel, prepare
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run", "run_prepared"]

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
    result = results.empty(plan.shape, dtype_of(plan.dtype))
    if not result.size:
        return result
    algorithm, computing = settled(plan, first, second, bias)
    spec = plan.spec
    if plan.form == "kernel_grad":
        x, y = canonical(first, plan.data), canonical(second, plan.data)
        w = _kernel(result, plan.kernel)
    else:
        w = _kernel(second, plan.kernel)
        x, y = canonical(first, plan.data), canonical(result, plan.data)
        if plan.form == "conv":
            x, y = y, x
    groups = spec.groups
    call = engine.Computation(
        algorithm,
        spec,
        computing,
        x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:]),
        w.reshape(groups, w.shape[0] // groups, *w.shape[1:]),
        y.reshape(len(y), groups, y.shape[1] // groups, *y.shape[2:]),
        None if bias is None else bias.reshape(groups, -1),
        packs,
    )
    _MAPS[plan.form](call)
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


def _kernel(array: NDArray[Any], arrangement: Arrangement) -> NDArray[Any]:
    """View a kernel with both channel axes, (small, big / groups, *k)."""
    view = canonical(array, arrangement)
    return view[0] if arrangement.channels else view  # type: ignore[no-any-return]
