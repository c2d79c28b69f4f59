"""Kernels prepared once for all calls of an operator, on the backends that prepare them.

NumPy packs a kernel for its algorithm, SciPy builds the matrix. What was made stays with
the operator, one for each plan; an array without a batch axis is a batch of one, so that
both share a plan.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mtconv.backends.dispatch import Backend
from mtconv.planning.plan import Plan, plan_for_spec
from mtconv.spec import ConvSpec

__all__ = ["PREPARING", "apply_prepared"]

# Backends with `prepare` and `run_prepared`, and the modules that have them.
PREPARING = {
    "numpy": "mtconv.backends._numpy.prepared",
    "sparse": "mtconv.backends._sparse",
}


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
    module = import_module(PREPARING[engine.NAME])
    dtype = engine.result_dtype(batch, kernel)
    plan = plan_for_spec(
        form, spec, batch.shape, kernel.shape, dtype, algorithm, engine.NAME
    )
    if plan not in made:
        made[plan] = module.prepare(plan, kernel)
    return module.run_prepared(plan, made[plan], batch)
