"""The regularized inverse of a circular operator as an operator, and the solve."""

from __future__ import annotations

from functools import cached_property
from math import prod
from numbers import Number
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mtconv.backends.dispatch import Backend, backend_for
from mtconv.backends.libraries import Library, library_of
from mtconv.errors import GeometryError, message, renamed
from mtconv.importing import imported
from mtconv.operators.circular.checks import check_closed_form, check_weight
from mtconv.operators.circular.inverse import ClosedForm, Setting, closed_form
from mtconv.operators.combination import Combination, promoted
from mtconv.operators.formats import check_dense
from mtconv.operators.linear import LinearMap
from mtconv.operators.pytree import register

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
    def _members(self) -> dict[str, Any]:
        members = super()._members
        return members if self.array is None else {**members, "weight": self.array}

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
        """Build the matrix, column by column.

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


class CheckedSolve(NamedTuple):
    """The solve for arrays whose shapes and dtypes were checked.

    ``axis`` is that of the batch, None for one array, which is a vector where ``flat``.
    """

    library: Library
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    axis: int | None
    flat: bool
    closed: ClosedForm
    setting: Setting

    def run(self, y: Any, weight: Any, start: Any) -> Any:
        """Solve from a start, None for zero."""
        setting = self.setting
        data = setting.canonical(self._batch(y, self.output_shape))
        if start is not None:
            start = setting.canonical(self._batch(start, self.input_shape))
        result = setting.result(self.closed.solve(data, weight, start))
        if self.axis is not None:
            return _back(self.library, result, self.axis)
        result = result[0, ...]
        size = (prod(self.input_shape),)
        return self.library.reshape(result, size) if self.flat else result

    def _batch(self, array: Any, shape: tuple[int, ...]) -> Any:
        if self.axis is not None:
            return _front(self.library, array, self.axis)
        return (self.library.reshape(array, shape) if self.flat else array)[None, ...]


def regularized_solve(function: str, operator: Any, y: Any, weight: Any, z: Any) -> Any:
    """Check shapes, and solve for one array or a batch."""
    start = None if _is_zero(z) else z
    key = _key(y, start)
    checked = None if key is None else operator._prepared.get(key)
    if checked is None:
        check_closed_form(function, operator.spec)
    weight = check_weight(function, weight)
    if not isinstance(weight, float):
        key = checked = None
    if checked is not None:
        return checked.run(y, weight, start)
    y, start, checked = _checked(function, operator, y, weight, start)
    if key is not None and isinstance(operator.kernel, np.ndarray):
        operator._prepared[key] = checked
    return checked.run(y, weight, start)


def _key(y: Any, start: Any) -> tuple[Any, ...] | None:
    """Return by what an operator of NumPy knows arrays that were checked before."""
    kinds: list[Any] = ["solve"]
    for array in (y, start):
        if array is not None and type(array) is not np.ndarray:
            return None
        kinds += (None, None) if array is None else (array.shape, array.dtype)
    return tuple(kinds)


def _checked(
    function: str, operator: Any, y: Any, weight: Any, start: Any
) -> tuple[Any, Any, CheckedSolve]:
    """Check arrays; return them, converted, and how they are solved for."""
    library, engine, (y, start) = _converted(function, operator, y, weight, start)
    flat = y.shape == (operator.shape[0],) != operator.output_shape
    single = flat or y.shape == operator.output_shape
    if not single and not operator.T._is_batch(y.shape):
        rule = f"must have shape {operator.output_shape}, alone or behind a batch axis"
        raise GeometryError(message(function, "y", rule, f"shape {tuple(y.shape)}"))
    if start is not None:
        y_shape = None if single else y.shape
        _check_start(function, operator, start, flat=flat, y_shape=y_shape)
    closed, setting = closed_form(function, operator, engine, y, start)
    axis = None if single else operator.T._batch_axis
    shapes = operator.input_shape, operator.output_shape
    return y, start, CheckedSolve(library, *shapes, axis, flat, closed, setting)


def _is_zero(z: Any) -> bool:
    """Return whether z is the number zero."""
    number = isinstance(z, (Number, np.generic)) or (type(z) is np.ndarray and not z.ndim)
    return number and bool(z == 0)


def _converted(
    function: str, operator: Any, y: Any, weight: Any, z: Any
) -> tuple[Library, Backend, tuple[Any, Any]]:
    """Convert y and z to arrays of one library; z may be None, and weight a float."""
    register(type(operator))  # JAX may have come after the operator
    name, like = type(operator).__name__, operator._like
    with renamed(name, function):
        number = None if isinstance(weight, float) else weight
        arrays = {"y": y, "weight": number, "z": z, "kernel": like}
        engine = backend_for(name, operator._backend, **arrays)
        y = engine.asarray(name, "y", y)
        z = None if z is None else engine.asarray(name, "z", z)
        library = library_of(engine, y, number, z, like)
        y, _, z, _ = library.together(y, number, z, like)
    return library, engine, (y, z)


def _check_start(
    function: str, operator: Any, z: Any, *, flat: bool, y_shape: tuple[int, ...] | None
) -> None:
    """Check the shape of where a solve starts."""
    wanted = (operator.shape[1],) if flat else operator.input_shape
    if y_shape is not None:
        axis = operator._batch_axis
        wanted = (*wanted[:axis], y_shape[axis], *wanted[axis:])
    if z.shape != wanted:
        rule = f"must be 0 or have shape {wanted}"
        raise GeometryError(message(function, "z", rule, f"shape {tuple(z.shape)}"))


def _front(library: Library, array: Any, axis: int) -> Any:
    """Move the batch axis to the front."""
    others = (n for n in range(len(array.shape)) if n != axis)
    return library.permute(array, (axis, *others))


def _back(library: Library, array: Any, axis: int) -> Any:
    """Move the batch axis back to its place."""
    order = list(range(1, len(array.shape)))
    order.insert(axis, 0)
    return library.permute(array, tuple(order))
