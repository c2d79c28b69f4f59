"""What an operator would do with one array, for `mtconv.explain`."""

from __future__ import annotations

from mtconv.backends.dispatch import shares_memory
from mtconv.operators.base import Operator
from mtconv.operators.circular.maps import FrequencyForm, in_frequency
from mtconv.operators.forms import form_candidates
from mtconv.planning.candidate import Candidate
from mtconv.planning.plan import Plan, plan_for_spec

__all__ = ["form_choices", "operator_plan"]


def operator_plan(operator: Operator, dtype: str) -> Plan:
    """Return the plan of applying an operator to one array."""
    shapes = (1, *operator.input_shape), tuple(operator.kernel.shape)
    name = operator._own_engine().NAME
    algorithm = "auto" if _by_library(operator) else operator.computing.algorithm
    spec = operator._sides.front
    shared = shares_memory(name, dtype)
    return plan_for_spec(operator.form, spec, *shapes, dtype, algorithm, name, None, shared)


def form_choices(operator: Operator, plan: Plan) -> tuple[Candidate, ...]:
    """List the forms that the operator takes instead of the plan's algorithm."""
    if _by_library(operator):
        return (Candidate(FrequencyForm.NAME, None, "'fft' was named by the caller"),)
    choices = form_candidates(plan, operator.kernel, 1, plan.dtype)
    return tuple(choice.candidate for choice in choices)


def _by_library(operator: Operator) -> bool:
    """Return whether the library of the kernel transforms it."""
    named = operator.computing.algorithm == "fft"
    return named and in_frequency(operator._own_engine(), operator.spec)
