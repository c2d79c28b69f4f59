"""Which algorithm runs a problem: the ladder that `auto` climbs, and the finished plan.

A plan is all a backend needs: the spec, where the axes of each array are, and the
algorithm. Everything in it is settled from shapes and dtypes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import NamedTuple

from mtconv.cost import Cost, Rates, estimate
from mtconv.errors import BackendError, GeometryError, message
from mtconv.layout import Arrangement
from mtconv.options import ALGORITHMS, Options, check_word
from mtconv.problem import Problem, match, problem
from mtconv.spec import ConvSpec

__all__ = [
    "AVAILABLE",
    "Candidate",
    "Plan",
    "choose_algorithm",
    "make_plan",
    "plan_for",
    "plan_for_spec",
    "result_shape",
]

# What each backend has, in order of preference where costs tie.
AVAILABLE = {
    "numpy": ("gemm", "polyphase", "direct", "fft"),
    "jax": ("polyphase", "gemm", "direct", "native"),
    "sparse": ("native",),
}

# Not exact on integer-valued arrays: errors are relative to the largest element.
INEXACT = frozenset({"fft"})

# `auto` takes an inexact algorithm only from this many multiply-adds up.
INEXACT_FROM = 2**22

# An array of more elements cannot be addressed on any machine there is.
MAX_ELEMENTS = 2**47

_FLOATING = {
    "float16": 4,
    "bfloat16": 4,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}

# Speeds of the NumPy backend, per element of float32; only their ratios matter.
_RATES = Rates(gemm=4e10, elementwise=1e9, copy=4e9, call=2e-6)
_INTEGER_RATES = Rates(gemm=5e8, elementwise=1e9, copy=4e9, call=2e-6)


class Candidate(NamedTuple):
    """One algorithm that was considered: its cost, and why it was or was not taken."""

    algorithm: str
    cost: Cost | None
    reason: str


@dataclass(frozen=True)
class Plan:
    """A problem with its algorithm: what a backend executes without another check.

    Parameters
    ----------
    form : str
        "conv_transpose", "conv" or "kernel_grad".
    spec : ConvSpec
        The geometry.
    data, kernel : Arrangement
        Where batch, channels and space are in the arrays x and y, and in the kernel.
    algorithm : str
        Name of the algorithm, settled.
    backend : str
        Name of the backend that the algorithm was chosen for.
    """

    form: str
    spec: ConvSpec
    data: Arrangement
    kernel: Arrangement
    algorithm: str
    backend: str

    def __hash__(self) -> int:
        # Equal specs in two arrangements are rare; the spec keeps its hash.
        return hash((self.spec, self.form, self.algorithm))


def choose_algorithm(
    spec: ConvSpec,
    form: str = "conv_transpose",
    batch: int = 1,
    dtype: str = "float32",
    backend: str = "numpy",
    algorithm: str = "auto",
) -> tuple[Candidate, ...]:
    """Rank the algorithms of a backend for one problem; the first one is taken.

    The ladder of `auto`:

    1. An algorithm that the user names is taken if the backend has it.
    2. A backend with one algorithm takes it.
    3. Inexact algorithms need a floating dtype and at least 2**22 multiply-adds
       ("exact" never takes one).
    4. Among the others the smallest estimated time wins (see `mtconv.cost`).
    """
    names = AVAILABLE[backend]
    if algorithm not in ("auto", "exact"):
        return (Candidate(algorithm, None, "named by the caller"),)
    if len(names) == 1:
        return (Candidate(names[0], None, "the only algorithm of this backend"),)
    if backend != "numpy":
        return (Candidate(names[0], None, "the first choice of this backend"),)
    itemsize = _FLOATING.get(dtype)
    rates = _RATES if itemsize else _INTEGER_RATES
    ranked: list[Candidate] = []
    refused: list[Candidate] = []
    for name in names:
        cost = estimate(name, spec, batch, itemsize or 8, rates)
        if name in INEXACT:
            reason = _why_not_inexact(spec, batch, itemsize is not None, algorithm)
            if reason:
                refused.append(Candidate(name, cost, reason))
                continue
        ranked.append(Candidate(name, cost, "slower by the estimate"))
    ranked.sort(key=lambda candidate: candidate.cost.seconds if candidate.cost else 0.0)
    ranked[0] = ranked[0]._replace(reason="the smallest estimated time")
    return (*ranked, *refused)


def _why_not_inexact(spec: ConvSpec, batch: int, floating: bool, algorithm: str) -> str:
    if algorithm == "exact":
        return "not exact on integer-valued arrays"
    if not floating:
        return "needs a floating dtype"
    if batch * spec.multiply_adds < INEXACT_FROM:
        return f"not exact, so only from {INEXACT_FROM} multiply-adds up"
    return ""


def make_plan(
    form: str,
    found: Problem,
    batch: int,
    dtype: str,
    algorithm: str,
    backend: str,
) -> Plan:
    """Settle the algorithm of a problem."""
    check_word(form, "algorithm", algorithm, ALGORITHMS)
    available = AVAILABLE[backend]
    if algorithm not in ("auto", "exact", *available):
        msg = message(
            form,
            "algorithm",
            f"must be 'auto', 'exact' or one that the {backend} backend has: "
            + ", ".join(repr(name) for name in available),
            repr(algorithm),
        )
        raise BackendError(msg)
    if algorithm in INEXACT and dtype not in _FLOATING:
        msg = message(
            form,
            "algorithm",
            f"must be exact for integers, which {algorithm!r} is not",
            f"{algorithm!r} for dtype {dtype}",
            fix="Use 'auto', or convert the arrays to float64.",
        )
        raise BackendError(msg)
    spec = found.spec
    _check_elements(form, spec, batch)
    best = choose_algorithm(spec, form, batch, dtype, backend, algorithm)[0]
    return Plan(form, spec, found.data, found.kernel, best.algorithm, backend)


@lru_cache(maxsize=4096)
def plan_for(
    form: str,
    first: tuple[int, ...],
    second: tuple[int, ...],
    options: Options,
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> Plan:
    """Return the plan of one call from shapes, options and dtype; cached."""
    found = problem(form, first, second, options, kernel_size)
    if bias is not None:
        _check_bias(form, found.spec, bias)
    return make_plan(form, found, batch_size(found, first), dtype, algorithm, backend)


@lru_cache(maxsize=4096)
def plan_for_spec(
    form: str,
    spec: ConvSpec,
    first: tuple[int, ...],
    second: tuple[int, ...],
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
) -> Plan:
    """Return the plan of one call on arrays of these shapes with a given spec; cached."""
    found = match(form, spec, first, second)
    if bias is not None:
        _check_bias(form, spec, bias)
    return make_plan(form, found, batch_size(found, first), dtype, algorithm, backend)


def batch_size(found: Problem, first: tuple[int, ...]) -> int:
    """Batch size of the first array of a call; 1 where it has none or it is symbolic."""
    if not found.data.batch:
        return 1
    order = found.data.order
    size = first[0 if order is None else order[0]]
    return size if isinstance(size, int) else 1


def result_shape(form: str, found: Problem, first: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result of one call, in its layout."""
    spec = found.spec
    if form == "kernel_grad":
        shape = spec.kernel_shape if found.kernel.channels else spec.kernel_size
        inverse = found.kernel.inverse
    else:
        transposed = form == "conv_transpose"
        space = spec.big if transposed else spec.small
        channels = spec.big_channels if transposed else spec.small_channels
        order = found.data.order
        batch = first[0 if order is None else order[0]]
        shape = space
        if found.data.channels:
            assert channels is not None
            shape = (channels, *shape)
        if found.data.batch:
            shape = (batch, *shape)
        inverse = found.data.inverse
    return shape if inverse is None else tuple(shape[axis] for axis in inverse)


def _check_elements(form: str, spec: ConvSpec, batch: int) -> None:
    small, share = spec.kernel_shape[:2]
    shapes = (
        (batch, small, *spec.small),
        (batch, share * spec.groups, *spec.big),
        spec.kernel_shape,
    )
    most = max(prod(shape) for shape in shapes)
    if most > MAX_ELEMENTS:
        msg = message(
            form,
            "x",
            f"must not lead to an array of more than 2**47 = {MAX_ELEMENTS} elements",
            f"{most} elements",
            fix="Check stride, padding and output_size.",
        )
        raise GeometryError(msg)


def _check_bias(form: str, spec: ConvSpec, bias: tuple[int, ...]) -> None:
    wanted = spec.big_channels if form == "conv_transpose" else spec.small_channels
    if wanted is None:
        msg = message(
            form,
            "bias",
            "must be left out where the kernel has no channels",
            f"an array of shape {bias}",
            fix="Add a number to the result instead.",
        )
        raise GeometryError(msg)
    if bias != (wanted,):
        msg = message(
            form,
            "bias",
            f"must have one value per output channel, shape ({wanted},)",
            f"shape {bias}",
            axis="'C'",
        )
        raise GeometryError(msg)
