"""Sentences that are added to errors: about bare volumes, and about symbols.

Three axes without a layout are batch, channels and one of space. Who means a volume and a
kernel of three axes meets errors about channels and sizes, or operators of another shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mtconv.errors import GeometryError
from mtconv.sizes import symbols

__all__ = ["advice", "advising", "naming_symbols"]

_ADVICE = {
    3: 'Three axes include channels here; layout="DHW", kernel_layout="DHW" reads a bare '
    "volume.",
    4: "A kernel of three axes has channels here; "
    'layout="NDHW", kernel_layout="DHW" reads bare volumes.',
}


def advice(ndim: int, kernel_ndim: int, *layouts: str | None) -> str:
    """Say which layouts read bare volumes, where data and kernel can be such."""
    if kernel_ndim != 3 or any(layout is not None for layout in layouts):
        return ""
    return _ADVICE.get(ndim, "")


@contextmanager
def advising(ndim: int, kernel_ndim: int, *layouts: str | None) -> Iterator[None]:
    """Add the advice, if any is due, to errors that are raised inside."""
    try:
        yield
    except GeometryError as error:
        text, sentence = str(error), advice(ndim, kernel_ndim, *layouts)
        if not sentence or text.endswith(sentence):
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
