"""`jax.lax.conv_transpose`: any axis order, the kernel flipped unless told otherwise.

With ``K = rhs_dilation*(k-1) + 1`` and mtconv's ``o = stride*i + dilation*j - lo``:

==============================  ================================  =====================
padding                         ``lo``                            size of the result
==============================  ================================  =====================
"SAME"                          ``0 if K <= s else (K-s) // 2``   ``n*s``
"VALID"                         ``0``                             ``(n-1)*s + max(K,s)``
pairs (a, b)                    ``K - 1 - a``                     ``(n-1)*s+a+b-K+2``
pairs, use_consistent_padding   ``a``                             ``(n-1)*s + K-a-b``
==============================  ================================  =====================

The kernel is ``(*k, C_in, C_out)`` and flipped; with ``transpose_kernel=True`` it is
``(*k, C_out, C_in)`` and not flipped. Any other word is handed on to the plain
convolution, so with strides of 1 it means that convolution's padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._call import Call, channels_last
from mtconv.compat._geometry import (
    Geometry,
    cropped,
    flag,
    ints,
    pairs,
    refuse,
    word,
)
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message, shown

__all__ = ["conv_transpose"]

KERNEL = KernelRule("*IO", flip=True)
KERNEL_TRANSPOSED = KernelRule("*OI")

_FUNCTION = "jax.lax.conv_transpose"


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `jax.lax.conv_transpose` on arrays of any library.

    Parameters
    ----------
    lhs : array, shape (N, *space, C_in)
        The input.
    rhs : array, shape (*k, C_in, C_out), or (*k, C_out, C_in) if transposed
        The kernel.
    strides : sequence of int
        As in jax.
    padding : str or sequence of (lo, hi) pairs
        "SAME", "VALID", or what the spread input is padded by.
    rhs_dilation : sequence of int, optional
        As in jax.
    dimension_numbers : tuple of three str, or of three sequences of int, optional
        Orders of the axes of `lhs`, of `rhs` and of the result.
    transpose_kernel : bool
        Whether the kernel is not flipped, and its channels are the other way round.
    precision : optional
        As in `mtconv.conv_transpose`.
    preferred_element_type : dtype, optional
        What input and kernel are converted to first.
    use_consistent_padding : bool
        Whether pairs are what the result is cropped by.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, *size, C_out), or in the order that `dimension_numbers` says.

    Raises
    ------
    GeometryError, BackendError
        Where jax refuses too; the message has jax's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html

    Examples
    --------
    The kernel is flipped: the last tap meets the first element.

    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]], [[100]]], (2,), "VALID")[0, :, 0]
    array([100,  10, 201,  20,   2])
    """
    transposed = flag(_FUNCTION, "transpose_kernel", transpose_kernel)
    rule = KERNEL_TRANSPOSED if transposed else KERNEL
    lhs_spec, kernel_order, out_spec = _orders(dimension_numbers)
    call = Call(
        _FUNCTION, rule, ("lhs", lhs), ("rhs", rhs), backend=backend, order=kernel_order
    )
    if dimension_numbers is None:
        if call.rank > 3:
            msg = message(
                _FUNCTION,
                "dimension_numbers",
                "must be given for more than three spatial axes",
                None,
            )
            raise GeometryError(msg)
        lhs_spec = out_spec = channels_last(call.rank)
    call.arrange(lhs_spec, out_spec)
    if preferred_element_type is not None:
        call.convert("preferred_element_type", preferred_element_type)
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        strides=strides,
        padding=padding,
        rhs_dilation=rhs_dilation,
        use_consistent_padding=use_consistent_padding,
    )
    return call.transposed(found, algorithm=algorithm, precision=precision)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
    rhs_dilation: Sequence[int] | None = None,
    use_consistent_padding: bool = False,
    transpose_kernel: bool = False,
) -> Geometry:
    """Read jax's options."""
    del transpose_kernel  # a matter of the kernel alone
    use_consistent_padding = flag(
        function, "use_consistent_padding", use_consistent_padding
    )
    rank = len(taps)
    steps = ints(function, "strides", strides, rank, least=1)
    spread = (1,) * rank
    if rhs_dilation is not None:
        spread = ints(function, "rhs_dilation", rhs_dilation, rank, least=1)
    spans = tuple(d * (k - 1) + 1 for d, k in zip(spread, taps, strict=True))
    if isinstance(padding, str):
        crops = _word_crops(function, padding, spans, steps, use_consistent_padding)
    else:
        crops = pairs(function, "padding", padding, rank)
        if not use_consistent_padding:
            crops = tuple(
                (span - 1 - a, span - 1 - b)
                for span, (a, b) in zip(spans, crops, strict=True)
            )
    return Geometry(
        tuple(
            cropped(n, k, s, d, lo, hi)
            for n, k, s, d, (lo, hi) in zip(small, taps, steps, spread, crops, strict=True)
        )
    )


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in jax's options, or refuse."""
    if found.padding_mode != "zeros" or found.groups != 1:
        refuse("jax", found, "it has no groups and pads with zeros only")
    return {
        "strides": tuple(axis.stride for axis in found.axes),
        "padding": tuple(
            (axis.extent - 1 - axis.lo, axis.extent - 1 - axis.hi) for axis in found.axes
        ),
        "rhs_dilation": tuple(axis.dilation for axis in found.axes),
    }


