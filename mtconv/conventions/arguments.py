"""The options of a call, read in the framework's own words, and what they come down to.

A `Geometry` is all that is left of a call's options: one relation per axis, groups and
padding mode. `Arguments` holds the options of one call by name; a framework's file reads
them one after the other, and every wrong value is refused under its name there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.axes import check_magnitude, per_axis
from mtconv.problem.layout import axis_names
from mtconv.problem.options import check_word, freeze_sizes

__all__ = ["ANY", "Arguments", "Geometry", "Ints", "Pairs"]

Ints = int | Sequence[int]
Pairs = tuple[tuple[int, int], ...]

ANY = -(2**62)  # the least value of an option that may be negative


class Geometry(NamedTuple):
    """Relations, groups and padding mode of a transposed convolution."""

    axes: tuple[Axis, ...]
    groups: int = 1
    padding_mode: str = "zeros"

    @property
    def crops(self) -> Pairs:
        """What is cropped at both ends of each axis."""
        return tuple((axis.lo, axis.hi) for axis in self.axes)

    def per_axis(self, field: str) -> tuple[int, ...]:
        """One of the six integers, or `lo`, `hi`, `extent`, `full`, for every axis."""
        return tuple(getattr(axis, field) for axis in self.axes)


class Arguments:
    """The options of one call with its sizes.

    Parameters
    ----------
    function : str
        The framework's name of the function, for messages.
    options : mapping of str to object
        The options by name, those left out being there with their defaults.
    small, taps : tuple of int
        Spatial sizes of the input and of the kernel.
    """

    def __init__(
        self,
        function: str,
        options: Mapping[str, Any],
        small: tuple[int, ...],
        taps: tuple[int, ...],
    ) -> None:
        self.function, self.options = function, options
        self.small, self.taps = small, taps
        self.rank, self.names = len(taps), axis_names(len(taps))

    def __getitem__(self, name: str) -> Any:
        return self.options[name]

    def refuse(self, name: str, rule: str, got: object, **parts: str) -> NoReturn:
        """Raise for an option; ``axis`` and ``fix`` are parts of the message."""
        raise GeometryError(message(self.function, name, rule, got, **parts))

    def frozen(self, name: str) -> int | tuple[int, ...]:
        """Return the integers of an option, as an integer or a tuple."""
        return freeze_sizes(self.function, name, self[name])

    def ints(
        self, name: str, *, least: int, value: Any = None, default: int | None = None
    ) -> tuple[int, ...]:
        """Read one integer or one per axis; ``value`` replaces the option's own."""
        value = self[name] if value is None else value
        value = default if value is None else value
        frozen = freeze_sizes(self.function, name, value)
        return per_axis(self.function, name, frozen, self.names, least)

    def repeated(self, name: str, *, least: int) -> tuple[int, ...]:
        """Read one integer or one per axis, where a sequence of one is repeated."""
        frozen = self.frozen(name)
        if isinstance(frozen, tuple) and len(frozen) == 1:
            return self.ints(name, least=least, value=frozen[0])
        return self.ints(name, least=least)

    def count(self, name: str) -> int:
        """Read a number of groups."""
        frozen = self.frozen(name)
        check_magnitude(self.function, name, frozen)
        if isinstance(frozen, int) and frozen >= 1:
            return frozen
        return self.refuse(name, "must be an integer of at least 1", shown(self[name]))

    def pairs(self, name: str, value: Any = None, count: int | None = None) -> Pairs:
        """Read one (low, high) pair of integers for each axis, or for ``count``."""
        value = self[name] if value is None else value
        count, items = count or self.rank, _items(value) or ()
        result = []
        for axis, row in zip(axis_names(count), items, strict=False):
            pair = freeze_sizes(self.function, name, row)
            check_magnitude(self.function, name, pair)
            if isinstance(pair, int) or len(pair) != 2:
                self.refuse(name, "must have one (low, high) pair", shown(row), axis=axis)
            result.append((pair[0], pair[1]))
        if len(items) != count:
            rule = f"must be one (low, high) pair for each of the {count} spatial axes"
            self.refuse(name, rule, shown(value))
        return tuple(result)

    def ends(self, name: str) -> Pairs:
        """Read one integer, one per axis, or one (low, high) pair per axis."""
        items = _items(self[name])
        items = (self[name],) * self.rank if items is None else items
        both = tuple(item if _items(item) is not None else (item, item) for item in items)
        return self.pairs(name, both)

    def flag(self, name: str) -> bool:
        """Read a truth value; an array of several has none."""
        value = self[name]
        try:
            return bool(value)
        except (TypeError, ValueError):
            got = f"{shown(value)} of type {type(value).__name__}"
        return self.refuse(name, "must be True or False", got)

    def word(self, name: str, words: Iterable[str], value: Any = None) -> str:
        """Check that an option is one of the words that it has."""
        value = self[name] if value is None else value
        return check_word(self.function, name, value, tuple(words))

    def check_below(
        self, name: str, values: Iterable[int], limits: Iterable[int], rule: str
    ) -> None:
        """Check that each value is below its limit, which the rule has in its ``{}``."""
        for axis, value, limit in zip(self.names, values, limits, strict=True):
            if value >= limit:
                self.refuse(name, rule.format(limit), value, axis=axis)

    def no_words(self, name: str, owner: str) -> None:
        """Refuse a padding word where the framework has none."""
        if isinstance(self[name], str):
            self.refuse(
                name,
                f"must be an integer or one per axis: {owner} has no padding words",
                shown(self[name]),
                fix="mtconv.conv_transpose has 'valid', 'same' and 'same_lower'.",
            )

    def spans(self, dilation: Iterable[int]) -> tuple[int, ...]:
        """Lengths that the dilated kernel spans, ``dilation*(k - 1) + 1``."""
        return tuple(d * (k - 1) + 1 for d, k in zip(dilation, self.taps, strict=True))

    def cropped(
        self,
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        crops: Iterable[tuple[int, int]],
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> Geometry:
        """Make the geometry whose full result loses (lo, hi) elements at its ends."""
        axes = []
        for n, k, s, d, (lo, hi) in zip(
            self.small, self.taps, stride, dilation, crops, strict=True
        ):
            full = Axis(n, 0, k, s, d, lo).full
            axes.append(Axis(n, full - lo - hi, k, s, d, lo))
        return Geometry(tuple(axes), groups, padding_mode)

    def sized(
        self,
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        sizes: Iterable[tuple[int, int]],
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> Geometry:
        """Make the geometry whose axes have (lo, N), N being the result's size."""
        rows = zip(self.small, self.taps, stride, dilation, sizes, strict=True)
        axes = tuple(Axis(n, big, k, s, d, lo) for n, k, s, d, (lo, big) in rows)
        return Geometry(axes, groups, padding_mode)


def _items(value: Any) -> tuple[Any, ...] | None:
    """Return what a sequence holds; None for strings and numbers."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        return tuple(value)
    except TypeError:
        return None
