"""Operators as pytrees: JAX is told what they are made of, if it is there at all."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mtconv.backends.dispatch import load

__all__ = ["register"]

_registered: set[type] = set()


def register(cls: type[Any]) -> None:
    """Register a class of operators once JAX has been imported.

    The kernel is the leaf; spec and way to compute are static. What comes back is not
    checked: transformations put tracers and placeholders where the kernel was. A kernel of
    NumPy is on its way into JAX, which would cut off integers without a word.
    """
    if cls in _registered or "jax" not in sys.modules:
        return
    from jax.tree_util import register_pytree_node

    _registered.add(cls)
    register_pytree_node(
        cls,
        _flatten,
        lambda static, leaves: cls._from_parts(*leaves, *static),
    )


def _flatten(operator: Any) -> tuple[tuple[Any], tuple[Any, ...]]:
    kernel = operator.kernel
    if isinstance(kernel, np.ndarray) and kernel.dtype.kind in "iu":
        load("jax").asarray(type(operator).__name__, "kernel", kernel)
    return (kernel,), (operator.spec, operator.how)
