"""`equinox.nn.ConvTranspose`: channels first, no batch, flipped (C_out, C_in/groups, *k).

With ``K = dilation*(k-1) + 1``, ``q = output_padding`` and ``t = max(K - stride + q, 0)``:

====================  ==========================  ================================
padding               ``lo``                      size of the result
====================  ==========================  ================================
int or pairs (a, b)   ``a``                       ``(n-1)*stride + K - a - b + q``
"VALID"               ``0``                       ``(n-1)*stride + K + q``
"SAME"                ``t // 2``                  ``n*stride - q``
"SAME_LOWER"          ``(t + 1) // 2``            ``n*stride - q``
====================  ==========================  ================================

``padding_mode="CIRCULAR"`` wraps round, with "SAME" or "SAME_LOWER" and ``q = 0`` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._call import Call, channels_first
from mtconv.compat._geometry import (
    Geometry,
    cropped,
    ends,
    group_count,
    ints,
    refuse,
    same_shape,
    word,
)
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.problem.layout import axis_names

__all__ = ["conv_transpose"]

KERNEL = KernelRule("OI*", flip=True, divided="I")

Ints = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
_FUNCTION = "equinox.nn.ConvTranspose"


def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "ZEROS",
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Do what equinox's `ConvTranspose` does, on arrays of any library.

    Parameters
    ----------
    x : array, shape (C_in, *space)
        The input, without a batch.
    weight : array, shape (C_out, C_in / groups, *k)
        The field ``weight``.
    bias : array, shape (C_out, 1, ..., 1), optional
        The field ``bias``.
    stride : int or sequence of int
        As in equinox.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        What the result is cropped by, or "SAME", "SAME_LOWER" or "VALID".
    output_padding : int or sequence of int
        Less than the stride; with a word it makes the result smaller, as in equinox.
    dilation : int or sequence of int
        As in equinox.
    groups : int
        Number of groups.
    padding_mode : str
        "ZEROS" or "CIRCULAR", in any case.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (C_out, *size).

    Raises
    ------
    GeometryError, BackendError
        Where equinox refuses too; the message has equinox's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://docs.kidger.site/equinox/api/nn/conv/

    Examples
    --------
    >>> conv_transpose([[1, 2]], [[[1, 10, 100]]], stride=2, padding=1)
    array([[ 10, 201,  20]])
    """
    call = Call(_FUNCTION, KERNEL, ("x", x), ("weight", weight), ("bias", bias), backend)
    call.arrange(channels_first(call.rank, batched=False))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return call.transposed(found, bias_column=True, algorithm=algorithm)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str = "ZEROS",
) -> Geometry:
    """Read equinox's options."""
    rank = len(taps)
    steps = ints(function, "stride", stride, rank, least=1)
    spread = ints(function, "dilation", dilation, rank, least=1)
    extra = ints(function, "output_padding", output_padding, rank, least=0)
    for name, q, s in zip(axis_names(rank), extra, steps, strict=True):
        if q >= s:
            rule = f"must be less than the stride, {s}"
            raise GeometryError(message(function, "output_padding", rule, q, axis=name))
    crops = _crops(function, padding, taps, steps, spread, extra)
    mode = padding_mode.upper() if isinstance(padding_mode, str) else padding_mode
    word(function, "padding_mode", mode, ("ZEROS", "CIRCULAR"))
    if mode == "CIRCULAR" and (
        any(extra) or not isinstance(padding, str) or padding.upper() == "VALID"
    ):
        msg = message(
            function,
            "padding_mode",
            "may be 'CIRCULAR' only with padding 'SAME' or 'SAME_LOWER' and no "
            "output_padding",
            f"padding={padding!r} and output_padding={extra}",
        )
        raise GeometryError(msg)
    axes = [
        cropped(n, k, s, d, lo, hi)
        for n, k, s, d, (lo, hi) in zip(small, taps, steps, spread, crops, strict=True)
    ]
    return Geometry(tuple(axes), group_count(function, "groups", groups), mode.lower())


def _crops(
    function: str,
    padding: Padding,
    taps: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    extra: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    rank = len(taps)
    if isinstance(padding, str):
        kind = word(function, "padding", padding.upper(), ("SAME", "SAME_LOWER", "VALID"))
        if kind == "VALID":
            return tuple((0, -q) for q in extra)
        found = []
        for k, s, d, q in zip(taps, stride, dilation, extra, strict=True):
            total = d * (k - 1) + 1 - s + q
            lo = (max(total, 0) + (kind == "SAME_LOWER")) // 2
            found.append((lo, total - lo))
        return tuple(found)
    both = ends(function, "padding", padding, rank)
    return tuple((a, b - q) for (a, b), q in zip(both, extra, strict=True))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in equinox's options, or refuse."""
    said: dict[str, Any] = {
        "stride": tuple(axis.stride for axis in found.axes),
        "padding": tuple((axis.lo, axis.hi) for axis in found.axes),
        "output_padding": (0,) * len(found.axes),
        "dilation": tuple(axis.dilation for axis in found.axes),
        "groups": found.groups,
        "padding_mode": found.padding_mode.upper(),
    }
    if found.padding_mode == "zeros":
        return said
    small = tuple(axis.small for axis in found.axes)
    taps = tuple(axis.kernel for axis in found.axes)
    for kind in ("SAME", "SAME_LOWER") * (found.padding_mode == "circular"):
        said["padding"] = kind
        if same_shape(geometry("convert", small, taps, **said).axes, found.axes):
            return said
    return refuse("equinox", found, "it wraps only with padding SAME or SAME_LOWER")
