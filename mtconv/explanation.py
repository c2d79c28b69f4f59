"""`explain`: what a call would do and why, from shapes alone, as text and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, SupportsIndex

import numpy as np

from mtconv import geometry
from mtconv.dispatch import BACKENDS
from mtconv.errors import BackendError, message
from mtconv.ladders import Candidate, choose_algorithm
from mtconv.layout import axis_names
from mtconv.options import Options, check_word
from mtconv.plan import Plan, batch_size, make_plan, result_shape
from mtconv.problem import Problem, problem
from mtconv.resolve import AxisResolver
from mtconv.shapes import freeze_shape, geometric
from mtconv.spec import FORMS
from mtconv.text import bytes_text, count_text, seconds_text, table

__all__ = ["AxisFacts", "Explanation", "explain"]

# What the arrays of the NumPy backend may take beside the result, for each thread.
NUMPY_WORKSPACE = 64 * 2**20


@dataclass(frozen=True)
class AxisFacts:
    """The relation of one spatial axis, ``o = stride*i + dilation*j - lo``.

    Parameters
    ----------
    name : str
        Letter of the layout, or the number of the axis where there are four or more.
    n, N, k, stride, dilation, lo, hi : int
        Small side, big side, kernel size, steps, and what is cropped at both ends.
    legal : tuple of int
        Big sizes that the convolution maps to n: what `output_size` may be.
    phases : tuple of int
        Number of taps of each residue modulo the stride; 0 leaves a hole.
    """

    name: str
    n: int
    N: int
    k: int
    stride: int
    dilation: int
    lo: int
    hi: int
    legal: tuple[int, ...]
    phases: tuple[int, ...]


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; ``print`` it, or read its fields.

    Parameters
    ----------
    plan : Plan
        The plan that the call would execute.
    dtype : str
        Dtype of the result.
    shapes : dict of str to tuple of int
        Shapes of "small", "kernel" and "big": two of them are the arguments of the
        call and the third is its result, each in the user's layout.
    axes : tuple of AxisFacts
        The relation, axis by axis.
    candidates : tuple of Candidate
        Algorithms that were considered, the chosen one first, each with the reason.
    multiply_adds : int
        Useful multiply-adds of the whole call.
    array_bytes : int
        Bytes of the two arguments and the result together.
    workspace : int or None
        Bytes needed beside them at most; None where the array library decides.
    """

    plan: Plan
    dtype: str
    shapes: dict[str, tuple[int, ...]]
    axes: tuple[AxisFacts, ...]
    candidates: tuple[Candidate, ...]
    multiply_adds: int
    array_bytes: int
    workspace: int | None

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the result of the call."""
        return self.shapes[_SIDES[self.plan.form][2]]

    def __str__(self) -> str:
        plan = self.plan
        first, second, result = (self.shapes[side] for side in _SIDES[plan.form])
        name = "y" if plan.form == "kernel_grad" else "kernel"
        return "\n\n".join(
            (
                f"{plan.form} of {self.dtype} by the {plan.backend} backend:\n"
                f"x {first}, {name} {second} -> {result}",
                "o = stride*i + dilation*j - lo, with i < n, j < k, o < N\n"
                + self._axis_table(),
                f"algorithm: {plan.algorithm}, {self.candidates[0].reason}"
                + self._candidate_table(),
                f"multiply-adds: {count_text(self.multiply_adds)}\n"
                f"bytes: {bytes_text(self.array_bytes)} in both arguments and the result\n"
                f"workspace: {self._workspace_text()}",
            )
        )

    def _axis_table(self) -> str:
        names = ("n", "N", "k", "stride", "dilation", "lo", "hi")
        rows = [
            (
                axis.name,
                *(getattr(axis, name) for name in names),
                _span(axis.legal),
                _phases_text(axis.phases),
            )
            for axis in self.axes
        ]
        return table(("axis", *names, "legal N", "taps per phase"), rows)

    def _candidate_table(self) -> str:
        if self.candidates[0].cost is None:
            others = [f"\n  {c.algorithm}: {c.reason}" for c in self.candidates[1:]]
            return "".join(others)
        rows = [
            (
                f"  {name}",
                count_text(cost.multiply_adds),
                bytes_text(cost.bytes_moved),
                seconds_text(cost.seconds),
                reason,
            )
            for name, cost, reason in self.candidates
            if cost is not None
        ]
        headers = ("  considered", "multiply-adds", "bytes moved", "estimate", "why")
        return "\n" + table(headers, rows)

    def _workspace_text(self) -> str:
        if self.plan.backend == "sparse":
            return f"{bytes_text(self.workspace or 0)} in the matrix"
        if self.workspace is None:
            return "decided by the array library"
        return f"at most {bytes_text(self.workspace)} for each thread"

    def as_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings, lists and dicts, ready for JSON."""
        return {
            "form": self.plan.form,
            "backend": self.plan.backend,
            "dtype": self.dtype,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "axes": [
                {name: getattr(axis, name) for name in AxisFacts.__dataclass_fields__}
                for axis in self.axes
            ],
            "algorithm": self.plan.algorithm,
            "candidates": [
                {
                    "algorithm": name,
                    "cost": None if cost is None else cost._asdict(),
                    "reason": reason,
                }
                for name, cost, reason in self.candidates
            ],
            "multiply_adds": self.multiply_adds,
            "array_bytes": self.array_bytes,
            "workspace": self.workspace,
        }


