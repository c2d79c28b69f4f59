"""`keras.ops.conv_transpose`: kernels (*k, C_out, C_in), not flipped.

With ``K = dilation_rate*(k-1) + 1``, ``q = output_padding`` (None by default):

=============  ==========================================  ==========================
padding        ``lo``                                      size of the result
=============  ==========================================  ==========================
"valid"        ``0``                                       ``(n-1)*s + max(K, s)``
"valid", q     ``0``                                       ``(n-1)*s + K + q``
"same"         ``0 if K <= s else (K-s) // 2``             ``n*s``
"same", q      ``max((K - K%2 - q) // 2, 0)``              ``(n-1)*s + K%2 + q``
=============  ==========================================  ==========================

This is what keras computes on JAX; its other backends refuse some of these calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from mtconv.compat._call import Call, channels_first, channels_last
from mtconv.compat._geometry import Geometry, cropped, ints, refuse, same_shape, word
from mtconv.compat._kernel import KernelRule

__all__ = ["conv_transpose"]

KERNEL = KernelRule("*OI")

Ints = int | Sequence[int]
_FUNCTION = "keras.ops.conv_transpose"


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Ints = 1,
    padding: str = "valid",
    output_padding: Ints | None = None,
    data_format: str | None = None,
    dilation_rate: Ints = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `keras.ops.conv_transpose` on arrays of any library.

    Parameters
    ----------
    inputs : array, shape (N, *space, C_in), or (N, C_in, *space) with "channels_first"
        The input.
    kernel : array, shape (*k, C_out, C_in)
        The kernel.
    strides : int or sequence of int
        As in keras.
    padding : str
        "valid" or "same", in any case.
    output_padding : int or sequence of int, optional
        As in keras. None is not 0: "same" then gives ``n*strides``, "valid" no less.
    data_format : str, optional
        "channels_last", which is also what None means, or "channels_first".
    dilation_rate : int or sequence of int
        As in keras.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, *size, C_out), or (N, C_out, *size) with "channels_first".

    Raises
    ------
    GeometryError, BackendError
        Where keras refuses too; the message has keras's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://keras.io/api/ops/nn/

    Examples
    --------
    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]]], strides=2)[0, :, 0]
    array([ 1, 10,  2, 20])
    """
    call = Call(_FUNCTION, KERNEL, ("inputs", inputs), ("kernel", kernel), backend=backend)
    last = data_format is None or (
        word(_FUNCTION, "data_format", data_format, ("channels_last", "channels_first"))
        == "channels_last"
    )
    call.arrange((channels_last if last else channels_first)(call.rank))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation_rate,
    )
    return call.transposed(found, algorithm=algorithm)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    strides: Ints = 1,
    padding: str = "valid",
    output_padding: Ints | None = None,
    dilation_rate: Ints = 1,
) -> Geometry:
    """Read keras's options."""
    rank = len(taps)
    steps = ints(function, "strides", strides, rank, least=1)
    spread = ints(function, "dilation_rate", dilation_rate, rank, least=1)
    lowered = padding.lower() if isinstance(padding, str) else padding
    same = word(function, "padding", lowered, ("valid", "same")) == "same"
    extra: tuple[int | None, ...] = (None,) * rank
    if output_padding is not None:
        extra = ints(function, "output_padding", output_padding, rank, least=0)
    axes = []
    for n, k, s, d, q in zip(small, taps, steps, spread, extra, strict=True):
        span = d * (k - 1) + 1
        lo, hi = _same(span, s, q) if same else _valid(span, s, q)
        axes.append(cropped(n, k, s, d, lo, hi))
    return Geometry(tuple(axes))


def _valid(span: int, stride: int, extra: int | None) -> tuple[int, int]:
    return 0, -max(stride - span, 0) if extra is None else -extra


def _same(span: int, stride: int, extra: int | None) -> tuple[int, int]:
    total = span - stride if extra is None else span - span % 2 - extra
    lo = max(total // 2, 0)
    return lo, total - lo


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in keras's options, or refuse."""
    small = tuple(axis.small for axis in found.axes)
    taps = tuple(axis.kernel for axis in found.axes)
    said: dict[str, Any] = {
        "strides": tuple(axis.stride for axis in found.axes),
        "dilation_rate": tuple(axis.dilation for axis in found.axes),
    }
    plain = found.groups == 1 and found.padding_mode == "zeros"
    for padding, inferred in product(("valid", "same") * plain, (True, False)):
        extra = None if inferred else _extras(found, padding)
        if extra is not None and min(extra) < 0:
            continue
        attempt = said | {"padding": padding, "output_padding": extra}
        if same_shape(geometry("convert", small, taps, **attempt).axes, found.axes):
            return attempt
    return refuse("keras", found, "it has no groups, and only the crops of its two words")


def _extras(found: Geometry, padding: str) -> tuple[int, ...]:
    """Return the output padding that gives the right size with this word."""
    return tuple(
        axis.big
        - axis.stride * (axis.small - 1)
        - (axis.extent if padding == "valid" else axis.extent % 2)
        for axis in found.axes
    )
