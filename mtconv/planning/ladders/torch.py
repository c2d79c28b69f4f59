"""The choices of the torch backend: torch's own convolutions where they can say it.

`native` runs oneDNN or cuDNN on floating elements and one to three spatial axes; what
torch cannot say, even if the caller names `native`, is done by `polyphase`. `polyphase`
is the exact one: cuDNN may choose fast forms and TensorFloat-32.
"""

from __future__ import annotations

from mtconv.importing import imported
from mtconv.planning.candidate import Candidate, Fallback, computing_dtype
from mtconv.planning.support import NUMBERS
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "DTYPES", "native_refusal", "precautions", "rank", "stand_in"]

ALGORITHMS = ("native", "polyphase")

# torch computes with no wider unsigned integers.
DTYPES = tuple(name for name in NUMBERS if name not in ("uint16", "uint32", "uint64"))

_NATIVE_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Put `native` first where torch has it."""
    del form
    reason = "it may round" if exact else native_refusal(spec, batch, dtype)
    if reason:
        return (
            Candidate("polyphase", None, f"'native' is left out: {reason}"),
            Candidate("native", None, reason),
        )
    return (
        Candidate("native", None, "torch's own kernels and gradients"),
        Candidate("polyphase", None, "several operations in place of one"),
    )


def stand_in(spec: ConvSpec, batch: int, dtype: str, algorithm: str) -> Candidate | None:
    """Return what stands in for `native` where torch's convolutions cannot do a problem."""
    reason = native_refusal(spec, batch, dtype) if algorithm == "native" else ""
    if not reason:
        return None
    return Candidate("polyphase", None, f"'native' is left out: {reason}")


def precautions(
    spec: ConvSpec, form: str, dtype: str, algorithm: str, exact: str
) -> tuple[str, tuple[Fallback, ...]]:
    """Return the computing dtype, and what of NumPy stands in for compiled kernels."""
    del exact
    if algorithm != "numba":
        return computing_dtype(dtype), ()
    kernels = imported("mtconv.planning.ladders.numba")
    settled: tuple[str, tuple[Fallback, ...]]
    settled = kernels.precautions(spec, form, dtype, "native", "native")
    return settled


def native_refusal(spec: ConvSpec, elements: int, dtype: str) -> str:
    """Say why torch's convolutions cannot take a problem; empty where they can.

    ``elements`` is zero for empty batches; otherwise any positive number.
    """
    if dtype not in _NATIVE_DTYPES:
        return f"torch's convolutions do not take {dtype}"
    if spec.rank > 3:
        return "torch's convolutions have at most three spatial axes"
    if elements == 0 or 0 in (*spec.kernel_shape, *spec.small, *spec.big):
        return "torch's convolutions take no empty arrays"
    return ""
