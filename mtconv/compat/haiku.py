"""`haiku.ConvNDTranspose`: jax's call with a kernel (*k, C_out, C_in), still flipped.

Without ``output_shape`` the padding is that of `mtconv.compat.jax`. With it, ``N`` is
given and ``lo`` is 0 ("VALID") or ``max((n-1)*stride + k - N, 0) // 2`` ("SAME"); the
input size must then be what a convolution of ``N`` elements has. No dilation, no groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat import jax as lax
from mtconv.compat._call import Call, channels_first, channels_last
from mtconv.compat._geometry import Geometry, ints, refuse, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.layout import axis_names

__all__ = ["conv_transpose"]

KERNEL = KernelRule("*OI", flip=True)

Ints = int | Sequence[int]
_FUNCTION = "haiku.ConvNDTranspose"


def conv_transpose(
    inputs: Any,
    w: Any,
    stride: Ints = 1,
    output_shape: Ints | None = None,
    padding: str | Sequence[tuple[int, int]] = "SAME",
    data_format: str | None = None,
    *,
    b: Any = None,
    precision: Any = None,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Do what haiku's `ConvNDTranspose` does, on arrays of any library.

    Parameters
    ----------
    inputs : array, shape (N, *space, C_in) or (*space, C_in)
        The input; channels first by `data_format`.
    w : array, shape (*k, C_out, C_in)
        The parameter ``w``.
    stride : int or sequence of int
        As in haiku.
    output_shape : int or sequence of int, optional
        Spatial sizes of the result.
    padding : str or sequence of (lo, hi) pairs
        "SAME" or "VALID", or without `output_shape` what the spread input is padded by.
    data_format : str, optional
        "channels_last", "channels_first", or as in "N...C" and "NC...".
    b : array, shape (C_out,), or (C_out, 1, ..., 1) where channels are first
        The parameter ``b``.
    precision : optional
        As in `mtconv.conv_transpose`.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, *size, C_out) or (*size, C_out); channels first by `data_format`.

    Raises
    ------
    GeometryError, BackendError
        Where haiku refuses too; the message has haiku's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://dm-haiku.readthedocs.io/en/latest/api.html#convndtranspose

    Examples
    --------
    >>> conv_transpose([[1], [2]], [[[1]], [[10]]], stride=2)[:, 0]
    array([10,  1, 20,  2])
    """
    call = Call(_FUNCTION, KERNEL, ("inputs", inputs), ("w", w), ("b", b), backend)
    first = _channels_first(data_format)
    batched = call.batched("(N, *space, C_in), or (N, C_in, *space)")
    call.arrange((channels_first if first else channels_last)(call.rank, batched=batched))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        stride=stride,
        output_shape=output_shape,
        padding=padding,
    )
    return call.transposed(
        found, bias_column=first, algorithm=algorithm, precision=precision
    )


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    stride: Ints = 1,
    output_shape: Ints | None = None,
    padding: str | Sequence[tuple[int, int]] = "SAME",
) -> Geometry:
    """Read haiku's options."""
    rank = len(taps)
    steps = ints(function, "stride", stride, rank, least=1)
    if output_shape is None:
        return lax.geometry(function, small, taps, strides=steps, padding=padding)
    kind = word(function, "padding", padding, ("VALID", "SAME"))
    sizes = ints(function, "output_shape", output_shape, rank, least=1)
    axes = []
    for name, n, k, s, big in zip(axis_names(rank), small, taps, steps, sizes, strict=True):
        expected = (big - k + s) // s if kind == "VALID" else -(-big // s)
        if n != expected:
            msg = message(
                function,
                "output_shape",
                f"must be a size that the convolution maps to inputs' {n}",
                f"{big}, which gives {expected}",
                axis=name,
            )
            raise GeometryError(msg)
        lo = max((n - 1) * s + k - big, 0) // 2 if kind == "SAME" else 0
        axes.append(Axis(n, big, k, s, 1, lo))
    return Geometry(tuple(axes))


def _channels_first(data_format: str | None) -> bool:
    if data_format is None:
        return False
    if isinstance(data_format, str):
        if data_format == "channels_last":
            return False
        if data_format == "channels_first" or data_format[:2] == "NC":
            return True
        if data_format[:1] == "N" and data_format[-1:] == "C":
            return False
    rule = "must be 'channels_first', 'channels_last', or like 'NC...' or 'N...C'"
    raise GeometryError(message(_FUNCTION, "data_format", rule, shown(data_format)))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in haiku's options, or refuse."""
    if any(axis.dilation != 1 for axis in found.axes):
        refuse("haiku", found, "it has no dilation")
    if found.groups != 1 or found.padding_mode != "zeros":
        refuse("haiku", found, "it has no groups and pads with zeros only")
    said = lax.options(found)
    return {"stride": said["strides"], "padding": said["padding"]}
