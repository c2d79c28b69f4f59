"""What a framework's options come down to, and how its arguments are read.

A `Geometry` is all that is left of a call's options: one relation per axis, groups and
padding mode. Each framework's file reads its own arguments into one, and writes one back
for conversion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.axes import check_magnitude, per_axis
from mtconv.problem.layout import axis_names
from mtconv.problem.options import freeze_sizes

__all__ = [
    "Geometry",
    "cropped",
    "ends",
    "flag",
    "group_count",
    "ints",
    "pairs",
    "refuse",
    "rows",
    "same_shape",
    "word",
]


class Geometry(NamedTuple):
    """Relations, groups and padding mode of a transposed convolution."""

    axes: tuple[Axis, ...]
    groups: int = 1
    padding_mode: str = "zeros"


def cropped(small: int, kernel: int, stride: int, dilation: int, lo: int, hi: int) -> Axis:
    """Make the axis whose full result loses ``lo`` and ``hi`` cells at its ends."""
    axis = Axis(small, 0, kernel, stride, dilation, lo)
    return Axis(small, axis.full - lo - hi, kernel, stride, dilation, lo)


def group_count(function: str, argument: str, value: Any) -> int:
    """Read the number of groups."""
    frozen = freeze_sizes(function, argument, value)
    check_magnitude(function, argument, frozen)
    if isinstance(frozen, int) and frozen >= 1:
        return frozen
    rule = "must be an integer of at least 1"
    raise GeometryError(message(function, argument, rule, shown(value)))


def ints(
    function: str, argument: str, value: Any, rank: int, *, least: int
) -> tuple[int, ...]:
    """Read one integer or one per axis, each at least ``least``."""
    frozen = freeze_sizes(function, argument, value)
    return per_axis(function, argument, frozen, axis_names(rank), least)


def pairs(
    function: str, argument: str, value: Any, rank: int
) -> tuple[tuple[int, int], ...]:
    """Read one (low, high) pair of integers per axis."""
    items = rows(value) or ()
    found = []
    for name, row in zip(axis_names(rank), items, strict=False):
        pair = freeze_sizes(function, argument, row)
        check_magnitude(function, argument, pair)
        if isinstance(pair, int) or len(pair) != 2:
            msg = message(
                function, argument, "must have one (low, high) pair", shown(row), axis=name
            )
            raise GeometryError(msg)
        found.append((pair[0], pair[1]))
    if len(items) != rank:
        msg = message(
            function,
            argument,
            f"must be one (low, high) pair for each of the {rank} spatial axes",
            shown(value),
        )
        raise GeometryError(msg)
    return tuple(found)


def ends(
    function: str, argument: str, value: Any, rank: int
) -> tuple[tuple[int, int], ...]:
    """Read one integer, one per axis, or one (low, high) pair per axis."""
    items = rows(value)
    items = (value,) * rank if items is None else items
    both = tuple((item, item) if rows(item) is None else item for item in items)
    return pairs(function, argument, both, rank)


def flag(function: str, argument: str, value: Any) -> bool:
    """Read a truth value; an array of several has none."""
    try:
        return bool(value)
    except (TypeError, ValueError):
        got = f"{shown(value)} of type {type(value).__name__}"
        msg = message(function, argument, "must be True or False", got)
        raise GeometryError(msg) from None


def rows(value: Any) -> tuple[Any, ...] | None:
    """Return what a sequence holds; None for strings and numbers."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        return tuple(value)
    except TypeError:
        return None


def word(function: str, argument: str, value: Any, words: tuple[str, ...]) -> str:
    """Check that a value is one of the words that the argument has."""
    text = str.__str__(value) if isinstance(value, str) else None
    if text in words:
        return text
    names = ", ".join(repr(name) for name in words)
    msg = message(function, argument, f"must be one of {names}", shown(value))
    raise GeometryError(msg)


def same_shape(found: Sequence[Axis], wanted: Sequence[Axis]) -> bool:
    """Say whether two lists of axes are the same relations."""
    return tuple(found) == tuple(wanted)


def refuse(target: str, geometry: Geometry, reason: str) -> NoReturn:
    """Raise what a conversion says where the target cannot express a geometry.

    The message says what the target would have to run and what to slice afterwards.
    """
    steps = []
    for name, axis in zip(axis_names(len(geometry.axes)), geometry.axes, strict=True):
        ends = [
            f"{'drop' if amount > 0 else 'add'} {abs(amount)} at the {end} end"
            for amount, end in ((axis.lo, "low"), (axis.hi, "high"))
            if amount
        ]
        steps.append(f"axis {name}: {' and '.join(ends) or 'keep all'}")
    crops = tuple((axis.lo, axis.hi) for axis in geometry.axes)
    fix = f"Run {target} with padding 0 and then, before any bias, {'; '.join(steps)}."
    if geometry.padding_mode != "zeros":
        fix = "Only mtconv, flax and equinox have circular padding."
    msg = message(
        "convert",
        "options",
        f"cannot be said in {target}: {reason}",
        f"crops (lo, hi) = {crops}, groups={geometry.groups}, "
        f"padding_mode={geometry.padding_mode!r}",
        fix=fix,
    )
    raise GeometryError(msg)
