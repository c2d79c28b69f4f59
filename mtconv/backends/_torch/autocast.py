"""torch.autocast: what it does to `auto`, and products that it cannot reach.

Autocast rounds the operands of torch's products and convolutions, of the forward pass where
that runs inside of it and of the backward pass where that does. So it is off in both for
the products of exact algorithms.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

__all__ = ["autocast_dtype", "compiled_product", "is_on", "product", "without_autocast"]

# Autocast leaves float64, complex numbers and integers alone.
_ROUNDED = frozenset({torch.float32, torch.float16, torch.bfloat16})
# Devices on which torch itself has autocast: while it compiles, nobody can be asked.
_DEVICES = frozenset({"cpu", "cuda", "hpu", "maia", "mps", "mtia", "xla", "xpu"})


def is_on(device_type: str) -> bool:
    """Return whether autocast is on for a device."""
    if torch.compiler.is_dynamo_compiling():
        available = device_type in _DEVICES
    else:  # some devices have no autocast, and no answer to the next question
        available = torch.amp.is_autocast_available(device_type)
    return available and torch.is_autocast_enabled(device_type)


def autocast_dtype(device_type: str, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype that autocast, which is on, rounds this one to."""
    return torch.get_autocast_dtype(device_type) if dtype in _ROUNDED else dtype


def without_autocast(device_type: str) -> AbstractContextManager[Any]:
    """Switch autocast off where it is on."""
    if not is_on(device_type):
        return nullcontext()
    off: AbstractContextManager[Any] = torch.autocast(device_type, enabled=False)
    return off


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply stacks of matrices in their own dtype, gradients included."""
    if a.dtype not in _ROUNDED:
        return torch.matmul(a, b)
    result: torch.Tensor = _Product.apply(a, b)
    return result


def compiled_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Do the same in a program that is compiled inside of autocast.

    torch compiles no function with derivatives of its own in both directions. So the
    products are those of float64, which autocast leaves alone, gradients included.
    """
    if a.dtype not in _ROUNDED:
        return torch.matmul(a, b)
    return torch.matmul(a.double(), b.double()).to(a.dtype)


class _Product(torch.autograd.Function):  # type: ignore[misc,unused-ignore]
    """A product of stacks of real matrices whose derivatives are products like it.

    One operand may have more leading axes than the other.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        with without_autocast(a.device.type):
            return torch.matmul(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[torch.Tensor | None, ...]:
        (cotangent,) = cotangents
        a, b = ctx.saved_tensors
        by_a, by_b = ctx.needs_input_grad
        return (
            _summed(product(cotangent, b.mT), a) if by_a else None,
            _summed(product(a.mT, cotangent), b) if by_b else None,
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> torch.Tensor | None:
        a, b = ctx.saved_tensors
        of_a, of_b = tangents
        terms = []
        if of_a is not None:
            terms.append(product(of_a, b))
        if of_b is not None:
            terms.append(product(a, of_b))
        return sum(terms[1:], start=terms[0]) if terms else None


def _summed(gradient: torch.Tensor, operand: torch.Tensor) -> torch.Tensor:
    """Add up the leading axes that the operand does not have."""
    extra = gradient.ndim - operand.ndim
    return gradient.sum(tuple(range(extra))) if extra > 0 else gradient
