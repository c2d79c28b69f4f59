"""Spectra that are kept for arrays that many calls get, as the data in ADMM."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Known", "Memory"]

Array = NDArray[Any]


class Known(NamedTuple):
    """An array in double precision and its spectrum."""

    array: Array
    spectrum: Array

    def of(self, array: Array) -> bool:
        """Return whether an array like this one has the same bits."""
        return np.array_equal(_bits(array), _bits(self.array))


class Memory:
    """The spectrum of an array that comes in call after call.

    It is kept when the array comes a second time in a row. An array is known again only if
    all of its bits are the same.
    """

    def __init__(self) -> None:
        self._glimpse: tuple[Any, ...] | None = None
        self._known: Known | None = None

    def recall(self, array: Array) -> Array | None:
        """Return the spectrum of an array, if it is known."""
        likely = self.likely(array)
        return likely.spectrum if likely is not None and likely.of(array) else None

    def likely(self, array: Array) -> Known | None:
        """Return what is known of an array that begins in the same way."""
        known = self._known
        if known is None or _glimpse(array) != _glimpse(known.array):
            return None
        return known

    def returns(self, array: Array) -> bool:
        """Note an array; return whether the call before noted one that begins alike."""
        glimpse = _glimpse(array)
        returns = glimpse is not None and glimpse == self._glimpse
        self._glimpse = glimpse
        return returns

    def keep(self, array: Array, spectrum: Array) -> None:
        """Keep copies of both."""
        known = Known(array.copy(), spectrum.copy())
        known.spectrum.flags.writeable = False
        self._known = known


def _glimpse(array: Array) -> tuple[Any, ...] | None:
    """Return a little of an array, by which most others can be told.

    None if it has gaps, or is not in double precision.
    """
    if not array.flags.c_contiguous or array.dtype.char not in "dD":
        return None
    return array.shape, array.dtype, array.reshape(-1)[:8].tobytes()


def _bits(array: Array) -> Array:
    """View an array of double precision as integers."""
    return array.view(np.uint64)
