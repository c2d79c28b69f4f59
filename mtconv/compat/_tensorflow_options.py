"""TensorFlow's options, read and written: the size is given, and has to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtconv.conventions.arguments import Arguments, Geometry, Pairs
from mtconv.conventions.framework import Options
from mtconv.errors import shown
from mtconv.problem.options import check_word

__all__ = ["Padding", "channels_first", "read", "write"]

Padding = str | Sequence[Sequence[int]]


def read(call: Arguments) -> Geometry:
    """Read TensorFlow's options; batch and channels of `output_shape` are not looked at."""
    first = channels_first(call.function, call["data_format"])
    bigs = call.ints("output_shape", least=1, value=_space(call, first))
    stride, dilation = (_steps(call, name, first) for name in ("strides", "dilations"))
    crops: Pairs = ((0, 0),) * call.rank
    if isinstance(call["padding"], str):
        kind = call.word("padding", ("SAME", "VALID"))
    else:
        kind, crops = "EXPLICIT", _explicit(call, first)
    sizes = []
    for axis, n, span, s, big, (lo, hi) in zip(
        call.names, call.small, call.spans(dilation), stride, bigs, crops, strict=True
    ):
        expected = -(-big // s) if kind == "SAME" else (big + lo + hi - span) // s + 1
        if n != expected:
            rule = f"must be a size that the convolution maps to input's {n}"
            got = f"{big}, which gives {expected}"
            call.refuse("output_shape", rule, got, axis=axis)
        same = max((n - 1) * s + span - big, 0) // 2
        sizes.append((same if kind == "SAME" else lo, big))
    return call.sized(stride, dilation, sizes)


def _space(call: Arguments, first: bool) -> Sequence[int]:
    shape = call["output_shape"]
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = ()
    if len(sizes) != call.rank + 2:
        rule = f"must have {call.rank + 2} sizes, batch and channels included"
        call.refuse("output_shape", rule, shown(shape))
    return sizes[2:] if first else sizes[1:-1]


def _steps(call: Arguments, name: str, first: bool) -> tuple[int, ...]:
    """Read strides or dilations of length 1, n, or n + 2 with ones for N and C."""
    if call[name] is None:
        return (1,) * call.rank
    frozen = call.frozen(name)
    if isinstance(frozen, int) or len(frozen) != call.rank + 2:
        return call.repeated(name, least=1)
    if (frozen[0], frozen[1 if first else -1]) != (1, 1):
        call.refuse(name, "must be 1 for batch and channels", frozen)
    return call.ints(name, least=1, value=frozen[2:] if first else frozen[1:-1])


def _explicit(call: Arguments, first: bool) -> Pairs:
    if call.rank != 2:
        call.word("padding", ("SAME", "VALID"))
    every = call.pairs("padding", count=4)
    space = every[2:] if first else every[1:-1]
    if sum(map(sum, every)) != sum(map(sum, space)) or min(map(min, space)) < 0:
        rule = "must be 0 for batch and channels and at least 0 elsewhere"
        call.refuse("padding", rule, call["padding"])
    return space


def channels_first(function: str, data_format: str | None) -> bool:
    """Return whether a data format has its channels before its space."""
    formats = ("NWC", "NCW", "NHWC", "NCHW", "NDHWC", "NCDHW")
    return data_format is not None and check_word(
        function, "data_format", data_format, formats
    ).startswith("NC")


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry; batch and channels of ``output_shape`` are None."""
    explicit = ((0, 0), *((lo, max(hi, 0)) for lo, hi in geometry.crops), (0, 0))
    for padding in ("SAME", "VALID", *[explicit] * (len(geometry.axes) == 2)):
        yield {
            "output_shape": (None, *geometry.per_axis("big"), None),
            "strides": geometry.per_axis("stride"),
            "dilations": geometry.per_axis("dilation"),
            "padding": padding,
        }
