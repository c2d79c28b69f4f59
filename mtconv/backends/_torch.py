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
import torch.nn.functional as F
from torch.masked import MaskedTensor
from torch.nn import grad

from mtconv.backends import _array_api
from mtconv.backends._array_api import maps
from mtconv.backends._array_api.library import Library, dtype_name
from mtconv.backends._torch_autocast import autocast_dtype, product, without_autocast
from mtconv.backends.arrange import arranged, canonical
from mtconv.errors import BackendError, message
from mtconv.planning.plan import Plan
from mtconv.spec import ConvSpec

__all__ = ["NAME", "asarray", "library", "result_dtype", "run"]

NAME = "torch"

_UNSIGNED = frozenset({"uint16", "uint32", "uint64"})
_CONV = (F.conv1d, F.conv2d, F.conv3d)
_CONV_WEIGHT = (grad.conv1d_weight, grad.conv2d_weight, grad.conv3d_weight)
_CONV_TRANSPOSE = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


class _Torch(Library):
    """torch where it has other names than the standard."""

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> torch.Tensor:
        name = array.dtype.name
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        if name == "bfloat16":
            tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(array)
        if torch.device(device or "cpu").type == "cuda":
            # From pinned memory no call waits until the copy has reached the device.
            return tensor.pin_memory().to(device, non_blocking=True)
        return tensor.to(device)

    def result_type(self, *dtypes: Any) -> Any:
        return torch.promote_types(*dtypes)

    def astype(self, array: Any, dtype: Any) -> Any:
        return array.to(dtype)

    def permute(self, array: Any, order: tuple[int, ...]) -> Any:
        return array.permute(order)

    def take(self, array: Any, index: Any, axis: int) -> Any:
        return torch.index_select(array, axis, index)

    def conj(self, array: Any) -> Any:
        return array.conj()

    def to_numpy(self, array: Any) -> np.ndarray[Any, Any]:
        array = array.detach().resolve_conj().resolve_neg().cpu()
        if array.dtype == torch.bfloat16:
            array = array.float()  # NumPy may have no such dtype
        return array.numpy()  # type: ignore[no-any-return]

    def matmul(self, a: Any, b: Any) -> Any:
        if a.is_floating_point() or a.is_complex() or a.device.type == "cpu":
            return product(a, b)
        return integer_product(a, b)


_LIBRARY = _Torch(torch)


def library(arrays: tuple[Any, ...]) -> Library:
    """Return the functions of torch."""
    del arrays
    return _LIBRARY


def integer_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply stacks of integer matrices, for devices whose `matmul` takes none."""
    total = torch.zeros((), dtype=a.dtype, device=a.device)
    for inner in range(a.shape[-1]):
        total = total + a[..., :, inner, None] * b[..., inner, None, :]
    shape = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return total.expand(*shape, a.shape[-2], b.shape[-1])


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
    return dtype_name(_LIBRARY.promote(arrays))


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> torch.Tensor:
    """Execute a plan; torch's own flags say what `precision` says elsewhere."""
    del precision
    first, second, bias = _LIBRARY.together(first, second, bias)
    dtype = _LIBRARY.promote((first, second, bias))
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
    lib = _LIBRARY
    if plan.algorithm != "native":
        return _array_api.execute(lib, plan, first, second, bias)
    # On the CPU half precision is not sure to be accumulated in float32.
    narrow = dtype.itemsize < 4 and first.device.type == "cpu"
    compute = torch.float32 if narrow else dtype
    by_kernel = plan.form == "kernel_grad"
    tensor = _settled(canonical(first, plan.data, lib.permute).to(compute))
    other = canonical(second, plan.data if by_kernel else plan.kernel, lib.permute)
    other = other.to(compute)
    if by_kernel:
        result = _kernel_grad(plan.spec, tensor, _settled(other))
        return _array_api.arranged_kernel(lib, result.to(dtype), plan)
    kernel = _settled(other[0].reshape(plan.spec.kernel_shape))
    bias = bias if bias is None else bias.to(compute)
    maps = {"conv_transpose": _conv_transpose, "conv": _conv}
    result = maps[plan.form](plan.spec, tensor, kernel, bias)
    return arranged(result.to(dtype), plan.data, lib.permute)


