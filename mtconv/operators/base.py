"""What both operators share: shapes, calls, transposes, products with vectors."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any, Self

import numpy as np

from mtconv.backends.dispatch import backend_for, backend_name
from mtconv.errors import GeometryError, message
from mtconv.functional import apply_spec
from mtconv.operators.explicit import Explicit, How
from mtconv.operators.kernels import read_only_copy, same_kernel
from mtconv.operators.prepared import PREPARING, apply_prepared
from mtconv.operators.pytree import register
from mtconv.operators.sides import Sides, operator_spec, sides
from mtconv.problem.options import ALGORITHMS, IntOrInts, Options, check_word, freeze_sizes
from mtconv.problem.volumes import advice
from mtconv.spec import ConvSpec

__all__ = ["Operator"]

_PARTS = ("kernel", "spec", "how")


class Operator(Explicit):
    """What both operators share; `other` is the class of the transpose."""

    other: type[Operator]

    # NumPy's arrays and SciPy's matrices leave ``v @ A`` to the operator.
    __array_ufunc__ = None
    __array_priority__ = 1000.0

    def _set(self, kernel: Any, input_size: IntOrInts, options: Options, how: How) -> None:
        name = type(self).__name__
        how = _checked(name, how)
        engine = backend_for(name, how.backend, kernel=kernel)
        kernel = engine.asarray(name, "kernel", kernel)
        size = freeze_sizes(name, "input_size", input_size)
        spec = operator_spec(name, self.form, size, kernel.shape, options)
        self._own(read_only_copy(kernel), spec, how)

    @classmethod
    def _make(cls, kernel: Any, spec: ConvSpec, how: How) -> Self:
        """Put an operator together from parts that fit, tracers and placeholders too."""
        new = object.__new__(cls)
        new._own(kernel, spec, how)
        return new

    @classmethod
    def _from_parts(cls, kernel: Any, spec: ConvSpec, how: How) -> Self:
        """Put an operator together from parts that came from outside, unchecked."""
        return cls._make(read_only_copy(kernel), spec, how)

    def _own(self, kernel: Any, spec: ConvSpec, how: How) -> None:
        """Take the parts; a NumPy kernel is read-only and nobody else's."""
        self.__dict__.update(zip(_PARTS, (kernel, spec, how), strict=True))
        register(type(self))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PARTS:  # the transpose and prepared kernels would not follow
            kind = type(self).__name__
            reason = "cannot be set, since operators never change"
            msg = f"{kind}: `{name}` {reason}. Make another {kind}."
            raise AttributeError(msg)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.kernel, self.spec, self.how)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(input_shape={self.input_shape}, "
            f"output_shape={self.output_shape}, dtype={self.dtype})"
        )

    def _repr_html_(self) -> str:
        from mtconv.sketch.html import html

        return html(repr(self), self.spec.axes, self.spec.padding_mode)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Operator)
        return (
            self.spec == other.spec
            and self.how == other.how
            and same_kernel(self.kernel, other.kernel)
        )

    def __hash__(self) -> int:
        return hash((type(self), self.spec))

    @property
    def _sides(self) -> Sides:
        return sides(self.form, self.spec)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the operator takes, without a batch axis."""
        return self._sides.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of its results, without a batch axis."""
        return self._sides.output_shape

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix: the sizes of output and input."""
        return prod(self.output_shape), prod(self.input_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kernel's dtype; results promote it with the dtype of what comes in."""
        dtype: np.dtype[Any] = np.dtype(self.kernel.dtype)
        return dtype

    @property
    def T(self) -> Any:
        """The transpose, with the same kernel and spec; ``A.T.T`` is equal to ``A``."""
        return self._transpose

    @cached_property
    def _transpose(self) -> Operator:
        new = self.other._make(self.kernel, self.spec, self.how)
        new.__dict__["_transpose"] = self
        return new

    @property
    def H(self) -> Any:
        """The conjugate transpose; that of a real kernel is the transpose."""
        if self.dtype.kind != "c":
            return self._transpose
        # An array of NumPy outlives every trace, a conjugate made in one would not.
        return self._adjoint if isinstance(self.kernel, np.ndarray) else self._conjugated()

    @cached_property
    def _adjoint(self) -> Operator:
        return self._conjugated()

    def _conjugated(self) -> Operator:
        return self.other._from_parts(self.kernel.conj(), self.spec, self.how)

    def __call__(self, x: Any) -> Any:
        """Apply the operator.

        Parameters
        ----------
        x : array
            Of `input_shape`, with a batch axis or without, or a flat vector.

        Returns
        -------
        array
            Of `output_shape`, with x's batch axis; flat for a flat vector.

        Raises
        ------
        GeometryError
            If x has another shape.
        """
        x = self._array(x)
        found = self._sides
        if x.shape == found.input_shape:
            return self._apply(x)
        if self._is_batch(x.shape):
            return self._apply(x, found.batch_axis)
        if x.shape == (self.shape[1],):
            return self._apply(x.reshape(found.input_shape)).reshape(-1)
        raise GeometryError(self._wrong_shape("x", x.shape))

    def __matmul__(self, x: Any) -> Any:
        """Apply to an array as a call does, or to the columns of a matrix."""
        if isinstance(x, Operator):
            return NotImplemented
        x = self._array(x)
        return self.matmat(x) if self._is_matrix(x.shape) else self(x)

    def __rmatmul__(self, y: Any) -> Any:
        """Apply the transpose: ``y @ A`` is ``A.T @ y``, row by row for a matrix."""
        y = self._array(y)
        return self.T.matmat(y.T).T if self.T._is_matrix(y.shape) else self.T(y)

    def matvec(self, v: Any) -> Any:
        """Multiply a flat vector, or a matrix of one column.

        Parameters
        ----------
        v : array, shape (columns,) or (columns, 1)
            The input in C order.

        Returns
        -------
        array, shape (rows,) or (rows, 1)
            The result in C order.
        """
        v = self._array(v)
        if v.shape not in ((self.shape[1],), (self.shape[1], 1)):
            raise GeometryError(self._wrong_shape("v", v.shape))
        found = self._sides
        product = self._apply(v.reshape(found.input_shape))
        return product.reshape(-1, *v.shape[1:])

    def matmat(self, vs: Any) -> Any:
        """Multiply every column of a matrix.

        Parameters
        ----------
        vs : array, shape (columns, count)
            One input per column.

        Returns
        -------
        array, shape (rows, count)
            One result per column.
        """
        vs = self._array(vs)
        if vs.ndim != 2 or vs.shape[0] != self.shape[1]:
            raise GeometryError(self._wrong_shape("vs", vs.shape))
        found = self._sides
        count = vs.shape[1]
        products = self._apply(vs.T.reshape(count, *found.input_shape), 0)
        return products.reshape(count, self.shape[0]).T

    def rmatvec(self, v: Any) -> Any:
        """Multiply a flat vector by the conjugate transpose.

        Parameters
        ----------
        v : array, shape (rows,) or (rows, 1)
            A result in C order.

        Returns
        -------
        array, shape (columns,) or (columns, 1)
            The product with ``A.H``.
        """
        return self.H.matvec(v)

    def rmatmat(self, vs: Any) -> Any:
        """Multiply every column of a matrix by the conjugate transpose.

        Parameters
        ----------
        vs : array, shape (rows, count)
            One vector per column.

        Returns
        -------
        array, shape (columns, count)
            Their products with ``A.H``.
        """
        return self.H.matmat(vs)

    # What pylops asks for.
    _matvec, _rmatvec, _matmat, _rmatmat = matvec, rmatvec, matmat, rmatmat

    @cached_property
    def _prepared(self) -> dict[Any, Any]:
        return {}

    def _apply(self, x: Any, axis: int | None = None) -> Any:
        """Apply the map to one input, or to a batch along an axis."""
        backend, algorithm, precision = self.how
        found = self._sides
        engine = backend_for(type(self).__name__, backend, x=x, kernel=self.kernel)
        if engine.NAME not in PREPARING:
            batched = found.front if axis == 0 else found.batched
            return apply_spec(
                self.form,
                found.single if axis is None else batched,
                x,
                self.kernel,
                algorithm=algorithm,
                backend=backend,
                precision=precision,
            )
        batch = x[None] if axis is None else np.moveaxis(x, axis, 0)
        result = apply_prepared(
            self._prepared, engine, self.form, found.front, batch, self.kernel, algorithm
        )
        return result[0] if axis is None else np.moveaxis(result, 0, axis)

    def _array(self, x: Any) -> Any:
        register(type(self))  # JAX may have come after the operator
        name = type(self).__name__
        engine = backend_for(name, self.how.backend, x=x, kernel=self.kernel)
        return engine.asarray(name, "x", x)

    def _is_matrix(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array can only be a matrix of flat vectors."""
        return len(shape) == 2 and shape != self.input_shape and not self._is_batch(shape)

    def _is_batch(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array is a batch, one that is no single input."""
        axis = self._sides.batch_axis
        return shape[:axis] + shape[axis + 1 :] == self.input_shape

    def _wrong_shape(self, argument: str, got: tuple[int, ...]) -> str:
        layouts = self.spec.layout, self.spec.kernel_layout
        return message(
            type(self).__name__,
            argument,
            f"must have shape {self.input_shape}, alone or behind a batch axis, or be flat "
            f"with {self.shape[1]} elements",
            f"shape {got}",
            fix=advice(max(len(got), 3), self.kernel.ndim, *layouts),
        )


def _checked(name: str, how: How) -> How:
    """Check the words that say how to compute; they key the caches of later calls."""
    backend = None
    if how.backend is not None:
        backend = backend_name(name, how.backend, "must be None or one of")
    algorithm = check_word(name, "algorithm", how.algorithm, ALGORITHMS)
    return How(backend, algorithm, how.precision)


def _restore(cls: type[Operator], kernel: Any, spec: ConvSpec, how: How) -> Operator:
    return cls._from_parts(kernel, spec, how)
