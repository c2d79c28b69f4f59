"""What is made of several operators: one library for all, and matrices and norms of theirs.

The members of a combination keep their own shapes. Where these differ from those of the
combination by axes of length 1 only, arrays are reshaped on their way.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import Library, dtype_name, library_of
from mtconv.errors import BackendError, message
from mtconv.operators.formats import check_dense, check_format, formatted
from mtconv.operators.linear import LinearMap
from mtconv.operators.spectrum import check_tolerance, lanczos_norm

__all__ = ["Combination", "applied", "fits", "promoted", "settled"]

Operators = tuple[LinearMap, ...]


def fits(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Return whether two shapes are equal but for axes of length 1."""
    return [n for n in first if n != 1] == [n for n in second if n != 1]


def settled(function: str, operators: dict[str, Any]) -> tuple[str | None, Any]:
    """Return the backend that operators and scalars agree on, and an array of its library.

    Parameters
    ----------
    function : str
        What the user wrote, for messages.
    operators : dict of str to LinearMap or array
        What is combined, by the names that messages have for it.

    Raises
    ------
    BackendError
        If two backends are named, or arrays are of two libraries.
    """
    named: dict[str, str] = {}
    arrays = {}
    for name, operator in operators.items():
        arrays[name] = operator
        if isinstance(operator, LinearMap):
            arrays[name] = operator._like
            if operator._backend is not None:
                named[name] = operator._backend
    if len(set(named.values())) > 1:
        got = ", ".join(f"{name} with backend {word!r}" for name, word in named.items())
        rule = "must have the same backend as the others"
        fix = "Make one of them without `backend`: its NumPy kernel follows the other."
        raise BackendError(message(function, next(iter(named)), rule, got, fix=fix))
    backend = next(iter(named.values()), None)
    engine = backend_for(function, backend, **arrays)
    likes = [array for array in arrays.values() if not isinstance(array, np.ndarray)]
    if engine.NAME == "array_api":  # which does not promote integers to floating numbers
        engine.result_dtype(*(getattr(o, "_empty", o) for o in operators.values()))
    return backend, likes[0] if likes else next(iter(arrays.values()))


def applied(library: Library, member: LinearMap, x: Any, shape: tuple[int, ...]) -> Any:
    """Apply a member to a batch that has its elements, and give the results a shape."""
    batch = x.shape[0]
    result = member._apply(library.reshape(x, (batch, *member.input_shape)), 0)
    return library.reshape(result, (batch, *shape))


def promoted(library: Library, members: Operators) -> list[Any]:
    """List arrays of no elements, of the dtypes of the members and of one library."""
    arrays = [member._empty for member in members]
    like = next((array for array in arrays if library.owns(array)), None)
    return arrays if like is None else [library.native(a, like) for a in arrays]


class Combination(LinearMap):
    """An operator that applies others, its `operators`."""

    leaves: ClassVar[tuple[str, ...]] = ("operators",)
    static: ClassVar[tuple[str, ...]] = ()

    operators: Operators

    def __hash__(self) -> int:
        return hash((type(self), self._values(self.static), self.operators))

    @cached_property
    def _settled(self) -> tuple[str | None, Any]:
        return settled(type(self).__name__, self._members)

    @property
    def _members(self) -> dict[str, Any]:
        """What has to be of one library, by name."""
        return {f"operators[{n}]": member for n, member in enumerate(self.operators)}

    @property
    def _backend(self) -> str | None:
        return self._settled[0]

    @property
    def _like(self) -> Any:
        return self._settled[1]

    @property
    def _library(self) -> Library:
        engine = backend_for(type(self).__name__, self._backend, kernel=self._like)
        return library_of(engine, self._like)

    def _apply(self, x: Any, axis: int | None = None) -> Any:
        engine = self._engine("x", x)
        library = library_of(engine, x)
        if "int" in dtype_name(x.dtype):  # which would wrap in a member that is narrow
            x = library.astype(x, library.dtype(engine.result_dtype(x, self._empty)))
        x = x[None, ...] if axis is None else _moved(library, x, axis, 0)
        result = self._batch(library, x)
        if axis is None:
            return result[0, ...]
        return _moved(library, result, 0, axis and self._result_axis)

    @property
    def _result_axis(self) -> int:
        """Where the batch axis is in a batch of results."""
        return 0

    def _batch(self, library: Library, x: Any) -> Any:
        """Apply to a batch, its axis in front on both sides."""
        raise NotImplementedError

    def _double(self, function: str) -> LinearMap:
        """Return the same operator in NumPy and double precision."""
        members = tuple(member._double(function) for member in self.operators)
        return self._make(members, *self._values(self.leaves[1:] + self.static))

    def _cast(self, library: Library, like: Any) -> LinearMap:
        members = tuple(member._cast(library, like) for member in self.operators)
        return self._make(members, *self._values(self.leaves[1:] + self.static))

    def _promoted(self) -> Any:
        """Return the same operator with all arrays in its dtype.

        Matrices of members in dtypes of their own would wrap where its results do not.
        """
        return self._cast(self._library, self._empty)

    def norm(self, *, tol: float = 1e-8) -> float:
        """Largest singular value, by Lanczos iteration, which needs SciPy.

        Parameters
        ----------
        tol : float
            Relative tolerance of the iteration.

        Returns
        -------
        float
            The spectral norm of the matrix. That of ``c * A`` and ``A.T @ A`` is worked
            out from the norm of ``A``, and exact where that is.

        Raises
        ------
        ValueError
            As `Conv.norm`.
        """
        function = f"{type(self).__name__}.norm"
        check_tolerance(function, tol)
        return lanczos_norm(self._double(function), tol)

    def to_sparse(self, format: str = "csr", *, order: str = "C") -> Any:  # noqa: A002
        """Build the sparse matrix from those of the members.

        Parameters
        ----------
        format : str
            As in `Conv.to_sparse`.
        order : str
            As in `Conv.to_sparse`. The vectors of stacks are those of their members, one
            after the other, each raveled in this order.

        Returns
        -------
        sparse array, shape `shape`
            With sorted indices and no entry twice.

        Raises
        ------
        BackendError
            If the matrix of a member does not fit into the memory available.
        """
        format, order = check_format(format, order)  # noqa: A001
        return formatted(self._promoted()._matrix(order), format)

    def _matrix(self, order: str) -> Any:
        """Build the matrix in compressed sparse rows."""
        raise NotImplementedError

    def to_dense(self) -> Any:
        """Build the matrix from those of the members, zeros and all.

        Returns
        -------
        array, shape `shape`
            An array of the library of the members.
        """
        check_dense(self, "operators")
        library, whole = self._library, self._promoted()
        members = (library.native(m.to_dense(), whole._like) for m in whole.operators)
        return whole._dense(library, list(members))

    def _dense(self, library: Library, members: list[Any]) -> Any:
        """Combine the dense matrices of the members."""
        raise NotImplementedError


def _moved(library: Library, array: Any, source: int, target: int) -> Any:
    """Move one axis to another place."""
    if source == target:
        return array
    order = [axis for axis in range(len(array.shape)) if axis != source]
    order.insert(target, source)
    return library.permute(array, tuple(order))
