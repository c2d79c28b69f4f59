"""The axes of arrays between the user's layout and the canonical one.

Written for any library whose arrays transpose and index as NumPy's do.
"""

from __future__ import annotations

from typing import Any

from mtconv.layout import Arrangement

__all__ = ["arranged", "canonical"]


def canonical(array: Any, arrangement: Arrangement) -> Any:
    """View with batch, channels, space; kernels get a batch axis of length 1 too."""
    if arrangement.order is not None:
        array = array.transpose(arrangement.order)
    if not arrangement.channels:
        array = array[(slice(None),) * arrangement.batch + (None,)]
    return array if arrangement.batch else array[None]


def arranged(array: Any, arrangement: Arrangement) -> Any:
    """Undo `canonical`; a view wherever the library has views."""
    if not arrangement.batch:
        array = array[0]
    if not arrangement.channels:
        array = array[(slice(None),) * arrangement.batch + (0,)]
    if arrangement.inverse is not None:
        array = array.transpose(arrangement.inverse)
    return array
