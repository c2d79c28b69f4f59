"""Operators made of one array, which settles library and dtype, and of a geometry."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mtconv.backends.dispatch import Backend, backend_for, backend_name
from mtconv.backends.libraries import Library, library_of
from mtconv.operators.linear import LinearMap
from mtconv.operators.spectrum import in_double
from mtconv.problem.options import ALGORITHMS, check_word

__all__ = ["ArrayMap", "ComputeOptions", "checked"]


class ComputeOptions(NamedTuple):
    """The way to compute: what calls take besides arrays and geometry."""

    backend: str | None
    algorithm: str
    precision: Any


def checked(name: str, computing: ComputeOptions) -> ComputeOptions:
    """Check the words that say how to compute; they key the caches of later calls."""
    backend = None
    if computing.backend is not None:
        backend = backend_name(name, computing.backend, "must be None or one of")
    algorithm = check_word(name, "algorithm", computing.algorithm, ALGORITHMS)
    return ComputeOptions(backend, algorithm, computing.precision)


class ArrayMap(LinearMap):
    """An operator whose only leaf is an array, and which has a way to compute."""

    computing: ComputeOptions

    @property
    def _leaf(self) -> Any:
        return getattr(self, self.leaves[0])

    @property
    def _backend(self) -> str | None:
        return self.computing.backend

    @property
    def _like(self) -> Any:
        return self._leaf

    def _own_engine(self) -> Backend:
        """Return the backend for an array that does not decide it."""
        return backend_for(type(self).__name__, self.computing.backend, kernel=self._leaf)

    def _own_array(self) -> tuple[Library, Any]:
        """Return the array as its backend takes it, with the functions for it."""
        engine = self._own_engine()
        array = engine.asarray(type(self).__name__, self.leaves[0], self._leaf)
        return library_of(engine, array), array

    @property
    def _empty(self) -> Any:
        library, array = self._own_array()
        return library.zeros((0,), array)

    @property
    def T(self) -> Any:
        """The transpose, of the same array; ``A.T.T`` is equal to ``A``."""
        return self._transpose

    @cached_property
    def _transpose(self) -> ArrayMap:
        new = self._other(self._leaf)
        new.__dict__["_transpose"] = self
        return new

    def _other(self, leaf: Any) -> ArrayMap:
        """Return the operator of the transposed map for an array."""
        raise NotImplementedError

    @property
    def H(self) -> Any:
        """The conjugate transpose; that of a real array is the transpose."""
        if "complex" not in str(self._leaf.dtype):
            return self._transpose
        # An array of NumPy outlives every trace, a conjugate made in one would not.
        return self._adjoint if isinstance(self._leaf, np.ndarray) else self._conjugated()

    @cached_property
    def _adjoint(self) -> ArrayMap:
        return self._conjugated()

    def _conjugated(self) -> ArrayMap:
        library, array = self._own_array()
        other = self._other(library.conj(array))
        return other._from_parts(*other._values(other.leaves + other.static))

    def _in_numpy(self) -> Any:
        """Copy the array to NumPy."""
        engine = backend_for(type(self).__name__, None, kernel=self._leaf)
        return library_of(engine, self._leaf).to_numpy(self._leaf)

    def _double(self, function: str) -> LinearMap:
        array = in_double(function, self.leaves[0], self._in_numpy())
        parts = dict(zip(self.static, self._values(self.static), strict=True))
        parts["computing"] = ComputeOptions(None, "auto", None)
        return self._make(array, *parts.values())

    def _cast(self, library: Library, like: Any) -> LinearMap:
        array = library.native(self._leaf, like)
        if array.dtype == like.dtype:
            return self
        return self._make(library.astype(array, like.dtype), *self._values(self.static))

    def _native(self, dense: Any) -> Any:
        """Move an array of NumPy to where the operator's array is."""
        engine = self._own_engine()
        dense = engine.asarray(type(self).__name__, self.leaves[0], dense)
        return library_of(engine, self._leaf).native(dense, self._leaf)
