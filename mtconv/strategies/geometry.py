"""Draw the axes of a case, and write them as the options of a call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

__all__ = ["OPTIONS", "PADDINGS", "DrawnAxis", "Limits", "geometry"]

OPTIONS = ("stride", "padding", "output_padding", "output_size", "dilation", "groups")
PADDINGS = ("ints", "pairs", "negative", "valid", "same", "same_lower")


class Bounds(NamedTuple):
    """Largest big side, kernel, and stride and dilation of an axis."""

    big: int
    kernel: int
    step: int


# By number of axes: 3-D cases stay small.
_LARGEST = {1: Bounds(9, 4, 4), 2: Bounds(6, 3, 3), 3: Bounds(4, 3, 3)}
_WIDE = {1: Bounds(40, 7, 8), 2: Bounds(12, 7, 4), 3: Bounds(5, 4, 3)}


# Wider than many axes, so that padding modes repeat their elements again and again.
_MOST_PADDING = 4


class Layer(NamedTuple):
    """What networks have on every axis: kernel, stride, padding at both ends, extra."""

    kernel: int
    stride: int
    padding: int
    extra: int = 0


_LAYERS = (
    Layer(2, 2, 0),
    Layer(3, 1, 1),
    Layer(4, 2, 1),
    Layer(3, 2, 1, 1),
    Layer(5, 2, 2, 1),
    Layer(5, 1, 2),
    Layer(4, 4, 0),
    Layer(6, 3, 1),
    Layer(7, 1, 3),
    Layer(8, 4, 2),
    Layer(16, 8, 4),
)


class DrawnAxis(NamedTuple):
    """One axis: sizes, steps, and the padding of the forward convolution."""

    small: int
    big: int
    kernel: int
    stride: int
    dilation: int
    lo: int
    hi: int

    @property
    def extra(self) -> int:
        """What the big side has beyond the natural size of the transposed map."""
        base = self.stride * (self.small - 1) + self.dilation * (self.kernel - 1) + 1
        return self.big - (base - self.lo - self.hi)


class Limits(NamedTuple):
    """What the caller of `problems` allows."""

    options: Collection[str]
    paddings: Collection[str]
    modes: Sequence[str]
    layouts: bool
    wide: bool = False


def geometry(
    draw: st.DrawFn, rank: int, limits: Limits
) -> tuple[list[DrawnAxis], dict[str, Any]]:
    """Draw all axes and write them as options."""
    mode = draw(st.sampled_from(limits.modes))
    ways = ["none"]
    if "padding" in limits.options:
        # Numbers several times: most of what can go wrong is there.
        ways += ["numbers"] * 3 * bool({"ints", "pairs", "negative"} & set(limits.paddings))
        ways += [w for w in ("valid", "same", "same_lower") if w in limits.paddings]
    word = draw(st.sampled_from(ways))
    layer = _layer(draw, rank, word, mode, limits)
    if layer is not None:
        lines = [_layer_axis(draw, layer) for _ in range(rank)]
    else:
        lines = [_line(draw, rank, word, mode, limits) for _ in range(rank)]
    chosen: dict[str, Any] = {}
    _write(draw, chosen, "stride", [line.stride for line in lines], 1)
    _write(draw, chosen, "dilation", [line.dilation for line in lines], 1)
    if word not in ("none", "numbers"):
        chosen["padding"] = word
    elif all(line.lo == line.hi for line in lines):
        _write(draw, chosen, "padding", [line.lo for line in lines], 0)
    else:
        chosen["padding"] = tuple((line.lo, line.hi) for line in lines)
    _write_size(draw, chosen, word, lines, limits)
    if mode != "zeros":
        chosen["padding_mode"] = mode
    return lines, chosen


def _layer(
    draw: st.DrawFn, rank: int, word: str, mode: str, limits: Limits
) -> Layer | None:
    """Draw a layer of networks for some of the wide cases that can have one."""
    possible = [
        layer
        for layer in _LAYERS
        if (layer.padding == 0 or (word == "numbers" and "ints" in limits.paddings))
        and (layer.stride == 1 or "stride" in limits.options)
        and (layer.extra == 0 or "output_padding" in limits.options)
        and (rank < 3 or layer.kernel <= 4)
    ]
    words = word in ("same", "same_lower")
    if not limits.wide or not possible or words or mode != "zeros":
        return None
    return draw(st.sampled_from([None, None, None, *possible]))


def _layer_axis(draw: st.DrawFn, layer: Layer) -> DrawnAxis:
    small = draw(st.integers(1, 2 if layer.kernel > 8 else 4))
    full = layer.stride * (small - 1) + layer.kernel
    pad = min(layer.padding, (full + layer.extra - 1) // 2)
    big = full - 2 * pad + layer.extra
    return DrawnAxis(small, big, layer.kernel, layer.stride, 1, pad, pad)


def _line(draw: st.DrawFn, rank: int, word: str, mode: str, limits: Limits) -> DrawnAxis:
    most = (_WIDE if limits.wide else _LARGEST)[rank]
    big = draw(st.integers(1, most.big))
    stride = draw(st.integers(1, most.step)) if "stride" in limits.options else 1
    dilation = draw(st.integers(1, most.step)) if "dilation" in limits.options else 1
    if word in ("same", "same_lower"):
        kernel = draw(st.integers(1, most.kernel))
        small = -(-big // stride)
        total = max(stride * (small - 1) + dilation * (kernel - 1) + 1 - big, 0)
        lo = total // 2 if word == "same" else total - total // 2
        hi = total - lo
        line = DrawnAxis(small, big, kernel, stride, dilation, lo, hi)
    else:
        lo, hi = _pads(draw, big, mode, limits) if word == "numbers" else (0, 0)
        kernel = draw(st.integers(1, min(most.kernel, (big + lo + hi - 1) // dilation + 1)))
        small = (big + lo + hi - dilation * (kernel - 1) - 1) // stride + 1
        line = DrawnAxis(small, big, kernel, stride, dilation, lo, hi)
    return _legal(line, word, limits)


def _pads(draw: st.DrawFn, big: int, mode: str, limits: Limits) -> tuple[int, int]:
    """Draw the padding at both ends so that at least one element is left."""
    most = _MOST_PADDING
    least = -2 if "negative" in limits.paddings and mode == "zeros" else 0
    if "pairs" not in limits.paddings:
        lo = draw(st.integers(max(least, -((big - 1) // 2)), most))
        return lo, lo
    lo = draw(st.integers(least, most))
    return lo, draw(st.integers(max(least, 1 - big - lo), most))


def _legal(line: DrawnAxis, word: str, limits: Limits) -> DrawnAxis:
    """Take the natural size where the options cannot ask for another one."""
    if "output_size" in limits.options:
        return line
    if word in ("same", "same_lower"):
        big = line.stride * line.small
        total = line.stride * (line.small - 1) + line.dilation * (line.kernel - 1) + 1
        total = max(total - big, 0)
        lo = total // 2 if word == "same" else total - total // 2
        return line._replace(big=big, lo=lo, hi=total - lo)
    if "output_padding" in limits.options:
        return line
    if line.big - line.extra < 1:
        line = line._replace(lo=0, hi=0)
    return line._replace(big=line.big - line.extra)


def _write_size(
    draw: st.DrawFn,
    chosen: dict[str, Any],
    word: str,
    lines: list[DrawnAxis],
    limits: Limits,
) -> None:
    """Say how large the result is where that is not the default, or even if it is."""
    sizes = [line.big for line in lines]
    extras = [line.extra for line in lines]
    names = ["output_padding", "output_size"]
    if word in ("same", "same_lower"):
        extras = [line.big - line.stride * line.small for line in lines]
        names = ["output_size"]
    ways = [] if any(extras) else ["natural"]
    ways += [name for name in names if name in limits.options]
    # Always a draw, even of one way: to Hypothesis a shorter case would be the simpler.
    way = ways[draw(st.integers(0, 2)) % len(ways)]
    if way == "output_padding":
        _write(draw, chosen, way, extras, 0)
    elif way == "output_size":
        _write(draw, chosen, way, sizes, None)


def _write(
    draw: st.DrawFn,
    chosen: dict[str, Any],
    name: str,
    values: list[int],
    default: int | None,
) -> None:
    """Write an option as one integer where that says it, or as one per axis.

    Defaults are left out without a draw: fewer draws are simpler to Hypothesis.
    """
    if set(values) == {default}:
        return
    alike = len(set(values)) == 1 and not draw(st.booleans())
    chosen[name] = values[0] if alike else tuple(values)
