"""The choices of the JAX backend: one table for the CPU, one for GPUs and TPUs.

Which of them holds is known when a program is lowered for a platform.
"""

from __future__ import annotations

from math import prod

from mtconv.geometry import alike, runs
from mtconv.planning.candidate import FLOATING, Candidate
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "COLUMNS", "columns", "one_product", "rank", "rank_on_accelerator"]

ALGORITHMS = ("gemm", "polyphase", "direct", "native")

# Products for one element of the result, up to which a matrix product does not pay.
_THIN = 4
# Bytes of columns that fit the caches; more of them are made in parts.
COLUMNS = 2**24
# How many times larger than the windows of "polyphase" columns have to be.
_REPEATED = 4


def rank(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of JAX on the CPU; every one is exact.

    1. A few channels per group in and out leave a matrix product nothing to do: tap by
       tap, element by element. `conv` and `kernel_grad` sum over neighbouring taps within
       a large stride too, which makes a matrix product of them again.
    2. Of stride 1 without groups and dilation, images in float32 are what XLA's own
       convolution is made for, unless the kernel is a single tap.
    3. Where a matrix product with all taps has columns beyond the caches, one with the
       phases as channels needs fewer, if every phase has as many taps. `kernel_grad` sums
       over the batch too, and gains for single items only.
    4. Everything else is one matrix product with all taps and a transpose of the big
       side: XLA runs both at the speed of the machine, in every dtype and for any
       stride, dilation and number of groups.
    """
    del exact
    if traced(tuple(axis.lo for axis in spec.axes)):
        spec = spec.padded  # as it is computed
    small, share = spec.kernel_shape[:2]
    inner = small // max(spec.groups, 1) * share
    if form != "conv_transpose":
        inner *= prod(max(run.taps for run in runs(axis)) for axis in spec.axes)
    if inner <= _THIN and prod(spec.kernel_size) > 1:
        best = "direct"
        reason = f"{inner} products at a time: too few for a matrix product"
    elif spec.rank == 2 and dtype == "float32" and _plain(spec):
        best = "native"
        reason = "a plain convolution of images, which XLA has"
    elif (
        (form != "kernel_grad" or batch == 1)
        and one_product(spec)
        and _repeats(spec, batch * FLOATING.get(dtype, 8))
    ):
        best = "polyphase"
        reason = "one matrix product with fewer columns than one with all taps"
    else:
        best, reason = "gemm", "one matrix product, and a transpose of the big side"
    return _ordered(best, reason, "slower on the CPU where measured")


def _plain(spec: ConvSpec) -> bool:
    """Whether several taps, without groups, have stride and dilation 1 on every axis."""
    alone = spec.groups == 1 and prod(spec.kernel_size) > 1
    return alone and all(axis.stride == axis.dilation == 1 for axis in spec.axes)


def columns(spec: ConvSpec) -> int:
    """Count the elements of one batch item's columns: one per small element and tap."""
    return spec.groups * prod(spec.kernel_shape[1:]) * prod(spec.small)


def one_product(spec: ConvSpec) -> bool:
    """Whether "polyphase" is one matrix product on the CPU, with phases as channels."""
    strided = any(axis.stride > 1 for axis in spec.axes)
    return strided and all(alike(axis) for axis in spec.axes)


def _repeats(spec: ConvSpec, item: int) -> bool:
    """Whether columns are sure to be beyond the caches, and windows of phases far fewer."""
    if traced(spec.small, (item,)):
        return False
    windows = spec.kernel_shape[0] * prod(spec.small)
    windows *= prod(axis.kernel // axis.stride for axis in spec.axes)
    count = columns(spec)
    return count * item > COLUMNS and count >= _REPEATED * windows


def rank_on_accelerator(
    spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
) -> tuple[Candidate, ...]:
    """Rank the algorithms of JAX on a GPU or TPU; every one is exact.

    1. Integers and complex numbers have no convolutions there: "gemm".
    2. `conv` and `kernel_grad` are ordinary convolutions: "native".
    3. So is `conv_transpose` of stride 1. With a stride "native" reaches the kernels for
       backward data, but only without groups and dilation; otherwise the inserted zeros
       would be multiplied, and "polyphase" has none.
    """
    del batch, exact
    strided = any(axis.stride > 1 for axis in spec.axes)
    dilated = any(axis.dilation > 1 for axis in spec.axes)
    if not dtype.startswith(("float", "bfloat")):
        best, reason = "gemm", f"no convolutions of {dtype} on GPUs and TPUs"
    elif form == "conv_transpose" and strided and (spec.groups > 1 or dilated):
        best, reason = "polyphase", "'native' would multiply inserted zeros"
    else:
        best, reason = "native", "the platform's own convolutions"
    return _ordered(best, reason, "slower on GPUs where measured")


def _ordered(best: str, reason: str, others: str) -> tuple[Candidate, ...]:
    rest = (name for name in ALGORITHMS if name != best)
    return (Candidate(best, None, reason), *(Candidate(n, None, others) for n in rest))
