"""What errors say about bare volumes, and about sizes that are symbols.

Three axes without a layout are batch, channels and one of space. Who means a volume and a
kernel of three axes meets errors about channels and sizes, or operators of another shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mtconv.errors import GeometryError, message
from mtconv.sizes import at_least, symbols

__all__ = ["advice", "advising", "constraint", "naming_symbols", "reaches"]

_ADVICE = {
    3: 'Three axes include channels here; layout="DHW", kernel_layout="DHW" reads a bare '
    "volume.",
    4: "A kernel of three axes has channels here; "
    'layout="NDHW", kernel_layout="DHW" reads bare volumes.',
}

# What errors that may come of a volume begin with, after the function.
_SHAPES = ("`x` ", "`y` ", "`kernel` ", "`bias` ")


def advice(ndim: int, kernel_ndim: int, *layouts: str | None) -> str:
    """Say which layouts read bare volumes, where data and kernel can be such."""
    if kernel_ndim != 3 or any(layout is not None for layout in layouts):
        return ""
    return _ADVICE.get(ndim, "")


@contextmanager
def advising(ndim: int, kernel_ndim: int, *layouts: str | None) -> Iterator[None]:
    """Add the advice, if any is due, to errors that are raised inside.

    It is due where an array or a size does not fit, or the number of spatial axes.
    """
    try:
        yield
    except GeometryError as error:
        text, sentence = str(error), advice(ndim, kernel_ndim, *layouts)
        due = text.partition(": ")[2].startswith(_SHAPES) or any(
            words in text for words in ("per spatial axis", "that the convolution maps to")
        )
        if not sentence or not due or text.endswith(sentence):
            raise
        msg = f"{text} {sentence}"
        raise GeometryError(msg) from None


@contextmanager
def naming_symbols(*shapes: tuple[int, ...]) -> Iterator[None]:
    """Add to errors raised inside which of the sizes they speak of are symbols."""
    try:
        yield
    except GeometryError as error:
        names = symbols(*shapes)
        if not names:
            raise
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        verb = "is a symbolic size" if len(names) == 1 else "are symbolic sizes"
        msg = f"{error} Here {listed} {verb}."
        raise GeometryError(msg) from None


def constraint(text: str) -> str:
    """Say how JAX is told what holds for its symbols."""
    return f"Add the constraint: symbolic_shape(..., constraints=[{text!r}])."


def reaches(function: str, argument: str, size: int, least: int, axis: str) -> bool:
    """Return whether a size is at least as large as another.

    Raises
    ------
    GeometryError
        If they are symbols of JAX whose constraints do not settle it.
    """
    answer = at_least(size, least)
    if answer is None:
        msg = message(
            function,
            argument,
            "must have symbolic sizes whose constraints settle every comparison",
            f"{size}, which may be less than {least} or not",
            axis=axis,
            fix=constraint(f"{size} >= {least}"),
        )
        raise GeometryError(msg)
    return answer