def _settled(array: torch.Tensor) -> torch.Tensor:
    """Settle the order of axes in memory where axes of one element leave it open.

    torch 2.13 reads wrong elements, or raises, where it takes two arrays for channels last
    or first by strides that say nothing.
    """
    if 1 not in array.shape[1:]:
        return array
    return array.contiguous().view(-1).view(array.shape)


def _conv_transpose(
    spec: ConvSpec, x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Crop as torch can, and crop or extend the rest."""
    axes = (spec if spec.padding_mode == "zeros" else spec.padded).axes
    padding, extra, rest = [], [], []
    for axis in axes:
        spare = axis.lo - axis.hi
        if axis.lo >= 0 and 0 <= spare < max(axis.stride, axis.dilation):
            padding.append(axis.lo)
            extra.append(spare)
            rest.append((0, 0))
        else:
            both = max(0, min(axis.lo, axis.hi))
            padding.append(both)
            extra.append(0)
            rest.append((both - axis.lo, both - axis.hi))
    last = bool(np.any(rest)) or axes is not spec.axes
    y = _CONV_TRANSPOSE[spec.rank - 1](
        x,
        w,
        None if last else bias,
        [axis.stride for axis in axes],
        padding,
        extra,
        spec.groups,
        [axis.dilation for axis in axes],
    )
    y = _padded(y, rest)
    if axes is not spec.axes:
        y = maps.fold(_LIBRARY, spec, y)
    if last and bias is not None:
        y = y + bias.reshape(-1, *(1,) * spec.rank)
    return y


def _conv(
    spec: ConvSpec, y: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    y, padding = _ready(spec, y)
    stride = [axis.stride for axis in spec.axes]
    dilation = [axis.dilation for axis in spec.axes]
    function = _CONV[spec.rank - 1]
    return function(y, w, bias, stride, padding, dilation, spec.groups)


def _kernel_grad(spec: ConvSpec, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    y, padding = _ready(spec, y)
    stride = [axis.stride for axis in spec.axes]
    dilation = [axis.dilation for axis in spec.axes]
    function = _CONV_WEIGHT[spec.rank - 1]
    shape = spec.kernel_shape
    return function(y, shape, x, stride, padding, dilation, spec.groups)


def _ready(spec: ConvSpec, y: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """Pad y by what torch's symmetric padding cannot say; return that padding too."""
    axes = spec.axes
    if spec.padding_mode != "zeros":
        y, axes = maps.pad(_LIBRARY, spec, y), spec.padded.axes
    plain = [axis.lo >= 0 and 0 <= axis.lo - axis.hi < axis.stride for axis in axes]
    amounts = [
        (0, 0) if simple else (axis.lo, axis.hi)
        for axis, simple in zip(axes, plain, strict=True)
    ]
    padding = [axis.lo if simple else 0 for axis, simple in zip(axes, plain, strict=True)]
    return _padded(y, amounts), padding


def _padded(array: torch.Tensor, amounts: list[tuple[int, int]]) -> torch.Tensor:
    """Extend the spatial axes with zeros; negative amounts crop."""
    if not np.any(amounts):
        return array
    # Not in one call: torch crops before it extends, and may find nothing to crop.
    extend = [max(amount, 0) for pair in reversed(amounts) for amount in pair]
    array = F.pad(array, extend) if any(extend) else array
    kept = (
        slice(max(-low, 0), size + min(high, 0))
        for (low, high), size in zip(amounts, array.shape[2:], strict=True)
    )
    return array[(..., *kept)]
