"""Which algorithm `auto` takes, and why: one ladder for each backend that has a choice."""

from __future__ import annotations

from mtconv.planning.candidate import FLOATING, INEXACT, Candidate
from mtconv.planning.ladders import jax, numpy, torch
from mtconv.spec import ConvSpec

__all__ = ["AVAILABLE", "FLOATING", "INEXACT", "Candidate", "choose_algorithm"]

# What each backend has, in order of preference where costs tie.
AVAILABLE = {
    "numpy": numpy.ALGORITHMS,
    "jax": jax.ALGORITHMS,
    "sparse": ("native",),
    "torch": torch.ALGORITHMS,
    "dask": numpy.ALGORITHMS,  # of its blocks
    "cupy": ("polyphase",),
    "array_api": ("polyphase",),
}

_LADDERS = {"numpy": numpy.rank, "jax": jax.rank, "torch": torch.rank, "dask": numpy.rank}


def choose_algorithm(
    spec: ConvSpec,
    form: str = "conv_transpose",
    batch: int = 1,
    dtype: str = "float32",
    backend: str = "numpy",
    algorithm: str = "auto",
) -> tuple[Candidate, ...]:
    """Rank the algorithms of a backend for one problem; the first one is taken.

    An algorithm that the user names is taken; a backend with one algorithm takes it;
    otherwise the backend's ladder decides, without the inexact ones for "exact".
    """
    if algorithm not in ("auto", "exact"):
        return (Candidate(algorithm, None, "named by the caller"),)
    if backend not in _LADDERS:
        only = AVAILABLE[backend][0]
        return (Candidate(only, None, "the only algorithm of this backend"),)
    return _LADDERS[backend](spec, form, batch, dtype, exact=algorithm == "exact")
