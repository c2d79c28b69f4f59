"""Operators as pytrees: JAX is told what they are made of, if it is there at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv import pytrees
from mtconv.backends.dispatch import load

__all__ = ["register"]


def register(cls: type[Any]) -> None:
    """Register a class of operators once JAX has been imported.

    Its `leaves` are arrays and operators; its other parts are static. What comes back is
    not checked: transformations put tracers and placeholders where the arrays were. An
    array of NumPy is on its way into JAX, which would cut off integers without a word.
    """
    pytrees.register(
        cls, _flatten, lambda static, leaves: cls._from_parts(*leaves, *static)
    )


def _flatten(operator: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    leaves = operator._values(operator.leaves)
    for name, leaf in zip(operator.leaves, leaves, strict=True):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu":
            load("jax").asarray(type(operator).__name__, name, leaf)
    return leaves, operator._values(operator.static)
