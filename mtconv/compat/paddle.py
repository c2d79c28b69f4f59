"""`paddle.nn.functional.conv1d/2d/3d_transpose`: torch's kernels, pairs and two words.

``padding=p`` or one per axis crops both ends, less ``output_padding`` at the high one; two
for each axis are (low, high) pairs. "SAME" pads what a convolution of the *input's* size
pads, so that the crops depend on that size, and takes every dilation for 1. `output_size`
is the smallest size or less than a stride more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mtconv.conventions.arguments import Arguments, Geometry, Ints, Pairs
from mtconv.conventions.call import FrameworkCall, channels_first, channels_last
from mtconv.conventions.documented import documented, ranked
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule

__all__ = ["conv1d_transpose", "conv2d_transpose", "conv3d_transpose"]

ARRAYS = ("x", "weight", "bias")
KERNEL = KernelRule("IO*", divided="O")
LINK = "https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/nn/functional/conv{rank}d_transpose_en.html"

Padding = str | Ints | Sequence[Sequence[int]]
_FORMATS = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


@documented("Paddle", LINK)
def _transpose(
    rank: int,
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    output_size: Ints | None = None,
    data_format: str | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `paddle.nn.functional.conv{rank}d_transpose` on arrays of any library.

    Parameters
    ----------
    x : array, shape (N, C_in, *space), or (N, *space, C_in) by `data_format`
        The input.
    weight : array, shape (C_in, C_out / groups, *k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride : int or sequence of int
        As in Paddle.
    padding : int, sequence of int, sequence of pairs, or str
        What the result is cropped by: one, one or two for each axis, or a pair for each
        axis of `x`; "SAME" or "VALID".
    output_padding : int or sequence of int
        Less than the stride.
    groups : int
        Number of groups.
    dilation : int or sequence of int
        As in Paddle; "SAME" takes it for 1.
    output_size : int or sequence of int, optional
        The size of the result, instead of `output_padding`.
    data_format : str
        Channels first, such as "NCHW", or last, such as "NHWC".

    Returns
    -------
    array
        Shape (N, C_out, *size), or (N, *size, C_out).

    Examples
    --------
    >>> conv1d_transpose([[[1, 2]]], [[[1, 10, 100]]], stride=2, padding=[1, 0])
    array([[[ 10, 102,  20, 200]]])
    >>> conv2d_transpose([[[[0, 1], [2, 3]]]], [[[[0, 1], [2, 3]]]], padding="SAME")[0, 0]
    array([[0, 0],
           [0, 4]])
    >>> conv3d_transpose([[[[[1, 2]]]]], [[[[[1]], [[3]]]]])[0, 0].tolist()
    [[[1, 2]], [[3, 6]]]
    """
    return _run(rank, locals())


