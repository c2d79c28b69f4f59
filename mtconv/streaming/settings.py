"""The options of a stream, checked: its axis of time, and the relation along it."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, SupportsIndex

from mtconv.errors import GeometryError, message, renamed, shown
from mtconv.planning.plan import MAX_ELEMENTS, plan_for
from mtconv.problem.axes import AxisResolver, per_axis
from mtconv.problem.layout import Arrangement, resolve_layouts
from mtconv.problem.options import Options, freeze_sizes
from mtconv.streaming.timeline import Timeline

__all__ = [
    "Settings",
    "arrangement",
    "batched",
    "input_shape",
    "settings",
    "sizes",
]


class Settings(NamedTuple):
    """What a stream is, but for its arrays.

    ``number`` is that of the axis of time among the spatial axes, ``channels`` those of
    the input (None without), and ``space`` spatial sizes that fit every rule.
    """

    form: str
    options: Options
    kernel_shape: tuple[int, ...]
    number: int
    timeline: Timeline
    channels: int | None
    names: tuple[str, ...]
    space: tuple[int, ...]


def settings(
    name: str,
    form: str,
    options: Options,
    kernel_shape: tuple[int, ...],
    bias_shape: tuple[int, ...] | None,
    axis: SupportsIndex | str,
    dtype: str,
    backend: str,
) -> Settings:
    """Check the options of a stream against its kernel and bias."""
    _check_mode(name, options.padding_mode)
    layouts = resolve_layouts(
        name,
        "x",
        None,
        len(kernel_shape),
        options.layout,
        options.kernel_layout,
        _small_letter(form),
    )
    names, kernel = layouts.names, layouts.kernel
    number = _axis_number(name, axis, names)
    resolver = AxisResolver(name, options, names)
    order = kernel.order or tuple(range(len(kernel_shape)))
    taps = tuple(kernel_shape[place] for place in order[-len(names) :])
    timeline = _timeline(resolver, form, number, taps[number])
    space = tuple(
        timeline.roomy if a == number else _roomy(resolver, form, a, k)
        for a, k in enumerate(taps)
    )
    channels = None
    if kernel.channels:
        small, share = (kernel_shape[place] for place in order[:2])
        channels = small if form == "conv_transpose" else share * options.groups
    stream = Settings(form, options, kernel_shape, number, timeline, channels, names, space)
    shape = input_shape(stream, arrangement(name, stream, None), 1, space)
    with renamed(form, name, x="kernel"):
        plan_for(form, shape, kernel_shape, options, dtype, "auto", backend, bias_shape)
    return stream


def _small_letter(form: str) -> str:
    return "I" if form == "conv_transpose" else "O"


def _check_mode(name: str, mode: str) -> None:
    if mode != "zeros":
        msg = message(
            name,
            "padding_mode",
            "must be 'zeros': a stream does not know what lies beyond its ends",
            repr(mode),
            fix="Pad the signal before it is cut into chunks, and leave `padding` out.",
        )
        raise GeometryError(msg)


def _axis_number(name: str, axis: SupportsIndex | str, names: tuple[str, ...]) -> int:
    """Return the number of the axis of time among the spatial axes."""
    rank = len(names)
    letters = [text.strip("'") for text in names]
    if isinstance(axis, str):
        if axis in letters:
            return letters.index(axis)
        if rank == 1 and axis in ("L", "W"):
            return 0
    elif not isinstance(axis, bool):
        try:
            number = operator.index(axis)
        except TypeError:
            number = rank
        if -rank <= number < rank:
            return number % rank
    listed = ", ".join(names) if names[0].startswith("'") else "no letters"
    msg = message(
        name,
        "axis",
        f"must be the number of a spatial axis, from {-rank} to {rank - 1}, or its letter "
        f"({listed})",
        shown(axis),
        fix="Batch and channels are not counted; leave it out for the last spatial axis.",
    )
    raise GeometryError(msg)


def _timeline(resolver: AxisResolver, form: str, a: int, kernel: int) -> Timeline:
    """Read stride, dilation and padding of one axis whose size is not known."""
    stride, padding = resolver.stride[a], resolver.padding[a]
    if form == "conv_transpose":
        word = isinstance(padding, str)
        size = 1 if word else 1 + max(sum(padding), 0)  # type: ignore[arg-type]
        axis = resolver.transposed(a, size, kernel)
        lo, hi = axis.lo, axis.hi
    elif isinstance(padding, tuple):
        lo, hi = padding
    else:
        # A multiple of the stride, where the rest that no window reaches is known.
        axis = resolver.forward(a, stride * kernel, kernel)
        lo, hi = axis.lo, max(axis.hi, 0)
        if stride > 1:
            raise _needs_length(resolver, a, padding, lo, hi)
    return Timeline(form, kernel, stride, resolver.dilation[a], lo, hi)


def _needs_length(
    resolver: AxisResolver, a: int, padding: str, lo: int, hi: int
) -> GeometryError:
    return GeometryError(
        message(
            resolver.function,
            "padding",
            f"must be integers with stride {resolver.stride[a]}, since {padding!r} "
            "depends on the length of the whole",
            repr(padding),
            axis=resolver.names[a],
            fix=f"Write ({lo}, {hi}) for this axis: that is {padding!r} for lengths that "
            "are multiples of the stride.",
        )
    )


def _roomy(resolver: AxisResolver, form: str, a: int, kernel: int) -> int:
    """Return a size of another axis that fits every rule."""
    if isinstance(resolver.padding[a], str):
        return 1
    return _timeline(resolver, form, a, kernel).roomy


def arrangement(
    function: str, stream: Settings, ndim: int | None, argument: str = "chunk"
) -> Arrangement:
    """Return where batch, channels and space are in chunks of this many dimensions."""
    options = stream.options
    return resolve_layouts(
        function,
        argument,
        ndim,
        len(stream.kernel_shape),
        options.layout,
        options.kernel_layout,
        _small_letter(stream.form),
    ).data


def input_shape(
    stream: Settings, order: Arrangement, batch: int | None, space: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of an input of these sizes, in its layout."""
    shape = space
    if order.channels:
        assert stream.channels is not None
        shape = (stream.channels, *shape)
    if order.batch:
        assert batch is not None
        shape = (batch, *shape)
    return shape if order.inverse is None else tuple(shape[axis] for axis in order.inverse)


