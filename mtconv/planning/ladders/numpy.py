"""The choices of the NumPy backend: the smallest estimated time wins.

1. Inexact algorithms need a floating dtype and at least `tuning.INEXACT_FROM`
   multiply-adds; "exact" never takes one.
2. `subpixel` has no dilation. With a last stride of `tuning.LEAST_STRIDE` or more it
   takes the place of `polyphase`; below that, the other way round.
3. Among the others the smallest estimated time wins (see `mtconv.planning.cost`).
4. Problems without an element to multiply are `direct`: the others multiply matrices.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from mtconv.geometry import windows
from mtconv.importing import imported
from mtconv.planning import tuning
from mtconv.planning.candidate import (
    FASTEST,
    FLOATING,
    INEXACT,
    Candidate,
    Fallback,
    computing_dtype,
)
from mtconv.planning.rates import current_rates
from mtconv.spec import ConvSpec

if TYPE_CHECKING:
    from mtconv.planning.work import Rates

__all__ = ["ALGORITHMS", "gradient_way", "precautions", "rank", "stand_in"]

ALGORITHMS = ("gemm", "polyphase", "subpixel", "direct", "fft")

# Bytes of columns that are computed at a time.
_BLOCK = 2**21


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of NumPy by estimated time; refused ones come last."""
    estimate = _costs().estimate
    itemsize = FLOATING.get(dtype, 8)
    rates = rates_of(itemsize)
    ranked: list[Candidate] = []
    refused: list[Candidate] = []
    for name in ALGORITHMS:
        cost = estimate(name, spec, batch, itemsize, rates, form)
        reason = _why_not(name, spec, batch, dtype, exact=exact)
        if reason:
            refused.append(Candidate(name, cost, reason))
        else:
            ranked.append(Candidate(name, cost, "slower by the estimate"))
    ranked.sort(key=lambda candidate: candidate.cost.seconds if candidate.cost else 0.0)
    ranked[0] = ranked[0]._replace(reason=FASTEST)
    return (*ranked, *refused)


@cache
def _costs() -> Any:
    """Return the model of costs, which importing mtconv does not need."""
    return imported("mtconv.planning.cost")


def gradient_way(spec: ConvSpec, batch: int, dtype: str) -> str:
    """Return how `polyphase` computes a kernel gradient, by "shifts" or by "windows".

    The estimate of `polyphase` is that of the same way.
    """
    itemsize = FLOATING.get(dtype, 8)
    problem = (spec, batch, itemsize, rates_of(itemsize))
    way: str = imported("mtconv.planning.gradients").cheapest("polyphase", *problem)[0]
    return way


def rates_of(itemsize: int) -> Rates:
    """Wider elements are slower in proportion; integers are computed in float64."""
    measured, wider = current_rates(), itemsize / 4
    rates: Rates = _costs().Rates(
        gemm=1 / (measured.product * wider),
        element=measured.element * wider,
        strided=measured.strided * max(1.0, wider / 1.5),
        call=measured.call,
        block=_BLOCK,
    )
    return rates


def _why_not(name: str, spec: ConvSpec, batch: int, dtype: str, *, exact: bool) -> str:
    """Return why `auto` leaves an algorithm out, or nothing."""
    if name in INEXACT:
        if exact:
            return "not exact on integer-valued arrays"
        if dtype not in FLOATING:
            return "needs a floating dtype"
        if batch * spec.multiply_adds < tuning.INEXACT_FROM:
            return f"not exact, so only from {tuning.INEXACT_FROM} multiply-adds up"
    wide = spec.axes[-1].stride >= tuning.LEAST_STRIDE and not _dilated(spec)
    if name == "polyphase" and wide:
        return "writes single elements of a wide stride, where 'subpixel' writes runs"
    if name == "subpixel" and not wide:
        if _dilated(spec):
            return "has no dilation"
        return f"for strides of {tuning.LEAST_STRIDE} and more on the last axis"
    return ""


def _dilated(spec: ConvSpec) -> bool:
    return any(axis.dilation > 1 for axis in spec.axes)


def stand_in(spec: ConvSpec, batch: int, dtype: str, algorithm: str) -> Candidate | None:
    """Return what stands in for an algorithm that cannot do a problem."""
    del dtype
    if not batch or 0 in (*spec.kernel_shape, *spec.small, *spec.big):
        if algorithm != "direct":
            return Candidate("direct", None, "there is nothing to multiply")
    elif algorithm == "subpixel" and _dilated(spec):
        return Candidate("polyphase", None, "in place of 'subpixel', which has no dilation")
    return None


def precautions(
    spec: ConvSpec, form: str, dtype: str, algorithm: str, exact: str
) -> tuple[str, tuple[Fallback, ...]]:
    """Return the computing dtype, and what computes a call whose values ask for it.

    BLAS multiplies integers in float64 as long as no sum can round. Where `auto` takes an
    inexact algorithm, that works in double precision, and ``exact`` is the one that
    "exact" takes; otherwise both are the same.
    """
    own = computing_dtype(dtype)
    if dtype.startswith(("int", "uint")):
        if algorithm == "direct":
            return own, ()
        return "float64", (Fallback("sums", algorithm, own),)
    last: tuple[Fallback, ...] = ()
    if _pads(form, spec, exact):
        # A padded zero times infinity would be NaN where no tap reaches.
        condition = "infinite kernel"
        if form == "kernel_grad":  # `polyphase` has zeros beside x too
            condition = "infinite data" if exact == "polyphase" else "infinite x"
        last = (Fallback(condition, "direct", own),)
    if algorithm == exact:
        return own, last
    double = "complex128" if dtype.startswith("complex") else "float64"
    return double, (Fallback("spectra", exact, own), *last)


@lru_cache(maxsize=1024)
def _pads(form: str, spec: ConvSpec, algorithm: str) -> bool:
    """Return whether an exact algorithm multiplies zeros that stand for clipped taps."""
    if algorithm in ("polyphase", "subpixel"):
        return True
    if algorithm != "gemm" or form == "conv_transpose":
        return False  # an overlap-add drops what is clipped
    return any(
        axis.kernel != len(windows(axis))
        or any(window.cells != axis.small for window in windows(axis))
        for axis in (spec if spec.padding_mode == "zeros" else spec.padded).axes
    )