# Where the two arguments of each map and its result are in the relation.
_SIDES = {
    "conv_transpose": ("small", "kernel", "big"),
    "conv": ("big", "kernel", "small"),
    "kernel_grad": ("small", "big", "kernel"),
}


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
    check_word("explain", "form", form, FORMS)
    if not isinstance(backend, str) or backend not in BACKENDS:
        names = ", ".join(repr(name) for name in BACKENDS)
        msg = message("explain", "backend", f"must be one of {names}", repr(backend))
        raise BackendError(msg)
    kind, itemsize = _dtype(dtype)
    first = freeze_shape("explain", "x_shape", x_shape)
    second = freeze_shape("explain", "kernel_shape", kernel_shape)
    frozen = geometric(form, "explain", options)
    solved = "conv" if form == "conv" else "conv_transpose"
    found = problem(solved, first, second, frozen)
    batch = batch_size(found, first)
    plan = make_plan(form, found, batch, kind, algorithm, backend)
    sides = (first, second, result_shape(solved, found, first))
    shapes = dict(zip(_SIDES[solved], sides, strict=True))
    return Explanation(
        plan,
        kind,
        shapes,
        _axes(frozen, found, form),
        _candidates(plan, batch, kind, algorithm),
        batch * plan.spec.multiply_adds,
        itemsize * sum(map(prod, shapes.values())),
        _workspace(plan, batch, itemsize),
    )


def _dtype(dtype: Any) -> tuple[str, int]:
    """Return name and bytes of a dtype; NumPy itself has no bfloat16."""
    if dtype == "bfloat16":
        return "bfloat16", 2
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "iufc" and found.name != "bfloat16":
        rule = "must be an integer, floating or complex dtype"
        raise BackendError(message("explain", "dtype", rule, repr(dtype)))
    return found.name, found.itemsize


def _axes(options: Options, found: Problem, form: str) -> tuple[AxisFacts, ...]:
    spec = found.spec
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
            tuple(phase.taps for phase in geometry.phases(axis)),
        )
        for number, (name, axis) in enumerate(zip(names, spec.axes, strict=True))
    )


def _candidates(
    plan: Plan, batch: int, dtype: str, algorithm: str
) -> tuple[Candidate, ...]:
    """Rank the algorithms; one that the caller named comes first, whatever its rank."""
    rule = algorithm if algorithm == "exact" else "auto"
    ranked = choose_algorithm(plan.spec, plan.form, batch, dtype, plan.backend, rule)
    if algorithm == rule:
        return ranked
    named = [c for c in ranked if c.algorithm == algorithm]
    others = [c for c in ranked if c.algorithm != algorithm]
    cost = named[0].cost if named else None
    return (Candidate(algorithm, cost, "named by the caller"), *others)


def _workspace(plan: Plan, batch: int, itemsize: int) -> int | None:
    """Bytes that a backend needs beside its arrays; None where its library decides."""
    spec = plan.spec
    if plan.backend == "sparse":
        rows = prod(spec.big) * spec.kernel_shape[1] * spec.groups
        return spec.multiply_adds * (itemsize + 4) + 4 * (rows + 1)
    if plan.backend == "numpy":
        share = spec.kernel_shape[1] * spec.groups
        columns = batch * prod(spec.small) * prod(spec.kernel_size) * share
        return min(NUMPY_WORKSPACE, columns * max(itemsize, 4))
    return None


def _phases_text(taps: Sequence[int]) -> str:
    if len(taps) <= 4:
        return ", ".join(map(str, taps))
    return f"{_span(taps)} in {len(taps)} phases"


def _span(values: Sequence[int]) -> str:
    """Write the least and the largest of some integers, or the only one."""
    least, most = min(values), max(values)
    return str(least) if least == most else f"{least} to {most}"
