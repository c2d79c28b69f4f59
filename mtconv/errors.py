"""The two exceptions of mtconv and the one form that every message has."""

from __future__ import annotations

__all__ = ["BackendError", "GeometryError", "message", "shown"]

_LONGEST = 200  # characters of a value that a message shows whole


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
    where = f" on axis {axis}" if axis is not None else ""
    text = f"{function}: `{argument}` {rule}; got {got}{where}."
    return f"{text} {fix}" if fix else text


def shown(value: object) -> str:
    """Write a value into a message, whatever it is: shortened where it is long."""
    try:
        text = repr(value)
    except Exception:  # integers of thousands of digits have no repr
        return f"an object of type {type(value).__name__}"
    if len(text) > _LONGEST:
        return f"{text[:_LONGEST]}... of {len(text)} characters"
    return text
