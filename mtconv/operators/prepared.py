"""Kernels prepared once for all calls of an operator, on the backends that prepare them.

NumPy packs a kernel for its algorithm, or takes one of the forms that only prepared
kernels have; SciPy builds the matrix. What was made stays with the operator, one for each
plan; an array without a batch axis is a batch of one, so that both share a plan.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from mtconv.backends.dispatch import Backend
from mtconv.importing import refuse_at_shutdown
from mtconv.operators.forms import form_for
from mtconv.planning.plan import Plan, plan_for_spec
from mtconv.spec import ConvSpec

__all__ = ["PREPARING", "apply_prepared"]

# Backends that are `Preparing`.
PREPARING = ("numpy", "numba", "sparse")


class Preparing(Backend, Protocol):
    """A backend that prepares kernels."""

    def prepare(self, plan: Plan, kernel: Any) -> Any:
        """Keep a kernel, and what `run_prepared` makes of it."""

    def run_prepared(self, plan: Plan, prepared: Any, data: Any) -> Any:
        """Execute a plan like the one that the kernel was prepared for."""


def apply_prepared(
    made: dict[Any, Any],
    engine: Backend,
    form: str,
    spec: ConvSpec,
    batch: Any,
    kernel: Any,
    algorithm: str,
    *,
    single: bool,
) -> Any:
    """Apply a map to a batch, with the kernel as prepared by an earlier call if any.

    The result of a batch of one has no batch axis where ``single`` says so.
    """
    preparing = cast("Preparing", engine)
    dtype = engine.result_dtype(batch, kernel)
    plan = plan_for_spec(
        form, spec, batch.shape, kernel.shape, dtype, algorithm, engine.NAME
    )
    try:
        special = _special_form(made, plan, len(batch), dtype, kernel)
        if special is not None:
            result = special.run(batch, single=single)
            if result is not None:
                return result
        if plan not in made:
            made[plan] = preparing.prepare(plan, kernel)
        result = preparing.run_prepared(plan, made[plan], batch)
    except ImportError:
        refuse_at_shutdown(f"What the {engine.NAME} backend of mtconv needs")
        raise
    return result[0] if single else result


def _special_form(
    made: dict[Any, Any], plan: Plan, batch: int, dtype: str, kernel: Any
) -> Any:
    """Return the form of a kernel that is taken instead of the plan's algorithm, if any."""
    if not batch:
        return None
    key = (plan, batch, dtype)
    if key not in made:
        kind = form_for(plan, kernel, batch, dtype)
        made[key] = kind and _shared(made, kind, plan, kernel)
    return made[key]


def _shared(made: dict[Any, Any], kind: Any, plan: Plan, kernel: Any) -> Any:
    """Return the form that all plans of a map share, whatever their algorithms are."""
    key = (kind.NAME, plan.form, plan.data, plan.requested)
    if key not in made:
        made[key] = kind(plan, kernel)
    return made[key]
