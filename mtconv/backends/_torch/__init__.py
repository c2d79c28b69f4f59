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
from mtconv.backends._torch.autocast import autocast_dtype, is_on
from mtconv.backends._torch.eager import eager_dtype
from mtconv.backends._torch.execute import cast, execute
from mtconv.backends._torch.gradients import run_eager
from mtconv.backends._torch.library import LIBRARY
from mtconv.errors import BackendError, message
from mtconv.planning.plan import Plan
from mtconv.sizes import compiling

__all__ = ["NAME", "asarray", "eager_dtype", "library", "result_dtype", "run", "run_eager"]

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
        return execute(plan, first, second, bias, autocast=False)
    if plan.requested in ("auto", "native"):
        dtype = autocast_dtype(device_type, LIBRARY.dtype(plan.dtype))
        first, second = cast(first, dtype), cast(second, dtype)
        bias = bias if bias is None else cast(bias, dtype)
        plan = plan.rounded(dtype_name(dtype))
    with torch.autocast(device_type, enabled=False):
        return execute(plan, first, second, bias, autocast=True)
