"""Shapes before there are arrays: what size comes out, and which sizes go in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

from mtconv.errors import GeometryError, message, renamed, shown
from mtconv.problem.axes import AxisResolver, per_axis
from mtconv.problem.build import Problem, problem, result_shape
from mtconv.problem.layout import axis_names
from mtconv.problem.options import (
    IntOrInts,
    Options,
    Padding,
    check_word,
    freeze,
    freeze_sizes,
)
from mtconv.sizes import at_least
from mtconv.spec import ConvSpec

__all__ = [
    "conv_shape",
    "conv_transpose_shape",
    "freeze_shape",
    "geometric",
    "input_sizes",
    "named_spec",
    "spec_from_shapes",
]


def conv_transpose_shape(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    **options: Any,
) -> tuple[int, ...]:
    """Shape of ``conv_transpose(x, kernel, **options)``, from integers alone.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the two arrays, in their layouts.
    **options
        The geometric options of `mtconv.conv_transpose`.

    Returns
    -------
    tuple of int
        The shape of the result.

    Raises
    ------
    GeometryError
        Where `mtconv.conv_transpose` would raise it.

    Examples
    --------
    >>> conv_transpose_shape((8, 3, 16, 16), (3, 5, 4, 4), stride=2, padding=1)
    (8, 5, 32, 32)
    """
    return _shape("conv_transpose", x_shape, kernel_shape, options)


def conv_shape(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    **options: Any,
) -> tuple[int, ...]:
    """Shape of ``conv(x, kernel, **options)``, from integers alone.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the two arrays, in their layouts.
    **options
        The geometric options of `mtconv.conv`.

    Returns
    -------
    tuple of int
        The shape of the result.

    Raises
    ------
    GeometryError
        Where `mtconv.conv` would raise it.

    Examples
    --------
    >>> conv_shape((8, 5, 32, 32), (3, 5, 4, 4), stride=2, padding=1)
    (8, 3, 16, 16)
    """
    return _shape("conv", x_shape, kernel_shape, options)


def input_sizes(
    size: IntOrInts,
    kernel_size: IntOrInts,
    *,
    form: str = "conv_transpose",
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
) -> tuple[Sequence[int], ...]:
    """List, axis by axis, the input sizes that can lead to a result of this size.

    Parameters
    ----------
    size : int or sequence of int
        Spatial size of the result; as many axes as `kernel_size`.
    kernel_size : int or sequence of int
        Number of taps along each axis.
    form : str
        "conv_transpose" or "conv": the map whose input is asked for.
    stride : int or sequence of int
        As in `mtconv.conv_transpose`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `mtconv.conv_transpose`.
    dilation : int or sequence of int
        As in `mtconv.conv_transpose`.

    Returns
    -------
    tuple of tuple of int
        The legal sizes of each axis; none where no input leads there, and a range in
        place of a tuple where they are more than 1000.

    Examples
    --------
    >>> input_sizes((32, 33), (4, 4), stride=2, padding=1)
    ((16,), (16,))
    >>> input_sizes(16, 4, form="conv", stride=2, padding=1)
    ((32, 33),)
    """
    form = check_word("input_sizes", "form", form, ("conv_transpose", "conv"))
    options = freeze("input_sizes", stride=stride, padding=padding, dilation=dilation)
    sizes = freeze_sizes("input_sizes", "size", size)
    taps = freeze_sizes("input_sizes", "kernel_size", kernel_size)
    rank = max(len(v) if isinstance(v, tuple) else 1 for v in (sizes, taps))
    names = axis_names(rank)
    resolver = AxisResolver("input_sizes", options, names)
    return tuple(
        resolver.inputs(form, a, target, kernel)
        for a, (target, kernel) in enumerate(
            zip(
                per_axis("input_sizes", "size", sizes, names, least=1),
                per_axis("input_sizes", "kernel_size", taps, names, least=1),
                strict=True,
            )
        )
    )


def spec_from_shapes(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    **options: Any,
) -> ConvSpec:
    """Make the spec of ``conv_transpose(x, kernel, **options)`` from shapes."""
    return named_spec("ConvSpec.from_shapes", x_shape, kernel_shape, options)


def named_spec(
    function: str,
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    options: dict[str, Any],
) -> ConvSpec:
    """Make the spec of a transposed convolution for a function that takes shapes."""
    form = "conv_transpose"
    return _solved(form, function, x_shape, kernel_shape, options)[0].spec


def freeze_shape(
    function: str, argument: str, shape: Sequence[SupportsIndex]
) -> tuple[int, ...]:
    """Check that a shape is a sequence of integers, none negative."""
    frozen = freeze_sizes(function, argument, shape)
    if not isinstance(frozen, tuple) or any(at_least(s, 0) is False for s in frozen):
        msg = message(
            function,
            argument,
            "must be a sequence of sizes, each at least 0",
            shown(shape),
            fix="Pass array.shape.",
        )
        raise GeometryError(msg)
    return frozen


def _shape(
    form: str,
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    options: dict[str, Any],
) -> tuple[int, ...]:
    solved, first = _solved(form, f"{form}_shape", x_shape, kernel_shape, options)
    return result_shape(form, solved, first)


def _solved(
    form: str,
    function: str,
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    options: dict[str, Any],
) -> tuple[Problem, tuple[int, ...]]:
    """Return the problem of a function that takes shapes, and the checked shape of x."""
    first = freeze_shape(function, "x_shape", x_shape)
    second = freeze_shape(function, "kernel_shape", kernel_shape)
    frozen = geometric(form, function, options)
    with renamed(form, function, x="x_shape", kernel="kernel_shape"):
        return problem(form, first, second, frozen), first


def geometric(form: str, function: str, options: dict[str, Any]) -> Options:
    """Freeze the options; a convolution has no output_padding and no output_size."""
    known = set(Options._fields)
    if form == "conv":
        known -= {"output_padding", "output_size"}
    for name in options:
        if name not in known:
            msg = f"{function}() got an unexpected keyword argument {name!r}"
            raise TypeError(msg)
    return freeze(function, **options)
