"""torch: its own convolutions where they can say the relation, slices and products else.

Everything is made of differentiable operations of torch, so gradients of any order,
`torch.func` and every device work. torch's flags rule precision and determinism.

Inside `torch.autocast`, "auto" and "native" round float32 and half precision to autocast's
dtype and return it, as `torch.nn.functional` does. Other algorithms never see autocast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.masked import MaskedTensor

from mtconv.backends import _array_api
from mtconv.backends._array_api.library import dtype_name
from mtconv.backends._torch import native
from mtconv.backends._torch.autocast import autocast_dtype, without_autocast
from mtconv.backends._torch.library import LIBRARY
from mtconv.backends.arrange import arranged, canonical
from mtconv.errors import BackendError, message
from mtconv.planning.ladders.torch import native_refusal
from mtconv.planning.plan import Plan

__all__ = ["NAME", "asarray", "result_dtype", "run"]

NAME = "torch"

_UNSIGNED = frozenset({"uint16", "uint32", "uint64"})


def asarray(function: str, argument: str, array: Any) -> Any:
    """Take dense tensors of numbers; sequences get torch's default dtypes."""
    sequence = not isinstance(array, (torch.Tensor, np.ndarray, np.generic))
    if isinstance(array, torch.Tensor):
        _check_plain(function, argument, array)
    array = _array_api.asarray(function, argument, array)
    if dtype_name(array.dtype) in _UNSIGNED:
        rule = "must have a dtype that torch computes with"
        fix = "Convert it to int64 first."
        msg = message(function, argument, rule, f"dtype {array.dtype}", fix=fix)
        raise BackendError(msg)
    if sequence and array.dtype.kind in "fc":
        default = torch.get_default_dtype()
        wanted = default.to_complex() if array.dtype.kind == "c" else default
        array = array.astype(dtype_name(wanted))
    return array


def _check_plain(function: str, argument: str, array: torch.Tensor) -> None:
    """Refuse tensors that are no dense arrays of numbers."""
    if array.is_nested:
        got, fix = "a nested tensor", "Use .to_padded_tensor(0) first."
    elif array.layout != torch.strided:
        got, fix = f"layout {array.layout}", "Use .to_dense() first."
    elif array.is_quantized:
        got, fix = f"a quantized tensor of {array.dtype}", "Use .dequantize() first."
    elif isinstance(array, MaskedTensor):
        got, fix = "a MaskedTensor", "Use .to_tensor(0) first; a mask would be lost."
    else:
        return
    rule = "must be a dense tensor of numbers"
    raise BackendError(message(function, argument, rule, got, fix=fix))


def result_dtype(*arrays: Any) -> str:
    """Name the dtype that torch promotes these arrays to."""
    return dtype_name(LIBRARY.promote(arrays))


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> torch.Tensor:
    """Execute a plan; torch's own flags say what `precision` says elsewhere."""
    del precision
    first, second, bias = LIBRARY.together(first, second, bias)
    dtype = LIBRARY.promote((first, second, bias))
    device_type = first.device.type
    cast = None
    if plan.requested in ("auto", "native"):
        cast = autocast_dtype(device_type, dtype)
    if cast is not None:
        first, second = first.to(cast), second.to(cast)
        bias = bias if bias is None else bias.to(cast)
    with without_autocast(device_type):
        return _execute(plan, first, second, bias, dtype if cast is None else cast)


def _execute(
    plan: Plan, first: Any, second: Any, bias: Any, dtype: torch.dtype
) -> torch.Tensor:
    """Execute a plan on tensors of one device; ``dtype`` is what they promote to."""
    if plan.algorithm != "native" or native_refusal(
        plan.spec, first.numel(), dtype_name(dtype)
    ):
        return _array_api.execute(LIBRARY, plan, first, second, bias)
    # On the CPU half precision is not sure to be accumulated in float32.
    narrow = dtype.itemsize < 4 and first.device.type == "cpu"
    compute = torch.float32 if narrow else dtype
    by_kernel = plan.form == "kernel_grad"
    data = _settled(canonical(first, plan.data, LIBRARY.permute).to(compute))
    other = canonical(second, plan.data if by_kernel else plan.kernel, LIBRARY.permute)
    other = other.to(compute)
    if by_kernel:
        result = native.kernel_grad(plan.spec, data, _settled(other))
        return _array_api.arranged_kernel(LIBRARY, result.to(dtype), plan)
    kernel = _settled(other[0].reshape(plan.spec.kernel_shape))
    bias = bias if bias is None else bias.to(compute)
    function = native.conv if plan.form == "conv" else native.conv_transpose
    result = function(plan.spec, data, kernel, bias)
    return arranged(result.to(dtype), plan.data, LIBRARY.permute)


def _settled(array: torch.Tensor) -> torch.Tensor:
    """Settle the order of axes in memory where axes of one element leave it open.

    torch 2.13 reads wrong elements, or raises, where it takes two arrays for channels last
    or first by strides that say nothing.
    """
    if 1 not in array.shape[1:]:
        return array
    return array.contiguous().view(-1).view(array.shape)
