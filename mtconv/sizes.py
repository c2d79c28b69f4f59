"""Sizes that torch or JAX leave open while they trace a call: symbols in place of integers.

A symbol (a `torch.SymInt`, a symbolic dimension of `jax.export`) adds and multiplies as the
integer does that it stands for, so geometry computes with symbols as it does with integers.
What differs is here: what counts as a size, larger and smaller of two, comparisons that
nothing settles, and caches, which hold integers alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

__all__ = [
    "at_least",
    "cached",
    "compiling",
    "is_open",
    "is_size",
    "is_symbol",
    "larger",
    "smaller",
    "symbols",
    "traced",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiling() -> bool:
    """Return whether torch.compile follows this call: then symbols look like integers."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    try:
        return bool(torch.compiler.is_dynamo_compiling())
    except AttributeError:  # its import has not ended
        return False


def is_symbol(value: Any) -> bool:
    """Return whether a value is a symbol of torch or JAX."""
    kind = getattr(sys.modules.get("torch"), "SymInt", None)
    if kind is not None and isinstance(value, kind):
        return True
    return is_open(value)


def is_open(value: Any) -> bool:
    """Return whether a value is a symbol of JAX; those of torch turn into integers."""
    # While JAX is being imported, it may lack this function, and there are no symbols.
    is_symbolic = getattr(sys.modules.get("jax.export"), "is_symbolic_dim", None)
    return is_symbolic is not None and bool(is_symbolic(value))


def is_size(value: Any) -> bool:
    """Return whether a value is an integer or a symbol."""
    return type(value) is int or is_symbol(value)


def traced(*shapes: tuple[Any, ...]) -> bool:
    """Return whether sizes of a call may be symbols."""
    if compiling():
        return True
    return any(type(size) is not int for shape in shapes for size in shape)


def symbols(*shapes: tuple[Any, ...]) -> tuple[str, ...]:
    """Write down the symbols among sizes, each one once."""
    if compiling():
        return ()
    texts = (str(size) for shape in shapes for size in shape if is_symbol(size))
    return tuple(dict.fromkeys(text for text in texts if not text.isdigit()))


def larger(a: int, b: int) -> int:
    """Return the larger of two sizes."""
    return max(a, b) if type(a) is type(b) is int else _extreme("max", a, b)


def smaller(a: int, b: int) -> int:
    """Return the smaller of two sizes."""
    return min(a, b) if type(a) is type(b) is int else _extreme("min", a, b)


def _extreme(name: str, a: int, b: int) -> int:
    """Return an extreme of two sizes without asking which of them it is."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(a + b, torch.SymInt):
        sure = sys.modules["torch.fx.experimental.symbolic_shapes"].statically_known_true
        if sure(a >= b) or sure(b >= a):  # a simpler symbol, and often a number
            return a if sure(a >= b) == (name == "max") else b
        function = getattr(torch, f"sym_{name}")
    else:
        function = getattr(sys.modules["jax"].core, f"{name}_dim")
    extreme: int = function(a, b)
    return extreme


def at_least(size: int, least: int) -> bool | None:
    """Return whether a size is at least as large as another; None if nothing settles it.

    torch settles every comparison, by the sizes of the example that it traces, and notes
    what it has assumed. JAX settles what follows from the constraints of its symbols.
    """
    if type(size) is int and type(least) is int:
        return size >= least
    try:
        return bool(size >= least)
    except Exception as error:
        if type(error).__name__ != "InconclusiveDimensionOperation":
            raise
        return None


def cached(maxsize: int) -> Callable[[_Function], _Function]:
    """Keep the results of calls that have integers alone among their arguments.

    The function takes integers, words, None, tuples of such, and axes.
    """

    def decorate(function: _Function) -> _Function:
        kept = lru_cache(maxsize)(function)

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if compiling() or _open(arguments):
                return function(*arguments, **named)
            return kept(*arguments, **named)

        return cast("_Function", call)

    return decorate


def _open(argument: Any) -> bool:
    """Return whether an argument holds something that may be a symbol."""
    kind = type(argument)
    if kind is int or kind is str or argument is None:
        return False
    if isinstance(argument, tuple):
        return any(map(_open, argument))
    if hasattr(argument, "small"):  # an axis
        return type(argument.small) is not int or type(argument.big) is not int
    return kind is not bool
