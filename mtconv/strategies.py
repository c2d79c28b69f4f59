"""Hypothesis strategies for transposed convolutions: specs, and whole cases with arrays.

Cases are built, never filtered: the big size N, the padding, dilation, kernel and stride
of every axis are drawn within what earlier draws leave, and the small size follows. That
reaches kernels smaller than the stride, padding beyond the kernel, zero extension, every
legal output size (natural sizes of zero and less included), groups with unequal
channels, and empty batches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtconv.problem import swap_channel_letters
from mtconv.spec import ConvSpec

__all__ = ["Case", "problems", "specs"]

OPTIONS = ("stride", "padding", "output_padding", "output_size", "dilation", "groups")
PADDINGS = ("ints", "pairs", "negative", "valid", "same", "same_lower")
KINDS = ("bare", "unbatched", "batched")

# Largest big side, kernel and stride by number of axes: 3-D cases stay small.
_LARGEST = {1: (9, 4), 2: (6, 3), 3: (4, 3)}
_SPACE = {1: "L", 2: "HW", 3: "DHW"}


@dataclass(frozen=True, repr=False)
class Case:
    """Arrays and options of one trilinear form, ready for all three maps.

    Parameters
    ----------
    x, kernel, y : numpy.ndarray
        Small side, kernel and big side.
    bias : numpy.ndarray or None
        Bias of `mtconv.conv_transpose`.
    options : dict
        Options of `mtconv.conv_transpose`, only those that differ from their defaults.
    """

    x: NDArray[Any]
    kernel: NDArray[Any]
    y: NDArray[Any]
    bias: NDArray[Any] | None
    options: dict[str, Any]

    @property
    def spec(self) -> ConvSpec:
        """The geometry of the case."""
        return ConvSpec.from_shapes(self.x.shape, self.kernel.shape, **self.options)

    @property
    def conv_options(self) -> dict[str, Any]:
        """The options of the adjoint call, ``conv(y, kernel, **conv_options)``."""
        options = {
            name: value
            for name, value in self.options.items()
            if name not in ("output_padding", "output_size")
        }
        if "kernel_layout" in options:
            options["kernel_layout"] = swap_channel_letters(options["kernel_layout"])
        return options

    @property
    def grad_options(self) -> dict[str, Any]:
        """The options of ``kernel_grad(x, y, **grad_options)``."""
        options = self.conv_options
        if "kernel_layout" in self.options:
            options["kernel_layout"] = self.options["kernel_layout"]
        return {**options, "kernel_size": self.spec.kernel_size}

    def __repr__(self) -> str:
        words = [
            f"{name}={_written(array)}"
            for name, array in (("x", self.x), ("kernel", self.kernel), ("bias", self.bias))
            if array is not None
        ]
        words += [f"{name}={value!r}" for name, value in self.options.items()]
        return f"conv_transpose({', '.join(words)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Let Hypothesis print the call, not the fields."""
        printer.text("..." if cycle else repr(self))


def _written(array: NDArray[Any]) -> str:
    if array.size == 0:
        return f"numpy.zeros({array.shape}, {array.dtype.name!r})"
    if array.dtype in (np.int64, np.float64):
        return str(array.tolist())
    return f"numpy.array({array.tolist()}, {array.dtype.name!r})"


class _Line(NamedTuple):
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


class _Limits(NamedTuple):
    options: Collection[str]
    paddings: Collection[str]
    modes: Sequence[str]
    layouts: bool


