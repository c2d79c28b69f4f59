"""Classes that JAX takes apart. JAX is told of them once its import has ended.

Until then nothing is asked of it: another thread may be importing it, and an import of one
of its parts from here would fail, or would break that one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, NamedTuple

from mtconv.importing import is_initializing

__all__ = ["announce", "register"]

# Seconds that a thread waits for another one that tells JAX of the same class.
LONGEST_WAIT = 1.0


class _Functions(NamedTuple):
    """What takes objects of a class apart, and what puts them together again."""

    flatten: Callable[..., Any]
    unflatten: Callable[..., Any]


# Every change is one operation of a dict or a set, which no other thread can divide.
_classes: dict[type[Any], _Functions] = {}
_tellers: dict[type[Any], int] = {}
_known: set[type[Any]] = set()


def register(
    cls: type[Any], flatten: Callable[..., Any], unflatten: Callable[..., Any]
) -> None:
    """Have JAX told what a class is made of, at once if it has been imported."""
    if cls in _known:
        return
    _classes.setdefault(cls, _Functions(flatten, unflatten))
    announce()


def announce() -> None:
    """Tell JAX of all classes that it does not know yet, if it has been imported."""
    jax, trees = sys.modules.get("jax"), sys.modules.get("jax.tree_util")
    if jax is None or trees is None or is_initializing(jax):
        return
    for cls, functions in list(_classes.items()):
        if cls not in _known:
            _tell(trees, cls, functions)


def _tell(trees: Any, cls: type[Any], functions: _Functions) -> None:
    """Tell JAX of one class, which it can be told of once only."""
    own = threading.get_ident()
    end = monotonic() + LONGEST_WAIT
    while _tellers.setdefault(cls, own) != own and monotonic() < end:
        if cls in _known:
            return
        sleep(0.001)
    # JAX may know it from a call that this one interrupts, or from before a fork.
    with suppress(ValueError):
        trees.register_pytree_node(cls, *functions)
    _known.add(cls)
