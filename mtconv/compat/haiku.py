"""`haiku.ConvNDTranspose`: jax's call with a kernel (*k, C_out, C_in), still flipped.

Without ``output_shape`` the padding is that of `mtconv.compat.jax`. With it, the input's
size must be what a convolution of so many elements has. No dilation, no groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mtconv.compat import jax as lax
from mtconv.conventions.arguments import Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_first, channels_last
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message, shown

__all__ = ["conv_transpose"]

ARRAYS = ("inputs", "w", "b")
KERNEL = KernelRule("*OI", flip=True)

_FUNCTION = "haiku.ConvNDTranspose"
LINK = "https://dm-haiku.readthedocs.io/en/latest/api.html"


@documented("haiku", LINK)
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

    Returns
    -------
    array
        Shape (N, *size, C_out) or (*size, C_out); channels first by `data_format`.

    Examples
    --------
    >>> conv_transpose([[1], [2]], [[[1]], [[10]]], stride=2)[:, 0]
    array([10,  1, 20,  2])
    """
    return _run(locals())


def _run(arguments: dict[str, Any]) -> Any:
    call = FrameworkCall(_FUNCTION, KERNEL, ARRAYS, arguments)
    first = _channels_first(arguments["data_format"])
    batched = call.batched("(N, *space, C_in), or (N, C_in, *space)")
    call.arrange((channels_first if first else channels_last)(call.rank, batched=batched))
    return call.transposed(read, bias_column=first)


def read(call: Arguments) -> Geometry:
    """Read haiku's options."""
    stride, ones = call.ints("stride", least=1), (1,) * call.rank
    if call["output_shape"] is None:
        options = {"strides": stride, "padding": call["padding"], "rhs_dilation": None}
        options["use_consistent_padding"] = False
        return lax.read(Arguments(call.function, options, call.small, call.taps))
    same = call.word("padding", ("VALID", "SAME")) == "SAME"
    bigs, sizes = call.ints("output_shape", least=1), []
    for axis, n, k, s, big in zip(
        call.names, call.small, call.taps, stride, bigs, strict=True
    ):
        expected = -(-big // s) if same else (big - k + s) // s
        if n != expected:
            rule = f"must be a size that the convolution maps to inputs' {n}"
            got = f"{big}, which gives {expected}"
            call.refuse("output_shape", rule, got, axis=axis)
        sizes.append((max((n - 1) * s + k - big, 0) // 2 if same else 0, big))
    return call.sized(stride, ones, sizes)


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


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in haiku's options."""
    for options in lax.write(geometry):
        yield {"stride": options["strides"], "padding": options["padding"]}


SIZES = size_rules("""
    `"SAME"` | max(K - s, 0) // 2 | n*s | padding="SAME"
    `"VALID"` | 0 | (n-1)*s + max(K, s) | padding="VALID"
    pairs `(a, b)` | K - 1 - a | (n-1)*s + a + b - K + 2 | padding=((a, b),)
    `output_shape=N`, `"VALID"` | 0 | n = (N - K) // s + 1 | output_shape=N, padding="VALID"
    `output_shape=N`, `"SAME"` | max((n-1)*s + K - N, 0) // 2 | n = ceil(N / s)
    | output_shape=N, padding="SAME"
""")
DRAWS = draw_rules(
    "stride: stride, padding: VALID/SAME",
)
LIMIT = "its pairs say every crop"
