"""mtconv's own call as a row of the registry."""

from __future__ import annotations

from collections.abc import Iterator

from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.problem.axes import AxisResolver
from mtconv.problem.options import freeze

ARRAYS = ("x", "kernel", "bias")
KERNEL = KernelRule("IO*", divided="O")
LINK = "api.md"


def read(call: Arguments) -> Geometry:
    """Read the options of `mtconv.conv_transpose`."""
    groups = call.count("groups")
    resolver = AxisResolver(
        call.function, freeze(call.function, **call.options), call.names
    )
    axes = tuple(
        resolver.transposed(number, n, k)
        for number, (n, k) in enumerate(zip(call.small, call.taps, strict=True))
    )
    return Geometry(axes, groups, resolver.mode)


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in mtconv's options."""
    axes = geometry.axes
    extra = tuple(min(max(-axis.hi, 0), axis.stride - 1) for axis in axes)
    yield {
        "stride": geometry.per_axis("stride"),
        "padding": tuple((a.lo, a.hi + q) for a, q in zip(axes, extra, strict=True)),
        "output_padding": extra,
        "dilation": geometry.per_axis("dilation"),
        "groups": geometry.groups,
        "padding_mode": geometry.padding_mode,
    }


SIZES = size_rules("""
    `padding=(a, b)`, `q < s` | a | (n-1)*s + K - a - b + q
    | padding=((a, b),), output_padding=q
    `"same"` | max(K - s, 0) // 2 | n*s | padding="same"
    `"same"`, `output_size=N` | max((n-1)*s + K - N, 0) // 2 | n = ceil(N / s)
    | padding="same", output_size=N
""")
DRAWS = draw_rules(
    "stride: stride, padding: pairs, dilation: dilation",
    "stride: stride, padding: valid/same/same_lower, dilation: dilation",
)
LIMIT = "only padding_mode='zeros' has negative padding"