def sizes(function: str, stream: Settings, size: Any) -> tuple[int, ...]:
    """Return the sizes of all spatial axes, 0 for time, from those of the others."""
    names = tuple(n for a, n in enumerate(stream.names) if a != stream.number)
    if size is None:
        if not names:
            return (0,)
        msg = message(
            function,
            "size",
            f"must have the sizes of the other spatial axes, {', '.join(names)}",
            "nothing",
            fix=f"Write, for example, size={(64,) * len(names)}.",
        )
        raise GeometryError(msg)
    frozen = freeze_sizes(function, "size", size)
    if not names and frozen == ():
        return (0,)
    others = list(per_axis(function, "size", frozen, names, least=1))
    others.insert(stream.number, 0)
    return tuple(others)


def check_batch(function: str, batch: Any) -> None:
    """Check that a batch size is an integer, at least 0."""
    number = freeze_sizes(function, "batch", batch)
    if isinstance(number, tuple) or not 0 <= number <= MAX_ELEMENTS:
        rule = "must be an integer, at least 0, or None"
        if not isinstance(number, tuple) and number > 0:
            rule = "must be at most 2**47"
        raise GeometryError(message(function, "batch", rule, shown(batch)))


def batched(function: str, stream: Settings, batch: Any) -> Arrangement:
    """Return the arrangement of chunks with this batch size, or with none for None."""
    if batch is not None:
        check_batch(function, batch)
    layout, rank = stream.options.layout, len(stream.names)
    order = arrangement(function, stream, None)
    if layout is None and stream.channels is not None and batch is None:
        return arrangement(function, stream, rank + 1)
    if order.batch == (batch is not None):
        return order
    if order.batch:
        rule, fix = "must be the batch size of the chunks", "Write, for example, batch=1."
    else:
        rule = "must be left out where chunks have no batch axis"
        fix = "Name a batch axis by `layout`, or give the kernel its channel axes."
    raise GeometryError(message(function, "batch", rule, shown(batch), fix=fix))
