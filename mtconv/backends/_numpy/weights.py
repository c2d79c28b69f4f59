"""The kernel of a block, with what algorithms make of it.

Packed forms are kept beside the kernel that they were made from, never where another
kernel could be taken for it: in a `Packs` of one call, or of one prepared kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.workspace import Workspace

__all__ = ["Packs", "Weights"]

Array = NDArray[Any]

# Packed forms of one kernel, by part of the kernel, algorithm, form, shape and dtype.
Packs = dict[tuple[Any, ...], Array]


class Weights:
    """Part of a kernel, (g, ci, co, *taps), and its packed forms where they are kept.

    Parameters
    ----------
    array : array
        The part.
    packs : dict, optional
        Packed forms of the whole kernel, which this part adds to. Without it a form is
        made each time.
    part : tuple
        Which part of the kernel this is, and for which algorithm.
    """

    __slots__ = ("_packs", "_part", "array")

    def __init__(
        self, array: Array, packs: Packs | None = None, part: tuple[Any, ...] = ()
    ) -> None:
        self.array = array
        self._packs = packs
        self._part = part

    def packed(
        self,
        form: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        space: Workspace,
        fill: Callable[[Array], None],
    ) -> Array:
        """Return an array that depends on this part alone; ``fill`` makes its contents.

        Two threads may both fill one form; they fill it alike. A form is kept only once it
        is filled.
        """
        if self._packs is None:
            array = space.take(shape, dtype)
            fill(array)
            return array
        key = (self._part, form, shape, dtype)
        kept = self._packs.get(key)
        if kept is None:
            kept = np.empty(shape, dtype)
            fill(kept)
            self._packs[key] = kept
        return kept
