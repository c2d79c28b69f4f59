"""What is computed of an operator as a whole: matrix, norm and regularized inverse."""

from __future__ import annotations

from typing import Any

from mtconv.importing import imported
from mtconv.operators.formats import check_dense, dense_matrix, sparse_matrix
from mtconv.operators.single import ArrayMap
from mtconv.operators.spectrum import operator_norm
from mtconv.spec import ConvSpec

__all__ = ["Explicit"]


class Explicit(ArrayMap):
    """A kernel, a spec, the way to compute, and which of the two maps: `form`."""

    form: str
    kernel: Any
    spec: ConvSpec

    def norm(self, *, tol: float = 1e-8) -> float:
        """Largest singular value.

        Exact for circular padding, where a Fourier transform takes the matrix apart into
        one small matrix per frequency. An axis whose size the stride does not divide has no
        frequencies; if that leaves matrices that are too large to be decomposed (for one
        channel and stride 3, more than about 700 elements on the small side), and with
        other padding, Lanczos iteration is used, which needs SciPy.

        Parameters
        ----------
        tol : float
            Relative tolerance of the iteration.

        Returns
        -------
        float
            The spectral norm of the matrix.

        Raises
        ------
        ValueError
            If an element of the kernel is NaN or infinite, as an element of the matrix is
            then, or if the tolerance is no number of at least 0.

        Examples
        --------
        >>> import mtconv
        >>> options = {"padding": ((0, 1),), "padding_mode": "circular"}
        >>> mtconv.Conv([1.0, -1.0], input_size=4, **options).norm()
        2.0
        """
        function = f"{type(self).__name__}.norm"
        return operator_norm(function, self.spec, self._in_numpy(), tol)

    def regularized_inverse(self, weight: Any) -> Any:
        """Return the operator ``(A^H A + weight)^-1`` of a circular operator.

        It is block diagonal in frequency, and worked out there: no iteration.

        Parameters
        ----------
        weight : float
            What is added to the diagonal, above 0; a traced number of JAX too.

        Returns
        -------
        operator
            From and to arrays of `input_shape`; it is Hermitian.

        Raises
        ------
        GeometryError
            If the padding mode is not "circular", or a big side is not the stride times
            the small one.
        BackendError
            If a group has more than 16 channels on the small side.
        ValueError
            If the weight is no finite number above 0, or, on NumPy once the operator is
            applied, if an element of the kernel is NaN or infinite.

        Notes
        -----
        Each call costs a transform there and back. In double precision the relative error
        is below 1e-10 for weights from 1e-3 times the square of `norm`; for smaller ones
        `regularized_solve` keeps more digits. NaN or infinity in x reaches every element of
        its sample and group.

        Examples
        --------
        >>> import mtconv
        >>> options = {"padding": ((0, 1),), "padding_mode": "circular"}
        >>> A = mtconv.Conv([1.0, 1.0], input_size=2, **options)
        >>> A.regularized_inverse(1.0)([5.0, 5.0])  # A.T @ A is [[2, 2], [2, 2]]
        array([1., 1.])
        """
        regularized = imported("mtconv.operators.circular.regularized")
        function = f"{type(self).__name__}.regularized_inverse"
        return regularized.regularized_inverse(function, self, weight)

    def regularized_solve(self, y: Any, weight: Any, z: Any = 0) -> Any:
        """Return the x that makes ``|A x - y|^2 + weight * |x - z|^2`` least.

        For circular operators, in closed form: ``z + A^H (A A^H + weight)^-1 (y - A z)``.

        Parameters
        ----------
        y : array
            Of `output_shape`, with a batch axis or without, or a flat vector.
        weight : float
            Above 0; a traced number of JAX too.
        z : array or 0
            Of `input_shape`, with a batch axis if y has one, flat if y is.

        Returns
        -------
        array
            The solution, of `input_shape`; with a batch axis, or flat, if y is.

        Raises
        ------
        GeometryError, BackendError, ValueError
            As `regularized_inverse`; also if y or z has another shape.

        Notes
        -----
        Costs a transform of y and of z, and one back. Filters are worked out from singular
        values and kept for the next call with the same weight. On NumPy, a y that comes a
        second time in a row is kept with its spectrum. Where groups have one channel on the
        small side, up to 16 MiB of scratch memory and a second copy of the spectrum of the
        kernel are kept as well. In double precision, for weights from 1e-9 times the square
        of `norm`, the error is below 1e-10 of the solution plus 1e-14 of z, unless rounding
        decides about the kernel: whether its channels are linearly dependent, or what is
        left at a frequency that it takes 1e-5 of `norm` or less of, but not all.

        Examples
        --------
        >>> import mtconv
        >>> options = {"padding": ((0, 1),), "padding_mode": "circular"}
        >>> A = mtconv.Conv([1.0, 1.0], input_size=2, **options)
        >>> A.regularized_solve([6.0, 6.0], 1.0, z=[1.0, 3.0])  # of [x0 + x1] * 2
        array([1.8, 3.8])
        """
        regularized = imported("mtconv.operators.circular.regularized")
        function = f"{type(self).__name__}.regularized_solve"
        return regularized.regularized_solve(function, self, y, weight, z)

    def to_sparse(self, format: str = "csr", *, order: str = "C") -> Any:  # noqa: A002
        """Build the sparse matrix.

        Parameters
        ----------
        format : str
            "csr", "csc", "coo" or "bsr" of SciPy, or JAX's "bcoo".
        order : str
            "C", or "F" for arrays raveled column by column (MATLAB's ``x(:)``).

        Returns
        -------
        sparse array, shape `shape`
            With sorted indices and no entry twice; ``A.to_sparse() @ x.ravel()`` is
            ``A(x).ravel()``. Half precision becomes float32, which SciPy has.

        Raises
        ------
        GeometryError
            If there is no such format or order.
        BackendError
            If it does not fit into the memory available, or "bcoo" has sides beyond its
            indices of 32 bits.

        Examples
        --------
        >>> import mtconv
        >>> mtconv.Conv([1, 2], input_size=3).to_sparse().toarray()
        array([[1, 2, 0],
               [0, 1, 2]])
        """
        return sparse_matrix(self.form, self.spec, self._in_numpy(), format, order)

    def to_dense(self) -> Any:
        """Build the matrix as an array of the kernel's library, zeros and all.

        Returns
        -------
        array, shape `shape`
            Row by row the cells of the result in C order, column by column the input's.

        Raises
        ------
        BackendError
            If it does not fit into the memory available.

        Examples
        --------
        >>> import mtconv
        >>> mtconv.ConvTranspose([1, 2], input_size=2).to_dense()
        array([[1, 0],
               [2, 1],
               [0, 2]])
        """
        check_dense(self, "kernel")
        dense = dense_matrix(self.form, self.spec, self._in_numpy())
        return self._native(dense)
