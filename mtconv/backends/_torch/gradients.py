"""Gradients where compiled kernels compute: the three maps are derivatives of one another.

A function of autograd holds what it is given in torch's own way, so in-place changes, hooks
of saved tensors and second derivatives are torch's affair. Its backward pass makes calls
like any other: each has a plan, which says whether torch or a compiled kernel computes it.
"""

from __future__ import annotations

from typing import Any

import torch

from mtconv.backends._torch.autocast import is_on, without_autocast
from mtconv.backends._torch.eager import eager_dtype
from mtconv.backends._torch.execute import execute, execute_plain
from mtconv.backends._torch.shared import run_shared
from mtconv.importing import ImportRefused
from mtconv.planning.plan import Plan, plan_for_spec, plan_traced
from mtconv.sizes import traced

__all__ = ["run_eager"]

# The gradients of a map by its two operands: a map, and what that is applied to, which are
# operands by number, or the cotangent.
_COTANGENT = 2
_GRADIENTS = {
    "conv_transpose": (("conv", _COTANGENT, 1), ("kernel_grad", 0, _COTANGENT)),
    "conv": (("conv_transpose", _COTANGENT, 1), ("kernel_grad", _COTANGENT, 0)),
    "kernel_grad": (("conv", 1, _COTANGENT), ("conv_transpose", 0, _COTANGENT)),
}


def run_eager(
    plan: Plan,
    first: torch.Tensor,
    second: torch.Tensor,
    bias: torch.Tensor | None = None,
    precision: Any = None,
) -> torch.Tensor:
    """Execute a plan on plain tensors; gradients can be taken of any order."""
    del precision
    by_bias = bias is not None and bias.requires_grad
    wanted = first.requires_grad, second.requires_grad
    if (by_bias or True in wanted) and torch.is_grad_enabled():
        try:
            own = plan.tables[wanted]
        except KeyError:
            own = plan.tables[wanted] = _is_own(plan, first.shape, second.shape, wanted)
        if own:
            result: torch.Tensor = _SharedMap.apply(plan, first, second, bias)
            return result
    return _computed(plan, first, second, bias)


def _is_own(
    plan: Plan,
    first: tuple[int, ...],
    second: tuple[int, ...],
    wanted: tuple[bool, bool],
) -> bool:
    """Return whether a map or one of its gradients is not torch's own."""
    if plan.algorithm == "numba":
        return True
    shapes = first, second, plan.shape
    return any(
        asked
        and _plan_of(plan, form, shapes[a], shapes[b], shared=True).algorithm == "numba"
        for asked, (form, a, b) in zip(wanted, _GRADIENTS[plan.form], strict=True)
    )


def _plan_of(
    plan: Plan, form: str, first: tuple[int, ...], second: tuple[int, ...], *, shared: bool
) -> Plan:
    """Return the plan of a map with the geometry of another one."""
    choice = plan.dtype, plan.requested, "torch"
    if traced(first, second):
        return plan_traced(form, (first, second), plan.spec, *choice)
    return plan_for_spec(form, plan.spec, first, second, *choice, None, shared)


def _computed(
    plan: Plan, first: torch.Tensor, second: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Execute a plan; autograd sees what is torch's own."""
    if plan.algorithm == "numba":
        try:
            return run_shared(plan, first, second, bias)
        except ImportRefused:  # torch can compute what numba cannot at this moment
            plan = _plan_of(plan, plan.form, first.shape, second.shape, shared=False)
    return execute_plain(plan, first, second, bias)


class _SharedMap(torch.autograd.Function):  # type: ignore[misc,unused-ignore]
    """A map whose gradients are maps."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: Plan,
        first: torch.Tensor,
        second: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.plan = plan
        ctx.save_for_backward(first, second)
        return _computed(plan, first, second, bias)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[torch.Tensor | None, ...]:
        (cotangent,) = cotangents
        plan: Plan = ctx.plan
        arrays = (*ctx.saved_tensors, cotangent.contiguous())
        gradients: list[torch.Tensor | None] = [None]
        wanted = ctx.needs_input_grad[1:]
        for asked, (form, a, b) in zip(wanted, _GRADIENTS[plan.form], strict=False):
            gradient = _applied(plan, form, arrays[a], arrays[b]) if asked else None
            gradients.append(gradient)
        channel = int(plan.data.batch)
        axes = [axis for axis in range(cotangent.ndim) if axis != channel]
        return (*gradients, cotangent.sum(axes) if wanted[2] else None)


def _applied(
    plan: Plan, form: str, first: torch.Tensor, second: torch.Tensor
) -> torch.Tensor:
    """Apply a map with the geometry of a plan, whatever looks into the call.

    Autocast rounds nothing in a backward pass of torch, so nothing here.
    """
    shared = eager_dtype(first, second, None) is not None
    own = _plan_of(plan, form, first.shape, second.shape, shared=shared)
    if shared:
        return run_eager(own, first, second)
    autocast = is_on(first.device.type)
    with without_autocast(first.device.type):
        return execute(own, first, second, None, autocast=autocast)
