"""The ladder of compiled kernels: the smallest estimated time wins, NumPy's among them."""

from __future__ import annotations

from math import prod

from mtconv.planning.candidate import Candidate
from mtconv.planning.ladders import numpy
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "kernels_for", "rank", "refusal"]

ALGORITHMS = ("native", *numpy.ALGORITHMS)

DTYPES = frozenset(
    {
        *("float16", "bfloat16", "float32", "float64"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    }
)

# A transposed convolution has a block for every cell of a stride.
MOST_PHASES = 4096


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the compiled kernels and the algorithms of NumPy."""
    others = numpy.rank(spec, form, batch, dtype, exact=exact)
    reason = refusal(spec, form, dtype)
    if reason:
        return (*others, Candidate("native", None, reason))
    return (Candidate("native", None, "compiled kernels"), *others)


def refusal(spec: ConvSpec, form: str, dtype: str) -> str:
    """Say why the kernels cannot take a problem; empty where they can."""
    if dtype not in DTYPES:
        return f"the kernels do not take {dtype}"
    if spec.rank > 3:
        return "the kernels have at most three spatial axes"
    if spec.padding_mode != "zeros":
        return "the kernels pad with zeros only"
    if 0 in spec.kernel_shape or 0 in spec.big or 0 in spec.small:
        return "the kernels take no empty arrays"
    phases = prod(min(axis.stride, axis.big) for axis in spec.axes)
    if form == "conv_transpose" and phases > MOST_PHASES:
        return "a stride has too many cells for a table"
    return ""


def kernels_for(spec: ConvSpec, form: str, batch: int, itemsize: int) -> tuple[str, ...]:
    """List the kernels for a problem, the fastest by the estimate first."""
    if refusal(spec, form, "float32"):
        return ()
    small, big = spec.kernel_shape[0] // spec.groups, spec.kernel_shape[1]
    few = small * big <= 4 and spec.groups > 1
    if form == "kernel_grad":
        return ("gradient_planes", "gradient") if few else ("gradient", "gradient_planes")
    outs = small if form == "conv" else big
    if few:
        return ("planes", "rows", "lanes")
    if outs < 8:
        return ("rows", "lanes", "planes")
    return ("lanes", "rows", "planes")
