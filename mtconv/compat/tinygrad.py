"""`tinygrad.Tensor.conv_transpose2d`: torch's call with pairs, in any number of axes.

``padding=p`` or one per axis crops ``lo = p`` and ``p - output_padding``. Twice as many
numbers are (low, high) pairs from the last axis to the first: (left, right, top, bottom).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._call import Call, channels_first
from mtconv.compat._geometry import Geometry, cropped, group_count, ints, refuse
from mtconv.compat._kernel import KernelRule
from mtconv.problem.options import freeze_sizes

__all__ = ["conv_transpose2d"]

KERNEL = KernelRule("IO*", divided="O")

Ints = int | Sequence[int]
_FUNCTION = "tinygrad.conv_transpose2d"
_ANY = -(2**62)  # paddings may be negative


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    groups: int = 1,
    stride: Ints = 1,
    dilation: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `tinygrad.Tensor.conv_transpose2d` on arrays of any library.

    Parameters
    ----------
    x : array, shape (N, C_in, *space)
        The input, with one, two or more spatial axes in spite of the name.
    weight : array, shape (C_in, C_out / groups, *k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    groups, stride, dilation : int or sequence of int
        As in tinygrad; `groups` is one integer.
    padding : int or sequence of int
        What the result is cropped by: one, one per axis, or (left, right, top, bottom).
    output_padding : int or sequence of int
        As in tinygrad, of any size.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, *size).

    Raises
    ------
    GeometryError, BackendError
        If shapes or options do not fit; the message has tinygrad's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://docs.tinygrad.org/tensor/ops/

    Examples
    --------
    >>> conv_transpose2d([[[1, 2]]], [[[1, 10, 100]]], stride=2, padding=(1, 0))
    array([[[ 10, 102,  20, 200]]])
    """
    call = Call(_FUNCTION, KERNEL, ("x", x), ("weight", weight), ("bias", bias), backend)
    call.arrange(channels_first(call.rank))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        groups=groups,
        stride=stride,
        dilation=dilation,
        padding=padding,
        output_padding=output_padding,
    )
    return call.transposed(found, algorithm=algorithm)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    groups: int = 1,
    stride: Ints = 1,
    dilation: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
) -> Geometry:
    """Read tinygrad's options."""
    rank = len(taps)
    frozen = freeze_sizes(function, "padding", padding)
    if isinstance(frozen, tuple) and len(frozen) == 2 * rank:
        both = ints(function, "padding", padding, 2 * rank, least=_ANY)
        crops = tuple(zip(both[-2::-2], both[::-2], strict=True))
    else:
        amounts = ints(function, "padding", padding, rank, least=_ANY)
        crops = tuple((p, p) for p in amounts)
    axes = [
        cropped(n, k, s, d, lo, hi - q)
        for n, k, s, d, q, (lo, hi) in zip(
            small,
            taps,
            ints(function, "stride", stride, rank, least=1),
            ints(function, "dilation", dilation, rank, least=1),
            ints(function, "output_padding", output_padding, rank, least=0),
            crops,
            strict=True,
        )
    ]
    return Geometry(tuple(axes), group_count(function, "groups", groups))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in tinygrad's options, or refuse."""
    if found.padding_mode != "zeros":
        refuse("tinygrad", found, "it pads with zeros only")
    crops = [(axis.lo, axis.hi) for axis in reversed(found.axes)]
    return {
        "groups": found.groups,
        "stride": tuple(axis.stride for axis in found.axes),
        "dilation": tuple(axis.dilation for axis in found.axes),
        "padding": tuple(amount for pair in crops for amount in pair),
    }