@st.composite
def problems(
    draw: st.DrawFn,
    *,
    ranks: Sequence[int] = (1, 2, 3),
    kinds: Sequence[str] = KINDS,
    options: Collection[str] = OPTIONS,
    paddings: Collection[str] = PADDINGS,
    padding_modes: Sequence[str] = ("zeros",),
    layouts: bool = False,
    dtypes: Sequence[str] = ("int64",),
    integer_valued: bool = True,
    bias: bool = True,
    batches: Sequence[int] = (1, 2, 0),
) -> Case:
    """Draw a case: arrays and options of one problem, valid for all three maps.

    Parameters
    ----------
    ranks : sequence of int
        Numbers of spatial axes, from 1 to 3.
    kinds : sequence of str
        "bare" (space only; never of three axes unless `layouts`), "unbatched"
        (C, *space) and "batched" (N, C, *space).
    options : collection of str
        Options that may differ from their defaults, of "stride", "padding",
        "output_padding", "output_size", "dilation" and "groups".
    paddings : collection of str
        Which paddings: "ints" (the same at both ends of an axis), "pairs", "negative"
        (either of them below zero), and the words "valid", "same" and "same_lower".
    padding_modes : sequence of str
        Values of `padding_mode`.
    layouts : bool
        Whether to draw `layout` and `kernel_layout` strings too.
    dtypes : sequence of str
        Names of NumPy dtypes; all arrays of a case have the same.
    integer_valued : bool
        Small integers of no symmetry in any dtype, so that results are exact; otherwise
        normally distributed numbers.
    bias : bool
        Whether some cases have a bias.
    batches : sequence of int
        Batch sizes.

    Returns
    -------
    strategy of Case

    Notes
    -----
    Shrinks towards the first entry of every sequence, one channel, one group, sizes of 1,
    default options written as plain integers, and arrays that count 1, 2, 3, ... from the
    start. What Hypothesis prints at the end is therefore the call to look at.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(problems(), lambda case: case.spec.axes[0].kernel == 2)
    conv_transpose(x=[1], kernel=[1, 2])
    """
    rank = draw(st.sampled_from(ranks))
    limits = _Limits(options, paddings, padding_modes, layouts)
    allowed = [k for k in kinds if k != "bare" or rank < 3 or layouts]
    kind = draw(st.sampled_from(allowed))
    lines, chosen = _geometry(draw, rank, limits)
    groups = 1
    small_share = big_share = 1
    if kind != "bare":
        if "groups" in options:
            groups = draw(st.integers(1, 3))
        small_share, big_share = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    if groups > 1:
        chosen["groups"] = groups
    lead = () if kind != "batched" else (draw(st.sampled_from(batches)),)
    small = () if kind == "bare" else (groups * small_share,)
    big = () if kind == "bare" else (groups * big_share,)
    taps = () if kind == "bare" else (groups * small_share, big_share)
    make = _arrays(draw, draw(st.sampled_from(dtypes)), integer_valued)
    x = make((*lead, *small, *(line.small for line in lines)), 7)
    kernel = make((*taps, *(line.kernel for line in lines)), 5)
    y = make((*lead, *big, *(line.big for line in lines)), 6)
    shift = make(big, 4) if bias and big and draw(st.booleans()) else None
    if layouts and ((rank == 3 and kind == "bare") or draw(st.booleans())):
        x, kernel, y = _lay_out(draw, rank, kind, (x, kernel, y), chosen)
    return Case(x, kernel, y, shift, chosen)


def specs(**limits: Any) -> st.SearchStrategy[ConvSpec]:
    """Draw a geometry.

    Parameters
    ----------
    **limits
        As in `problems`.

    Returns
    -------
    strategy of ConvSpec

    Notes
    -----
    Shrinks as `problems` does: one axis, ``n = N = k = 1``, stride and dilation 1.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(specs(), lambda spec: spec.axes[0].stride > 1).axes
    (Axis(small=1, big=1, kernel=1, stride=2, dilation=1, lo=0),)
    """
    return problems(**limits).map(lambda case: case.spec)


def _geometry(
    draw: st.DrawFn, rank: int, limits: _Limits
) -> tuple[list[_Line], dict[str, Any]]:
    """Draw all axes and write them as options."""
    mode = draw(st.sampled_from(limits.modes))
    ways = ["none"]
    if "padding" in limits.options:
        # Numbers several times: most of what can go wrong is there.
        ways += ["numbers"] * 3 * bool({"ints", "pairs", "negative"} & set(limits.paddings))
        ways += [w for w in ("valid", "same", "same_lower") if w in limits.paddings]
    word = draw(st.sampled_from(ways))
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


