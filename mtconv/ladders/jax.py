"""The ladder of the JAX backend."""

from __future__ import annotations

from mtconv.ladders.candidate import Candidate
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "rank"]

ALGORITHMS = ("gemm",)


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of JAX on the CPU; every one is exact."""
    del spec, form, batch, dtype, exact
    return tuple(
        Candidate(name, None, "first in the order of preference" if n == 0 else "later")
        for n, name in enumerate(ALGORITHMS)
    )
