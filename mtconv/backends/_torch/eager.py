"""Calls on plain tensors of the CPU, outside of everything that looks into calls.

Most calls are such. Then nothing but shapes and options decides what is done, which is
kept with the plan. Whatever is not plain takes the long way: subclasses, compilers and
tracers, `torch.func`, modes that intercept operations, dual numbers, autocast, and tensors
whose elements do not lie one after another.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import forward_ad

__all__ = ["DTYPES", "eager_dtype"]

DTYPES = {
    getattr(torch, name): name
    for name in ("float32", "float64", "uint8", "int8", "int16", "int32", "int64")
}

_CLASSES = frozenset({torch.Tensor, torch.nn.Parameter})

# Where torch says what looks into calls. It promises none of these names: without one of
# them no call counts as plain.
_ASKED = (
    (torch._C, "_are_functorch_transforms_active"),
    (torch._C, "_len_torch_dispatch_stack"),
    (torch._C, "_len_torch_function_stack"),
)
_LEVEL = "_current_level"  # of dual numbers, -1 outside of all

_active: list[Any] = [getattr(holder, name, None) for holder, name in _ASKED]
CAN_ASK = None not in _active and hasattr(forward_ad, _LEVEL)


def eager_dtype(first: Any, second: Any, bias: Any) -> str | None:
    """Name the one dtype of a call on plain tensors; None for all other calls."""
    if type(first) not in _CLASSES or type(second) not in _CLASSES:
        return None
    dtype = first.dtype
    if second.dtype is not dtype or not (_lies_plain(first) and _lies_plain(second)):
        return None
    if bias is not None and (
        type(bias) not in _CLASSES or bias.dtype is not dtype or not _lies_plain(bias)
    ):
        return None
    return None if looked_into() else DTYPES.get(dtype)


def _lies_plain(tensor: torch.Tensor) -> bool:
    """Return whether the elements of a tensor lie in the CPU's memory in order.

    Tensors that stand for others, as those that autograd batches gradients by, have no
    memory, nor have empty ones and those whose storage was emptied.
    """
    if (
        not tensor.is_cpu
        or tensor.layout is not torch.strided
        or tensor.is_nested
        or not tensor.is_contiguous()
        or tensor.is_neg()
    ):
        return False
    try:
        return bool(tensor.data_ptr())
    except RuntimeError:
        return False


def looked_into() -> bool:
    """Return whether something intercepts, records or changes what is called here."""
    if not CAN_ASK:
        return True
    transforms, dispatch, functions = _active
    return bool(
        transforms()
        or dispatch()
        or functions()
        or forward_ad._current_level >= 0
        or torch.is_autocast_enabled("cpu")
        or torch.jit.is_tracing()
    )
