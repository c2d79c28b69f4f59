"""Compiled kernels in the memory of tensors: no element is copied on the way.

`Tensor.numpy` is not used, since no tensor can be resized after it. An array is made of the
address of a tensor instead; it lives no longer than the call, which holds the tensor.
"""

from __future__ import annotations

from contextvars import copy_context
from ctypes import c_char
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtconv.backends.host.inputs import dtype_of
from mtconv.backends.host.threads import workers, workers_at_most
from mtconv.importing import imported
from mtconv.planning.plan import Plan

__all__ = ["run_shared"]


def run_shared(
    plan: Plan, first: torch.Tensor, second: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Compute a map of plain tensors by a compiled kernel.

    torch's number of threads is that of the call too; `workers` and `MTCONV_WORKERS` can
    lower it.

    Raises
    ------
    ImportRefused
        If this call interrupts an import or the compiler, or Python is shutting down.
    """
    result = torch.empty(plan.shape, dtype=first.dtype)
    dtype = dtype_of(plan.dtype)
    arrays = _view(first, dtype), _view(second, dtype), _view(result, dtype)
    offset = None if bias is None else _view(bias, dtype)
    most = min(torch.get_num_threads(), workers_at_most())
    kernels = imported("mtconv.backends._numba")
    if not kernels.run_into(plan, arrays, offset, workers=most):
        # A context of its own, so that the caller's keeps its number of workers.
        copy_context().run(_by_numpy, plan, arrays, offset, most)
    return result


def _by_numpy(plan: Plan, arrays: Any, bias: Any, most: int) -> None:
    first, second, result = arrays
    with workers(most):
        kernels = imported("mtconv.backends._numba")
        result[...] = kernels.run_by_numpy(plan, first, second, bias)


def _view(tensor: torch.Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """View the elements of a tensor, which lie in order."""
    memory = (c_char * tensor.nbytes).from_address(tensor.data_ptr())
    return np.ndarray(tensor.shape, dtype, memory)
