"""Any library of the Array API standard: index tables, `take` and one product per phase.

Nothing is written in place, so lazy and functional libraries work and a library that
differentiates its own operations differentiates these. Device and dtype follow the
arrays; NumPy arrays and sequences go to the device of the other operand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.backends._array_api import maps
from mtconv.backends._array_api.library import Library, dtype_name
from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.host import inputs
from mtconv.errors import BackendError, message
from mtconv.planning.plan import Plan

__all__ = [
    "NAME",
    "arranged_kernel",
    "asarray",
    "execute",
    "library",
    "result_dtype",
    "run",
]

NAME = "array_api"

_NUMBERS = frozenset(
    {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    | {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
)


def asarray(function: str, argument: str, array: Any) -> Any:
    """Check the dtype; neutral arrays stay with NumPy until the device is known."""
    if isinstance(array, (np.ndarray, np.generic)) or not hasattr(array, "dtype"):
        return inputs.asarray(function, argument, array)
    if dtype_name(array.dtype) not in _NUMBERS:
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {array.dtype}",
            fix="Convert it to a dtype that can be added and multiplied.",
        )
        raise BackendError(msg)
    return array


def result_dtype(*arrays: Any) -> str:
    """Name the dtype that the arrays' own library promotes them to."""
    return dtype_name(library(arrays).promote(arrays))


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> Any:
    """Execute a plan; `precision` is what the library always does."""
    del precision
    return execute(library((first, second, bias)), plan, first, second, bias)


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the library of the arrays: that of the first that is not of NumPy."""
    present = [array for array in arrays if array is not None]
    like = next((a for a in present if not isinstance(a, np.ndarray)), present[0])
    return Library(like.__array_namespace__())


def execute(lib: Library, plan: Plan, first: Any, second: Any, bias: Any) -> Any:
    """Run the polyphase form of a plan with the functions of one library."""
    first, second, bias = lib.together(first, second, bias)
    dtype, compute = lib.dtype(plan.dtype), lib.dtype(plan.computing)
    spec = plan.spec
    grad = plan.form == "kernel_grad"
    data = lib.astype(canonical(first, plan.data, lib.permute), compute)
    other = canonical(second, plan.data if grad else plan.kernel, lib.permute)
    other = lib.astype(other, compute)
    if grad:
        result = maps.kernel_grad(lib, spec, data, other)
        return arranged_kernel(lib, lib.astype(result, dtype), plan)
    forward = maps.conv_transpose if plan.form == "conv_transpose" else maps.conv
    result = forward(lib, spec, data, other[0, ...])
    if bias is not None:
        ones = (1,) * spec.rank
        result = result + lib.reshape(lib.astype(bias, compute), (1, *bias.shape, *ones))
    return arranged(lib.astype(result, dtype), plan.data, lib.permute)


def arranged_kernel(lib: Library, kernel: Any, plan: Plan) -> Any:
    """Arrange a kernel of shape ``plan.spec.kernel_shape`` as the user's kernels are."""
    if not plan.kernel.channels:
        kernel = lib.reshape(kernel, (1, *plan.spec.kernel_size))
    return arranged(kernel[None, ...], plan.kernel, lib.permute)
