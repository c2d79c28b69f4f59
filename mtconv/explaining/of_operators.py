"""`explain` of an operator: what it does with one array, whose kernel is known."""

from __future__ import annotations

from math import prod
from typing import Any

from mtconv.errors import message
from mtconv.explaining.explanation import SIDES, Explanation
from mtconv.explaining.facts import (
    accelerator_of,
    axis_facts,
    candidates_of,
    dtype_facts,
    workspace_of,
)
from mtconv.operators.base import Operator
from mtconv.operators.described import form_choices, operator_plan
from mtconv.planning.candidate import FASTEST
from mtconv.spec import FORMS

__all__ = ["explain_operator"]

# What the other arguments of `explain` are where nobody passes them.
_DEFAULTS = {
    "kernel_shape": None,
    "form": FORMS[0],
    "algorithm": "auto",
    "backend": "numpy",
}


def explain_operator(operator: Any, dtype: Any, passed: dict[str, Any]) -> Explanation:
    """Say what an operator does with one array, for results of a dtype or of its own."""
    for name, value in passed.items():
        if name not in _DEFAULTS or value != _DEFAULTS[name]:
            rule = "must be left out for an operator, which has its own"
            raise TypeError(message("explain", name, rule, repr(value)))
    if not isinstance(operator, Operator):
        rule = "must be a shape, a Conv or a ConvTranspose"
        fix = "Explain the call, by the shapes of its arrays."
        if hasattr(operator, "operators"):
            fix = "Explain the operators that it is made of."
        got = f"an operator of type {type(operator).__name__}"
        raise TypeError(message("explain", "x_shape", rule, got, fix=fix))
    kind, itemsize = dtype_facts(str(operator.dtype) if dtype is None else dtype)
    plan = operator_plan(operator, kind)
    choices = form_choices(operator, plan)
    arrays = (operator.input_shape, tuple(operator.kernel.shape), operator.output_shape)
    shapes = dict(zip(SIDES[plan.form], arrays, strict=True))
    others = candidates_of(plan, 1)
    if choices:
        others = tuple(c._replace(reason=_reason(c.reason)) for c in others)
    return Explanation(
        plan,
        kind,
        shapes,
        axis_facts(plan.spec, None),
        (*choices, *others),
        plan.spec.multiply_adds,
        itemsize * sum(map(prod, arrays)),
        workspace_of(plan, 1, itemsize),
        accelerator_of(plan, 1),
    )


def _reason(reason: str) -> str:
    """Do not call the fastest one of a call the fastest of the operator."""
    return "what a call takes" if reason == FASTEST else reason
