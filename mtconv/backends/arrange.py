"""The axes of arrays between the user's layout and the canonical one.

Written for any library whose arrays index as the Array API standard says; ``permute``
reorders axes where ``array.transpose`` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtconv.problem.layout import Arrangement

__all__ = ["arranged", "canonical"]
Permute = Callable[[Any, tuple[int, ...]], Any]


def _transpose(array: Any, order: tuple[int, ...]) -> Any:
    return array.transpose(order)


def canonical(array: Any, arrangement: Arrangement, permute: Permute = _transpose) -> Any:
    """View with batch, channels, space; kernels get a batch axis of length 1 too."""
    if arrangement.order is not None:
        array = permute(array, arrangement.order)
    if not arrangement.channels:
        array = array[(*(slice(None),) * arrangement.batch, None, ...)]
    return array if arrangement.batch else array[None, ...]


def arranged(array: Any, arrangement: Arrangement, permute: Permute = _transpose) -> Any:
    """Undo `canonical`; a view wherever the library has views."""
    if not arrangement.batch:
        array = array[0, ...]
    if not arrangement.channels:
        array = array[(*(slice(None),) * arrangement.batch, 0, ...)]
    if arrangement.inverse is not None:
        array = permute(array, arrangement.inverse)
    return array
