"""What all linear operators share: calls, products with vectors, and algebra.

A linear operator takes arrays of one shape, alone or in batches, and gives arrays of
another. Its matrix acts on their C-order ravel.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np

from mtconv.backends.dispatch import Backend, backend_for, load
from mtconv.backends.libraries import Library, library_of
from mtconv.errors import GeometryError, message, renamed
from mtconv.operators.parts import Parts
from mtconv.operators.pytree import register

__all__ = ["LinearMap"]


class LinearMap(Parts):
    """A linear operator; subclasses say its shapes, transpose and how it is applied."""

    # The algebra, which is made of operators: `mtconv.operators` sets it.
    combine: ClassVar[Any]

    # NumPy's arrays and SciPy's matrices leave ``v @ A`` to the operator.
    __array_ufunc__ = None
    __array_priority__ = 1000.0

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the operator takes, without a batch axis."""
        raise NotImplementedError

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of its results, without a batch axis."""
        raise NotImplementedError

    @property
    def T(self) -> Any:
        """The transpose; ``A.T.T`` is equal to ``A``."""
        raise NotImplementedError

    @property
    def H(self) -> Any:
        """The conjugate transpose; that of a real operator is equal to the transpose."""
        raise NotImplementedError

    def _apply(self, x: Any, axis: int | None = None) -> Any:
        """Apply to one input, or to a batch along an axis."""
        raise NotImplementedError

    @property
    def _backend(self) -> str | None:
        """Name of the backend that the operator was made for, None where arrays decide."""
        raise NotImplementedError

    @property
    def _like(self) -> Any:
        """Return an array of the operator's library, or of NumPy where arrays decide."""
        raise NotImplementedError

    @property
    def _empty(self) -> Any:
        """Return an array of no elements, of the library and dtype of the matrix."""
        raise NotImplementedError

    def _double(self, function: str) -> LinearMap:
        """Return the same operator in NumPy and double precision, of finite values."""
        raise NotImplementedError

    def _cast(self, library: Library, like: Any) -> LinearMap:
        """Return the same operator with arrays of the library and dtype of an array."""
        raise NotImplementedError

    def norm(self, *, tol: float = 1e-8) -> float:
        """Largest singular value."""
        raise NotImplementedError

    def to_sparse(self, format: str = "csr", *, order: str = "C") -> Any:  # noqa: A002
        """Build the sparse matrix."""
        raise NotImplementedError

    def to_dense(self) -> Any:
        """Build the matrix as an array of the operator's library."""
        raise NotImplementedError

    # Where the batch axis is in a batch of inputs.
    _batch_axis: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix: the sizes of output and input."""
        return prod(self.output_shape), prod(self.input_shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the matrix, one of NumPy's; results promote it with that of x.

        A dtype that NumPy does not have is that of the array library. Results of multiples
        and sums are promoted step by step: half of an operator of integers, whose matrix is
        of float64, gives float32 for x of float32.
        """
        return self._dtype

    @cached_property
    def _dtype(self) -> Any:
        array = self._empty
        engine = backend_for(type(self).__name__, self._backend, kernel=array)
        try:
            return np.dtype(engine.result_dtype(array))
        except TypeError:
            return array.dtype

    def __repr__(self) -> str:
        return (
            f"{self._expression}(input_shape={self.input_shape}, "
            f"output_shape={self.output_shape}, dtype={self.dtype})"
        )

    @property
    def _expression(self) -> str:
        """Name the operator in the repr of what is made of it."""
        return type(self).__name__

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
        library, x = self._array("x", x)
        if x.shape == self.input_shape:
            return self._apply(x)
        if self._is_batch(x.shape):
            return self._apply(x, self._batch_axis)
        if x.shape == (self.shape[1],):
            result = self._apply(library.reshape(x, self.input_shape))
            return library.reshape(result, (self.shape[0],))
        raise GeometryError(self._wrong_shape("x", x.shape))

    def __matmul__(self, x: Any) -> Any:
        """Multiply an operator, apply to an array as a call does, or to columns."""
        if isinstance(x, LinearMap):
            return self.combine.product(self, x)
        _, x = self._array("x", x)
        return self.matmat(x) if self._is_matrix(x.shape) else self(x)

    def __rmatmul__(self, y: Any) -> Any:
        """Apply the transpose: ``y @ A`` is ``A.T @ y``, row by row for a matrix."""
        library, y = self._array("y", y)
        if not self.T._is_matrix(y.shape):
            return self.T(y)
        return library.permute(self.T.matmat(library.permute(y, (1, 0))), (1, 0))

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
        library, v = self._array("v", v)
        if v.shape not in ((self.shape[1],), (self.shape[1], 1)):
            raise GeometryError(self._wrong_shape("v", v.shape))
        product = self._apply(library.reshape(v, self.input_shape))
        return library.reshape(product, (self.shape[0], *v.shape[1:]))

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
        library, vs = self._array("vs", vs)
        if len(vs.shape) != 2 or vs.shape[0] != self.shape[1]:
            raise GeometryError(self._wrong_shape("vs", vs.shape))
        count = vs.shape[1]
        rows = library.reshape(library.permute(vs, (1, 0)), (count, *self.input_shape))
        products = library.reshape(self._apply(rows, 0), (count, self.shape[0]))
        return library.permute(products, (1, 0))

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
        other = self.H
        with renamed(type(other).__name__, f"{type(self).__name__}.rmatvec"):
            return other.matvec(v)

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
        other = self.H
        with renamed(type(other).__name__, f"{type(self).__name__}.rmatmat"):
            return other.matmat(vs)

    # What pylops asks for.
    _matvec, _rmatvec, _matmat, _rmatmat = matvec, rmatvec, matmat, rmatmat

    def __add__(self, other: Any) -> Any:
        return self.combine.add(self, other)

    def __radd__(self, other: Any) -> Any:
        # `sum` starts with 0.
        return self if type(other) is int and other == 0 else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return self.combine.subtract(self, other)

    def __neg__(self) -> Any:
        return self.combine.scale("-A", self, -1)

    def __mul__(self, factor: Any) -> Any:
        return self.combine.scale("A * c", self, factor)

    def __rmul__(self, factor: Any) -> Any:
        return self.combine.scale("c * A", self, factor)

    def __truediv__(self, factor: Any) -> Any:
        return self.combine.scale("A / c", self, factor, divides=True)

    def _engine(self, argument: str, x: Any) -> Backend:
        """Return the backend of an array that the operator meets."""
        arrays = {argument: x, "kernel": self._like}
        return backend_for(type(self).__name__, self._backend, **arrays)

    @cached_property
    def _takes_numpy(self) -> bool:
        """Return whether the NumPy backend computes with arrays of NumPy."""
        if type(self._like) is not np.ndarray:
            return False
        return self._engine("x", self._like).NAME == "numpy"

    def _array(self, argument: str, x: Any) -> tuple[Library, Any]:
        """Convert what the operator is applied to, with the functions for it."""
        register(type(self))  # JAX may have come after the operator
        if self._takes_numpy and type(x) is np.ndarray and x.dtype.kind in "iufc":
            return library_of(load("numpy")), x
        engine = self._engine(argument, x)
        x = engine.asarray(type(self).__name__, argument, x)
        library = library_of(engine, x, self._like)
        return library, library.native(x, self._like)

    def _is_matrix(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array can only be a matrix of flat vectors."""
        return len(shape) == 2 and shape != self.input_shape and not self._is_batch(shape)

    def _is_batch(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array is a batch, one that is no single input."""
        axis = self._batch_axis
        return shape[:axis] + shape[axis + 1 :] == self.input_shape

    def _wrong_shape(self, argument: str, got: tuple[int, ...]) -> str:
        return message(
            type(self).__name__,
            argument,
            f"must have shape {self.input_shape}, alone or behind a batch axis, or be flat "
            f"with {self.shape[1]} elements",
            f"shape {tuple(got)}",
            fix=self._shape_advice(len(got)),
        )

    def _shape_advice(self, ndim: int) -> str:
        """Say what may have been meant by an array of so many axes."""
        del ndim
        return ""
