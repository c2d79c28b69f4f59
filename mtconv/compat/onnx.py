"""The operator `ConvTranspose` of ONNX: channels first, kernels (C_in, C_out/groups, *k).

Where a size is given or follows, the larger half of the crop is at the high end for
SAME_UPPER and otherwise at the low end. Attributes may be bytes, lists and arrays, as
`onnx.helper.get_attribute_value` returns them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.call import FrameworkCall, channels_first
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule

__all__ = ["ConvTranspose"]

ARRAYS = ("X", "W", "B")
KERNEL = KernelRule("IO*", divided="O")
LINK = "https://onnx.ai/onnx/operators/onnx__ConvTranspose.html"

_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@documented("the operator's text", LINK)
def ConvTranspose(
    X: Any,
    W: Any,
    B: Any = None,
    *,
    auto_pad: str | bytes = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Evaluate an ONNX `ConvTranspose` node on arrays of any library.

    Parameters
    ----------
    X : array, shape (N, C_in, *space)
        The input.
    W : array, shape (C_in, C_out / group, *k)
        The kernel.
    B : array, shape (C_out,), optional
        Added to every element of a channel.
    auto_pad : str or bytes
        "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID"; bytes are what onnx stores.
    dilations : sequence of int, optional
        One per spatial axis.
    group : int
        Number of groups.
    kernel_shape, output_padding : sequence of int, optional
        One per spatial axis; the shape has to be W's own.
    output_shape : sequence of int, optional
        The spatial sizes, with or without batch and channels before them.
    pads : sequence of int, optional
        What the result is cropped by: all low ends, then all high ends.
    strides : sequence of int, optional
        One per spatial axis.

    Returns
    -------
    array
        Shape (N, C_out, *size).

    Examples
    --------
    >>> ConvTranspose([[[1, 2]]], [[[1, 10, 100]]], strides=[2], output_shape=[4])
    array([[[ 10, 102,  20, 200]]])
    """
    call = FrameworkCall("onnx.ConvTranspose", KERNEL, ARRAYS, locals())
    call.arrange(channels_first(call.rank))
    return call.transposed(read, cropping="pads", grouping="group")


def read(call: Arguments) -> Geometry:
    """Read the attributes of a node."""
    ones = (1,) * call.rank
    stride, dilation = (_ints(call, name, 1, ones) for name in ("strides", "dilations"))
    extra = _ints(call, "output_padding", 0, (0,) * call.rank)
    rule = "must be less than the larger of stride and dilation, {}"
    call.check_below("output_padding", extra, map(max, stride, dilation), rule)
    taps = _ints(call, "kernel_shape", 1, call.taps)
    if taps != call.taps:
        call.refuse("kernel_shape", f"must be W's own, {call.taps}", taps)
    auto_pad = call["auto_pad"]
    if isinstance(auto_pad, bytes):  # as the attribute of a node has it
        auto_pad = auto_pad.decode("latin-1")
    auto_pad, pads = call.word("auto_pad", _AUTO_PADS, auto_pad), _pads(call)
    if auto_pad != "NOTSET" and any(pads):
        rule = f"must be left out with auto_pad={auto_pad!r}"
        call.refuse("pads", rule, pads)
    groups, sizes = call.count("group"), _sizes(call)
    if sizes is None and auto_pad.startswith("SAME"):
        sizes = tuple(n * s for n, s in zip(call.small, stride, strict=True))
    if sizes is None:
        ends = zip(pads[: call.rank], pads[call.rank :], extra, strict=True)
        return call.cropped(stride, dilation, [(a, b - q) for a, b, q in ends], groups)
    upper, rows = auto_pad == "SAME_UPPER", []
    for n, span, s, q, size in zip(
        call.small, call.spans(dilation), stride, extra, sizes, strict=True
    ):
        total = max((n - 1) * s + span + q - size, 0)
        rows.append(((total + (not upper)) // 2, size))
    return call.sized(stride, dilation, rows, groups)


def _ints(
    call: Arguments, name: str, least: int, default: tuple[int, ...]
) -> tuple[int, ...]:
    """Read a list attribute; one that is absent or empty has its default."""
    if call[name] is None or call.frozen(name) == ():
        return default
    return call.ints(name, least=least)


def _pads(call: Arguments) -> tuple[int, ...]:
    """Read the pads: all low ends, then all high ends."""
    count = 2 * call.rank
    pads = (0,) * count if call["pads"] is None else call.frozen("pads")
    if isinstance(pads, int) or len(pads) not in (0, count):
        rule = f"must have {count} integers: the low end of every axis, then the high ends"
        fix = f"For 1 at every end write pads={[1] * count}."
        call.refuse("pads", rule, pads, fix=fix)
    if pads and min(pads) < 0:
        call.refuse("pads", "must be at least 0", min(pads))
    return pads or (0,) * count


def _sizes(call: Arguments) -> tuple[int, ...] | None:
    """Read the sizes of the result, whether batch and channels come first or not."""
    if call["output_shape"] is None:
        return None
    frozen = call.frozen("output_shape")
    if isinstance(frozen, tuple) and len(frozen) == call.rank + 2:
        frozen = frozen[2:]
    return call.ints("output_shape", least=1, value=frozen)


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in explicit pads, which no runtime can read in another way."""
    yield {
        "auto_pad": "NOTSET",
        "strides": list(geometry.per_axis("stride")),
        "dilations": list(geometry.per_axis("dilation")),
        "group": geometry.groups,
        "pads": [*geometry.per_axis("lo"), *(max(hi, 0) for _, hi in geometry.crops)],
        "output_padding": [max(-hi, 0) for _, hi in geometry.crops],
    }


def refusals(geometry: Geometry) -> Iterator[tuple[str, str]]:
    """Yield what onnxruntime does not run, though the standard has it."""
    if any(-axis.hi >= axis.stride for axis in geometry.axes):
        yield "its output_padding is less than the stride", ""


SIZES = size_rules("""
    `pads`, `q < max(s, dilation)` | a | (n-1)*s + K - a - b + q
    | pads=[a, b], output_padding=[q]
    `auto_pad="VALID"` | 0 | (n-1)*s + K + q | auto_pad="VALID", output_padding=[q]
    `SAME_UPPER` | max(K - s + q, 0) // 2 | n*s | auto_pad="SAME_UPPER", output_padding=[q]
    `SAME_LOWER` | (max(K - s + q, 0) + 1) // 2 | n*s
    | auto_pad="SAME_LOWER", output_padding=[q]
    `output_shape=N`, `SAME_UPPER` | max((n-1)*s + K - N, 0) // 2 | N
    | output_shape=[N], auto_pad="SAME_UPPER"
    `output_shape=N`, otherwise | (max((n-1)*s + K - N, 0) + 1) // 2 | N | output_shape=[N]
""")
DRAWS = draw_rules(
    "strides: stride, dilations: dilation, pads: pads, output_padding: below stride",
    "strides: stride, dilations: dilation, auto_pad: VALID/SAME_UPPER/SAME_LOWER",
)
LIMIT = "its pads are not negative"
