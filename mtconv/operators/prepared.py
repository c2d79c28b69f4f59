"""Kernels prepared once for all calls of an operator, on the backends that prepare them.

NumPy packs a kernel for its algorithm, SciPy builds the matrix. What was made stays with
the operator, one for each plan; an array without a batch axis is a batch of one, so that
both share a plan.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from mtconv.backends.dispatch import Backend
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
    made: dict[Plan, Any],
    engine: Backend,
    form: str,
    spec: ConvSpec,
    batch: Any,
    kernel: Any,
    algorithm: str,
) -> Any:
    """Apply a map to a batch, with the kernel as prepared by an earlier call if any."""
    preparing = cast("Preparing", engine)
    dtype = engine.result_dtype(batch, kernel)
    plan = plan_for_spec(
        form, spec, batch.shape, kernel.shape, dtype, algorithm, engine.NAME
    )
    if plan not in made:
        made[plan] = preparing.prepare(plan, kernel)
    return preparing.run_prepared(plan, made[plan], batch)
