"""From the shapes and options of one call to its spec, with every check on the way."""

from __future__ import annotations

from typing import NamedTuple

from mtconv.errors import GeometryError, message
from mtconv.geometry import Axis
from mtconv.problem.advice import advising, naming_symbols
from mtconv.problem.axes import AxisResolver, check_magnitude, check_sizes, per_axis
from mtconv.problem.layout import (
    Arrangement,
    check_groups,
    check_kernel_channels,
    check_known,
    resolve_layouts,
)
from mtconv.problem.options import Options
from mtconv.sizes import cached
from mtconv.spec import ConvSpec

__all__ = [
    "Problem",
    "batch_size",
    "match",
    "problem",
    "result_shape",
    "swap_channel_letters",
]


class Problem(NamedTuple):
    """A spec together with the arrangements of the arrays of one call."""

    spec: ConvSpec
    data: Arrangement
    kernel: Arrangement


@cached(4096)
def problem(
    form: str,
    first: tuple[int, ...],
    second: tuple[int, ...],
    options: Options,
    kernel_size: int | tuple[int, ...] | None = None,
) -> Problem:
    """Turn the shapes and options of one call into its spec, or say what is wrong.

    ``first`` and ``second`` are the shapes of x and kernel for "conv_transpose" and
    "conv" (whose x is on the big side), and of x and y for "kernel_grad".
    """
    kernel_ndim = len(second)
    if isinstance(kernel_size, tuple):  # three taps without channels are read as such
        kernel_ndim = len(kernel_size) + 2
    layouts = options.layout, options.kernel_layout
    with naming_symbols(first, second), advising(len(first), kernel_ndim, *layouts):
        if kernel_size is not None:
            return _kernel_grad_problem(first, second, options, kernel_size)
        return _map_problem(form, first, second, options)


def _map_problem(
    form: str, first: tuple[int, ...], second: tuple[int, ...], options: Options
) -> Problem:
    small = "I" if form == "conv_transpose" else "O"
    data, kernel, names = resolve_layouts(
        form,
        "x",
        len(first),
        len(second),
        options.layout,
        options.kernel_layout,
        small,
    )
    rank = len(names)
    data_shape = _canonical(first, data)
    kernel_shape = _canonical(second, kernel)
    channels: tuple[int | None, int | None] = (None, None)
    leading = ("I", "O") if small == "I" else ("O", "I")
    axes_of_kernel = (*map(repr, leading), *names) if kernel.channels else names
    check_known(form, "kernel", kernel_shape, axes_of_kernel)
    if data.channels:
        check_known(form, "x", (data_shape[data.batch],), ("'C'",))
        channels = check_kernel_channels(
            form,
            options.groups,
            data_shape[data.batch],
            (kernel_shape[0], kernel_shape[1]),
        )
    else:
        _check_no_groups(form, options.groups)
    space, taps = data_shape[-rank:], kernel_shape[-rank:]
    check_sizes(form, "x", space, names)
    check_sizes(form, "kernel", taps, names)
    resolver = AxisResolver(form, options, names)
    resolve = resolver.transposed if form == "conv_transpose" else resolver.forward
    axes = tuple(resolve(a, space[a], taps[a]) for a in range(rank))
    return Problem(_spec(form, axes, channels, options), data, kernel)


def _kernel_grad_problem(
    x_shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    options: Options,
    kernel_size: int | tuple[int, ...],
) -> Problem:
    form = "kernel_grad"
    rank, with_channels = _kernel_grad_rank(x_shape, options, kernel_size)
    layout = options.layout
    if layout is None and rank == 3 and not with_channels:
        layout = "DHW"  # what a kernel of three bare axes needs elsewhere
    kernel_ndim = rank + 2 * with_channels
    (data, kernel, names), (y_data, _, _) = (
        resolve_layouts(
            form,
            argument,
            len(shape),
            kernel_ndim,
            layout,
            options.kernel_layout,
            "I",
        )
        for argument, shape in (("x", x_shape), ("y", y_shape))
    )
    x, y = _canonical(x_shape, data), _canonical(y_shape, y_data)
    if x[: data.batch] != y[: y_data.batch]:
        raise _unequal_batches(x_shape, y_shape)
    channels: tuple[int | None, int | None] = (None, None)
    if data.channels:
        channels = (x[data.batch], y[data.batch])
        check_known(form, "x", channels[:1], ("'C'",))
        check_known(form, "y", channels[1:], ("'C'",))
        check_groups(form, options.groups, x=x[data.batch], y=y[data.batch])
    else:
        _check_no_groups(form, options.groups)
    taps = per_axis(form, "kernel_size", kernel_size, names, least=1)
    check_sizes(form, "x", x[-rank:], names)
    check_sizes(form, "y", y[-rank:], names)
    resolver = AxisResolver(form, options, names)
    axes = tuple(
        resolver.between(a, n, N, k)
        for a, (n, N, k) in enumerate(zip(x[-rank:], y[-rank:], taps, strict=True))
    )
    return Problem(_spec(form, axes, channels, options), data, kernel)


