"""The choice between torch's own kernels and compiled ones, on plain tensors of the CPU.

Compiled kernels can read and write the memory of such tensors. To plans they are one more
algorithm of the torch backend, `numba`, which `auto` and `exact` take and callers cannot
name.
"""

from __future__ import annotations

from mtconv.planning.candidate import Candidate
from mtconv.planning.ladders import numba, torch
from mtconv.planning.native import native_seconds, product_seconds
from mtconv.planning.work import Cost
from mtconv.spec import ConvSpec

__all__ = ["rank"]

# Seconds of a call beside what the kernels take.
CALL = 1.5e-5

# How many times as fast as torch the kernels have to be. torch's threads poll for
# milliseconds after each of its operations, and take cores from other threads meanwhile.
AHEAD = 2.0


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Take compiled kernels where their estimate is far below that of torch's own."""
    own, *others = torch.rank(spec, form, batch, dtype, exact=exact)
    reason = refusal(spec, batch, dtype)
    if reason:
        return (own, *others, Candidate("numba", None, reason))
    ranked = numba.rank(spec, form, batch, dtype, exact=True)
    kernels = next(c for c in ranked if c.algorithm == "native")
    assert kernels.cost is not None
    compiled = CALL + kernels.cost.seconds
    seconds = native_seconds if own.algorithm == "native" else product_seconds
    theirs = seconds(spec, form, batch, dtype)
    cost = Cost(batch * spec.multiply_adds, 0, 1, theirs)
    if CALL + AHEAD * kernels.cost.seconds < theirs:
        here = f"{kernels.reason}, in the memory of the tensors"
        shared = Candidate("numba", kernels.cost._replace(seconds=compiled), here)
        return (shared, own._replace(cost=cost), *others)
    reason = "slower, or not twice as fast, by the estimate"
    slower = Candidate("numba", kernels.cost._replace(seconds=compiled), reason)
    return (own._replace(cost=cost), slower, *others)


def refusal(spec: ConvSpec, batch: int, dtype: str) -> str:
    """Say why compiled kernels are not considered; empty where they are."""
    if spec.layout or spec.kernel_layout:
        return "channels-first layouts alone were measured"
    if dtype in ("float16", "bfloat16"):
        return "torch's kernels have half precision"
    return numba.refusal(spec, batch, dtype)
