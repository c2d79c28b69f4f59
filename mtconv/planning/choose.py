"""What each backend has, and which algorithm `auto` takes."""

from __future__ import annotations

from mtconv.errors import BackendError
from mtconv.planning.candidate import FLOATING, INEXACT, Candidate
from mtconv.planning.ladders import jax, numba, numpy, torch
from mtconv.planning.support import LONG, NUMBERS, Ladder, Support
from mtconv.problem.options import PADDING_MODES
from mtconv.spec import ConvSpec

__all__ = ["DECLARED", "FLOATING", "INEXACT", "Candidate", "choose_algorithm", "support_of"]


def _complete(
    algorithms: tuple[str, ...],
    ladder: Ladder | None = None,
    dtypes: tuple[str, ...] = NUMBERS,
) -> Support:
    """Declare a backend that has all maps, options and ranks."""
    return Support(
        algorithms,
        dtypes,
        bias=True,
        groups=True,
        padding_modes=PADDING_MODES,
        ladder=ladder,
    )


# A row for each row of `BACKENDS` in mtconv/backends/dispatch.py.
DECLARED = {
    "numpy": _complete(numpy.ALGORITHMS, numpy.rank, (*NUMBERS, *LONG)),
    "numba": _complete(numba.ALGORITHMS, numba.rank, (*NUMBERS, *LONG)),
    "jax": _complete(jax.ALGORITHMS, jax.rank, (*NUMBERS, "int4", "uint4")),
    "sparse": _complete(("native",), dtypes=(*NUMBERS, *LONG)),
    "torch": _complete(torch.ALGORITHMS, torch.rank, torch.DTYPES),
    "dask": _complete(numpy.ALGORITHMS, numpy.rank, (*NUMBERS, *LONG)),  # of its blocks
    "cupy": _complete(("polyphase",)),
    "array_api": _complete(("polyphase",), dtypes=(*NUMBERS, *LONG)),
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
) -> tuple[Candidate, ...]:
    """Rank the algorithms of a backend for one problem; the first one is taken.

    An algorithm that the user names is taken; a backend with one algorithm takes it;
    otherwise the backend's ladder decides, without the inexact ones for "exact".
    """
    if algorithm not in ("auto", "exact"):
        return (Candidate(algorithm, None, "named by the caller"),)
    support = support_of(backend)
    if support.ladder is None:
        only = support.algorithms[0]
        return (Candidate(only, None, "the only algorithm of this backend"),)
    return support.ladder(spec, form, batch, dtype, exact=algorithm == "exact")