def _word_crops(
    function: str,
    padding: str,
    spans: tuple[int, ...],
    strides: tuple[int, ...],
    consistent: bool,
) -> tuple[tuple[int, int], ...]:
    """Return what the words crop, those of the plain convolution included."""
    if padding in ("SAME", "VALID"):
        lows = [
            max(span - step, 0) // 2 if padding == "SAME" else 0
            for span, step in zip(spans, strides, strict=True)
        ]
        return tuple(
            (lo, (span - step if padding == "SAME" else min(span - step, 0)) - lo)
            for lo, span, step in zip(lows, spans, strides, strict=True)
        )
    if consistent or any(step != 1 for step in strides):
        word(function, "padding", padding, ("SAME", "VALID"))
    kind = word(function, "padding", padding.upper(), ("SAME", "VALID", "SAME_LOWER"))
    if kind == "VALID":
        return tuple((span - 1, span - 1) for span in spans)
    # The plain convolution pads (span-1)//2 before and span//2 after, or the other way.
    ends = ((span // 2, (span - 1) // 2) for span in spans)
    return tuple((hi, lo) if kind == "SAME_LOWER" else (lo, hi) for lo, hi in ends)


def _orders(
    dimension_numbers: Any,
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...]]:
    """Return the orders of lhs, of rhs as the rule wants it, and of the result."""
    if dimension_numbers is None:
        return (), None, ()
    if not isinstance(dimension_numbers, (tuple, list)) or len(dimension_numbers) != 3:
        rule = "must be three strings for lhs, rhs and the result, or None"
        got = shown(dimension_numbers)
        raise GeometryError(message(_FUNCTION, "dimension_numbers", rule, got))
    if not isinstance(dimension_numbers[0], str):  # a ConvDimensionNumbers
        lhs, rhs, out = (tuple(spec) for spec in dimension_numbers)
    else:
        data, kernel, result = dimension_numbers
        rhs = _permutation("rhs", kernel, "OI", kernel)
        lhs = _permutation("lhs", data, "NC", kernel)
        out = _permutation("out", result, "NC", kernel)
    return lhs, (*rhs[2:], rhs[1], rhs[0]), out


def _permutation(name: str, spec: str, channels: str, kernel: str) -> tuple[int, ...]:
    """Positions of the two channel letters and of the spatial ones, in rhs's order."""
    space = [letter for letter in kernel if letter not in "OI"]
    if sorted(spec) != sorted([*channels, *space]):
        msg = message(
            _FUNCTION,
            "dimension_numbers",
            f"must name {channels} and the spatial axes of rhs in its {name} part",
            repr(spec),
        )
        raise GeometryError(msg)
    return tuple(spec.index(letter) for letter in (*channels, *space))
