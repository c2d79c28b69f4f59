"""The regularized inverse of a circular operator as an operator, and the solve."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mtconv.backends.libraries import Library
from mtconv.errors import GeometryError, message, renamed
from mtconv.importing import imported
from mtconv.operators.circular.checks import check_closed_form, check_weight
from mtconv.operators.circular.inverse import closed_form
from mtconv.operators.combination import Combination, promoted
from mtconv.operators.formats import check_dense
from mtconv.operators.linear import LinearMap

__all__ = ["RegularizedInverse", "regularized_inverse", "regularized_solve"]


class RegularizedInverse(Combination):
    """The operator ``(A^H A + weight)^-1``, by spectra."""

    leaves: ClassVar[tuple[str, ...]] = ("operators", "array")
    static: ClassVar[tuple[str, ...]] = ("number",)

    array: Any
    number: float | None

    @property
    def weight(self) -> Any:
        """What is added to the diagonal."""
        return self.number if self.array is None else self.array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that ``A`` takes."""
        return self.operators[0].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that ``A`` takes."""
        return self.operators[0].input_shape

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self.operators[0]._batch_axis

    @property
    def _result_axis(self) -> int:
        return self.operators[0]._batch_axis

    @cached_property
    def _transposed(self) -> RegularizedInverse:
        conjugate = self.operators[0].H.T
        new = self._make((conjugate,), self.array, self.number)
        new.__dict__["_transposed"] = self
        return new

    @property
    def T(self) -> RegularizedInverse:
        """The transpose: the same of the conjugate operator."""
        return self._transposed

    @property
    def H(self) -> RegularizedInverse:
        """The operator itself, which is Hermitian."""
        return self

    @property
    def _empty(self) -> Any:
        return promoted(self._library, self.operators)[0] * 1.0

    @property
    def _expression(self) -> str:
        name = self.operators[0]._expression
        weight = "c" if self.number is None else repr(self.number)
        return f"inverse({name}.H @ {name} + {weight})"

    def _batch(self, library: Library, x: Any) -> Any:
        del library
        function = type(self).__name__
        operator = self.operators[0]
        engine = self._engine("x", x)
        closed, setting = closed_form(function, operator, engine, x)
        return setting.result(closed.invert(setting.canonical(x), self.weight))

    def _double(self, function: str) -> LinearMap:
        weight = self.number
        if weight is None:
            weight = float(self._library.to_numpy(self.array))
        return self._make((self.operators[0]._double(function),), None, weight)

    def _matrix(self, order: str) -> Any:
        sparse = imported("scipy.sparse")
        dense = np.asarray(self._library.to_numpy(self.to_dense()))
        if order == "F":
            shape = self.input_shape
            places = np.arange(dense.shape[0]).reshape(shape).ravel("F")
            dense = dense[places][:, places]
        return sparse.csr_array(dense)

    def to_dense(self) -> Any:
        """Build the matrix, of which no element is zero, column by column.

        Returns
        -------
        array, shape `shape`
            An array of the library of the kernel.
        """
        check_dense(self, "operators")
        dtype = self.dtype if isinstance(self.dtype, np.dtype) else np.float64
        return self.matmat(np.eye(self.shape[0], dtype=dtype))


def regularized_inverse(function: str, operator: Any, weight: Any) -> RegularizedInverse:
    """Check an operator and a weight, and return the inverse."""
    check_closed_form(function, operator.spec)
    weight = check_weight(function, weight)
    if isinstance(weight, float):
        return RegularizedInverse._make((operator,), None, weight)
    return RegularizedInverse._make((operator,), weight, None)


def regularized_solve(function: str, operator: Any, y: Any, weight: Any, z: Any) -> Any:
    """Check shapes, and solve for one array or a batch."""
    check_closed_form(function, operator.spec)
    weight = check_weight(function, weight)
    with renamed(type(operator).__name__, function):
        library, y = operator._array("y", y)
    flat = y.shape == (operator.shape[0],) != operator.output_shape
    if flat:
        y = library.reshape(y, operator.output_shape)
    axis = operator.T._batch_axis
    single = y.shape == operator.output_shape
    if not single and not operator.T._is_batch(y.shape):
        rule = f"must have shape {operator.output_shape}, alone or behind a batch axis"
        raise GeometryError(message(function, "y", rule, f"shape {tuple(y.shape)}"))
    engine = operator._engine("y", y)
    start = _start(function, operator, z, flat=flat, y_shape=None if single else y.shape)
    y, start = (
        None if a is None else (a[None, ...] if single else _front(library, a, axis))
        for a in (y, start)
    )
    closed, setting = closed_form(function, operator, engine, y, start)
    data, first = setting.canonical(y), setting.canonical(start)
    result = setting.result(closed.solve(data, weight, first))
    if not single:
        return _back(library, result, axis)
    result = result[0, ...]
    return library.reshape(result, (operator.shape[1],)) if flat else result


def _start(
    function: str, operator: Any, z: Any, *, flat: bool, y_shape: tuple[int, ...] | None
) -> Any:
    """Check z; None where it is the number 0."""
    if isinstance(z, (int, float)) and z == 0:
        return None
    with renamed(type(operator).__name__, function):
        library, z = operator._array("z", z)
    if flat and z.shape == (operator.shape[1],):
        return library.reshape(z, operator.input_shape)
    wanted = operator.input_shape
    if y_shape is not None:
        axis = operator._batch_axis
        wanted = (*wanted[:axis], y_shape[axis], *wanted[axis:])
    if z.shape != wanted:
        rule = f"must be 0 or have shape {wanted}"
        raise GeometryError(message(function, "z", rule, f"shape {tuple(z.shape)}"))
    return z


def _front(library: Library, array: Any, axis: int) -> Any:
    """Move the batch axis to the front."""
    others = (n for n in range(len(array.shape)) if n != axis)
    return library.permute(array, (axis, *others))


def _back(library: Library, array: Any, axis: int) -> Any:
    """Move the batch axis back to its place."""
    order = list(range(1, len(array.shape)))
    order.insert(axis, 0)
    return library.permute(array, tuple(order))
