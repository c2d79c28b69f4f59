"""One algorithm that is considered, and what is known of algorithms before costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mtconv.planning.work import Cost

__all__ = ["CONDITIONS", "FASTEST", "FLOATING", "INEXACT", "Candidate", "Fallback"]
__all__ += ["computing_dtype"]

# Not exact on integer-valued arrays: errors are relative to the largest element.
INEXACT = frozenset({"fft"})

# Bytes that one element takes while it is computed with.
FLOATING = {
    "float16": 4,
    "bfloat16": 4,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}

# Why the fastest algorithm is taken.
FASTEST = "the smallest estimated time"

# What about the values of a call makes a backend leave the planned algorithm.
CONDITIONS = {
    "spectra": "infinite values, NaN of the kernel, and whole numbers too large for it",
    "infinite kernel": "infinite values and NaN of the kernel",
    "infinite x": "infinite values and NaN of x",
    "infinite data": "infinite values and NaN of x and y",
    "sums": "integers whose sums may be 2**53 or more",
}


class Candidate(NamedTuple):
    """One algorithm that was considered: its cost, and why it was or was not taken."""

    algorithm: str
    cost: Cost | None
    reason: str


class Fallback(NamedTuple):
    """What computes a call instead, if its values meet a condition of `CONDITIONS`."""

    condition: str
    algorithm: str
    computing: str


def computing_dtype(dtype: str) -> str:
    """Return the dtype in which sums of a result's dtype are formed: half in single."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype
