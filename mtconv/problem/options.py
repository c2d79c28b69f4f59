"""What the user wrote, checked for type and frozen, so that it can be a cache key.

Nothing here knows about shapes: an :class:`Options` says the same for every array.
The checks come before any cache look-up because ``True`` and ``2.0`` hash like the
integers ``1`` and ``2``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeAlias, cast

from mtconv.errors import GeometryError, message, shown
from mtconv.sizes import is_open, is_symbol

__all__ = [
    "ALGORITHMS",
    "IntOrInts",
    "Options",
    "Padding",
    "check_word",
    "freeze",
    "pinned",
]

IntOrInts: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
Padding: TypeAlias = (
    str | SupportsIndex | Sequence[SupportsIndex] | Sequence[Sequence[SupportsIndex]]
)

PADDING_WORDS = ("valid", "same", "same_lower")
_PADDING_RULE = (
    "must be an integer, one integer or (lo, hi) pair per axis, or one of "
    + ", ".join(repr(word) for word in PADDING_WORDS)
)
PADDING_MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")
ALGORITHMS = ("auto", "exact", "gemm", "polyphase", "subpixel", "direct", "fft", "native")


class Options(NamedTuple):
    """The geometric options of one call, frozen: integers, tuples and words only."""

    stride: int | tuple[int, ...] = 1
    padding: int | str | tuple[int | tuple[int, int], ...] = 0
    output_padding: int | tuple[int, ...] = 0
    output_size: int | tuple[int, ...] | None = None
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    padding_mode: str = "zeros"
    layout: str | None = None
    kernel_layout: str | None = None


def freeze(
    function: str,
    *,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    output_size: IntOrInts | None = None,
    dilation: IntOrInts = 1,
    groups: SupportsIndex = 1,
    padding_mode: str = "zeros",
    layout: str | None = None,
    kernel_layout: str | None = None,
) -> Options:
    """Check the types of the options of ``function`` and freeze them."""
    # Plain ints pass by their exact type, which bool does not share: this is on the
    # path of every call.
    if type(stride) is not int:
        stride = _ints(function, "stride", stride)
    if type(padding) is not int:
        padding = _padding(function, padding)  # type: ignore[assignment]
    if type(output_padding) is not int:
        output_padding = _ints(function, "output_padding", output_padding)
    if output_size is not None and type(output_size) is not int:
        output_size = _ints(function, "output_size", output_size)
    if type(dilation) is not int:
        dilation = _ints(function, "dilation", dilation)
    if type(groups) is not int:
        groups = _int(function, "groups", groups)
    if type(padding_mode) is not str or padding_mode != "zeros":
        padding_mode = check_word(function, "padding_mode", padding_mode, PADDING_MODES)
    if layout is not None and type(layout) is not str:
        layout = _layout_string(function, "layout", layout)
    if kernel_layout is not None and type(kernel_layout) is not str:
        kernel_layout = _layout_string(function, "kernel_layout", kernel_layout)
    # Without the call of a function that the class's own constructor is.
    return tuple.__new__(
        Options,
        (
            stride,
            padding,
            output_padding,
            output_size,
            dilation,
            groups,
            padding_mode,
            layout,
            kernel_layout,
        ),
    )


def pinned(options: Options) -> Options:
    """Turn symbols into the integers that they are now, except those of `output_size`.

    torch may take every integer of a program for a symbol, strides included, and compiles
    one program for each of the values that it is asked for.
    """
    values = {
        name: _pinned(value)
        for name, value in zip(options._fields, options, strict=True)
        if name != "output_size"
    }
    return options._replace(**values)


def _pinned(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_pinned(item) for item in value)
    return value if value is None or isinstance(value, str) else operator.index(value)


def freeze_sizes(function: str, argument: str, value: IntOrInts) -> int | tuple[int, ...]:
    """Check one argument that is an integer or one integer per axis."""
    return value if type(value) is int else _ints(function, argument, value)


def check_word(function: str, argument: str, value: object, words: tuple[str, ...]) -> str:
    """Return the plain word that a value equals, one of those that the argument has.

    Only strings are words; those of a class of their own, as of NumPy or of an
    enumeration, may hash and print in another way and become plain.
    """
    if type(value) is str and value in words:
        return value
    if isinstance(value, str):
        value = str.__str__(value)
        if value in words:
            return value
    names = ", ".join(repr(word) for word in words)
    fix = ""
    if argument == "algorithm" and isinstance(value, str) and value == "fastfir":
        fix = "'fastfir' was removed; use 'auto' or 'polyphase'."
    elif isinstance(value, str) and value.lower() in words:
        fix = f"Write {value.lower()!r}."
    msg = message(function, argument, f"must be one of {names}", shown(value), fix=fix)
    raise GeometryError(msg)


def _int(
    function: str,
    argument: str,
    value: object,
    axis: str | None = None,
    rule: str = "must be an integer",
) -> int:
    if type(value) is int:
        return value
    if is_symbol(value):
        return _symbol(function, argument, value, axis, rule)
    if not _is_odd(value):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    msg = message(
        function,
        argument,
        rule,
        f"{shown(value)} of type {type(value).__name__}",
        axis=axis,
        fix="Nothing is rounded or converted; write, for example, 2.",
    )
    raise GeometryError(msg)


def _symbol(function: str, argument: str, value: Any, axis: str | None, rule: str) -> int:
    """Let symbols of sizes pass; torch settles others for the integer that it traces."""
    if argument in _SIZES:
        return cast("int", value)
    if not is_open(value):
        return operator.index(value)
    fix = "Write an integer: sizes of batch and space alone may be symbolic."
    got = f"{value}, a symbolic size"
    raise GeometryError(message(function, argument, rule, got, axis=axis, fix=fix))


# Arguments that are sizes or shapes of arrays.
_SIZES = frozenset({"output_size", "x_shape", "kernel_shape"})
_BOOLS = frozenset({"bool", "bool_", "boolean"})


def _is_odd(value: object) -> bool:
    """Return whether a value is no integer although `operator.index` may take it.

    Booleans of all libraries, and arrays of one number along several axes.
    """
    if isinstance(value, (bool, str)) or type(value).__name__ in _BOOLS:
        return True
    dtype = getattr(value, "dtype", None)
    # "torch.bool", "bool", "array_api_strict.bool", "mlx.core.bool_"
    name = str(getattr(dtype, "name", dtype)).rpartition(".")[2]
    return name in _BOOLS or getattr(value, "ndim", 0) != 0


def _items(value: object) -> list[object] | None:
    """Return the items of a list, tuple or one-dimensional array, otherwise None."""
    if isinstance(value, (str, bytes, dict, set)) or getattr(value, "ndim", 1) != 1:
        return None
    try:
        return list(value)  # type: ignore[call-overload,no-any-return]
    except TypeError:
        return None


def _are_ints(value: object) -> bool:
    """Return whether a value is a tuple of plain ints, by their exact type."""
    if type(value) is not tuple or not value:
        return False
    for item in value:  # noqa: SIM110 - on the path of every call: faster than `all`
        if type(item) is not int:
            return False
    return True


def _ints(function: str, argument: str, value: object) -> int | tuple[int, ...]:
    if _are_ints(value):
        return cast("tuple[int, ...]", value)
    items = _items(value)
    if items is None:
        return _int(function, argument, value, None, "must be an integer or one per axis")
    return tuple(
        _int(function, argument, item, f"number {number}")
        for number, item in enumerate(items)
    )


def _padding(function: str, value: object) -> int | str | tuple[int | tuple[int, int], ...]:
    if _are_ints(value):
        return cast("tuple[int, ...]", value)
    if isinstance(value, str):
        return check_word(function, "padding", value, PADDING_WORDS)
    items = _items(value) if getattr(value, "ndim", 1) == 1 else _rows(value)
    if items is None:
        return _int(function, "padding", value, None, _PADDING_RULE)
    frozen: list[int | tuple[int, int]] = []
    for number, item in enumerate(items):
        pair = _items(item)
        name = f"number {number}"
        if pair is None:
            frozen.append(_int(function, "padding", item, name))
        elif len(pair) == 2:
            lo, hi = (_int(function, "padding", part, name) for part in pair)
            frozen.append((lo, hi))
        else:
            msg = message(
                function,
                "padding",
                _PADDING_RULE,
                f"{shown(item)} of length {len(pair)}",
                axis=name,
                fix="Write, for example, padding=((1, 2), (0, 1)).",
            )
            raise GeometryError(msg)
    return tuple(frozen)


def _rows(value: object) -> list[object] | None:
    """Return the rows of a two-dimensional array of integers, otherwise None."""
    if getattr(value, "ndim", 0) != 2:
        return None
    return list(value)  # type: ignore[call-overload,no-any-return]


def _layout_string(function: str, argument: str, value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # an enumeration prints its member's name
    msg = message(
        function,
        argument,
        "must be a string such as 'NCHW' or None",
        f"{shown(value)} of type {type(value).__name__}",
        fix="Leave it out for channels first.",
    )
    raise GeometryError(msg)
