"""What an operator takes and gives: its spec, and the shapes and layouts of both sides."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from mtconv.errors import renamed
from mtconv.problem.advice import advising
from mtconv.problem.axes import per_axis
from mtconv.problem.build import problem
from mtconv.problem.layout import SPATIAL, resolve_layouts
from mtconv.problem.options import Options
from mtconv.spec import ConvSpec

__all__ = ["Sides", "operator_spec", "sides"]


class Sides(NamedTuple):
    """Shapes without batch, and the spec with the layouts that arrays come in."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    batch_axis: int
    single: ConvSpec  # for one array
    batched: ConvSpec  # for a batch, its axis where the user's layout has it
    front: ConvSpec  # for a batch, its axis first


def operator_spec(
    name: str,
    form: str,
    input_size: int | tuple[int, ...],
    kernel_shape: tuple[int, ...],
    options: Options,
) -> ConvSpec:
    """Make the spec of an operator from its kernel and the spatial size of its input."""
    layouts = options.layout, options.kernel_layout
    with advising(3, len(kernel_shape), *layouts), renamed(form, name, x="input_size"):
        return _operator_spec(name, form, input_size, kernel_shape, options)


def _operator_spec(
    name: str,
    form: str,
    input_size: int | tuple[int, ...],
    kernel_shape: tuple[int, ...],
    options: Options,
) -> ConvSpec:
    small = "I" if form == "conv_transpose" else "O"
    layouts = resolve_layouts(
        name,
        "x",
        None,
        len(kernel_shape),
        options.layout,
        options.kernel_layout,
        small,
    )
    size = per_axis(name, "input_size", input_size, layouts.names, least=1)
    data, kernel = layouts.data, layouts.kernel
    shape = size
    if kernel.channels:
        i, o = (kernel.order or (0, 1))[:2]
        channels = kernel_shape[i]
        if form == "conv":
            channels = kernel_shape[o] * options.groups
        shape = (channels, *size)
    if data.batch:
        shape = (1, *shape)
    if data.inverse is not None:
        shape = tuple(shape[axis] for axis in data.inverse)
    return problem(form, shape, kernel_shape, options).spec


@lru_cache(maxsize=1024)
def sides(form: str, spec: ConvSpec) -> Sides:
    """Work out what the arrays of an operator look like."""
    letters = spec.layout
    bare = spec.small_channels is None
    if letters is None and bare:
        letters = SPATIAL[spec.rank][-1]
    small = _shape(letters, spec.small_channels, spec.small)
    big = _shape(letters, spec.big_channels, spec.big)
    input_shape, output_shape = (small, big) if form == "conv_transpose" else (big, small)
    if letters is None:  # channels first, and the number of dimensions tells a batch
        return Sides(input_shape, output_shape, 0, spec, spec, spec)
    single = letters.replace("N", "")
    batched = letters if "N" in letters else "N" + letters
    views = (replace(spec, layout=text) for text in (single, batched, "N" + single))
    return Sides(input_shape, output_shape, batched.index("N"), *views)


def _shape(
    letters: str | None, channels: int | None, space: tuple[int, ...]
) -> tuple[int, ...]:
    if letters is None:
        assert channels is not None
        return (channels, *space)
    sizes = iter(space)
    channel = iter(() if channels is None else (channels,))
    return tuple(
        next(channel if letter == "C" else sizes) for letter in letters if letter != "N"
    )
