"""What is computed of an operator as a whole: its matrix and its norm."""

from __future__ import annotations

from typing import Any

from mtconv.operators.single import ArrayMap
from mtconv.spec import ConvSpec

__all__ = ["Explicit"]


class Explicit(ArrayMap):
    """A kernel, a spec, the way to compute, and which of the two maps: `form`."""

    form: str
    kernel: Any
    spec: ConvSpec

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
        return operator_norm(function, self.spec, self._in_numpy(), tol)

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

        return sparse_matrix(self.form, self.spec, self._in_numpy(), format, order)

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

        return self._native(dense_matrix(self.form, self.spec, self._in_numpy()))
