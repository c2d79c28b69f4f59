"""The geometry of a map whose data are fixed, and the shapes of kernel and result."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mtconv.errors import GeometryError, message, renamed
from mtconv.problem.axes import per_axis
from mtconv.problem.build import match, problem, result_shape
from mtconv.problem.layout import axis_names, check_groups, resolve_layouts
from mtconv.problem.options import Options
from mtconv.spec import ConvSpec

__all__ = ["KernelSides", "fixed_spec", "kernel_sides"]


class KernelSides(NamedTuple):
    """Shapes of the kernel and of the result, in the user's layouts."""

    kernel: tuple[int, ...]
    result: tuple[int, ...]


def fixed_spec(
    name: str,
    form: str,
    data: tuple[int, ...],
    kernel_size: int | tuple[int, ...],
    channels: int | tuple[int, ...] | None,
    options: Options,
) -> ConvSpec:
    """Make the spec of a map from the shape of its data and the size of its kernel."""
    own = "x" if form == "conv_transpose" else "y"
    arguments = {"x": own, "kernel": "kernel_size"}
    with renamed(form, name, **arguments), renamed(name, name, x=own):
        return _fixed_spec(name, form, own, data, kernel_size, channels, options)


def _fixed_spec(
    name: str,
    form: str,
    own: str,
    data: tuple[int, ...],
    kernel_size: int | tuple[int, ...],
    channels: int | tuple[int, ...] | None,
    options: Options,
) -> ConvSpec:
    rank, with_channels = _rank(name, own, data, kernel_size, options)
    if options.layout is None and rank == 3 and not with_channels:
        options = options._replace(layout="DHW")  # what a bare volume needs elsewhere
    small = "I" if form == "conv_transpose" else "O"
    ndim = rank + 2 * with_channels
    letters = options.layout, options.kernel_layout
    layouts = resolve_layouts(name, "x", len(data), ndim, *letters, small)
    taps = per_axis(name, "kernel_size", kernel_size, axis_names(rank), least=1)
    shape = taps
    if with_channels:
        order = layouts.data.order or tuple(range(len(data)))
        size = data[order[layouts.data.batch]]
        shape = (*_channels(name, form, own, size, channels, options.groups), *taps)
    elif channels is not None:
        rule = "must be left out where the data have no channels"
        fix = f"With them, {own} has {rank + 1} or {rank + 2} axes."
        raise GeometryError(message(name, "channels", rule, channels, fix=fix))
    if layouts.kernel.inverse is not None:
        shape = tuple(shape[axis] for axis in layouts.kernel.inverse)
    return problem(form, data, shape, options).spec


def _rank(
    name: str,
    own: str,
    data: tuple[int, ...],
    kernel_size: int | tuple[int, ...],
    options: Options,
) -> tuple[int, bool]:
    """Return the number of spatial axes, and whether there are channels."""
    for text, others, channel in (
        (options.layout, "NC", "C"),
        (options.kernel_layout, "IO", "I"),
    ):
        if text is not None:
            return sum(letter not in others for letter in text), channel in text
    if isinstance(kernel_size, tuple):
        return len(kernel_size), len(data) > len(kernel_size)
    if len(data) < 3:
        rule = f"must be a tuple unless {own} has batch, channels and space"
        got = f"{kernel_size} for {own} of shape {data}"
        example = (kernel_size,) * max(len(data), 1)
        fix = f"Write one kernel size per spatial axis, for example {example}."
        raise GeometryError(message(name, "kernel_size", rule, got, fix=fix))
    return len(data) - 2, True


def _channels(
    name: str,
    form: str,
    own: str,
    size: int,
    channels: int | tuple[int, ...] | None,
    groups: int,
) -> tuple[int, int]:
    """Return the first two sizes of the kernel: small channels, and big ones per group."""
    check_groups(name, groups, **{own: size})
    other = groups if channels is None else channels
    if not isinstance(other, int) or other < 1 or other % groups:
        rule = f"must be a positive multiple of groups={groups}"
        raise GeometryError(message(name, "channels", rule, channels))
    pair = (size, other // groups), (other, size // groups)
    return pair[form == "conv"]


@lru_cache(maxsize=1024)
def kernel_sides(form: str, spec: ConvSpec, data: tuple[int, ...]) -> KernelSides:
    """Return the shapes of kernel and result, for data of a shape that fits."""
    with_channels = spec.small_channels is not None
    kernel = spec.kernel_shape if with_channels else spec.kernel_size
    ndim = spec.rank + 2 * with_channels
    letters = spec.layout, spec.kernel_layout
    layouts = resolve_layouts(form, "x", len(data), ndim, *letters, "I")
    if layouts.kernel.inverse is not None:
        kernel = tuple(kernel[axis] for axis in layouts.kernel.inverse)
    return KernelSides(kernel, result_shape(form, match(form, spec, data, kernel), data))
