"""Sizes and paddings of one call, checked and turned into axes.

The only place where padding words, pairs, output paddings and output sizes are read:
each becomes the ``lo`` and the missing size of an :class:`~mtconv.geometry.Axis`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtconv import geometry
from mtconv.errors import GeometryError, message
from mtconv.folds import APART
from mtconv.geometry import Axis
from mtconv.problem.advice import constraint, reaches
from mtconv.problem.options import Options
from mtconv.sizes import compiling, is_open, is_size, is_symbol, larger

__all__ = [
    "MOST_LISTED",
    "AxisResolver",
    "check_magnitude",
    "check_sizes",
    "per_axis",
]

# Sizes and phases of an axis are written down one by one up to this number.
MOST_LISTED = 1000

_MOST_BITS = 3000


def per_axis(
    function: str,
    argument: str,
    value: int | tuple[int, ...],
    names: tuple[str, ...],
    least: int,
) -> tuple[int, ...]:
    """Return one integer per axis, each at least ``least``."""
    check_magnitude(function, argument, value)
    values = value if isinstance(value, tuple) else (value,) * len(names)
    _check_length(function, argument, values, names)
    for name, item in zip(names, values, strict=True):
        if not reaches(function, argument, item, least, name):
            msg = message(function, argument, f"must be at least {least}", item, axis=name)
            raise GeometryError(msg)
    return values


def check_magnitude(function: str, argument: str, value: object) -> None:
    """Check that integers, alone or in sequences, can be written into messages.

    Python writes no more than 4300 digits. Sizes are sums of products of two integers.
    """
    if isinstance(value, (tuple, list)):
        for item in value:
            check_magnitude(function, argument, item)
    elif isinstance(value, int) and not compiling() and value.bit_length() > _MOST_BITS:
        got = f"an integer of {value.bit_length()} bits"
        rule = f"must have at most {_MOST_BITS} bits"
        raise GeometryError(message(function, argument, rule, got))


def check_sizes(
    function: str, argument: str, space: tuple[int, ...], names: tuple[str, ...]
) -> None:
    """Check that every spatial size is a positive integer."""
    check_magnitude(function, argument, space)
    for name, size in zip(names, space, strict=True):
        if not (is_size(size) and reaches(function, argument, size, 1, name)):
            msg = message(
                function,
                argument,
                "must have at least one element",
                f"size {size}",
                axis=name,
                fix="Only batch and channels may be empty.",
            )
            raise GeometryError(msg)


class AxisResolver:
    """Reads the options of one call axis by axis; ``names`` are for messages."""

    def __init__(self, function: str, options: Options, names: tuple[str, ...]) -> None:
        self.function = function
        self.names = names
        self.mode = options.padding_mode
        self.stride = per_axis(function, "stride", options.stride, names, least=1)
        self.dilation = per_axis(function, "dilation", options.dilation, names, least=1)
        self.padding = _paddings(function, options.padding, names)
        self.output_padding = per_axis(
            function, "output_padding", options.output_padding, names, least=0
        )
        self.output_size: tuple[int, ...] | None = None
        if options.output_size is not None:
            self.output_size = per_axis(
                function, "output_size", options.output_size, names, least=1
            )
            if any(self.output_padding):
                msg = message(
                    function,
                    "output_padding",
                    "must be left out where `output_size` is given",
                    f"output_padding={options.output_padding} and "
                    f"output_size={options.output_size}",
                    fix="Leave out `output_padding`: `output_size` settles the size.",
                )
                raise GeometryError(msg)

    def forward(self, a: int, big: int, kernel: int) -> Axis:
        """Resolve an axis of `conv` from the size of its input."""
        lo, hi = self._amounts(a, big, kernel)
        self._check_mode(a, big, lo, hi)
        stride, dilation = self.stride[a], self.dilation[a]
        extent = dilation * (kernel - 1) + 1
        # "same" pads enough, which may not be seen of a symbol.
        enough = isinstance(self.padding[a], str)
        least = extent - lo - hi
        if not (enough or reaches(self.function, "x", big, least, self.names[a])):
            msg = message(
                self.function,
                "kernel",
                "must not span more than the padded input",
                f"a span of dilation*(k - 1) + 1 = {extent} and an input of "
                f"{big} + {lo} + {hi} = {big + lo + hi}",
                axis=self.names[a],
                fix="Pad more or use a smaller kernel or dilation.",
            )
            raise GeometryError(msg)
        small = self._mapped(a, big, kernel, lo, hi)
        return Axis(small, big, kernel, stride, dilation, lo)

    def transposed(self, a: int, small: int, kernel: int) -> Axis:
        """Resolve an axis of `conv_transpose` from the size of its input."""
        stride, dilation = self.stride[a], self.dilation[a]
        size = None if self.output_size is None else self.output_size[a]
        extra = self.output_padding[a]
        padding = self.padding[a]
        if isinstance(padding, str):
            first = stride * (small - 1) + 1
            if extra:
                msg = message(
                    self.function,
                    "output_padding",
                    f"must be 0 with padding={padding!r}",
                    extra,
                    axis=self.names[a],
                    fix=f"Give `output_size` instead, from {first} to {stride * small}.",
                )
                raise GeometryError(msg)
            rest = 0
        else:
            if extra >= stride:
                msg = message(
                    self.function,
                    "output_padding",
                    f"must be less than the stride, {stride}",
                    extra,
                    axis=self.names[a],
                    fix="For a larger result give a smaller hi in padding=((lo, hi), ...).",
                )
                raise GeometryError(msg)
            first = geometry.natural_size(small, kernel, stride, dilation, *padding)
            rest = geometry.natural_size(0, kernel, stride, dilation, *padding) + extra
        big = stride * small + rest if size is None else size
        source = (small, rest) if size is None else None
        self._check_output_size(a, big, first, source)
        # The amounts of "same" are those of every multiple of the stride.
        lo, hi = self._amounts(a, stride if size is None else big, kernel)
        self._check_mode(a, big, lo, hi, source)
        return Axis(small, big, kernel, stride, dilation, lo)

    def between(self, a: int, small: int, big: int, kernel: int) -> Axis:
        """Resolve an axis from both its sizes, as `kernel_grad` does."""
        lo, hi = self._amounts(a, big, kernel)
        stride, dilation = self.stride[a], self.dilation[a]
        mapped = self._mapped(a, big, kernel, lo, hi)
        if mapped != small:
            fix = "Check stride, padding, dilation and kernel_size."
            if is_open(mapped) or is_open(small):
                fix = f"x has to have the size {mapped}."
            if is_open(small) and str(small).isidentifier():
                fix = constraint(f"{small} == {mapped}")
            msg = message(
                self.function,
                "y",
                "must have a size that the convolution maps to x's",
                f"y of size {big}, which gives {mapped}, and x of size {small}",
                axis=self.names[a],
                fix=fix,
            )
            raise GeometryError(msg)
        self._check_mode(a, big, lo, hi)
        return Axis(small, big, kernel, stride, dilation, lo)

    def inputs(self, form: str, a: int, size: int, kernel: int) -> Sequence[int]:
        """Sizes on the other side of an axis that this map can take to ``size``.

        A tuple, or a range where they are too many to write down.
        """
        stride, dilation = self.stride[a], self.dilation[a]
        if form == "conv_transpose":
            lo, hi = self._amounts(a, size, kernel)
            small = geometry.small_size(size, kernel, stride, dilation, lo, hi)
            return (small,) if small >= 1 else ()
        padding = self.padding[a]
        if isinstance(padding, str):
            sizes = range(stride * (size - 1) + 1, stride * size + 1)
        else:
            sizes = geometry.big_sizes(size, kernel, stride, dilation, *padding)
        few = sizes[: MOST_LISTED + 1]
        return tuple(few) if len(few) <= MOST_LISTED else sizes

    def _mapped(self, a: int, big: int, kernel: int, lo: int, hi: int) -> int:
        """Return the size to which the convolution maps ``big`` elements."""
        stride, dilation = self.stride[a], self.dilation[a]
        if isinstance(self.padding[a], str):
            return geometry.same_size(big, stride)  # equal, and a simpler symbol
        return geometry.small_size(big, kernel, stride, dilation, lo, hi)

    def _amounts(self, a: int, big: int, kernel: int) -> tuple[int, int]:
        """Return the padding of the convolution of ``big`` elements at both ends."""
        padding = self.padding[a]
        if not isinstance(padding, str):
            return padding
        lower = padding == "same_lower"
        steps = kernel, self.stride[a], self.dilation[a]
        return geometry.same_padding(big, *steps, lower=lower)

    def _reaches(
        self, a: int, size: int, least: int, source: tuple[int, int] | None
    ) -> bool:
        """Return whether a size is at least another, by the size of x where that is open.

        ``source`` are n and m of ``size = stride*n + m``.
        """
        if source is not None and is_symbol(source[0]):
            size, rest = source
            least = -((rest - least) // self.stride[a])
        return reaches(self.function, "x", size, least, self.names[a])

    def _check_mode(
        self, a: int, big: int, lo: int, hi: int, source: tuple[int, int] | None = None
    ) -> None:
        """Check the padding amounts of the modes that read y itself outside."""
        if self.mode == "zeros":
            return
        # How often an element is repeated must not depend on a symbol. But where amounts of
        # "same" are symbols, elements are read by their numbers.
        apart = APART[self.mode] if is_symbol(big) and not is_symbol(lo + hi) else None
        name = self.names[a]
        wide = apart is not None and not self._reaches(
            a, big, larger(lo, hi) + apart, source
        )
        crops = not isinstance(self.padding[a], str) and min(lo, hi) < 0
        if wide or crops:
            limit = "" if apart is None else f" and at most {big - apart}"
            fix = "Only padding_mode='zeros' crops."
            if wide:
                fix = "Only padding_mode='replicate' takes any amount of a symbolic size."
            msg = message(
                self.function,
                "padding",
                f"must be at least 0{limit} with padding_mode={self.mode!r}",
                f"({lo}, {hi})",
                axis=name,
                fix=fix,
            )
            raise GeometryError(msg)

    def _check_output_size(
        self, a: int, big: int, first: int, source: tuple[int, int] | None
    ) -> None:
        """Check a size of the result; the ``stride`` sizes from ``first`` on are legal."""
        function, axis = self.function, self.names[a]
        last = first + self.stride[a] - 1
        if source is None:  # the caller asks for this size
            bounds = ((big, first), (last, big))
            if all(reaches(function, "output_size", *pair, axis) for pair in bounds):
                return
            legal = _listed(first, last)
            rule = f"must be a size that the convolution maps to x's: {legal}"
            fix = "Choose one of these sizes, or another padding."
            msg = message(function, "output_size", rule, big, axis=axis, fix=fix)
            raise GeometryError(msg)
        if self._reaches(a, big, 1, source):
            return
        fix = f"Pad less, or give `output_size`, one of {_listed(first, last)}."
        if last < 1:
            fix = "Pad less, or give a larger input."
        msg = message(
            function,
            "padding",
            "must leave at least one element of the result",
            f"padding={self.padding[a]}, which leaves {big}",
            axis=axis,
            fix=fix,
        )
        raise GeometryError(msg)


def _listed(first: int, last: int) -> str:
    """Write down the positive sizes from ``first`` to ``last``, the first few of many."""
    if compiling() or is_symbol(first):
        return f"from {first} to {last}"
    legal = range(larger(first, 1), last + 1)
    return ", ".join(map(str, legal[:8])) + (", ..." if legal[8:] else "") or "none"


def _paddings(
    function: str,
    padding: int | str | tuple[int | tuple[int, int], ...],
    names: tuple[str, ...],
) -> tuple[str | tuple[int, int], ...]:
    """Return a padding word or a (lo, hi) pair for each axis."""
    check_magnitude(function, "padding", padding)
    if isinstance(padding, int):
        return ((padding, padding),) * len(names)
    if isinstance(padding, str):
        return ((0, 0) if padding == "valid" else padding,) * len(names)
    _check_length(function, "padding", padding, names)
    return tuple((p, p) if isinstance(p, int) else p for p in padding)


def _check_length(
    function: str, argument: str, values: tuple[object, ...], names: tuple[str, ...]
) -> None:
    if len(values) != len(names):
        axes = ", ".join(names) if len(names) <= 8 else f"{len(names)} of them"
        fix = f"Write one integer, or {len(names)} in a tuple."
        if argument == "output_size":
            fix += " Batch and channels are not part of it."
        msg = message(
            function,
            argument,
            f"must be one value or one per spatial axis ({axes})",
            f"{values}, of length {len(values)}",
            fix=fix,
        )
        raise GeometryError(msg)
