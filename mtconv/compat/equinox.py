"""`equinox.nn.ConvTranspose`: channels first, no batch, flipped (C_out, C_in/groups, *k).

Integers and pairs are what the result is cropped by. ``output_padding`` makes the result
larger, with "SAME" and "SAME_LOWER" smaller. ``padding_mode="CIRCULAR"`` wraps round, with
these two words and without ``output_padding`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mtconv.conventions.arguments import Arguments, Geometry, Ints, Pairs
from mtconv.conventions.call import FrameworkCall, channels_first
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule

__all__ = ["conv_transpose"]

ARRAYS = ("x", "weight", "bias")
KERNEL = KernelRule("OI*", flip=True, divided="I")

Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
_FUNCTION = "equinox.nn.ConvTranspose"
LINK = "https://docs.kidger.site/equinox/api/nn/conv/"


@documented("equinox", LINK)
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

    Returns
    -------
    array
        Shape (C_out, *size).

    Examples
    --------
    >>> conv_transpose([[1, 2]], [[[1, 10, 100]]], stride=2, padding=1)
    array([[ 10, 201,  20]])
    """
    call = FrameworkCall(_FUNCTION, KERNEL, ARRAYS, locals())
    call.arrange(channels_first(call.rank, batched=False))
    return call.transposed(read, bias_column=True)


def read(call: Arguments) -> Geometry:
    """Read equinox's options."""
    stride = call.ints("stride", least=1)
    dilation = call.ints("dilation", least=1)
    extra = call.ints("output_padding", least=0)
    call.check_below("output_padding", extra, stride, "must be less than the stride, {}")
    crops = _crops(call, stride, call.spans(dilation), extra)
    padding, mode = call["padding"], call["padding_mode"]
    mode = mode.upper() if isinstance(mode, str) else mode
    call.word("padding_mode", ("ZEROS", "CIRCULAR"), mode)
    plain = not isinstance(padding, str) or padding.upper() == "VALID"
    if mode == "CIRCULAR" and (any(extra) or plain):
        call.refuse(
            "padding_mode",
            "may be 'CIRCULAR' only with padding 'SAME' or 'SAME_LOWER' and no "
            "output_padding",
            f"padding={padding!r} and output_padding={extra}",
        )
    return call.cropped(stride, dilation, crops, call.count("groups"), mode.lower())


def _crops(
    call: Arguments,
    stride: tuple[int, ...],
    spans: tuple[int, ...],
    extra: tuple[int, ...],
) -> Pairs:
    if not isinstance(call["padding"], str):
        both = call.ends("padding")
        return tuple((a, b - q) for (a, b), q in zip(both, extra, strict=True))
    words = ("SAME", "SAME_LOWER", "VALID")
    kind = call.word("padding", words, call["padding"].upper())
    if kind == "VALID":
        return tuple((0, -q) for q in extra)
    totals = [span - s + q for span, s, q in zip(spans, stride, extra, strict=True)]
    lows = [(max(total, 0) + (kind == "SAME_LOWER")) // 2 for total in totals]
    return tuple((lo, total - lo) for lo, total in zip(lows, totals, strict=True))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in equinox's options."""
    words = ("SAME", "SAME_LOWER")
    for padding in words if geometry.padding_mode == "circular" else (geometry.crops,):
        yield {
            "stride": geometry.per_axis("stride"),
            "padding": padding,
            "output_padding": (0,) * len(geometry.axes),
            "dilation": geometry.per_axis("dilation"),
            "groups": geometry.groups,
            "padding_mode": geometry.padding_mode.upper(),
        }


SIZES = size_rules("""
    `p` or pairs `(a, b)` | a | (n-1)*s + K - a - b + q
    | padding=((a, b),), output_padding=q
    `"VALID"` | 0 | (n-1)*s + K + q | padding="VALID", output_padding=q
    `"SAME"` | max(K - s + q, 0) // 2 | n*s - q | padding="SAME", output_padding=q
    `"SAME_LOWER"` | (max(K - s + q, 0) + 1) // 2 | n*s - q
    | padding="SAME_LOWER", output_padding=q
    `"SAME"`, `"CIRCULAR"` | max(K - s, 0) // 2 | n*s
    | padding="SAME", padding_mode="CIRCULAR"
""")
DRAWS = draw_rules(
    "stride: stride, padding: pairs, output_padding: below stride, dilation: dilation",
)
LIMIT = "it wraps only with padding SAME or SAME_LOWER"
