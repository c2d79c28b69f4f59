"""TensorFlow's options, read and written: the size is given, and has to fit.

The table is in `mtconv.compat.tensorflow`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._geometry import Geometry, ints, pairs, refuse, rows, word
from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.layout import axis_names
from mtconv.problem.options import freeze_sizes

__all__ = ["Ints", "Padding", "channels_first", "geometry", "options"]

Ints = int | Sequence[int]
Padding = str | Sequence[Sequence[int]]


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    output_shape: Sequence[int | None],
    strides: Ints = 1,
    padding: Padding = "SAME",
    data_format: str | None = None,
    dilations: Ints | None = None,
) -> Geometry:
    """Read TensorFlow's options; batch and channels of `output_shape` are not looked at."""
    rank = len(taps)
    first = channels_first(function, data_format)
    shape = rows(output_shape)
    if shape is None or len(shape) != rank + 2:
        rule = f"must have {rank + 2} sizes, batch and channels included"
        got = shown(output_shape if shape is None else shape)
        raise GeometryError(message(function, "output_shape", rule, got))
    space = shape[2:] if first else shape[1:-1]
    sizes = ints(function, "output_shape", space, rank, least=1)
    steps = _steps(function, "strides", strides, rank, first)
    spread = _steps(function, "dilations", dilations, rank, first)
    crops: tuple[tuple[int, int], ...] = ((0, 0),) * rank
    if isinstance(padding, str):
        kind = word(function, "padding", padding, ("SAME", "VALID"))
    else:
        kind, crops = "EXPLICIT", _explicit(function, padding, rank, first)
    axes = []
    for name, n, k, s, d, big, (lo, hi) in zip(
        axis_names(rank), small, taps, steps, spread, sizes, crops, strict=True
    ):
        span = d * (k - 1) + 1
        expected = -(-big // s) if kind == "SAME" else (big + lo + hi - span) // s + 1
        if n != expected:
            msg = message(
                function,
                "output_shape",
                f"must be a size that the convolution maps to input's {n}",
                f"{big}, which gives {expected}",
                axis=name,
            )
            raise GeometryError(msg)
        if kind == "SAME":
            lo = max((n - 1) * s + span - big, 0) // 2
        axes.append(Axis(n, big, k, s, d, lo))
    return Geometry(tuple(axes))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in TensorFlow's options, or refuse.

    Batch and channels of ``output_shape`` are None, to be filled in.
    """
    small = tuple(axis.small for axis in found.axes)
    taps = tuple(axis.kernel for axis in found.axes)
    said: dict[str, Any] = {
        "output_shape": (None, *(axis.big for axis in found.axes), None),
        "strides": tuple(axis.stride for axis in found.axes),
        "dilations": tuple(axis.dilation for axis in found.axes),
    }
    explicit = ((0, 0), *((axis.lo, max(axis.hi, 0)) for axis in found.axes), (0, 0))
    words: list[Padding] = ["SAME", "VALID"]
    if len(taps) == 2:
        words.append(explicit)
    for padding in words if found.padding_mode == "zeros" else []:
        try:
            attempt = geometry("convert", small, taps, padding=padding, **said)
        except GeometryError:
            continue
        if attempt.axes == found.axes:
            return said | {"padding": padding}
    return refuse("tensorflow", found, "it has only SAME, VALID and, in 2-D, pairs")


def channels_first(function: str, data_format: str | None) -> bool:
    """Say whether a data format has its channels before its space."""
    formats = ("NWC", "NCW", "NHWC", "NCHW", "NDHWC", "NCDHW")
    return data_format is not None and word(
        function, "data_format", data_format, formats
    ).startswith("NC")


def _steps(
    function: str, argument: str, value: Ints | None, rank: int, first: bool
) -> tuple[int, ...]:
    """Read strides or dilations of length 1, n, or n + 2 with ones for N and C."""
    if value is None:
        return (1,) * rank
    frozen = freeze_sizes(function, argument, value)
    if isinstance(frozen, tuple) and len(frozen) == 1:
        value = frozen[0]
    elif isinstance(frozen, tuple) and len(frozen) == rank + 2:
        others = (frozen[0], frozen[1 if first else -1])
        if others != (1, 1):
            rule = "must be 1 for batch and channels"
            raise GeometryError(message(function, argument, rule, frozen))
        value = frozen[2:] if first else frozen[1:-1]
    return ints(function, argument, value, rank, least=1)


def _explicit(
    function: str, padding: Sequence[Sequence[int]], rank: int, first: bool
) -> tuple[tuple[int, int], ...]:
    if rank != 2:
        word(function, "padding", padding, ("SAME", "VALID"))
    every = pairs(function, "padding", padding, 4)
    space = every[2:] if first else every[1:-1]
    if sum(map(sum, every)) != sum(map(sum, space)) or min(map(min, space)) < 0:
        rule = "must be 0 for batch and channels and at least 0 elsewhere"
        raise GeometryError(message(function, "padding", rule, padding))
    return space
