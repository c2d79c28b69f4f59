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
from mtconv.backends._array_api.library import Library, dtype_name
from mtconv.backends._torch import native
from mtconv.backends._torch.autocast import autocast_dtype, is_on
from mtconv.backends._torch.library import LIBRARY, library_for
from mtconv.backends.arrange import arranged, canonical
from mtconv.errors import BackendError, message
from mtconv.planning.plan import Plan
from mtconv.sizes import compiling

__all__ = ["NAME", "asarray", "library", "result_dtype", "run"]

NAME = "torch"

_UNSIGNED = frozenset({"uint16", "uint32", "uint64"})
_COMPUTED = frozenset(
    {
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.complex64, torch.complex128),
        *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    }
)


def asarray(function: str, argument: str, array: Any) -> Any:
    """Take dense tensors of numbers; sequences get torch's default dtypes."""
    if torch.jit.is_tracing():
        rule = "must not be traced by torch.jit.trace, for which sizes are tensors"
        got = "a call that torch.jit.trace or the old ONNX exporter records"
        fix = "Use torch.export.export, or torch.onnx.export with dynamo=True."
        raise BackendError(message(function, argument, rule, got, fix=fix))
    if isinstance(array, torch.Tensor):
        _check_plain(function, argument, array)
        return array if array.dtype in _COMPUTED else _number(function, argument, array)
    if compiling():  # torch has no arrays of NumPy then
        return torch.as_tensor(array)
    sequence = not isinstance(array, (np.ndarray, np.generic))
    array = _number(function, argument, array)
    if sequence and array.dtype.kind in "fc":
        default = torch.get_default_dtype()
        wanted = default.to_complex() if array.dtype.kind == "c" else default
        array = array.astype(dtype_name(wanted))
    return array


def _number(function: str, argument: str, array: Any) -> Any:
    """Refuse dtypes that torch does not compute with."""
    array = _array_api.asarray(function, argument, array)
    if dtype_name(array.dtype) in _UNSIGNED:
        rule = "must have a dtype that torch computes with"
        fix = "Convert it to int64 first."
        msg = message(function, argument, rule, f"dtype {array.dtype}", fix=fix)
        raise BackendError(msg)
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


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the functions of torch."""
    del arrays
    return LIBRARY


def result_dtype(*arrays: Any) -> str:
    """Name the dtype that torch promotes these arrays to."""
    return dtype_name(LIBRARY.promote(arrays))


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> torch.Tensor:
    """Execute a plan; torch's own flags say what `precision` says elsewhere."""
    del precision
    first, second, bias = LIBRARY.together(first, second, bias)
    device_type = first.device.type
    if not is_on(device_type):
        return _execute(plan, first, second, bias, autocast=False)
    if plan.requested in ("auto", "native"):
        dtype = autocast_dtype(device_type, LIBRARY.dtype(plan.dtype))
        first, second = _cast(first, dtype), _cast(second, dtype)
        bias = bias if bias is None else _cast(bias, dtype)
        plan = plan.rounded(dtype_name(dtype))
    with torch.autocast(device_type, enabled=False):
        return _execute(plan, first, second, bias, autocast=True)


def _execute(
    plan: Plan, first: Any, second: Any, bias: Any, *, autocast: bool
) -> torch.Tensor:
    """Execute a plan on tensors of one device."""
    if plan.algorithm != "native":
        return _array_api.execute(library_for(autocast=autocast), plan, first, second, bias)
    dtype = LIBRARY.dtype(plan.dtype)
    # GPUs form sums of half precision in float32 by themselves, the CPU not always.
    compute = LIBRARY.dtype(plan.computing) if first.device.type == "cpu" else dtype
    data = _settled(canonical(_cast(first, compute), plan.data, LIBRARY.permute))
    second = _cast(second, compute)
    if plan.form == "kernel_grad":
        y = _settled(canonical(second, plan.data, LIBRARY.permute))
        result = _cast(native.kernel_grad(plan.spec, data, y), dtype)
        return _array_api.arranged_kernel(LIBRARY, result, plan)
    kernel = second
    if plan.kernel.order is not None:
        kernel = kernel.permute(plan.kernel.order)
    if not plan.kernel.channels:
        kernel = kernel[None, None]
    bias = bias if bias is None else _cast(bias, compute)
    function = native.conv if plan.form == "conv" else native.conv_transpose
    result = function(plan.spec, data, _settled(kernel), bias)
    return arranged(_cast(result, dtype), plan.data, LIBRARY.permute)


def _cast(array: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return array if array.dtype == dtype else array.to(dtype)


def _settled(array: torch.Tensor) -> torch.Tensor:
    """Settle the order of axes in memory where axes of one element leave it open.

    torch 2.13 reads wrong elements, or raises, where it takes two arrays for channels last
    or first by strides that say nothing.
    """
    if 1 not in array.shape[1:]:
        return array
    return array.contiguous().view(-1).view(array.shape)
