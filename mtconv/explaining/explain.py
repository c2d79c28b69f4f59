"""`explain`: what a call would do and why, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, SupportsIndex

import numpy as np

from mtconv import geometry
from mtconv.backends.dispatch import backend_name
from mtconv.errors import BackendError, message, renamed, shown
from mtconv.explaining.explanation import SIDES, AxisFacts, Explanation
from mtconv.importing import imported
from mtconv.planning.choose import Candidate, choose_algorithm, support_of
from mtconv.planning.plan import Plan, make_plan
from mtconv.problem.axes import MOST_LISTED, AxisResolver
from mtconv.problem.build import Problem, batch_size, problem, result_shape
from mtconv.problem.layout import axis_names
from mtconv.problem.options import ALGORITHMS, Options, check_word
from mtconv.problem.shapes import freeze_shape, geometric
from mtconv.spec import FORMS

__all__ = ["explain"]

# What the NumPy backend may take beside the result, for each thread, whatever the sizes.
NUMPY_WORKSPACE = 64 * 2**20


def explain(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    dtype: Any = "float32",
    backend: str = "numpy",
    form: str = "conv_transpose",
    *,
    algorithm: str = "auto",
    **options: Any,
) -> Explanation:
    """Say what a call would do and why, without arrays and without the backend's library.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the two arrays of `conv_transpose` or `conv`. For "kernel_grad" those
        of its first argument and of its result; `output_size` settles the size of y.
    dtype : dtype or str
        Dtype of the result, for example "float32" or "bfloat16".
    backend : str
        Name of a backend; its library need not be installed.
    form : str
        "conv_transpose", "conv" or "kernel_grad".
    algorithm : str
        As in `conv_transpose`.
    **options
        The geometric options of the map.

    Returns
    -------
    Explanation
        An object that prints: the geometry axis by axis, the algorithm and why, why the
        others were not taken, multiply-adds, bytes and workspace.

    Raises
    ------
    GeometryError, BackendError
        Where the call itself would raise them.

    Notes
    -----
    Costs microseconds: integers only.

    Examples
    --------
    >>> found = explain((1, 3, 16, 16), (3, 8, 4, 4), stride=2, padding=1)
    >>> found.shapes["big"], found.axes[0].legal
    ((1, 8, 32, 32), (32, 33))
    >>> found.multiply_adds  # 3 * 8 channels, and per axis 16 * 4 taps less 2 cropped
    92256
    """
    form = check_word("explain", "form", form, FORMS)
    algorithm = check_word("explain", "algorithm", algorithm, ALGORITHMS)
    backend = backend_name("explain", backend)
    kind, itemsize = _dtype(dtype)
    first = freeze_shape("explain", "x_shape", x_shape)
    second = freeze_shape("explain", "kernel_shape", kernel_shape)
    frozen = geometric(form, "explain", options)
    solved = "conv" if form == "conv" else "conv_transpose"
    arguments = {"x": "x_shape", "kernel": "kernel_shape"}
    with renamed(solved, "explain", **arguments), renamed(form, "explain", **arguments):
        settled = problem(solved, first, second, frozen)
        batch = batch_size(settled, first)
        plan = make_plan(form, settled, first, kind, algorithm, backend)
    sides = (first, second, result_shape(solved, settled, first))
    shapes = dict(zip(SIDES[solved], sides, strict=True))
    return Explanation(
        plan,
        kind,
        shapes,
        _axes(frozen, settled, form),
        _candidates(plan, batch),
        batch * plan.spec.multiply_adds,
        itemsize * sum(map(prod, shapes.values())),
        _workspace(plan, batch, itemsize),
        _accelerator(plan, batch),
    )


def _dtype(dtype: Any) -> tuple[str, int]:
    """Return name and bytes of a dtype; NumPy itself has no bfloat16."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        return "bfloat16", 2
    try:
        known = np.dtype(dtype)
    except (TypeError, ValueError):
        known = np.dtype(object)
    if known.kind not in "iufc" and known.name != "bfloat16":
        rule = "must be an integer, floating or complex dtype"
        raise BackendError(message("explain", "dtype", rule, shown(dtype)))
    return known.name, known.itemsize


def _axes(options: Options, settled: Problem, form: str) -> tuple[AxisFacts, ...]:
    spec = settled.spec
    letters = spec.layout or spec.kernel_layout
    space = None if letters is None else "".join(c for c in letters if c in "DHWL")
    names = axis_names(spec.rank, space)
    resolver = AxisResolver(form, options, names)
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
            resolver.inputs("conv", number, axis.small, axis.kernel),
            _taps_of_phases(axis),
        )
        for number, (name, axis) in enumerate(zip(names, spec.axes, strict=True))
    )


def _taps_of_phases(axis: geometry.Axis) -> tuple[int, ...]:
    """Count the taps of every phase, or where they are too many of those that have any."""
    if min(axis.stride, axis.big) <= MOST_LISTED:
        return tuple(phase.taps for phase in geometry.phases(axis))
    live = geometry.live_phases(axis)
    return (*(phase.taps for phase in live), *([0] if geometry.has_holes(axis) else []))


def _candidates(plan: Plan, batch: int) -> tuple[Candidate, ...]:
    """Rank the algorithms; what a caller named comes first, or what stands in for it."""
    problem = (plan.spec, plan.form, batch, plan.dtype, plan.backend)
    requested = choose_algorithm(*problem, plan.requested)
    if plan.requested in ("auto", "exact"):
        return requested
    ranked = choose_algorithm(*problem, "auto")
    costs = {candidate.algorithm: candidate.cost for candidate in ranked}
    first = requested[0]._replace(cost=costs.get(plan.algorithm))
    return (first, *(c for c in ranked if c.algorithm != first.algorithm))


def _accelerator(plan: Plan, batch: int) -> Candidate | None:
    """Return what a backend that compiles for GPUs and TPUs takes there."""
    if support_of(plan.backend).accelerator is None:
        return None
    problem = (plan.spec, plan.form, batch, plan.dtype, plan.backend, plan.requested)
    return choose_algorithm(*problem, accelerator=True)[0]


def _workspace(plan: Plan, batch: int, itemsize: int) -> int | None:
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
