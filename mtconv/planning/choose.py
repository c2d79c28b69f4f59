"""Which algorithm a call takes, and why: one table of choices per backend and platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mtconv.planning.candidate import FLOATING, INEXACT, Candidate
from mtconv.planning.ladders import jax, numpy, torch
from mtconv.spec import ConvSpec

__all__ = ["AVAILABLE", "CHOICES", "FLOATING", "INEXACT", "Candidate", "Choices"]
__all__ += ["choose_algorithm"]

Rank = Callable[..., tuple[Candidate, ...]]


class Choices(NamedTuple):
    """The algorithms of a backend on one platform.

    Parameters
    ----------
    algorithms : tuple of str
        Their public names.
    rank : callable
        Called with spec, form, batch, dtype and ``exact``: every candidate, the one to be
        taken first.
    refusal : callable
        Called with spec, batch, dtype and the name of an algorithm: a candidate that takes
        its place where it cannot do a problem, or None.
    """

    algorithms: tuple[str, ...]
    rank: Rank
    refusal: Callable[[ConvSpec, int, str, str], Candidate | None]


def _only(algorithm: str) -> Choices:
    candidate = Candidate(algorithm, None, "the only algorithm of this backend")

    def rank(*_: object, **__: object) -> tuple[Candidate, ...]:
        return (candidate,)

    return Choices((algorithm,), rank, _none)


def _none(*_: object) -> None:
    return None


_NUMPY = Choices(numpy.ALGORITHMS, numpy.rank, numpy.refusal)
CHOICES = {
    ("numpy", "cpu"): _NUMPY,
    ("jax", "cpu"): Choices(jax.ALGORITHMS, jax.rank, _none),
    ("jax", "accelerator"): Choices(jax.ALGORITHMS, jax.rank_on_accelerator, _none),
    ("sparse", "cpu"): _only("native"),
    ("torch", "cpu"): Choices(torch.ALGORITHMS, torch.rank, torch.refusal),
    ("dask", "cpu"): _NUMPY,  # of its blocks
    ("cupy", "cpu"): _only("polyphase"),
    ("array_api", "cpu"): _only("polyphase"),
}

# What each backend has, in order of preference where costs tie.
AVAILABLE = {backend: choices.algorithms for (backend, _), choices in CHOICES.items()}


def choose_algorithm(
    spec: ConvSpec,
    form: str = "conv_transpose",
    batch: int = 1,
    dtype: str = "float32",
    backend: str = "numpy",
    algorithm: str = "auto",
    platform: str = "cpu",
) -> tuple[Candidate, ...]:
    """Rank the algorithms of a backend for one problem; the first one is taken.

    An algorithm that the user names is taken, or what stands in for it where it cannot do
    the problem; otherwise the backend's table decides, without the inexact algorithms for
    "exact". A backend without a table of its own for a platform has one for all.
    """
    choices = CHOICES.get((backend, platform)) or CHOICES[backend, "cpu"]
    if algorithm in ("auto", "exact"):
        ranked = choices.rank(spec, form, batch, dtype, exact=algorithm == "exact")
    else:
        ranked = (Candidate(algorithm, None, "named by the caller"),)
    instead = choices.refusal(spec, batch, dtype, ranked[0].algorithm)
    if instead is None:
        return ranked
    return (instead, *(c for c in ranked if c.algorithm != instead.algorithm))
