"""What is computed of an operator as a whole: its matrix and its norm."""

from __future__ import annotations

from typing import Any, NamedTuple

from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import library_of
from mtconv.operators.linear import LinearMap
from mtconv.spec import ConvSpec

__all__ = ["Explicit", "How"]


class How(NamedTuple):
    """The way to compute: what calls take besides arrays and geometry."""

    backend: str | None
    algorithm: str
    precision: Any


class Explicit(LinearMap):
    """A kernel, a spec, the way to compute, and which of the two maps: `form`."""

    form: str
    kernel: Any
    spec: ConvSpec
    how: How

    def norm(self, *, tol: float = 1e-8) -> float:
        """Largest singular value.

        Exact for circular padding whose period the stride divides, where a Fourier
        transform takes the matrix apart into one small matrix per frequency. Otherwise
        by Lanczos iteration, which needs SciPy.

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
        from mtconv.operators.spectrum import operator_norm

        function = f"{type(self).__name__}.norm"
        return operator_norm(function, self.spec, self._kernel_in_numpy(), tol)

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
        BackendError
            If it does not fit into the memory available.

        Examples
        --------
        >>> import mtconv
        >>> mtconv.Conv([1, 2], input_size=3).to_sparse().toarray()
        array([[1, 2, 0],
               [0, 1, 2]])
        """
        from mtconv.operators.formats import sparse_matrix

        return sparse_matrix(self.form, self.spec, self._kernel_in_numpy(), format, order)

    def to_dense(self) -> Any:
        """Build the matrix as an array of the kernel's library, zeros and all.

        Returns
        -------
        array, shape `shape`
            Row by row the cells of the result in C order, column by column the input's.

        Examples
        --------
        >>> import mtconv
        >>> mtconv.ConvTranspose([1, 2], input_size=2).to_dense()
        array([[1, 0],
               [2, 1],
               [0, 2]])
        """
        from mtconv.operators.formats import dense_matrix

        dense = dense_matrix(self.form, self.spec, self._kernel_in_numpy())
        engine = backend_for(type(self).__name__, self.how.backend, kernel=self.kernel)
        dense = engine.asarray(type(self).__name__, "kernel", dense)
        return library_of(engine, self.kernel).native(dense, self.kernel)

    def _double(self, function: str) -> LinearMap:
        from mtconv.operators.spectrum import in_double

        kernel = in_double(function, "kernel", self._kernel_in_numpy())
        return self._make(kernel, self.spec, How(None, "auto", None))

    def _kernel_in_numpy(self) -> Any:
        engine = backend_for(type(self).__name__, None, kernel=self.kernel)
        return library_of(engine, self.kernel).to_numpy(self.kernel)
