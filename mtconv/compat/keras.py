"""`keras.ops.conv_transpose`: kernels (*k, C_out, C_in), not flipped.

``output_padding`` is None by default, which is not 0. This is what keras computes on JAX;
its other engines refuse some of these calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from mtconv.compat.jax import word_crops
from mtconv.conventions.arguments import Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_first, channels_last
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule

__all__ = ["conv_transpose"]

ARRAYS = ("inputs", "kernel")
KERNEL = KernelRule("*OI")

_FUNCTION = "keras.ops.conv_transpose"
LINK = "https://keras.io/api/ops/nn/"


@documented("keras", LINK)
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

    Returns
    -------
    array
        Shape (N, *size, C_out), or (N, C_out, *size) with "channels_first".

    Examples
    --------
    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]]], strides=2)[0, :, 0]
    array([ 1, 10,  2, 20])
    """
    return _run(locals())


def _run(arguments: dict[str, Any]) -> Any:
    call = FrameworkCall(_FUNCTION, KERNEL, ARRAYS, arguments)
    formats, data_format = ("channels_last", "channels_first"), arguments["data_format"]
    options = Arguments(_FUNCTION, arguments, (), ())
    first = data_format is not None and (
        options.word("data_format", formats) == "channels_first"
    )
    call.arrange((channels_first if first else channels_last)(call.rank))
    return call.transposed(read)


def read(call: Arguments) -> Geometry:
    """Read keras's options."""
    stride = call.ints("strides", least=1)
    dilation = call.ints("dilation_rate", least=1)
    padding = call["padding"]
    lowered = padding.lower() if isinstance(padding, str) else padding
    word = call.word("padding", ("valid", "same"), lowered)
    spans = call.spans(dilation)
    if call["output_padding"] is None:
        crops = [
            word_crops(word.upper(), span - s)
            for span, s in zip(spans, stride, strict=True)
        ]
        return call.cropped(stride, dilation, crops)
    extra = call.ints("output_padding", least=0)
    totals = [
        -q if word == "valid" else span - span % 2 - q
        for span, q in zip(spans, extra, strict=True)
    ]
    lows = [max(total // 2, 0) for total in totals]
    crops = [(lo, total - lo) for lo, total in zip(lows, totals, strict=True)]
    return call.cropped(stride, dilation, crops)


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in keras's options, with the output padding that fits."""
    for padding, inferred in product(("valid", "same"), (True, False)):
        extra = tuple(
            axis.big
            - axis.stride * (axis.small - 1)
            - (axis.extent if padding == "valid" else axis.extent % 2)
            for axis in geometry.axes
        )
        yield {
            "strides": geometry.per_axis("stride"),
            "dilation_rate": geometry.per_axis("dilation"),
            "padding": padding,
            "output_padding": None if inferred else extra,
        }


SIZES = size_rules("""
    `"valid"` | 0 | (n-1)*s + max(K, s) | padding="valid"
    `"valid"`, `q` | 0 | (n-1)*s + K + q | padding="valid", output_padding=q
    `"same"` | max(K - s, 0) // 2 | n*s | padding="same"
    `"same"`, `q` | max((K - K%2 - q) // 2, 0) | (n-1)*s + K%2 + q
    | padding="same", output_padding=q
""")
DRAWS = draw_rules(
    "strides: stride, padding: valid/same, dilation_rate: dilation at unit strides",
)
LIMIT = "it has only the crops of its two words"
