"""SciPy sparse: the matrix of a map is built, and multiplied by the raveled arrays."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import dtype_of
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.matrix import Csr, build_csr, gradient_spec
from mtconv.planning.plan import Plan
from mtconv.spec import ConvSpec

__all__ = [
    "NAME",
    "apply_matrix",
    "as_csr_array",
    "asarray",
    "prepare",
    "result_dtype",
    "run",
    "run_prepared",
]

NAME = "sparse"


def run(
    plan: Plan,
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | None = None,
    precision: Any = None,
) -> NDArray[Any]:
    """Execute a plan; every `precision` is what SciPy always does."""
    del precision
    if plan.form != "kernel_grad":
        return run_prepared(plan, prepare(plan, second), first, bias)
    dtype, compute = dtype_of(plan.dtype), dtype_of(plan.computing)
    x = np.asarray(canonical(first, plan.data), compute)
    y = np.asarray(canonical(second, plan.data), compute)
    w = _kernel_grad(plan.spec, x, y)
    w = w[None] if plan.kernel.channels else w
    return np.ascontiguousarray(arranged(w, plan.kernel), dtype)


class PreparedMatrix(NamedTuple):
    """A kernel of "conv" or "conv_transpose", and its matrix for each computing dtype."""

    kernel: NDArray[Any]
    matrices: dict[np.dtype[Any], Any]


def prepare(plan: Plan, kernel: NDArray[Any]) -> PreparedMatrix:
    """Keep a kernel for `run_prepared`, whose first call builds the matrix."""
    del plan
    return PreparedMatrix(kernel, {})


def run_prepared(
    plan: Plan,
    prepared: PreparedMatrix,
    data: NDArray[Any],
    bias: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Multiply an array by the matrix of a plan like the one that it was prepared for."""
    kernel, matrices = prepared
    # SciPy's matrices have no elements of half precision.
    dtype, compute = dtype_of(plan.dtype), dtype_of(plan.computing)
    if compute not in matrices:
        # In the dtype of the result already: taps that share an entry are summed in it.
        w = np.asarray(canonical(kernel, plan.kernel), compute)
        built = build_csr(
            plan.form, plan.form, plan.spec, w.reshape(plan.spec.kernel_shape)
        )
        matrices[compute] = as_csr_array(built)
    matrix = matrices[compute]
    vectors = np.asarray(canonical(data, plan.data), compute)
    result = apply_matrix(matrix, vectors.reshape(len(vectors), matrix.shape[1]))
    result = result.reshape(_result_shape(plan, len(vectors)))
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * plan.spec.rank).astype(compute)
    return np.ascontiguousarray(arranged(result, plan.data), dtype)


def as_csr_array(built: Csr) -> Any:
    """Hand the arrays to SciPy without a copy or a check."""
    data, indices, indptr, shape = built
    matrix = csr_array((data, indices, indptr), shape=shape)
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return matrix


def apply_matrix(matrix: Any, vectors: NDArray[Any]) -> NDArray[Any]:
    """Multiply each row of ``vectors``."""
    if len(vectors) == 1:
        (vector,) = vectors
        return np.asarray(matrix @ vector)[None]
    return np.asarray(matrix @ vectors.T).T


def _kernel_grad(spec: ConvSpec, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Convolve y with x as the kernel."""
    batch, groups = len(x), spec.groups
    small, share, *taps = spec.kernel_shape
    swapped = gradient_spec(spec, batch)
    kernel = np.ascontiguousarray(x.swapaxes(0, 1))
    matrix = as_csr_array(build_csr("kernel_grad", "conv", swapped, kernel))
    columns = y.reshape(batch, groups, share, prod(spec.big)).transpose(1, 0, 3, 2)
    product = matrix @ columns.reshape(matrix.shape[1], share)
    return np.moveaxis(product.reshape(small, *taps, share), -1, 1)


def _result_shape(plan: Plan, batch: int) -> tuple[int, ...]:
    spec = plan.spec
    small, share = spec.kernel_shape[:2]
    if plan.form == "conv_transpose":
        return (batch, share * spec.groups, *spec.big)
    return (batch, small, *spec.small)
