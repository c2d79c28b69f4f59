"""The ladder of the NumPy backend: the smallest estimated time wins.

1. Inexact algorithms need a floating dtype and at least `INEXACT_FROM` multiply-adds;
   "exact" never takes one.
2. Among the others the smallest estimated time wins (see `mtconv.planning.cost`).
"""

from __future__ import annotations

from mtconv.planning.candidate import FLOATING, INEXACT, Candidate
from mtconv.planning.cost import Rates, estimate
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "INEXACT_FROM", "rank"]

ALGORITHMS = ("gemm", "polyphase", "direct", "fft")

# `auto` takes an inexact algorithm only from this many multiply-adds up.
INEXACT_FROM = 2**22

# One core with AVX-512, float32; only the ratios matter.
_FLOAT32 = Rates(gemm=5.2e10, element=1.2e-10, strided=4.5e-10, call=1.5e-6, block=2**21)


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of NumPy by estimated time; refused ones come last."""
    itemsize = FLOATING.get(dtype)
    rates = _rates(itemsize or 8)
    ranked: list[Candidate] = []
    refused: list[Candidate] = []
    for name in ALGORITHMS:
        cost = estimate(name, spec, batch, itemsize or 8, rates, form)
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


def _rates(itemsize: int) -> Rates:
    """Wider elements are slower in proportion; integers are computed in float64."""
    wider = itemsize / 4
    return _FLOAT32._replace(
        gemm=_FLOAT32.gemm / wider,
        element=_FLOAT32.element * wider,
        strided=_FLOAT32.strided * max(1.0, wider / 1.5),
    )


def _why_not_inexact(spec: ConvSpec, batch: int, floating: bool, exact: bool) -> str:
    if exact:
        return "not exact on integer-valued arrays"
    if not floating:
        return "needs a floating dtype"
    if batch * spec.multiply_adds < INEXACT_FROM:
        return f"not exact, so only from {INEXACT_FROM} multiply-adds up"
    return ""
