"""Calls on plain tensors: a short way to their plan, and kernels in their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mtconv.backends.dispatch import (
    BACKENDS,
    array_class_of,
    load,
    loaded,
    neutral_backend,
)
from mtconv.sizes import compiling

__all__ = ["EagerCall", "eager_call", "shares_memory"]


class EagerCall(NamedTuple):
    """A call on plain tensors: their dtype, what executes its plan, and where it computes.

    ``shared`` is whether compiled kernels may compute in the memory of the tensors.
    """

    dtype: str
    run: Callable[..., Any]
    shared: bool


def eager_call(first: Any, second: Any, bias: Any, backend: Any) -> EagerCall | None:
    """Return what is known of a call on plain tensors of torch; None for all others."""
    if backend is not None or compiling():
        return None
    engine: Any = loaded.get("torch")
    if engine is None:
        if array_class_of(BACKENDS["torch"]) not in type(first).__mro__:
            return None
        engine = load("torch")
    dtype: str | None = engine.eager_dtype(first, second, bias)
    if dtype is None:
        return None
    return EagerCall(dtype, engine.run_eager, shares_memory("torch", dtype))


def shares_memory(backend: str, dtype: str) -> bool:
    """Return whether compiled kernels may compute in the memory of a backend's arrays.

    They do so for tensors of torch, and for the dtypes of which they take NumPy arrays
    without being named.
    """
    return backend == "torch" and neutral_backend(dtype) == "numba"
