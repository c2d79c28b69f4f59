"""Numbers that all threads of a call count: tasks, and infinite values."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import I64
from mtconv.backends._numba.jit import part

__all__ = ["peek", "report", "take"]

_INT = types.int64


@intrinsic
def take(context: Any, counter: Any) -> Any:
    """Return the number at an address and add one to it, as one step for all threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, I64(1), "seq_cst")

    return _INT(_INT), generate


@intrinsic
def _count(context: Any, counter: Any, number: Any) -> Any:
    """Add a number to what all threads count at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")
        return context.get_dummy_value()

    return types.void(_INT, _INT), generate


@part
def report(counter, number):
    """Add a number, if it is one, to what all threads count at an address."""
    if number > 0:
        _count(counter, number)


@intrinsic
def peek(context: Any, counter: Any) -> Any:
    """Return the number that all threads count at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, I64(0), "seq_cst")

    return _INT(_INT), generate
