"""`tinygrad.Tensor.conv_transpose2d`: torch's call with pairs, in any number of axes.

``padding=p`` or one per axis crops ``lo = p`` and ``p - output_padding``. Twice as many
numbers are (low, high) pairs from the last axis to the first: (left, right, top, bottom).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mtconv.conventions.arguments import ANY, Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_first
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.problem.axes import check_magnitude

__all__ = ["conv_transpose2d"]

ARRAYS = ("x", "weight", "bias")
KERNEL = KernelRule("IO*", divided="O")
LINK = "https://docs.tinygrad.org/tensor/ops/"


@documented("tinygrad", LINK)
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

    Returns
    -------
    array
        Shape (N, C_out, *size).

    Examples
    --------
    >>> conv_transpose2d([[[1, 2]]], [[[1, 10, 100]]], stride=2, padding=(1, 0))
    array([[[ 10, 102,  20, 200]]])
    """
    call = FrameworkCall("tinygrad.conv_transpose2d", KERNEL, ARRAYS, locals())
    call.arrange(channels_first(call.rank))
    return call.transposed(read)


def read(call: Arguments) -> Geometry:
    """Read tinygrad's options."""
    call.no_words("padding", "tinygrad")
    padding = call.frozen("padding")
    if isinstance(padding, tuple) and len(padding) == 2 * call.rank:
        check_magnitude(call.function, "padding", padding)
        crops = tuple(zip(padding[-2::-2], padding[::-2], strict=True))
    else:
        crops = tuple((p, p) for p in call.ints("padding", least=ANY))
    stride, dilation = call.ints("stride", least=1), call.ints("dilation", least=1)
    extra = call.ints("output_padding", least=0)
    crops = tuple((lo, hi - q) for (lo, hi), q in zip(crops, extra, strict=True))
    return call.cropped(stride, dilation, crops, call.count("groups"))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in tinygrad's options."""
    yield {
        "groups": geometry.groups,
        "stride": geometry.per_axis("stride"),
        "dilation": geometry.per_axis("dilation"),
        "padding": tuple(crop for pair in geometry.crops[::-1] for crop in pair),
    }


SIZES = size_rules("""
    `padding=p` | p | (n-1)*s + K - 2*p + q | padding=p, output_padding=q
    `padding=(left, right, top, ...)` | a | (n-1)*s + K - a - b + q
    | padding=(a, b), output_padding=q
""")
DRAWS = draw_rules(
    "stride: stride, dilation: dilation, padding: pairs from the last, "
    "output_padding: extra",
)
LIMIT = "its pairs say every crop"
