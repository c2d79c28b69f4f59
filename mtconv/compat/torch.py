"""The calls of `torch.nn.functional`: channels first, kernels (C_in, C_out/groups, *k).

``padding=p`` crops ``lo = p`` and ``p - output_padding``, where ``output_padding`` is less
than the stride or than the dilation. The kernel is the same array as that of the plain
convolution, whose calls are here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mtconv.compat._torch_conv import ARRAYS, KERNEL
from mtconv.compat._torch_conv import conv1d as conv1d
from mtconv.compat._torch_conv import conv2d as conv2d
from mtconv.compat._torch_conv import conv3d as conv3d
from mtconv.conventions.arguments import Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_first
from mtconv.conventions.documented import documented, ranked
from mtconv.conventions.framework import Options, draw_rules, size_rules

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]


LINK = "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose{rank}d.html"


@documented("torch", LINK)
def _conv_transpose(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv_transpose{rank}d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, *space) or (C_in, *space)
        The input.
    weight : array, shape (C_in, C_out / groups, *k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, output_padding, groups, dilation : int or sequence of int
        As in torch; `output_padding` is less than `stride` or `dilation`.

    Returns
    -------
    array
        Shape (N, C_out, *size), each size
        ``(n-1)*stride - 2*padding + dilation*(k-1) + output_padding + 1``.

    Examples
    --------
    >>> conv_transpose1d([[[1, 2]]], [[[1, 10, 100]]], stride=2, padding=1)
    array([[[ 10, 102,  20]]])
    >>> conv_transpose2d([[[[0, 1], [2, 3]]]], [[[[0, 1], [2, 3]]]], padding=1)
    array([[[[4]]]])
    >>> conv_transpose3d([[[[[1, 2]]]]], [[[[[1]], [[3]]]]])[0, 0].tolist()
    [[[1, 2]], [[3, 6]]]
    """
    return transposed(f"torch.conv_transpose{rank}d", rank, locals())


conv_transpose1d, conv_transpose2d, conv_transpose3d = ranked(
    "conv_transpose{}d", _conv_transpose
)


def transposed(function: str, rank: int, arguments: Mapping[str, Any]) -> Any:
    """Run a transposed convolution with torch's arguments, named ``function`` in errors."""
    call = FrameworkCall(function, KERNEL, ARRAYS, arguments, rank=rank)
    call.arrange(channels_first(rank, batched=call.batched("(N, C_in, *space)")))
    return call.transposed(read)


def read(call: Arguments) -> Geometry:
    """Read torch's options."""
    call.no_words("padding", "a transposed convolution of torch")
    stride = call.repeated("stride", least=1)
    padding = call.repeated("padding", least=0)
    extra = call.repeated("output_padding", least=0)
    dilation = call.repeated("dilation", least=1)
    rule = "must be smaller than either stride or dilation, here {}"
    call.check_below("output_padding", extra, map(max, stride, dilation), rule)
    crops = [(p, p - q) for p, q in zip(padding, extra, strict=True)]
    return call.cropped(stride, dilation, crops, call.count("groups"))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in torch's options."""
    yield {
        "stride": geometry.per_axis("stride"),
        "padding": geometry.per_axis("lo"),
        "output_padding": tuple(lo - hi for lo, hi in geometry.crops),
        "groups": geometry.groups,
        "dilation": geometry.per_axis("dilation"),
    }


SIZES = size_rules("""
    `padding=p`, `q < max(s, dilation)` | p | (n-1)*s + K - 2*p + q
    | padding=p, output_padding=q
""")
DRAWS = draw_rules(
    "stride: stride, padding: crop, output_padding: below either, dilation: dilation",
)
LIMIT = "it crops `padding` at both ends, less output_padding"
