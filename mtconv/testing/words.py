"""Check the words that limit a test: one that is not known would check less, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

import numpy as np

from mtconv.errors import GeometryError, message, shown

__all__ = ["DTYPES", "check_dtypes", "check_names", "check_numbers", "check_words"]

DTYPES = (
    *("int64", "float32", "float64", "int32", "complex64", "complex128", "float16"),
    *("int8", "int16", "uint8", "uint16", "uint32", "uint64", "bfloat16"),
)


def check_words(
    function: str,
    argument: str,
    words: Collection[str],
    known: Sequence[str],
    *,
    may_be_empty: bool = False,
) -> tuple[str, ...]:
    """Return the words as a tuple, or raise an error that lists the known ones."""
    rule = f"must be a collection of words out of {', '.join(map(repr, known))}"
    if isinstance(words, str):
        fix = f"Write ({words!r},)." if words in known else ""
        raise GeometryError(message(function, argument, rule, repr(words), fix=fix))
    if not isinstance(words, Iterable):
        raise GeometryError(message(function, argument, rule, shown(words)))
    words = tuple(words)
    for word in words:
        if not isinstance(word, str) or word not in known:
            close = get_close_matches(str(word), known, 1)
            fix = f"Did you mean {close[0]!r}?" if close else ""
            raise GeometryError(message(function, argument, rule, shown(word), fix=fix))
    if not words and not may_be_empty:
        rule = "must name at least one, or nothing would be checked"
        raise GeometryError(message(function, argument, rule, "none"))
    return words


def check_numbers(
    function: str, argument: str, numbers: Collection[int], known: range
) -> tuple[int, ...]:
    """Return the integers as a tuple, or raise an error that says which are allowed."""
    rule = f"must be a collection of integers from {known.start} to {known.stop - 1}"
    if isinstance(numbers, str) or not isinstance(numbers, Iterable):
        raise GeometryError(message(function, argument, rule, shown(numbers)))
    numbers = tuple(numbers)
    for number in numbers:
        if type(number) is bool or number not in known:
            raise GeometryError(message(function, argument, rule, shown(number)))
    if not numbers:
        raise GeometryError(message(function, argument, rule, "none"))
    return numbers


def check_names(function: str, names: Collection[str], known: Sequence[str]) -> None:
    """Raise TypeError for the first name that is not a keyword of a function."""
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            msg = (
                f"{function}: unknown keyword {name!r}; it must be one of "
                f"{', '.join(map(repr, known))}.{hint}"
            )
            raise TypeError(msg)


def check_dtypes(
    function: str, dtypes: Collection[str], argument: str = "dtypes"
) -> tuple[str, ...]:
    """Return the names of dtypes as NumPy has them, or raise an error that lists them."""
    rule = f"must be a collection of dtypes out of {', '.join(map(repr, DTYPES))}"
    if isinstance(dtypes, str) or not isinstance(dtypes, Iterable):
        raise GeometryError(message(function, argument, rule, shown(dtypes)))
    names = []
    for dtype in dtypes:
        try:
            names.append(np.dtype(dtype).name)
        except (TypeError, ValueError, SyntaxError):
            names.append("")
        if names[-1] not in DTYPES:
            fix = ""
            if dtype == "bfloat16":
                fix = "Import ml_dtypes first, which brings it."
            raise GeometryError(message(function, argument, rule, shown(dtype), fix=fix))
    if not names:
        raise GeometryError(message(function, argument, rule, "none"))
    return tuple(names)
