"""Compiled kernels for NumPy arrays, by numba.

`run` takes the kernel that the plan's rules choose, with tables made from the plan and the
arrays' steps. What the kernels do not have goes to the NumPy backend: more than three axes,
padding modes, complex numbers, arrays of several dtypes, and values that padded zeros
would spoil. numba is imported when a kernel is first taken.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends import _numpy
from mtconv.backends._numba.elements import ELEMENTS
from mtconv.backends._numba.layout import Steps, make_case
from mtconv.backends._numba.work import Work
from mtconv.backends._numpy.prepared import Prepared, prepare
from mtconv.backends._numpy.values import all_finite
from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import dtype_name, promoted
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.planning.ladders.numba import kernels_for
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run", "run_prepared"]

NAME = "numba"

Array = NDArray[Any]
Packs = dict[Any, Any]

# A packed kernel that is not kept may be as large as this.
PACKED_BYTES = 2**26


def run(
    plan: Plan,
    first: Array,
    second: Array,
    bias: Array | None = None,
    precision: Any = None,
    packs: Packs | None = None,
) -> Array:
    """Execute a plan; every `precision` is what NumPy always does.

    ``packs`` keeps the packed kernel for the next call with it.
    """
    del precision
    if plan.algorithm != "native":
        return _numpy.run(plan, first, second, bias)
    dtype = promoted(first, second, bias)
    # A string, since dtypes of one name may differ in byte order.
    if first.dtype is second.dtype is dtype or (first.dtype == second.dtype == dtype):
        result = _compiled(plan, first, second, bias, dtype, packs)
        if result is not None:
            return result
    return _numpy.run(replace(plan, algorithm=plan.fallback), first, second, bias)


def run_prepared(prepared: Prepared, data: Array, bias: Array | None = None) -> Array:
    """Run the plan on an array of the shape that it was made for, of any batch size.

    The first call packs the kernel, and later calls use that, from any thread.
    """
    packs: Packs = prepared.packs
    return run(prepared.plan, data, prepared.kernel, bias, packs=packs)


def _compiled(
    plan: Plan,
    first: Array,
    second: Array,
    bias: Array | None,
    dtype: np.dtype[Any],
    packs: Packs | None,
) -> Array | None:
    """Compute a map by a kernel; None where no kernel has it."""
    if not first.size or not second.size:
        return None
    data = canonical(first, plan.data)
    if plan.form == "kernel_grad":
        return _gradient(plan, data, canonical(second, plan.data), dtype)
    kernel = _kernel(second, plan.kernel)
    result = _empty(_shape(plan, data, kernel), plan.data, dtype)
    if not result.size:
        return None
    out = canonical(result, plan.data)
    steps = (data.strides, kernel.strides, out.strides)
    work = work_for(plan, data.shape[0], dtype_name(dtype), steps)
    if work is None or (work.pads and not _is_finite(second, packs)):
        return None
    if work.packed_bytes > PACKED_BYTES and packs is None:
        return None
    from mtconv.backends._numba.launch import launch

    launch(
        work, ELEMENTS[dtype_name(dtype)], (data, kernel, out), (first, second), bias, packs
    )
    return result


def _gradient(plan: Plan, x: Array, y: Array, dtype: np.dtype[Any]) -> Array | None:
    spec = plan.spec
    taps = spec.kernel_shape if plan.kernel.channels else spec.kernel_size
    result = _empty(taps, plan.kernel, dtype)
    if not result.size:
        return None
    out = _kernel(result, plan.kernel)
    steps = (y.strides, out.strides, x.strides)
    work = work_for(plan, x.shape[0], dtype_name(dtype), steps)
    if work is None:
        return None
    from mtconv.backends._numba.launch import launch

    if work.leaves_zeros:
        result[...] = 0
    launch(work, ELEMENTS[dtype_name(dtype)], (y, x, out), (y, x), None, None)
    # A padded zero times infinity is NaN, also where no tap reaches.
    if (
        work.pads
        and dtype.kind not in "iu"
        and not all_finite(result)
        and not all_finite(x)
    ):
        return None
    return result


@lru_cache(maxsize=1024)
def work_for(
    plan: Plan, batch: int, dtype: str, steps: tuple[Steps, Steps, Steps]
) -> Work | None:
    """Return the kernel for a plan, with its tables, or None; cached."""
    from mtconv.backends._numba.plans import PLANS, machine

    element = ELEMENTS.get(dtype)
    if element is None:
        return None
    form = "conv_transpose" if plan.form == "conv_transpose" else "conv"
    for kernel in kernels_for(plan.spec, plan.form, batch, element.size):
        case = make_case(
            form,
            plan.spec,
            batch,
            steps,
            element.stored_size,
            element.size,
        )
        work = PLANS[kernel](case, machine().vector_bytes, machine().cells)
        if work is not None:
            return work
    return None


def _is_finite(kernel: Array, packs: Packs | None) -> bool:
    if kernel.dtype.kind in "iu":
        return True
    if packs is None:
        return all_finite(kernel)
    if "finite" not in packs:
        packs["finite"] = all_finite(kernel)
    return bool(packs["finite"])


def _shape(plan: Plan, data: Array, kernel: Array) -> tuple[int, ...]:
    """Return the shape of the result, its axes as in the canonical order."""
    spec = plan.spec
    transposed = plan.form == "conv_transpose"
    shape = spec.big if transposed else spec.small
    if plan.data.channels:
        channels = kernel.shape[1] * spec.groups if transposed else kernel.shape[0]
        shape = (channels, *shape)
    return (data.shape[0], *shape) if plan.data.batch else shape


def _empty(shape: tuple[int, ...], arrangement: Arrangement, dtype: np.dtype[Any]) -> Array:
    """Allocate an array, C-contiguous in the user's layout; all its axes are ``shape``."""
    if arrangement.inverse is not None:
        shape = tuple(shape[axis] for axis in arrangement.inverse)
    return results.empty(shape, dtype)


def _kernel(array: Array, arrangement: Arrangement) -> Array:
    """View a kernel with both channel axes, (small, big / groups, *k)."""
    view = canonical(array, arrangement)
    return view[0] if arrangement.channels else view  # type: ignore[no-any-return]
