"""Compiled kernels for NumPy arrays, by numba.

`run` takes the kernel that the plan's rules choose, with tables made from the plan and the
arrays' steps. What the kernels do not have goes to the NumPy backend: more than three axes,
padding modes, complex numbers, arrays of several dtypes, and values that padded zeros
would spoil. numba is imported when a kernel is first taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends import _numpy
from mtconv.backends._numba.elements import ELEMENTS
from mtconv.backends._numba.layout import Steps, make_case
from mtconv.backends._numba.work import Work
from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import all_finite, dtype_of
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.backends.host.memory import Packs
from mtconv.backends.host.prepared import PreparedKernel, prepare
from mtconv.importing import ImportRefused, imported
from mtconv.planning.choose import choose_algorithm, support_of
from mtconv.planning.ladders.numba import kernels_for
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run"]
__all__ += ["run_by_numpy", "run_into", "run_prepared"]

NAME = "numba"

Array = NDArray[Any]

# A packed kernel that is not kept may be as large as this.
PACKED_BYTES = 2**26

# Tables of one plan that are kept, for arrays of several steps.
MOST_STEPS = 32


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
    result = None
    if first.dtype == second.dtype == dtype_of(plan.dtype):
        try:
            result = _by_kernels(plan, first, second, bias, packs)
        except ImportRefused:
            # It interrupts the import or the compiler, or Python is shutting down. Nothing
            # has been computed yet, and NumPy can.
            result = None
    return run_by_numpy(plan, first, second, bias) if result is None else result


def run_by_numpy(plan: Plan, first: Array, second: Array, bias: Array | None) -> Array:
    """Execute the plan of a kernel by NumPy, where the values or the moment ask for it."""
    batch = len(canonical(first, plan.data))
    return _numpy.run(_for_numpy(plan, batch), first, second, bias)


def _by_kernels(
    plan: Plan, first: Array, second: Array, bias: Array | None, packs: Packs | None
) -> Array | None:
    """Compute a map by a kernel; None where numba is left aside, or no kernel has it."""
    result = results.empty(plan.shape, dtype_of(plan.dtype))
    done = run_into(plan, (first, second, result), bias, packs)
    return result if done else None


def run_into(
    plan: Plan,
    arrays: tuple[Array, Array, Array],
    bias: Array | None = None,
    packs: Packs | None = None,
    workers: int | None = None,
) -> bool:
    """Compute a map by a kernel and write it into the last array; return whether it did.

    It does not where numba is left aside, no kernel has the plan, or the values ask for
    NumPy; the contents of the last array are then undefined. ``workers`` are the threads
    that it may use; without it they are those of all calls on NumPy arrays.
    """
    compiler = _compiler()
    if compiler is None:
        return False
    work = _work(compiler, plan, *arrays[:2])
    if work is None:
        return False
    if plan.form == "kernel_grad":
        return _gradient(compiler, plan, work, arrays, workers)
    return _compiled(compiler, plan, work, arrays, bias, packs, workers)


def run_prepared(
    plan: Plan, prepared: PreparedKernel, data: Array, bias: Array | None = None
) -> Array:
    """Execute a plan like the one that a kernel was prepared for, of any batch size.

    The first call packs the kernel, and later calls use that, from any thread.
    """
    return run(plan, data, prepared.kernel, bias, packs=prepared.packs)


def _compiled(
    compiler: Compiler,
    plan: Plan,
    work: Work,
    arrays: tuple[Array, Array, Array],
    bias: Array | None,
    packs: Packs | None,
    workers: int | None,
) -> bool:
    """Compute a map by a kernel; False where NumPy has to."""
    if packs is None and work.packed_bytes > PACKED_BYTES:
        return False
    look = work.pads and bool(plan.fallbacks)
    if look and packs is not None:
        if not _is_finite(arrays[1], packs):
            return False
        look = False
    return not compiler.launch(work, plan.dtype, arrays, bias, packs, look, workers)


def _gradient(
    compiler: Compiler,
    plan: Plan,
    work: Work,
    arrays: tuple[Array, Array, Array],
    workers: int | None,
) -> bool:
    """Compute the kernel gradient by a kernel; False where NumPy has to."""
    x, y, result = arrays
    if work.leaves_zeros:
        result[...] = 0
    compiler.launch(work, plan.dtype, (y, x, result), None, None, False, workers)
    # To look at the gradient first is cheap, and tells of infinity in x.
    looks = work.pads and bool(plan.fallbacks)
    return not looks or all_finite(result) or all_finite(x)


class Compiler(NamedTuple):
    """What is imported together with numba."""

    launch: Callable[..., int]
    plans: dict[str, Callable[..., Work | None]]
    vector_bytes: int
    cells: int


@cache
def _compiler() -> Compiler | None:
    """Import numba, once; None where it cannot be, as it refuses a NumPy too new for it.

    Raises
    ------
    ImportRefused
        If it cannot be imported at this moment.
    """
    subject, packages = "The compiled kernels of mtconv", ("numba", "llvmlite")
    try:
        launch = imported("mtconv.backends._numba.launch", subject, *packages)
        plans = imported("mtconv.backends._numba.plans", subject, *packages)
    except ImportRefused:
        raise
    except Exception as error:  # whatever it raises, NumPy does what was asked
        msg = f"mtconv leaves numba aside: {type(error).__name__}: {error}"
        warnings.warn(msg, RuntimeWarning, stacklevel=2)
        return None
    vectors = plans.machine()
    return Compiler(launch.launch, plans.PLANS, vectors.vector_bytes, vectors.cells)


def _for_numpy(plan: Plan, batch: int) -> Plan:
    """Return the plan by which NumPy does what no kernel does.

    Infinity is rare, and so are arrays of several dtypes.
    """
    ranked = choose_algorithm(plan.spec, plan.form, batch, plan.dtype, "numpy", "exact")
    name = ranked[0].algorithm
    precautions = support_of("numpy").precautions
    computing, fallbacks = precautions(plan.spec, plan.form, plan.dtype, name, name)
    return replace(plan, algorithm=name, computing=computing, fallbacks=fallbacks)


def _work(compiler: Compiler, plan: Plan, first: Array, second: Array) -> Work | None:
    """Return the kernel for a plan and steps of arrays, or None; kept with the plan."""
    key = (first.shape, first.strides, second.strides)
    kept = plan.tables
    work: Work | None
    try:
        work = kept[key]
    except KeyError:
        if len(kept) >= MOST_STEPS:
            kept.clear()
        work = kept[key] = work_for(compiler, plan, first, second)
    return work


def work_for(compiler: Compiler, plan: Plan, first: Array, second: Array) -> Work | None:
    """Choose the kernel for a plan, and make its tables; None where no kernel has it."""
    element = ELEMENTS[plan.dtype]
    result = np.empty(plan.shape, first.dtype)
    data = canonical(first, plan.data)
    steps: tuple[Steps, Steps, Steps]
    if plan.form == "kernel_grad":
        big, out = canonical(second, plan.data), _kernel(result, plan.kernel)
        form, steps = "conv", (big.strides, out.strides, data.strides)
    else:
        kernel, out = _kernel(second, plan.kernel), canonical(result, plan.data)
        form, steps = plan.form, (data.strides, kernel.strides, out.strides)
    case = make_case(form, plan.spec, len(data), steps, element.stored_size, element.size)
    for name in kernels_for(plan.spec, plan.form, len(data), element.size):
        work = compiler.plans[name](case, compiler.vector_bytes, compiler.cells)
        if work is not None:
            return work
    return None


def _is_finite(kernel: Array, packs: Packs | None) -> bool:
    if packs is None:
        return all_finite(kernel)
    known = packs.get(("finite",))
    if known is None:
        known = packs["finite",] = np.array(all_finite(kernel))
    return bool(known)


def _kernel(array: Array, arrangement: Arrangement) -> Array:
    """View a kernel with both channel axes, (small, big / groups, *k)."""
    view = canonical(array, arrangement)
    return view[0] if arrangement.channels else view  # type: ignore[no-any-return]
