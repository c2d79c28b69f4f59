"""One algorithm on a ladder, and what is known of algorithms before costs."""

from __future__ import annotations

from typing import NamedTuple

from mtconv.planning.cost import Cost

__all__ = ["FLOATING", "INEXACT", "Candidate"]

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


class Candidate(NamedTuple):
    """One algorithm that was considered: its cost, and why it was or was not taken."""

    algorithm: str
    cost: Cost | None
    reason: str
