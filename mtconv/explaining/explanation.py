"""What `explain` returns, as numbers and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtconv.explaining.formatting import bytes_text, count_text, seconds_text, table
from mtconv.importing import imported
from mtconv.planning.candidate import CONDITIONS, Candidate
from mtconv.planning.plan import Plan

__all__ = ["SIDES", "AxisFacts", "Explanation"]

# Where the two arguments of each map and its result are in the relation.
SIDES = {
    "conv_transpose": ("small", "kernel", "big"),
    "conv": ("big", "kernel", "small"),
    "kernel_grad": ("small", "big", "kernel"),
}

# Ways that operators know beside the algorithms of calls, and which values they leave to
# those.
_OF_OPERATORS = {
    "separable": "values that are not finite, and integers too large for double precision",
    "frequency": "values that are not finite, and whole numbers too large for it",
}


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
        Big sizes that the convolution maps to n: what `output_size` may be; a range where
        they are more than 1000.
    phases : tuple of int
        Number of taps of each residue modulo the stride; 0 leaves a hole. Where they are
        more than 1000, the residues that have taps only, and one 0 for all others.
    """

    name: str
    n: int
    N: int
    k: int
    stride: int
    dilation: int
    lo: int
    hi: int
    legal: Sequence[int]
    phases: tuple[int, ...]


@dataclass(frozen=True)
class Explanation:
    """What `explain` returns; ``print`` it, or read its fields.

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
    accelerator : Candidate or None
        What a backend that compiles for GPUs and TPUs takes there, with the reason; None
        for the others.
    """

    plan: Plan
    dtype: str
    shapes: dict[str, tuple[int, ...]]
    axes: tuple[AxisFacts, ...]
    candidates: tuple[Candidate, ...]
    multiply_adds: int
    array_bytes: int
    workspace: int | None
    accelerator: Candidate | None = None

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the result of the call."""
        return self.shapes[SIDES[self.plan.form][2]]

    @property
    def algorithm(self) -> str:
        """Name of what is taken: the plan's algorithm, or a way that operators know."""
        return self.candidates[0].algorithm

    def __str__(self) -> str:
        plan = self.plan
        first, second, result = (self.shapes[side] for side in SIDES[plan.form])
        name = "y" if plan.form == "kernel_grad" else "kernel"
        return "\n\n".join(
            (
                f"{plan.form} of {self.dtype} by the {plan.backend} backend:\n"
                f"x {first}, {name} {second} -> {result}",
                "o = stride*i + dilation*j - lo, with i < n, j < k, o < N\n"
                + self._axis_table(),
                f"algorithm: {self.algorithm}, {self.candidates[0].reason}"
                + self._fallback_text()
                + self._candidate_table(),
                f"multiply-adds: {count_text(self.multiply_adds)}\n"
                f"bytes: {bytes_text(self.array_bytes)} in both arguments and the result\n"
                f"workspace: {self._workspace_text()}",
            )
        )

    def _fallback_text(self) -> str:
        """Say in which dtype the call is computed, and what its values can change."""
        plan, lines = self.plan, []
        if self.algorithm in _OF_OPERATORS:
            lines.append(f"{plan.algorithm} for {_OF_OPERATORS[self.algorithm]}")
        if plan.computing != plan.dtype:
            lines.append(f"computed in {plan.computing}")
        before = (plan.algorithm, plan.computing)
        for condition, algorithm, computing in plan.fallbacks:
            words = [algorithm] if algorithm != before[0] else []
            words += [f"in {computing}"] if computing != before[1] else []
            lines.append(f"{' '.join(words)} for {CONDITIONS[condition]}")
            before = (algorithm, computing)
        if self.accelerator is not None:
            name, _, reason = self.accelerator
            lines.append(f"on GPUs and TPUs {name}, {reason}")
        if plan.algorithm == "numba":
            name = self.candidates[1].algorithm
            lines.append(f"on plain tensors of the CPU, and {name} on all others")
        if plan.backend in ("numba", "torch"):
            lines.append(imported("mtconv.backends._numba.warmed").state_text())
        if plan.backend == "dask":
            lines.append("blocks are problems of their own, and have plans of their own")
        return "".join(f"\n  {line}" for line in lines)

    def _axis_table(self) -> str:
        names = ("n", "N", "k", "stride", "dilation", "lo", "hi")
        rows = [
            (
                axis.name,
                *(getattr(axis, name) for name in names),
                _span(axis.legal),
                _phases_text(axis.phases, min(axis.stride, axis.N)),
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
        if self.algorithm == "frequency":
            return "spectra of the whole arrays"
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
                {name: _plain(value) for name, value in vars(axis).items()}
                for axis in self.axes
            ],
            "algorithm": self.algorithm,
            "computing": self.plan.computing,
            "fallback": self.plan.fallback or None,
            "fallbacks": [fallback._asdict() for fallback in self.plan.fallbacks],
            "accelerator": self.accelerator and self.accelerator.algorithm,
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


def _plain(value: Any) -> Any:
    """Write a range, which JSON has not, as its ends."""
    return {"from": value[0], "to": value[-1]} if isinstance(value, range) else value


def _phases_text(taps: Sequence[int], count: int) -> str:
    if count <= 4:
        return ", ".join(map(str, taps))
    return f"{_span(taps)} in {count} phases"


def _span(values: Sequence[int]) -> str:
    """Write the least and the largest of some integers, or the only one."""
    ends = (values[0], values[-1]) if isinstance(values, range) else values
    least, most = min(ends), max(ends)
    return str(least) if least == most else f"{least} to {most}"
