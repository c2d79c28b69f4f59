"""The ladder of compiled kernels: the smallest estimated time wins, NumPy's among them."""

from __future__ import annotations

from math import prod

from mtconv.planning.candidate import Candidate, Fallback, computing_dtype
from mtconv.planning.compiled import rank_kernels
from mtconv.planning.ladders import numpy
from mtconv.planning.rates import current_rates
from mtconv.planning.work import Cost
from mtconv.spec import ConvSpec

__all__ = ["kernels_for", "precautions", "rank", "stand_in"]

DTYPES = frozenset(
    {
        *("float16", "bfloat16", "float32", "float64"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    }
)

_ITEMSIZE = {"float64": 8, "int64": 8, "uint64": 8}

_NAMES = {
    "lanes": "output channels in the lanes of vectors",
    "rows": "cells in the lanes of vectors, rows by offset",
    "planes": "whole planes in the lanes of vectors",
    "columns": "columns of the kernel, added up where they overlap",
    "gradient": "channels of the small side in the lanes of vectors",
    "gradient_planes": "whole planes in the lanes of vectors",
}

# A transposed convolution has a block for every cell of a stride.
MOST_PHASES = 4096


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the compiled kernels and the algorithms of NumPy.

    1. What the kernels do not have is ranked as on the NumPy backend.
    2. Large kernels go to NumPy's `fft` where its estimate is far below the kernels'.
    3. Everything else is compiled.
    """
    others = numpy.rank(spec, form, batch, dtype, exact=exact)
    reason = refusal(spec, batch, dtype)
    if reason:
        return (*others, Candidate("native", None, reason))
    kernel, estimate = rank_kernels(
        spec, form, batch, _ITEMSIZE.get(dtype, 4), current_rates()
    )[0]
    cost = Cost(batch * spec.multiply_adds, 0, 1, estimate)
    native = Candidate("native", cost, f"compiled: {_NAMES[kernel]}")
    first = others[0]
    if first.algorithm == "fft" and first.cost and 2 * first.cost.seconds < estimate:
        return (others[0], native, *others[1:])
    return (native, first._replace(reason="what NumPy would take"), *others[1:])


def stand_in(spec: ConvSpec, batch: int, dtype: str, algorithm: str) -> Candidate | None:
    """Return what of NumPy stands in where the kernels cannot do a problem."""
    if algorithm != "native":
        return numpy.stand_in(spec, batch, dtype, algorithm)
    reason = refusal(spec, batch, dtype)
    if not reason:
        return None
    name = numpy.rank(spec, "conv_transpose", batch, dtype, exact=True)[0].algorithm
    instead = numpy.stand_in(spec, batch, dtype, name)
    return Candidate(instead.algorithm if instead else name, None, f"NumPy's: {reason}")


def precautions(
    spec: ConvSpec, form: str, dtype: str, algorithm: str, exact: str
) -> tuple[str, tuple[Fallback, ...]]:
    """Return the computing dtype, and what computes a call whose values ask for it."""
    if "native" not in (algorithm, exact):
        return numpy.precautions(spec, form, dtype, algorithm, exact)
    own = computing_dtype(dtype)
    if dtype.startswith(("int", "uint")):
        return own, ()
    # A padded zero times infinity would be NaN where no tap reaches.
    condition = "infinite x" if form == "kernel_grad" else "infinite kernel"
    last = Fallback(condition, "direct", own)
    if algorithm == "native":
        return own, (last,)
    by_numpy = numpy.rank(spec, form, 1, dtype, exact=True)[0].algorithm
    return numpy.precautions(spec, form, dtype, algorithm, by_numpy)


def refusal(spec: ConvSpec, batch: int, dtype: str) -> str:
    """Say why the kernels cannot take a problem; empty where they can."""
    if dtype not in DTYPES:
        return f"the kernels do not take {dtype}"
    if spec.rank > 3:
        return "the kernels have at most three spatial axes"
    if spec.padding_mode != "zeros":
        return "the kernels pad with zeros only"
    if not batch or 0 in (*spec.kernel_shape, *spec.big, *spec.small):
        return "the kernels take no empty arrays"
    if prod(min(axis.stride, axis.big) for axis in spec.axes) > MOST_PHASES:
        return "a stride has too many cells for a table"
    return ""


def kernels_for(spec: ConvSpec, form: str, batch: int, itemsize: int) -> tuple[str, ...]:
    """List the kernels for a problem, the fastest by the estimate first."""
    ranked = rank_kernels(spec, form, batch, itemsize, current_rates())
    return tuple(kernel for kernel, _ in ranked)
