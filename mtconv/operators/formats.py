"""The matrix as users ask for it: a format of SciPy's or JAX's, or dense."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.dispatch import load
from mtconv.errors import BackendError
from mtconv.importing import imported
from mtconv.matrix.csr import Csr, build_csr
from mtconv.matrix.memory import check_memory
from mtconv.problem.layout import Arrangement, resolve_layouts
from mtconv.problem.options import check_word
from mtconv.spec import ConvSpec

__all__ = [
    "FORMATS",
    "canonical_kernel",
    "check_dense",
    "check_format",
    "dense_matrix",
    "formatted",
    "raveled",
    "sparse_matrix",
    "stored",
]

Array = NDArray[Any]

FORMATS = ("csr", "csc", "coo", "bsr", "bcoo")

_FUNCTION = "to_sparse"


def sparse_matrix(form: str, spec: ConvSpec, kernel: Array, format: str, order: str) -> Any:  # noqa: A002
    """Build the matrix of an operator on raveled arrays, in the spec's layout."""
    format, order = check_format(format, order)  # noqa: A001
    sparse = imported("scipy.sparse")
    w = canonical_kernel(spec, kernel)
    if format == "csc":  # the rows of the transpose are the columns
        other = "conv" if form == "conv_transpose" else "conv_transpose"
        built = _reordered(build_csr(_FUNCTION, other, spec, w), other, spec, order)
        shape = built.shape[::-1]
        arrays = (built.data, built.indices, built.indptr)
        return _marked(sparse.csc_array(arrays, shape=shape))
    built = _reordered(build_csr(_FUNCTION, form, spec, w), form, spec, order)
    if format == "bcoo":
        return _bcoo(built)
    arrays = (built.data, built.indices, built.indptr)
    matrix = _marked(sparse.csr_array(arrays, shape=built.shape))
    return matrix if format == "csr" else matrix.asformat(format)


def check_format(format: str, order: str) -> tuple[str, str]:  # noqa: A002
    """Check the words of `to_sparse`."""
    return (
        check_word(_FUNCTION, "format", format, FORMATS),
        check_word(_FUNCTION, "order", order, ("C", "F")),
    )


def formatted(matrix: Any, format: str) -> Any:  # noqa: A002
    """Bring a matrix in compressed sparse rows into a format."""
    matrix.sum_duplicates()
    if format == "bcoo":
        return _bcoo(Csr(matrix.data, matrix.indices, matrix.indptr, matrix.shape))
    return matrix if format == "csr" else matrix.asformat(format)


def check_dense(operator: Any, argument: str) -> None:
    """Refuse a matrix whose zeros do not fit into memory beside its entries."""
    entries = prod(operator.shape)
    needed = entries * getattr(operator.dtype, "itemsize", 8)
    fix = "Apply the operator without its matrix."
    check_memory("to_dense", argument, entries, needed, fix)


def dense_matrix(form: str, spec: ConvSpec, kernel: Array) -> Array:
    """Build the matrix with its zeros."""
    built = build_csr("to_dense", form, spec, canonical_kernel(spec, kernel))
    built = _reordered(built, form, spec, "C")
    dense = np.zeros(built.shape, kernel.dtype)
    dense[built.rows, built.indices] = built.data
    return dense


def canonical_kernel(spec: ConvSpec, kernel: Array) -> Array:
    """Arrange a kernel as (small, big / groups, *k), in a dtype that matrices have."""
    arrangement = _arrangements(spec)[1]
    if arrangement.order is not None:
        kernel = kernel.transpose(arrangement.order)
    return stored(kernel.reshape(spec.kernel_shape))


def stored(array: Array) -> Array:
    """Convert to a dtype that matrices have."""
    dtype = array.dtype.newbyteorder("=")
    if dtype.name in ("float16", "bfloat16"):
        dtype = np.dtype(np.float32)
    return array.astype(dtype, copy=False)


def _arrangements(spec: ConvSpec) -> tuple[Arrangement, Arrangement]:
    """Return where one array without batch and the kernel have their axes."""
    channels = spec.small_channels is not None
    layout = None if spec.layout is None else spec.layout.replace("N", "")
    if layout is None and not channels and spec.rank > 2:
        layout = "DHW"
    layouts = resolve_layouts(
        _FUNCTION,
        "x",
        spec.rank + channels,
        spec.rank + 2 * channels,
        layout,
        spec.kernel_layout,
        "I",
    )
    return layouts.data, layouts.kernel


def _reordered(built: Csr, form: str, spec: ConvSpec, order: str) -> Csr:
    """Order rows and columns as the user's arrays are raveled."""
    data = _arrangements(spec)[0]
    if data.order is None and order == "C":
        return built
    sparse = imported("scipy.sparse")
    small = (*((spec.small_channels,) if data.channels else ()), *spec.small)
    big = (*((spec.big_channels,) if data.channels else ()), *spec.big)
    rows, columns = (big, small) if form == "conv_transpose" else (small, big)
    place = np.empty(built.shape[1], built.indices.dtype)
    place[raveled(columns, data, order)] = np.arange(built.shape[1])
    matrix = sparse.csr_array(
        (built.data, place[built.indices], built.indptr), shape=built.shape
    )[raveled(rows, data, order)]
    matrix.sort_indices()
    return Csr(matrix.data, matrix.indices, matrix.indptr, built.shape)


def raveled(shape: tuple[int, ...], data: Arrangement, order: str) -> Array:
    """Return the canonical place of each element of the user's raveled array."""
    places = np.arange(prod(shape)).reshape(shape)
    if data.inverse is not None:
        places = places.transpose(data.inverse)
    return places.ravel("F" if order == "F" else "C")


def _marked(matrix: Any) -> Any:
    # Known by construction: SciPy need not look.
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return matrix


def _bcoo(built: Csr) -> Any:
    try:
        experimental = imported("jax.experimental.sparse")
        asarray = imported("jax.numpy").asarray
    except ImportError as error:
        msg = "to_sparse('bcoo') needs JAX. Install it with: pip install 'mtconv[jax]'"
        raise ImportError(msg) from error
    if max(built.shape) > np.iinfo(np.int32).max:
        msg = "to_sparse: `format` 'bcoo' has indices of 32 bits"
        raise BackendError(msg)
    indices = np.stack([built.rows, built.indices], axis=1).astype(np.int32, copy=False)
    return experimental.BCOO(
        (load("jax").asarray(_FUNCTION, "kernel", built.data), asarray(indices)),
        shape=built.shape,
        indices_sorted=True,
        unique_indices=True,
    )