def _transpose_2d(
    rank: int,
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    output_size: Ints | None = None,
    data_format: str | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    return _run(rank, locals())


_formats: tuple[object, ...] = tuple(formats[0] for formats in _FORMATS.values())
conv1d_transpose, _, conv3d_transpose = ranked(
    "conv{}d_transpose", _transpose, data_format=_formats
)
# In two dimensions Paddle has dilation before groups.
_groups = "groups : int\n    Number of groups.\n"
_dilation = 'dilation : int or sequence of int\n    As in Paddle; "SAME" takes it for 1.\n'
_transpose_2d.__doc__ = _transpose.__doc__ and _transpose.__doc__.replace(
    _groups + _dilation, _dilation + _groups
)
conv2d_transpose = ranked("conv{}d_transpose", _transpose_2d, data_format=_formats)[1]


def _run(rank: int, arguments: dict[str, Any]) -> Any:
    function = f"paddle.conv{rank}d_transpose"
    call = FrameworkCall(function, KERNEL, ARRAYS, arguments, rank=rank)
    last = _last(Arguments(function, arguments, (), call.taps))
    call.arrange((channels_last if last else channels_first)(rank))
    return call.transposed(read)


def _last(call: Arguments) -> bool:
    """Return whether the channels are last."""
    if call["data_format"] is None:
        return False
    formats = _FORMATS.get(call.rank, ("NC", "NC"))
    return call.word("data_format", formats) == formats[1]


def read(call: Arguments) -> Geometry:
    """Read Paddle's options."""
    stride, dilation = call.ints("stride", least=1), call.ints("dilation", least=1)
    padding, groups = call["padding"], call.count("groups")
    word = padding.upper() if isinstance(padding, str) else ""
    if word:
        call.word("padding", ("SAME", "VALID"), word)
        dilation = (1,) * call.rank if word == "SAME" else dilation
    crops = _words(call, word, stride) if word else _pairs(call)
    extra = call.ints("output_padding", least=0)
    if call["output_size"] is not None:
        if any(extra):
            call.refuse("output_padding", "must be 0 with output_size", extra)
        smallest = call.cropped(stride, dilation, crops, groups).per_axis("big")
        sizes = call.ints("output_size", least=1)
        extra = tuple(N - least for N, least in zip(sizes, smallest, strict=True))
        for axis, size, least, s in zip(call.names, sizes, smallest, stride, strict=True):
            if not least <= size < least + s:
                rule = f"must be from {least} to {least + s - 1}"
                call.refuse("output_size", rule, size, axis=axis)
    else:
        rule = "must be less than the stride, {}"
        call.check_below("output_padding", extra, stride, rule)
    ends = [(lo, hi - q) for (lo, hi), q in zip(crops, extra, strict=True)]
    return call.cropped(stride, dilation, ends, groups)


def _words(call: Arguments, word: str, stride: tuple[int, ...]) -> Pairs:
    """Return what a convolution of the input's size pads."""
    totals = [
        max((-(-n // s) - 1) * s + k - n, 0) if word == "SAME" else 0
        for n, s, k in zip(call.small, stride, call.taps, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def _pairs(call: Arguments) -> Pairs:
    """Read one padding, one or two for each axis, or pairs for batch and channels too."""
    padding = call["padding"]
    if isinstance(padding, Sequence) and any(isinstance(p, Sequence) for p in padding):
        every = call.pairs("padding", count=call.rank + 2)
        space = every[1:-1] if _last(call) else every[2:]
        if sum(map(sum, every)) != sum(map(sum, space)) or min(map(min, every)) < 0:
            rule = "must be 0 for batch and channels and at least 0 elsewhere"
            call.refuse("padding", rule, padding)
        return space
    numbers = call.frozen("padding")
    if isinstance(numbers, tuple) and len(numbers) == 2 * call.rank:
        if min(numbers) < 0:
            call.refuse("padding", "must be at least 0", numbers)
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return tuple((p, p) for p in call.repeated("padding", least=0))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in pairs, or as SAME for this size of the input."""
    pairs = [crop for lo, hi in geometry.crops for crop in (lo, max(hi, 0))]
    for padding in (pairs, "SAME"):
        yield {
            "stride": geometry.per_axis("stride"),
            "padding": padding,
            "output_padding": tuple(max(-hi, 0) for _, hi in geometry.crops),
            "dilation": geometry.per_axis("dilation"),
            "groups": geometry.groups,
        }


SIZES = size_rules("""
    `padding=p` | p | (n-1)*s + K - 2*p + q | padding=p, output_padding=q
    `padding=[a, b]` | a | (n-1)*s + K - a - b + q | padding=[a, b], output_padding=q
    `"VALID"` | 0 | (n-1)*s + K + q | padding="VALID", output_padding=q
    `"SAME"` | max((ceil(n/s) - 1)*s + k - n, 0) // 2
    | (n-1)*s + k - max((ceil(n/s) - 1)*s + k - n, 0) | padding="SAME"
    `output_size=N`, less than `s` more | p | N | padding=p, output_size=N
""")
DRAWS = draw_rules(
    "stride: stride, padding: flat pairs, output_padding: below stride, dilation: dilation",
    "stride: stride, padding: VALID/SAME, dilation: dilation",
)
LIMIT = "its paddings are not negative, and its output_padding is less than the stride"
