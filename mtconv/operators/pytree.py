"""Operators as pytrees: JAX is told what they are made of, if it is there at all."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["register"]

_registered: set[type] = set()


def register(cls: type[Any]) -> None:
    """Register a class of operators once JAX has been imported.

    The kernel is the leaf; spec and way to compute are static. What comes back is not
    checked: transformations put tracers and placeholders where the kernel was.
    """
    if cls in _registered or "jax" not in sys.modules:
        return
    from jax.tree_util import register_pytree_node

    _registered.add(cls)
    register_pytree_node(
        cls,
        lambda operator: ((operator.kernel,), (operator.spec, operator.how)),
        lambda static, leaves: cls._from_parts(*leaves, *static),
    )
