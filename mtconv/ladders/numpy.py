"""The ladder of the NumPy backend: the smallest estimated time wins.

1. Inexact algorithms need a floating dtype and at least `INEXACT_FROM` multiply-adds;
   "exact" never takes one.
2. Among the others the smallest estimated time wins (see `mtconv.cost`).
"""

from __future__ import annotations

from mtconv.cost import Rates, estimate
from mtconv.ladders.candidate import FLOATING, INEXACT, Candidate
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "INEXACT_FROM", "rank"]

ALGORITHMS = ("gemm", "polyphase", "direct", "fft", "fastfir")

# `auto` takes an inexact algorithm only from this many multiply-adds up.
INEXACT_FROM = 2**22

# Speeds per element of float32; only their ratios matter.
_RATES = Rates(gemm=4e10, elementwise=1e9, copy=4e9, call=2e-6)
_INTEGER_RATES = Rates(gemm=5e8, elementwise=1e9, copy=4e9, call=2e-6)


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of NumPy by estimated time; refused ones come last."""
    del form
    itemsize = FLOATING.get(dtype)
    rates = _RATES if itemsize else _INTEGER_RATES
    ranked: list[Candidate] = []
    refused: list[Candidate] = []
    for name in ALGORITHMS:
        cost = estimate(name, spec, batch, itemsize or 8, rates)
        reason = ""
        if name in INEXACT:
            reason = _why_not_inexact(spec, batch, itemsize is not None, exact)
        if reason:
            refused.append(Candidate(name, cost, reason))
        else:
            ranked.append(Candidate(name, cost, "slower by the estimate"))
    ranked.sort(key=lambda candidate: candidate.cost.seconds if candidate.cost else 0.0)
    ranked[0] = ranked[0]._replace(reason="the smallest estimated time")
    return (*ranked, *refused)


def _why_not_inexact(spec: ConvSpec, batch: int, floating: bool, exact: bool) -> str:
    if exact:
        return "not exact on integer-valued arrays"
    if not floating:
        return "needs a floating dtype"
    if batch * spec.multiply_adds < INEXACT_FROM:
        return f"not exact, so only from {INEXACT_FROM} multiply-adds up"
    return ""
