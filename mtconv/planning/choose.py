"""What each backend has, and which algorithm a call takes: one row for each backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from mtconv.errors import BackendError
from mtconv.importing import imported
from mtconv.planning.candidate import FLOATING, INEXACT, Candidate
from mtconv.planning.ladders import jax, numpy, torch
from mtconv.planning.support import LONG, NUMBERS, Support
from mtconv.problem.options import PADDING_MODES
from mtconv.spec import ConvSpec

__all__ = ["DECLARED", "FLOATING", "INEXACT", "Candidate", "choose_algorithm", "support_of"]


def _complete(
    algorithms: tuple[str, ...], dtypes: tuple[str, ...] = NUMBERS, **choices: Any
) -> Support:
    """Declare a backend that has all maps, options and ranks."""
    return Support(
        algorithms,
        dtypes,
        bias=True,
        groups=True,
        padding_modes=PADDING_MODES,
        **choices,
    )


_NUMPY = _complete(
    numpy.ALGORITHMS,
    (*NUMBERS, *LONG),
    ladder=numpy.rank,
    stand_in=numpy.stand_in,
    precautions=numpy.precautions,
)


@cache
def _ladder(module: str) -> Any:
    return imported(f"mtconv.planning.ladders.{module}")


def _later(module: str, name: str) -> Callable[..., Any]:
    """Return a choice of a ladder that is imported when it is asked."""

    def choice(*arguments: Any, **options: Any) -> Any:
        return getattr(_ladder(module), name)(*arguments, **options)

    return choice


# A row for each row of `BACKENDS` in mtconv/backends/dispatch.py.
DECLARED = {
    "numpy": _NUMPY,
    "numba": _complete(
        ("native", *numpy.ALGORITHMS),
        (*NUMBERS, *LONG),
        ladder=_later("numba", "rank"),
        stand_in=_later("numba", "stand_in"),
        precautions=_later("numba", "precautions"),
    ),
    "jax": _complete(
        jax.ALGORITHMS,
        (*NUMBERS, "int4", "uint4"),
        ladder=jax.rank,
        accelerator=jax.rank_on_accelerator,
    ),
    "sparse": _complete(("native",), (*NUMBERS, *LONG)),
    "torch": _complete(
        torch.ALGORITHMS,
        torch.DTYPES,
        ladder=torch.rank,
        sharing=_later("tensors", "rank"),
        stand_in=torch.stand_in,
        precautions=torch.precautions,
    ),
    "dask": _NUMPY,  # of its blocks
    "cupy": _complete(("polyphase",)),
    "array_api": _complete(("polyphase",), (*NUMBERS, *LONG)),
}


def support_of(backend: str) -> Support:
    """Return what a backend declares.

    Raises
    ------
    BackendError
        If it declares nothing, so that nothing is known to work.
    """
    support = DECLARED.get(backend)
    if support is None:
        msg = (
            f"The {backend} backend of mtconv does not declare what it supports. Register "
            "it with mtconv.backends.register, or add its `Support` to `DECLARED` in "
            "mtconv/planning/choose.py."
        )
        raise BackendError(msg)
    return support


def choose_algorithm(
    spec: ConvSpec,
    form: str = "conv_transpose",
    batch: int = 1,
    dtype: str = "float32",
    backend: str = "numpy",
    algorithm: str = "auto",
    *,
    accelerator: bool = False,
    shared: bool = False,
) -> tuple[Candidate, ...]:
    """Rank the algorithms of a backend for one problem; the first one is taken.

    An algorithm that the user names is taken; a backend with one algorithm takes it;
    otherwise the backend's ladder decides, without the inexact ones for "exact". Backends
    that compile for GPUs and TPUs may have another ladder for an ``accelerator``, and
    those whose arrays have memory that compiled kernels can compute in, one for arrays
    that are ``shared``. Where an algorithm cannot do a problem, another one stands in for
    it.
    """
    support = support_of(backend)
    ladder = support.accelerator if accelerator else support.ladder
    if shared and support.sharing is not None:
        ladder = support.sharing
    ranked: tuple[Candidate, ...]
    if algorithm not in ("auto", "exact"):
        ranked = (Candidate(algorithm, None, "named by the caller"),)
    elif ladder is None:
        only = support.algorithms[0]
        ranked = (Candidate(only, None, "the only algorithm of this backend"),)
    else:
        ranked = tuple(ladder(spec, form, batch, dtype, exact=algorithm == "exact"))
    instead = support.stand_in(spec, batch, dtype, ranked[0].algorithm)
    if instead is None:
        return ranked
    return (instead, *(c for c in ranked if c.algorithm != instead.algorithm))
