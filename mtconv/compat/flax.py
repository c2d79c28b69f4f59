"""`flax.nnx.ConvTranspose` and `flax.linen.ConvTranspose`: jax's call with a bias.

Words and pairs are those of `mtconv.compat.jax` without ``use_consistent_padding``: an
integer ``p`` is the pair ``(p, p)``, which pads the input and so means the opposite of
torch's. "CIRCULAR" wraps a result of ``n*strides`` elements round, with ``lo = t // 2``,
or ``(t + 1) // 2`` with ``transpose_kernel``, where ``t = max(K - strides, 0)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from mtconv.compat import jax as lax
from mtconv.compat._call import Call, channels_last
from mtconv.compat._geometry import Geometry, ends, flag, ints, refuse, same_shape
from mtconv.compat._kernel import reshape
from mtconv.geometry import Axis

__all__ = ["conv_transpose"]

KERNEL = lax.KERNEL
KERNEL_TRANSPOSED = lax.KERNEL_TRANSPOSED

Ints = int | Sequence[int]
_FUNCTION = "flax.ConvTranspose"


def conv_transpose(
    inputs: Any,
    kernel: Any,
    bias: Any = None,
    strides: Ints | None = None,
    padding: str | int | Sequence[int] | Sequence[tuple[int, int]] = "SAME",
    kernel_dilation: Ints | None = 1,
    transpose_kernel: bool = False,
    *,
    precision: Any = None,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Do what flax's `ConvTranspose` does, on arrays of any library.

    Parameters
    ----------
    inputs : array, shape (*batch, *space, C_in)
        The input, with any number of batch axes.
    kernel : array, shape (*k, C_in, C_out), or (*k, C_out, C_in) if transposed
        The parameter ``kernel``.
    bias : array, shape (C_out,), optional
        The parameter ``bias``.
    strides : int or sequence of int, optional
        As in flax.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        What the spread input is padded by, or "SAME", "VALID" or "CIRCULAR".
    kernel_dilation : int or sequence of int, optional
        As in flax.
    transpose_kernel : bool
        Whether the kernel is (*k, C_out, C_in) and not flipped.
    precision : optional
        As in `mtconv.conv_transpose`.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (*batch, *size, C_out).

    Raises
    ------
    GeometryError, BackendError
        Where flax refuses too; the message has flax's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://flax.readthedocs.io/en/latest/api_reference/flax.nnx/nn/linear.html

    Examples
    --------
    >>> conv_transpose([[1], [2]], [[[1]], [[10]]], strides=2)[:, 0]
    array([10,  1, 20,  2])
    """
    transpose_kernel = flag(_FUNCTION, "transpose_kernel", transpose_kernel)
    rule = KERNEL_TRANSPOSED if transpose_kernel else KERNEL
    call = Call(
        _FUNCTION, rule, ("inputs", inputs), ("kernel", kernel), ("bias", bias), backend
    )
    batch = tuple(call.x.shape[: call.x.ndim - call.rank - 1])
    if call.x.ndim <= call.rank:
        call.refuse_dimensions(f"at least {call.rank + 1} dimensions (*space, C_in)")
    if len(batch) > 1:
        call.x = reshape(call.x, (prod(batch), *call.x.shape[len(batch) :]))
    call.arrange(channels_last(call.rank, batched=bool(batch)))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        strides=strides,
        padding=padding,
        kernel_dilation=kernel_dilation,
        transpose_kernel=transpose_kernel,
    )
    result = call.transposed(found, algorithm=algorithm, precision=precision)
    return reshape(result, (*batch, *result.shape[1:])) if len(batch) > 1 else result


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    strides: Ints | None = None,
    padding: str | int | Sequence[int] | Sequence[tuple[int, int]] = "SAME",
    kernel_dilation: Ints | None = 1,
    transpose_kernel: bool = False,
) -> Geometry:
    """Read flax's options."""
    rank = len(taps)
    steps = ints(function, "strides", 1 if strides is None else strides, rank, least=1)
    spread = ints(
        function,
        "kernel_dilation",
        1 if kernel_dilation is None else kernel_dilation,
        rank,
        least=1,
    )
    if isinstance(padding, str) and padding == "CIRCULAR":
        axes = []
        for n, k, s, d in zip(small, taps, steps, spread, strict=True):
            total = max(d * (k - 1) + 1 - s, 0)
            axes.append(Axis(n, n * s, k, s, d, (total + transpose_kernel) // 2))
        return Geometry(tuple(axes), padding_mode="circular")
    if not isinstance(padding, str):
        padding = ends(function, "padding", padding, rank)
    return lax.geometry(
        function, small, taps, strides=steps, padding=padding, rhs_dilation=spread
    )


def options(found: Geometry, *, transpose_kernel: bool = False) -> dict[str, Any]:
    """Write a geometry in flax's options, or refuse."""
    if found.groups != 1 or found.padding_mode not in ("zeros", "circular"):
        refuse("flax", found, "it has no groups")
    said: dict[str, Any] = {
        "strides": tuple(axis.stride for axis in found.axes),
        "kernel_dilation": tuple(axis.dilation for axis in found.axes),
        "padding": "CIRCULAR",
        "transpose_kernel": transpose_kernel,
    }
    if found.padding_mode == "zeros":
        said["padding"] = lax.options(found)["padding"]
        return said
    small = tuple(axis.small for axis in found.axes)
    taps = tuple(axis.kernel for axis in found.axes)
    if not same_shape(geometry("convert", small, taps, **said).axes, found.axes):
        refuse("flax", found, "its CIRCULAR splits the overlap in another way")
    return said