def _kernel_grad_rank(
    x_shape: tuple[int, ...], options: Options, kernel_size: int | tuple[int, ...]
) -> tuple[int, bool]:
    """Return spatial rank and whether there are channels, from what the user gave."""
    check_magnitude("kernel_grad", "kernel_size", kernel_size)
    for text, extra, channel in (
        (options.layout, "NC", "C"),
        (options.kernel_layout, "IO", "I"),
    ):
        if text is not None:
            return sum(letter not in extra for letter in text), channel in text
    if isinstance(kernel_size, tuple):
        rank = len(kernel_size)
        return rank, len(x_shape) > rank
    if len(x_shape) < 3:
        example = (kernel_size,) * max(len(x_shape), 1)
        msg = message(
            "kernel_grad",
            "kernel_size",
            "must be a tuple unless x has batch, channels and space",
            f"{kernel_size} for x of shape {x_shape}",
            fix=f"Write one kernel size per spatial axis, for example {example}.",
        )
        raise GeometryError(msg)
    return len(x_shape) - 2, True


def _unequal_batches(x: tuple[int, ...], y: tuple[int, ...]) -> GeometryError:
    return GeometryError(
        message(
            "kernel_grad",
            "y",
            "must be batched as x is, with as many items",
            f"x of shape {x} and y of shape {y}",
            fix="Add a batch axis of length 1 where one is missing.",
        )
    )


def _check_no_groups(form: str, groups: int) -> None:
    check_magnitude(form, "groups", groups)
    if groups != 1:
        msg = message(
            form,
            "groups",
            "must be 1 where the kernel has no channels",
            groups,
            fix="Give kernel and data their channel axes.",
        )
        raise GeometryError(msg)


def _spec(
    form: str,
    axes: tuple[Axis, ...],
    channels: tuple[int | None, int | None],
    options: Options,
) -> ConvSpec:
    kernel_layout = options.kernel_layout
    if kernel_layout is not None and form == "conv":
        kernel_layout = swap_channel_letters(kernel_layout)
    small, big = channels
    return ConvSpec(
        axes,
        options.groups,
        small,
        big,
        options.padding_mode,
        options.layout,
        kernel_layout,
    )


def swap_channel_letters(kernel_layout: str) -> str:
    """Name the same kernel axes for the adjoint call: I and O change places."""
    return kernel_layout.translate(str.maketrans("IO", "OI"))


def _canonical(shape: tuple[int, ...], arrangement: Arrangement) -> tuple[int, ...]:
    order = arrangement.order
    return shape if order is None else tuple(shape[axis] for axis in order)


def match(
    form: str, spec: ConvSpec, first: tuple[int, ...], second: tuple[int, ...]
) -> Problem:
    """Check the shapes of the arrays of one call against a spec made before."""
    kernel_ndim = spec.rank + 2 * (spec.small_channels is not None)
    layouts = spec.layout, spec.kernel_layout
    with naming_symbols(first, second), advising(len(first), kernel_ndim, *layouts):
        return _match(form, spec, first, second, kernel_ndim)


def _match(
    form: str,
    spec: ConvSpec,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_ndim: int,
) -> Problem:
    layout = spec.layout
    if layout is None and spec.small_channels is None and spec.rank > 2:
        layout = "DHW"
    data, kernel, _ = resolve_layouts(
        form, "x", len(first), kernel_ndim, layout, spec.kernel_layout, "I"
    )
    x_side = (spec.small_channels, *spec.small)
    y_side = (spec.big_channels, *spec.big)
    if form == "kernel_grad":
        wanted = (("x", first, data, x_side), ("y", second, data, y_side))
    else:
        side = x_side if form == "conv_transpose" else y_side
        taps = spec.kernel_shape if kernel.channels else (None, *spec.kernel_size)
        wanted = (("x", first, data, side), ("kernel", second, kernel, taps))
    for argument, shape, arrangement, sizes in wanted:
        expected = tuple(size for size in sizes if size is not None)
        got = _canonical(shape, arrangement)[arrangement.batch :]
        if len(shape) != len(expected) + arrangement.batch or got != expected:
            rule = f"must have the spec's sizes {expected}"
            if arrangement.order is not None:
                rule += " in the order channels, space"
            msg = message(form, argument, rule, f"shape {shape}")
            raise GeometryError(msg)
    if form == "kernel_grad" and (
        _canonical(first, data)[: data.batch] != _canonical(second, data)[: data.batch]
    ):
        raise _unequal_batches(first, second)
    return Problem(spec, data, kernel)


def batch_size(solved: Problem, first: tuple[int, ...]) -> int:
    """Batch size of the first array of a call; 1 where it has none or it is symbolic."""
    if not solved.data.batch:
        return 1
    order = solved.data.order
    size = first[0 if order is None else order[0]]
    return size if isinstance(size, int) else 1


def result_shape(form: str, solved: Problem, first: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result of one call, in its layout."""
    spec = solved.spec
    if form == "kernel_grad":
        taps = spec.kernel_shape if solved.kernel.channels else spec.kernel_size
        inverse = solved.kernel.inverse
        return taps if inverse is None else tuple(taps[axis] for axis in inverse)
    transposed = form == "conv_transpose"
    shape = spec.big if transposed else spec.small
    channels = spec.big_channels if transposed else spec.small_channels
    order = solved.data.order
    batch = first[0 if order is None else order[0]]
    if solved.data.channels:
        assert channels is not None
        shape = (channels, *shape)
    if solved.data.batch:
        shape = (batch, *shape)
    inverse = solved.data.inverse
    return shape if inverse is None else tuple(shape[axis] for axis in inverse)
