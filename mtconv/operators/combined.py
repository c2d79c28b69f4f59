"""Sums, multiples and products of operators, which are operators again."""

from __future__ import annotations

from functools import reduce
from operator import add, matmul
from typing import Any

import numpy as np

from mtconv.backends.libraries import Library
from mtconv.operators.combination import Combination, applied, promoted
from mtconv.operators.linear import LinearMap

__all__ = ["Product", "Scaled", "Sum"]


class Sum(Combination):
    """The sum of operators."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the first term takes."""
        return self.operators[0].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first term's results."""
        return self.operators[0].output_shape

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self.operators[0]._batch_axis

    @property
    def _result_axis(self) -> int:
        return int(self.operators[0].T._batch_axis)

    @property
    def T(self) -> Sum:
        """The sum of the transposes."""
        return self._make(tuple(member.T for member in self.operators))

    @property
    def H(self) -> Sum:
        """The sum of the conjugate transposes."""
        return self._make(tuple(member.H for member in self.operators))

    @property
    def _empty(self) -> Any:
        return reduce(add, promoted(self._library, self.operators))

    @property
    def _expression(self) -> str:
        return f"({' + '.join(member._expression for member in self.operators)})"

    def _batch(self, library: Library, x: Any) -> Any:
        terms = (
            applied(library, member, x, self.output_shape) for member in self.operators
        )
        return reduce(add, terms)

    def _matrix(self, order: str) -> Any:
        return reduce(add, (member.to_sparse(order=order) for member in self.operators))

    def _dense(self, library: Library, members: list[Any]) -> Any:
        del library
        return reduce(add, members)


class Scaled(Combination):
    """A multiple of an operator, by a number or by an array of no axes."""

    leaves = ("operators", "array")
    static = ("number", "divides")

    array: Any
    number: Any
    divides: bool

    @property
    def factor(self) -> Any:
        """What the operator is multiplied by, or divided by where `divides` is true."""
        return self.number if self.array is None else self.array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the operator takes."""
        return self.operators[0].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the operator's results."""
        return self.operators[0].output_shape

    @property
    def _members(self) -> dict[str, Any]:
        members = super()._members
        return members if self.array is None else {**members, "factor": self.array}

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self.operators[0]._batch_axis

    @property
    def _result_axis(self) -> int:
        return int(self.operators[0].T._batch_axis)

    @property
    def T(self) -> Scaled:
        """The same multiple of the transpose."""
        return self._times(self.operators[0].T)

    @property
    def H(self) -> Scaled:
        """The conjugate multiple of the conjugate transpose."""
        array, number = self.array, self.number
        if array is not None:
            if "complex" in str(array.dtype):
                array = self._library.conj(array)
        elif isinstance(number, (complex, np.complexfloating)):
            number = number.conjugate()
        return self._times(self.operators[0].H, array, number)

    def _times(self, member: LinearMap, *factor: Any) -> Scaled:
        factor = factor or (self.array, self.number)
        return self._make((member,), factor[0], factor[1], self.divides)

    @property
    def _empty(self) -> Any:
        return self._scale(promoted(self._library, self.operators)[0])

    @property
    def _expression(self) -> str:
        text = self.operators[0]._expression
        factor = "c" if self.number is None else repr(self.number)
        return f"({text} / {factor})" if self.divides else f"({factor} * {text})"

    def _scale(self, array: Any, factor: Any = None) -> Any:
        factor = self.factor if factor is None else factor
        if self.divides:
            return array / factor
        # Unsigned integers have no -1 to be multiplied by, but wrap when they are negated.
        return -array if type(factor) is int and factor == -1 else array * factor

    def _batch(self, library: Library, x: Any) -> Any:
        return self._scale(applied(library, self.operators[0], x, self.output_shape))

    def _double(self, function: str) -> LinearMap:
        array = self.array
        if array is not None:
            array = self._library.to_numpy(array)[()]
        member = self.operators[0]._double(function)
        return self._make(
            (member,), None, self.number if array is None else array, self.divides
        )

    def norm(self, *, tol: float = 1e-8) -> float:  # noqa: D102
        factor = self.factor if self.array is None else self._library.to_numpy(self.array)
        norm = self.operators[0].norm(tol=tol)
        return float(norm / abs(factor) if self.divides else norm * abs(factor))

    def _matrix(self, order: str) -> Any:
        factor = self.factor if self.array is None else self._library.to_numpy(self.array)
        matrix = self.operators[0].to_sparse(order=order)
        # SciPy would divide float32 in double precision.
        matrix.data = self._scale(matrix.data, factor)
        return matrix

    def _dense(self, library: Library, members: list[Any]) -> Any:
        del library
        return self._scale(members[0])


class Product(Combination):
    """A product of operators; the last one is applied first."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the last factor takes."""
        return self.operators[-1].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first factor's results."""
        return self.operators[0].output_shape

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self.operators[-1]._batch_axis

    @property
    def _result_axis(self) -> int:
        return int(self.operators[0].T._batch_axis)

    @property
    def T(self) -> Product:
        """The product of the transposes, in reverse order."""
        return self._make(tuple(member.T for member in reversed(self.operators)))

    @property
    def H(self) -> Product:
        """The product of the conjugate transposes, in reverse order."""
        return self._make(tuple(member.H for member in reversed(self.operators)))

    @property
    def _empty(self) -> Any:
        return reduce(add, promoted(self._library, self.operators))

    @property
    def _expression(self) -> str:
        return f"({' @ '.join(member._expression for member in self.operators)})"

    def _batch(self, library: Library, x: Any) -> Any:
        for member in reversed(self.operators):
            x = applied(library, member, x, member.output_shape)
        return x

    def norm(self, *, tol: float = 1e-8) -> float:  # noqa: D102
        if len(self.operators) == 2 and self.operators[1] == self.operators[0].H:
            return float(self.operators[1].norm(tol=tol / 2) ** 2)
        return super().norm(tol=tol)

    def _matrix(self, order: str) -> Any:
        return reduce(matmul, (member.to_sparse(order=order) for member in self.operators))

    def _dense(self, library: Library, members: list[Any]) -> Any:
        dtype = library.promote(tuple(members))
        return reduce(library.matmul, (library.astype(m, dtype) for m in members))
