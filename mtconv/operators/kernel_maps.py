"""The two maps as functions of the kernel, for fixed data, and their adjoint."""

from __future__ import annotations

from typing import Any, ClassVar

from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import library_of
from mtconv.functional import apply_spec
from mtconv.importing import imported
from mtconv.operators.formats import check_dense, check_format, formatted
from mtconv.operators.kernel_sides import KernelSides, fixed_spec, kernel_sides
from mtconv.operators.parts import read_only_copy
from mtconv.operators.single import ArrayMap, ComputeOptions, checked
from mtconv.operators.spectrum import check_tolerance, lanczos_norm
from mtconv.problem.options import IntOrInts, Options, freeze_sizes
from mtconv.spec import ConvSpec

__all__ = ["KernelGrad", "KernelMap"]


class KernelMap(ArrayMap):
    """What the maps of a kernel share with their adjoint: data, geometry, and a form.

    ``form`` is that of the map from kernels to results, for the adjoint too.
    """

    leaves = ("data",)
    static = ("form", "spec", "computing")

    form: str
    data: Any
    spec: ConvSpec

    # The class of the map from kernels to results, for each form.
    forward: ClassVar[dict[str, type[KernelMap]]] = {}

    def _set(
        self,
        form: str,
        data: Any,
        kernel_size: IntOrInts,
        channels: Any,
        options: Options,
        computing: ComputeOptions,
    ) -> None:
        name = type(self).__name__
        computing = checked(name, computing)
        argument = "x" if form == "conv_transpose" else "y"
        engine = backend_for(name, computing.backend, **{argument: data})
        data = engine.asarray(name, argument, data)
        size = freeze_sizes(name, "kernel_size", kernel_size)
        if channels is not None:
            channels = freeze_sizes(name, "channels", channels)
        spec = fixed_spec(name, form, tuple(data.shape), size, channels, options)
        self._own(read_only_copy(data), form, spec, computing)

    @property
    def _shapes(self) -> KernelSides:
        return kernel_sides(self.form, self.spec, tuple(self.data.shape))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the kernel, in its layout."""
        return self._shapes.kernel

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result, with the batch axis of the data."""
        return self._shapes.result

    def _other(self, leaf: Any) -> KernelMap:
        return KernelGrad._make(leaf, self.form, self.spec, self.computing)

    def _apply(self, x: Any, axis: int | None = None) -> Any:
        if axis is None:
            return self._one(x)
        results = [self._one(x[n, ...])[None, ...] for n in range(x.shape[0])]
        library = library_of(self._engine("x", x), x)
        if not results:
            return library.zeros((0, *self.output_shape), x)
        return library.concat(results, 0)

    def _one(self, x: Any) -> Any:
        """Apply to one input."""
        return self._run(self.form, self.data, x)

    def _run(self, form: str, first: Any, second: Any) -> Any:
        backend, algorithm, precision = self.computing
        options = {"algorithm": algorithm, "backend": backend, "precision": precision}
        return apply_spec(form, self.spec, first, second, **options)

    def norm(self, *, tol: float = 1e-8) -> float:
        """Largest singular value, by Lanczos iteration, which needs SciPy.

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
            If an element of the data is NaN or infinite, or if the tolerance is no number
            of at least 0.
        """
        function = f"{type(self).__name__}.norm"
        check_tolerance(function, tol)
        return lanczos_norm(self._double(function), tol)

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
            With sorted indices and no entry twice. It has an entry for every term of the
            relation, many more than the data have elements.

        Raises
        ------
        BackendError
            If it does not fit into the memory available.
        """
        format, order = check_format(format, order)  # noqa: A001
        matrix = imported("mtconv.operators.kernel_matrix").kernel_map_matrix(
            self.form, self.spec, self._in_numpy(), order
        )
        if isinstance(self, KernelGrad):
            matrix = matrix.T.tocsr()
        return formatted(matrix, format)

    def to_dense(self) -> Any:
        """Build the matrix as an array of the data's library.

        Returns
        -------
        array, shape `shape`
            Row by row the elements of the result in C order, column by column the input's.
        """
        check_dense(self, "kernel_size")
        data = self._in_numpy()
        return self._native(self.to_sparse().toarray().astype(data.dtype, copy=False))


class KernelGrad(KernelMap):
    """The adjoint of a map of the kernel: `mtconv.kernel_grad` with one array fixed."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of what is correlated with the data, with their batch axis."""
        return self._shapes.result

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the kernel, in its layout."""
        return self._shapes.kernel

    def _other(self, leaf: Any) -> KernelMap:
        return self.forward[self.form]._make(leaf, self.form, self.spec, self.computing)

    def _one(self, x: Any) -> Any:
        if self.form == "conv_transpose":
            return self._run("kernel_grad", self.data, x)
        return self._run("kernel_grad", x, self.data)
