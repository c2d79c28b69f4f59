"""Operators on top of one another, and beside one another."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate, pairwise
from math import prod
from operator import add
from typing import Any

from mtconv.backends.libraries import Library
from mtconv.errors import GeometryError, message
from mtconv.importing import imported
from mtconv.operators.combination import Combination, applied, promoted

__all__ = ["HStack", "VStack"]

Shapes = list[tuple[int, ...]]


class _Stack(Combination):
    """What both stacks share: the vector on one side is cut into the parts of members."""

    @property
    def _empty(self) -> Any:
        return reduce(add, promoted(self._library, self.operators))

    @property
    def _shapes(self) -> Shapes:
        """List the shapes of the parts of the vector."""
        raise NotImplementedError

    def split(self, vector: Any) -> list[Any]:
        """Cut a flat vector of the stacked side into arrays, one for each operator.

        Parameters
        ----------
        vector : array, shape (size,) or (batch, size)
            A result of a `vstack`, an input of an `hstack`.

        Returns
        -------
        list of array
            Of the output shapes of the operators of a `vstack`, of the input shapes of
            those of an `hstack`; behind a batch axis if the vector has one.
        """
        size = sum(map(prod, self._shapes))
        library, vector = self._array("x", vector)
        if len(vector.shape) not in (1, 2) or vector.shape[-1] != size:
            rule = f"must have shape ({size},), alone or behind a batch axis"
            function, got = f"{type(self).__name__}.split", f"shape {tuple(vector.shape)}"
            raise GeometryError(message(function, "vector", rule, got))
        return _cut(library, vector, self._shapes)


def _cut(library: Library, vector: Any, shapes: Shapes) -> list[Any]:
    batch = tuple(vector.shape[:-1])
    edges = accumulate(map(prod, shapes), initial=0)
    return [
        library.reshape(vector[..., start:stop], (*batch, *shape))
        for (start, stop), shape in zip(pairwise(edges), shapes, strict=True)
    ]


class VStack(_Stack):
    """Operators of one input whose results, raveled, are joined into one vector."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the first operator takes."""
        return self.operators[0].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the joined vector."""
        return (sum(map(prod, self._shapes)),)

    @property
    def _shapes(self) -> Shapes:
        return [member.output_shape for member in self.operators]

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self.operators[0]._batch_axis

    @property
    def T(self) -> HStack:
        """The transposes beside one another."""
        return HStack._make(tuple(member.T for member in self.operators))

    @property
    def H(self) -> HStack:
        """The conjugate transposes beside one another."""
        return HStack._make(tuple(member.H for member in self.operators))

    @property
    def _expression(self) -> str:
        return f"vstack({', '.join(member._expression for member in self.operators)})"

    def _batch(self, library: Library, x: Any) -> Any:
        parts = [
            applied(library, member, x, (member.shape[0],)) for member in self.operators
        ]
        return _joined(library, parts, 1)

    def _matrix(self, order: str) -> Any:
        sparse = imported("scipy.sparse")
        return sparse.vstack(
            [member.to_sparse(order=order) for member in self.operators], "csr"
        )

    def _dense(self, library: Library, members: list[Any]) -> Any:
        return _joined(library, members, 0)


class HStack(_Stack):
    """Operators whose inputs, raveled, are one vector, and whose results are added."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the joined vector."""
        return (sum(map(prod, self._shapes)),)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first operator's results."""
        return self.operators[0].output_shape

    @property
    def _shapes(self) -> Shapes:
        return [member.input_shape for member in self.operators]

    @property
    def _result_axis(self) -> int:
        return int(self.operators[0].T._batch_axis)

    @property
    def T(self) -> VStack:
        """The transposes on top of one another."""
        return VStack._make(tuple(member.T for member in self.operators))

    @property
    def H(self) -> VStack:
        """The conjugate transposes on top of one another."""
        return VStack._make(tuple(member.H for member in self.operators))

    @property
    def _expression(self) -> str:
        return f"hstack({', '.join(member._expression for member in self.operators)})"

    def _batch(self, library: Library, x: Any) -> Any:
        parts = zip(self.operators, _cut(library, x, self._shapes), strict=True)
        return reduce(add, (applied(library, m, x, self.output_shape) for m, x in parts))

    def _matrix(self, order: str) -> Any:
        sparse = imported("scipy.sparse")
        return sparse.hstack(
            [member.to_sparse(order=order) for member in self.operators], "csr"
        )

    def _dense(self, library: Library, members: list[Any]) -> Any:
        return _joined(library, members, 1)


def _joined(library: Library, arrays: list[Any], axis: int) -> Any:
    """Join arrays, in the dtype that the library promotes theirs to."""
    dtype = library.promote(tuple(arrays))
    return library.concat([library.astype(array, dtype) for array in arrays], axis)
