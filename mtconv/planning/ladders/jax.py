"""The choices of the JAX backend: one table for the CPU, one for GPUs and TPUs.

Which of them holds is known when a program is lowered for a platform.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

from mtconv.geometry import Axis
from mtconv.importing import imported
from mtconv.planning.candidate import FASTEST, Candidate
from mtconv.planning.tuning import FEW_PRODUCTS
from mtconv.sizes import at_least, larger, traced
from mtconv.spec import ConvSpec

__all__ = [
    "ALGORITHMS",
    "COLUMNS",
    "candidates",
    "columns",
    "packed",
    "rank",
    "rank_on_accelerator",
    "stacked",
]

ALGORITHMS = ("gemm", "polyphase", "direct", "native")

# Copies of x that a program makes at most, one for each tap of a phase.
_MOST_WINDOWS = 128
# Bytes of columns that fit the caches; more of them are made in parts.
COLUMNS = 2**24

# Why an algorithm is not estimated.
_LEFT_OUT = {
    "native": "slower on the CPU where measured",
    "polyphase": "a convolution of its own for each phase",
}


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of JAX on the CPU; every one is exact.

    1. A few channels per group in and out leave a matrix product nothing to do: tap by
       tap, element by element.
    2. Otherwise the smallest estimated time wins, among the algorithms that do not
       multiply inserted zeros and are not a loop over groups or phases.
    3. Sizes that are symbols have no estimate: one matrix product with all taps suits
       every stride, dilation and number of groups.
    """
    del exact
    if traced(tuple(axis.lo for axis in spec.axes)):
        spec = spec.padded  # as it is computed
    names = candidates(spec, form, dtype)
    if names == ("direct",):
        small, share = spec.kernel_shape[:2]
        inner = small // max(spec.groups, 1) * share
        reason = f"{inner} products at a time: too few for a matrix product"
        return _ordered("direct", reason, "slower on the CPU where measured")
    sizes = (batch, *spec.small, *(axis.big for axis in spec.axes))
    if traced(sizes):
        reason = "one matrix product, and a transpose of the big side"
        return _ordered("gemm", reason, "slower on the CPU where measured")
    costs = _estimates()
    best = min(names, key=lambda name: costs.seconds(name, spec, form, batch))
    ranked = [Candidate(best, None, FASTEST)]
    for name in ALGORITHMS:
        if name != best:
            slower = "slower by the estimate" if name in names else _LEFT_OUT[name]
            ranked.append(Candidate(name, None, slower))
    return tuple(ranked)


@cache
def _estimates() -> Any:
    return imported("mtconv.planning.ladders.jax_costs")


def candidates(spec: ConvSpec, form: str, dtype: str) -> tuple[str, ...]:
    """List the algorithms that may be the fastest on the CPU."""
    small, share = spec.kernel_shape[:2]
    taps = prod(spec.kernel_size)
    if small // max(spec.groups, 1) * share <= FEW_PRODUCTS and taps > 1:
        return ("direct",)
    names = ["gemm", "direct"]
    if stacked(spec):
        names.insert(1, "polyphase")
    plain = spec.rank <= 2 and spec.groups == 1 and dtype == "float32"
    strided = form == "conv_transpose" and any(axis.stride > 1 for axis in spec.axes)
    if plain and (packed(spec) or not strided):
        names.append("native")
    return tuple(names)


def packed(spec: ConvSpec) -> bool:
    """Whether XLA has a product and an overlap-add for a dilated input on the CPU.

    It has them for one or two axes without groups and dilation of the kernel, and
    multiplies inserted zeros otherwise. For a kernel of more cells than the input its
    compiler exchanges both and forgets some of the dilation, which aborts the process.
    It is wrong where more is cropped at one end than a kernel reaches over it.
    """
    plain = spec.rank <= 2 and spec.groups == 1
    return plain and all(
        axis.dilation == 1
        and at_least(axis.small, axis.kernel) is True
        and at_least(axis.kernel, larger(axis.lo, axis.hi) + 1) is True
        for axis in spec.axes
    )


def columns(spec: ConvSpec) -> int:
    """Count the elements of one batch item's columns: one per small element and tap."""
    return spec.groups * prod(spec.kernel_shape[1:]) * prod(spec.small)


def stacked(spec: ConvSpec) -> bool:
    """Whether "polyphase" is matrix products on the CPU, with phases as channels."""
    filled = all(axis.stride == 1 or _filled(axis) for axis in spec.axes)
    return filled and prod(map(_windows, spec.axes)) <= _MOST_WINDOWS


def _windows(axis: Axis) -> int:
    """Count the taps of a phase, of both numbers of taps where there are two."""
    least, rest = divmod(axis.kernel, axis.stride)
    return least + (least + 1) * (rest > 0)


def _filled(axis: Axis) -> bool:
    """Whether every phase has taps, side by side in x, and elements."""
    every = axis.dilation == 1 and axis.kernel >= axis.stride
    return every and at_least(axis.big, axis.stride) is True


def rank_on_accelerator(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of JAX on a GPU or TPU; every one is exact.

    1. Integers and complex numbers have no convolutions there: "gemm".
    2. `conv` and `kernel_grad` are ordinary convolutions: "native".
    3. So is `conv_transpose` of stride 1. With a stride "native" reaches the kernels for
       backward data, but only without groups and dilation; otherwise the inserted zeros
       would be multiplied, and "polyphase" has none.
    """
    del batch, exact
    strided = any(axis.stride > 1 for axis in spec.axes)
    dilated = any(axis.dilation > 1 for axis in spec.axes)
    if not dtype.startswith(("float", "bfloat")):
        best, reason = "gemm", f"no convolutions of {dtype} on GPUs and TPUs"
    elif form == "conv_transpose" and strided and (spec.groups > 1 or dilated):
        best, reason = "polyphase", "'native' would multiply inserted zeros"
    else:
        best, reason = "native", "the platform's own convolutions"
    return _ordered(best, reason, "slower on GPUs where measured")


def _ordered(best: str, reason: str, others: str) -> tuple[Candidate, ...]:
    rest = (name for name in ALGORITHMS if name != best)
    return (Candidate(best, None, reason), *(Candidate(n, None, others) for n in rest))
