"""A plan on tensors of one device: by torch's own convolutions, or slices and products.

Calls that need nothing but one function of torch are prepared once, and kept with the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch

from mtconv.backends import _array_api
from mtconv.backends._torch import native
from mtconv.backends._torch.library import LIBRARY, library_for
from mtconv.backends.arrange import arranged, canonical
from mtconv.planning.plan import Plan

__all__ = ["cast", "execute", "execute_plain"]


class OneCall(NamedTuple):
    """A plan that one function of torch does: its arguments behind the tensors.

    Only for tensors of these steps: where axes of one element have others, torch 2.13 can
    read wrong elements.
    """

    function: Callable[..., torch.Tensor]
    options: tuple[Any, ...]
    first: tuple[int, ...]
    second: tuple[int, ...]


def execute_plain(
    plan: Plan, first: torch.Tensor, second: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Execute a plan on tensors of its dtype on the CPU, outside of autocast."""
    call: OneCall | None
    try:
        call = plan.tables["one call"]
    except KeyError:
        call = plan.tables["one call"] = _one_call(plan, first.shape, second.shape)
    if call is None or first.stride() != call.first or second.stride() != call.second:
        return execute(plan, first, second, bias, autocast=False)
    return call.function(first, second, bias, *call.options)


def _one_call(
    plan: Plan, first: tuple[int, ...], second: tuple[int, ...]
) -> OneCall | None:
    """Prepare a plan that one function of torch does; None for all others."""
    data, kernel = plan.data, plan.kernel
    arranged_so = data.order is None and kernel.order is None
    channels = data.batch and data.channels and kernel.channels
    if plan.algorithm != "native" or not arranged_so or not channels:
        return None
    call = native.one_call(plan.form, plan.spec)
    return None if call is None else OneCall(*call, _steps(first), _steps(second))


def _steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the steps of elements in order, in elements."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def execute(
    plan: Plan, first: Any, second: Any, bias: Any, *, autocast: bool
) -> torch.Tensor:
    """Execute a plan on tensors of one device."""
    if plan.algorithm != "native":
        return _array_api.execute(library_for(autocast=autocast), plan, first, second, bias)
    dtype = LIBRARY.dtype(plan.dtype)
    # GPUs form sums of half precision in float32 by themselves, the CPU not always.
    compute = LIBRARY.dtype(plan.computing) if first.device.type == "cpu" else dtype
    data = _settled(canonical(cast(first, compute), plan.data, LIBRARY.permute))
    second = cast(second, compute)
    if plan.form == "kernel_grad":
        y = _settled(canonical(second, plan.data, LIBRARY.permute))
        result = cast(native.kernel_grad(plan.spec, data, y), dtype)
        return _array_api.arranged_kernel(LIBRARY, result, plan)
    kernel = second
    if plan.kernel.order is not None:
        kernel = kernel.permute(plan.kernel.order)
    if not plan.kernel.channels:
        kernel = kernel[None, None]
    bias = bias if bias is None else cast(bias, compute)
    function = native.conv if plan.form == "conv" else native.conv_transpose
    result = function(plan.spec, data, _settled(kernel), bias)
    return arranged(cast(result, dtype), plan.data, LIBRARY.permute)


def cast(array: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Convert a tensor; the tensor itself where nothing changes."""
    return array if array.dtype == dtype else array.to(dtype)


def _settled(array: torch.Tensor) -> torch.Tensor:
    """Settle the order of axes in memory where axes of one element leave it open.

    torch 2.13 reads wrong elements, or raises, where it takes two arrays for channels last
    or first by strides that say nothing.
    """
    if 1 not in array.shape[1:]:
        return array
    return array.contiguous().view(-1).view(array.shape)
