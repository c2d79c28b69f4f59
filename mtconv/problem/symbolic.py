"""Symbols in messages: an error that writes them down says that they are no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mtconv.errors import GeometryError
from mtconv.sizes import symbols

__all__ = ["naming_symbols"]


@contextmanager
def naming_symbols(*shapes: tuple[int, ...]) -> Iterator[None]:
    """Add to errors raised inside which of the sizes they speak of are symbols."""
    try:
        yield
    except GeometryError as error:
        names = symbols(*shapes)
        if not names:
            raise
        verb = "is a symbolic size" if len(names) == 1 else "are symbolic sizes"
        msg = f"{error} Here {_joined(names)} {verb}."
        raise GeometryError(msg) from None


def _joined(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
