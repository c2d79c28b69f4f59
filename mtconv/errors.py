"""The two exceptions of mtconv and the one form that every message has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["BackendError", "GeometryError", "message", "renamed", "shown"]

_LONGEST = 200  # characters of a value that a message shows whole
_LONGEST_GOT = 300  # and of what is said about it


class GeometryError(ValueError):
    """Shapes or options that no transposed convolution can have."""


class BackendError(TypeError):
    """Arrays, dtypes or algorithms that the chosen backend cannot take."""


def message(
    function: str,
    argument: str,
    rule: str,
    got: object,
    *,
    axis: str | None = None,
    fix: str = "",
) -> str:
    """Say what went wrong: function, argument, rule, what was got, axis, and the fix."""
    if not isinstance(got, str):
        got = shown(got)
    place = f" on axis {axis}" if axis is not None else ""
    text = f"{function}: `{argument}` {rule}; got {_cut(got, _LONGEST_GOT)}{place}."
    return f"{text} {fix}" if fix else text


def shown(value: object) -> str:
    """Write a value into a message, whatever it is: shortened where it is long."""
    try:
        text = repr(value)
    except Exception:  # integers of thousands of digits have no repr
        return f"an object of type {type(value).__name__}"
    return _cut(text, _LONGEST)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... of {len(text)} characters"


@contextmanager
def renamed(form: str, name: str, **arguments: str) -> Iterator[None]:
    """Let errors about a map, raised inside, name the function that applies it.

    ``arguments`` are the names that this function has for arguments of the map.
    """
    try:
        yield
    except (GeometryError, BackendError) as error:
        text = str(error)
        if not text.startswith(f"{form}: "):
            raise
        text = name + text.removeprefix(form)
        for argument, own in arguments.items():
            text = text.replace(f": `{argument}` ", f": `{own}` ", 1)
        raise type(error)(text) from None
