"""Arrays that two maps are tried with besides those that the user has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["alike", "probes"]

Array = NDArray[Any]

# What a large integer of so many bytes is. Inner products of integers are compared modulo
# their range, so that sums may overflow.
_LARGE = {1: 100, 2: 10_000, 4: 2**28, 8: 2**40}

_LARGE_FLOAT = 2.0**22


def probes(model: Array, *, exact: bool) -> Iterator[Array]:
    """Yield arrays of the shape and kind of another, without symmetry, always the same.

    Small integers come first, then larger ones. Integers have large ones too, and floats
    of four bytes and more have fractions: quarters where sums must be exact, else numbers
    with all their digits, and large ones.
    """
    rng = np.random.default_rng(model.size)
    kind, size = model.dtype.kind, model.dtype.itemsize // (1 + (model.dtype.kind == "c"))
    yield _integers(rng, model, 1 if kind == "b" else 4)
    yield _integers(rng, model, 1 if kind == "b" else 3)
    if kind in "iu":
        yield _integers(rng, model, 1000 if size > 2 else 4)
        yield _integers(rng, model, _LARGE[size])
    elif size >= 4 and kind in "fc":
        yield _integers(rng, model, 1000)
        yield _integers(rng, model, 16) / 4
        if not exact:
            yield _normal(rng, model)
            yield _LARGE_FLOAT * _normal(rng, model)


def _integers(rng: np.random.Generator, model: Array, most: int) -> Array:
    kind = model.dtype.kind
    low = 0 if kind in "ub" else -most
    values: Array = rng.integers(low, most + 1, model.shape)
    if kind == "c":
        values = values + 1j * rng.integers(low, most + 1, model.shape)
    return values


def _normal(rng: np.random.Generator, model: Array) -> Array:
    values: Array = rng.standard_normal(model.shape)
    if model.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(model.shape)
    return values


def alike(model: Any, values: Array) -> Any:
    """Return values as an array of the library and dtype of another; None if unknown."""
    dtype = np.asarray(model).dtype
    if isinstance(model, (np.ndarray, np.generic, list, tuple)):
        return values.astype(dtype)
    if hasattr(model, "new_tensor"):
        return model.new_tensor(values)
    namespace = getattr(model, "__array_namespace__", None)
    if namespace is not None and dtype.kind != "O":
        return namespace().asarray(values.astype(dtype), dtype=model.dtype)
    return None
