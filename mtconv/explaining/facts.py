"""What is known of a plan: its axes, the algorithms that there are, and memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv import geometry
from mtconv.backends.dispatch import shares_memory
from mtconv.errors import BackendError, message, shown
from mtconv.explaining.explanation import AxisFacts
from mtconv.importing import imported
from mtconv.planning.choose import Candidate, choose_algorithm, support_of
from mtconv.planning.plan import Plan
from mtconv.problem.axes import MOST_LISTED, AxisResolver
from mtconv.problem.layout import axis_names
from mtconv.problem.options import Options
from mtconv.spec import ConvSpec

__all__ = ["accelerator_of", "axis_facts", "candidates_of", "dtype_facts", "resolver_of"]
__all__ += ["workspace_of"]

# What the NumPy backend may take beside the result, for each thread, whatever the sizes.
NUMPY_WORKSPACE = 64 * 2**20


def dtype_facts(dtype: Any) -> tuple[str, int]:
    """Return name and bytes of a dtype; NumPy itself has no bfloat16."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        return "bfloat16", 2
    try:
        known = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # NumPy parses commas
        known = np.dtype(object)
    if known.kind not in "iufc" and known.name != "bfloat16":
        rule = "must be an integer, floating or complex dtype"
        raise BackendError(message("explain", "dtype", rule, shown(dtype)))
    return known.name, known.itemsize


def resolver_of(options: Options, spec: ConvSpec, form: str) -> AxisResolver:
    """Return what knows the sizes that options allow."""
    return AxisResolver(form, options, _names(spec))


def _names(spec: ConvSpec) -> tuple[str, ...]:
    letters = spec.layout or spec.kernel_layout
    space = None if letters is None else "".join(c for c in letters if c in "DHWL")
    return axis_names(spec.rank, space)


def axis_facts(spec: ConvSpec, resolver: AxisResolver | None) -> tuple[AxisFacts, ...]:
    """Describe the axes; without options no sizes but theirs are legal."""
    return tuple(
        AxisFacts(
            name.strip("'"),
            axis.small,
            axis.big,
            axis.kernel,
            axis.stride,
            axis.dilation,
            axis.lo,
            axis.hi,
            (axis.big,)
            if resolver is None
            else resolver.inputs("conv", number, axis.small, axis.kernel),
            _taps_of_phases(axis),
        )
        for number, (name, axis) in enumerate(zip(_names(spec), spec.axes, strict=True))
    )


def _taps_of_phases(axis: geometry.Axis) -> tuple[int, ...]:
    """Count the taps of every phase, or where they are too many of those that have any."""
    if min(axis.stride, axis.big) <= MOST_LISTED:
        return tuple(phase.taps for phase in geometry.phases(axis))
    live = geometry.live_phases(axis)
    return (*(phase.taps for phase in live), *([0] if geometry.has_holes(axis) else []))


def candidates_of(plan: Plan, batch: int) -> tuple[Candidate, ...]:
    """Rank the algorithms; what a caller named comes first, or what stands in for it.

    Those of torch are ranked for plain tensors of the CPU.
    """
    problem = (plan.spec, plan.form, batch, plan.dtype, plan.backend)
    shared = shares_memory(plan.backend, plan.dtype)
    requested = choose_algorithm(*problem, plan.requested, shared=shared)
    if plan.requested in ("auto", "exact"):
        return requested
    ranked = choose_algorithm(*problem, "auto", shared=shared)
    costs = {candidate.algorithm: candidate.cost for candidate in ranked}
    first = requested[0]._replace(cost=costs.get(plan.algorithm))
    return (first, *(c for c in ranked if c.algorithm != first.algorithm))


def accelerator_of(plan: Plan, batch: int) -> Candidate | None:
    """Return what a backend that compiles for GPUs and TPUs takes there."""
    if support_of(plan.backend).accelerator is None:
        return None
    problem = (plan.spec, plan.form, batch, plan.dtype, plan.backend, plan.requested)
    return choose_algorithm(*problem, accelerator=True)[0]


def workspace_of(plan: Plan, batch: int, itemsize: int) -> int | None:
    """Bytes that a backend needs beside its arrays; None where its library decides."""
    spec = plan.spec
    if plan.backend == "sparse":
        matrix = imported("mtconv.matrix")
        form = plan.form
        if form == "kernel_grad":
            form, spec = "conv", matrix.gradient_spec(spec, batch)
        size: int = matrix.csr_bytes(form, spec, itemsize)
        return size
    return NUMPY_WORKSPACE if plan.backend == "numpy" else None