def _line(draw: st.DrawFn, rank: int, word: str, mode: str, limits: _Limits) -> _Line:
    most, steps = _LARGEST[rank]
    big = draw(st.integers(1, most))
    stride = draw(st.integers(1, steps)) if "stride" in limits.options else 1
    dilation = draw(st.integers(1, steps)) if "dilation" in limits.options else 1
    if word in ("same", "same_lower"):
        kernel = draw(st.integers(1, steps))
        small = -(-big // stride)
        total = max(stride * (small - 1) + dilation * (kernel - 1) + 1 - big, 0)
        lo = total // 2 if word == "same" else total - total // 2
        hi = total - lo
        if mode in ("reflect", "symmetric") and max(lo, hi) > big - (mode == "reflect"):
            kernel, lo, hi = 1, 0, 0  # a kernel of one tap needs no padding
        line = _Line(small, big, kernel, stride, dilation, lo, hi)
    else:
        lo, hi = _pads(draw, big, mode, limits) if word == "numbers" else (0, 0)
        kernel = draw(st.integers(1, min(steps, (big + lo + hi - 1) // dilation + 1)))
        small = (big + lo + hi - dilation * (kernel - 1) - 1) // stride + 1
        line = _Line(small, big, kernel, stride, dilation, lo, hi)
    return _legal(line, word, limits)


def _pads(draw: st.DrawFn, big: int, mode: str, limits: _Limits) -> tuple[int, int]:
    """Draw the padding at both ends so that at least one cell is left."""
    least = -2 if "negative" in limits.paddings and mode == "zeros" else 0
    most = {"reflect": min(4, big - 1), "symmetric": min(4, big)}.get(mode, 4)
    if "pairs" not in limits.paddings:
        lo = draw(st.integers(max(least, -((big - 1) // 2)), most))
        return lo, lo
    lo = draw(st.integers(least, most))
    return lo, draw(st.integers(max(least, 1 - big - lo), most))


def _legal(line: _Line, word: str, limits: _Limits) -> _Line:
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
    lines: list[_Line],
    limits: _Limits,
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
    one = len(set(values)) == 1 and not draw(st.booleans())
    chosen[name] = values[0] if one else tuple(values)


def _arrays(draw: st.DrawFn, dtype: str, integer_valued: bool) -> Any:
    """Return ``make(shape, period)``; seed 0 counts from 1 up to the period, cyclically.

    Different periods keep the arrays of a case apart, and none is symmetric.
    """
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    low = 0 if kind == "u" else -4

    def make(shape: tuple[int, ...], period: int) -> NDArray[Any]:
        values: NDArray[Any]
        if not integer_valued:
            values = rng.standard_normal(shape)
            if kind == "c":
                values = values + 1j * rng.standard_normal(shape)
        elif seed:
            values = rng.integers(low, 5, shape)
            if kind == "c":
                values = values + 1j * rng.integers(low, 5, shape)
        else:
            values = 1 + np.arange(np.prod(shape, dtype=int)).reshape(shape) % period
        return values.astype(dtype)

    return make


def _lay_out(
    draw: st.DrawFn,
    rank: int,
    kind: str,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    chosen: dict[str, Any],
) -> list[NDArray[Any]]:
    """Permute the axes of x, kernel and y, and write the layouts that say so."""
    lead = {"batched": "NC", "unbatched": "C", "bare": ""}[kind]
    data = lead + _SPACE[rank]
    taps = ("IO" if lead else "") + _SPACE[rank]
    # Options go by the data layout's order of spatial letters, so that order stays.
    spots = draw(st.permutations(range(len(data))))
    space = iter(_SPACE[rank])
    layout = "".join(next(space) if s >= len(lead) else lead[s] for s in spots)
    kernel_layout = "".join(draw(st.permutations(taps)))
    chosen["layout"], chosen["kernel_layout"] = layout, kernel_layout
    x, kernel, y = arrays
    order = tuple(data.index(letter) for letter in layout)
    kernel_order = tuple(taps.index(letter) for letter in kernel_layout)
    return [x.transpose(order), kernel.transpose(kernel_order), y.transpose(order)]
