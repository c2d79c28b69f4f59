"""The largest singular value of an operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf, prod, sqrt
from numbers import Real
from typing import Any

import numpy as np
from numpy.fft import fftn
from numpy.typing import NDArray

from mtconv.errors import message, shown
from mtconv.functional import apply_spec
from mtconv.geometry import Axis
from mtconv.importing import imported
from mtconv.operators.formats import canonical_kernel
from mtconv.operators.linear import LinearMap
from mtconv.spec import ConvSpec

__all__ = ["check_tolerance", "in_double", "lanczos_norm", "operator_norm"]

Array = NDArray[Any]

# Elements of all symbols together; larger operators iterate.
_SYMBOL_ELEMENTS = 2**26

# Products that the decomposition of the matrices of all frequencies may take, where axes
# that the stride does not divide make them large.
_DECOMPOSITION = 2**30

# A matrix with as few rows or columns as this is decomposed as it is.
_FEW = 8


def operator_norm(function: str, spec: ConvSpec, kernel: Array, tol: float) -> float:
    """Largest singular value of the matrix, the same for both operators of a spec."""
    check_tolerance(function, tol)
    w = in_double(function, "kernel", canonical_kernel(spec, kernel))
    if spec.small_channels is None:
        spec = replace(spec, small_channels=1, big_channels=1)
    spec = replace(spec, layout=None, kernel_layout=None)
    if not w.any():
        return 0.0
    # Near 1 neither its squares nor their sums vanish or overflow.
    largest = max(np.abs(w.real).max(), np.abs(w.imag).max())
    scale: float = 2.0 ** float(np.frexp(largest)[1] - 1)
    w = w / scale
    if spec.padding_mode == "circular" and _is_decomposed(spec):
        return scale * _block_circulant_norm(spec, w)
    return scale * _iterated_norm(spec, w, tol)


def check_tolerance(function: str, tol: object) -> None:
    """Check that a tolerance is a finite number of at least 0."""
    number = isinstance(tol, Real) and not isinstance(tol, (bool, np.timedelta64))
    if not number or not 0 <= tol < inf:  # type: ignore[operator]
        rule = "must be a finite number of at least 0"
        got = f"{shown(tol)} of type {type(tol).__name__}"
        raise ValueError(message(function, "tol", rule, got, fix="For example 1e-8."))


def in_double(function: str, argument: str, array: Array) -> Array:
    """Convert to double precision, and refuse elements that are not finite in it."""
    dtype = np.complex128 if array.dtype.kind == "c" else np.float64
    with np.errstate(over="ignore"):  # longdouble has more range
        w = array.astype(dtype)
    bad = int(w.size - np.count_nonzero(np.isfinite(w)))
    if bad:
        msg = message(
            function,
            argument,
            "must be finite in double precision",
            f"{bad} of {w.size} elements NaN or infinite",
            fix="A matrix with such elements has no largest singular value.",
        )
        raise ValueError(msg)
    return w


def _goes_round(axis: Axis) -> bool:
    """Return whether moving x by a cell moves y by a stride, all the way round."""
    return axis.big == axis.stride * axis.small


def _is_decomposed(spec: ConvSpec) -> bool:
    """Return whether the matrices of all frequencies are small and few enough."""
    small, share = spec.kernel_shape[:2]
    cells = prod(axis.small for axis in spec.axes if not _goes_round(axis))
    elements = small * share * prod(spec.big) * cells
    if elements > _SYMBOL_ELEMENTS:
        return False
    # The work of a decomposition is that of so many products.
    return cells == 1 or elements * cells * small // spec.groups <= _DECOMPOSITION


def _block_circulant_norm(spec: ConvSpec, w: Array) -> float:
    """Take the largest norm of the symbol over all frequencies.

    A cell of x meets ``prod(stride)`` residues of y in each of its channels; along the
    coarse grid the matrix is circulant, so a Fourier transform decouples it into one
    matrix (small channels) x (big channels * residues) per group and frequency. An axis
    that the stride does not divide has no frequencies; all its cells are in each matrix.
    """
    groups, (small, share) = spec.groups, spec.kernel_shape[:2]
    # The response to one cell does not need the others.
    alone = replace(
        spec,
        axes=tuple(replace(a, small=1) if _goes_round(a) else a for a in spec.axes),
    )
    cells = prod(alone.small)
    impulses = np.zeros((small // groups, cells, small, cells), w.dtype)
    for s in range(small // groups):
        impulses[s, :, s :: small // groups] = np.eye(cells)[:, None]
    impulses = impulses.reshape(-1, small, *alone.small)
    response = apply_spec("conv_transpose", alone, impulses, w, algorithm="exact")
    pairs = [(a.small, a.stride) if _goes_round(a) else (1, a.big) for a in spec.axes]
    residues = [size for pair in pairs for size in pair]
    response = response.reshape(len(impulses), groups, share, *residues)
    grid = tuple(range(3, 3 + 2 * spec.rank, 2))
    strides = tuple(axis + 1 for axis in grid)
    symbol = fftn(response, axes=grid).transpose(1, *grid, 0, 2, *strides)
    matrices = symbol.reshape(
        groups * prod(frequencies for frequencies, _ in pairs),
        len(impulses),
        share * prod(elements for _, elements in pairs),
    )
    if 1 in matrices.shape[1:]:  # vectors need no decomposition
        return float(np.linalg.norm(matrices, axis=(1, 2)).max())
    return float(np.linalg.norm(matrices, 2, axis=(1, 2)).max())


def _iterated_norm(spec: ConvSpec, w: Array, tol: float) -> float:
    """Iterate on the smaller Gram matrix; tiny ones are decomposed as they are."""
    small, big = spec.small_channels, spec.big_channels
    assert small is not None
    assert big is not None
    shapes = {"conv_transpose": (small, *spec.small), "conv": (big, *spec.big)}
    inner, outer = sorted(shapes, key=lambda form: prod(shapes[form]))
    size, shape = prod(shapes[inner]), shapes[inner]
    there = partial(apply_spec, inner, spec, algorithm="auto")
    back = partial(apply_spec, outer, spec, algorithm="auto")

    def gram(v: Array) -> Array:
        return back(there(v.reshape(v.size // size, *shape), w), w.conj()).reshape(v.shape)  # type: ignore[no-any-return]

    return _root_of_largest(gram, size, w.dtype, tol)


def lanczos_norm(operator: LinearMap, tol: float) -> float:
    """Iterate on the smaller Gram matrix of an operator of NumPy in double precision."""
    rows, columns = operator.shape
    there, back = (operator, operator.H) if columns <= rows else (operator.H, operator)

    def gram(v: Array) -> Array:
        if v.ndim == 2:
            return back.matmat(there.matmat(v))  # type: ignore[no-any-return]
        return back.matvec(there.matvec(v))  # type: ignore[no-any-return]

    dtype = np.dtype(np.complex128 if operator.dtype.kind == "c" else np.float64)
    return _root_of_largest(gram, min(rows, columns), dtype, tol)


def _root_of_largest(
    gram: Callable[[Array], Array], size: int, dtype: np.dtype[Any], tol: float
) -> float:
    """Root of the largest eigenvalue of a matrix without negative ones."""
    if not size:
        return 0.0
    if size <= _FEW:
        return sqrt(max(np.linalg.eigvalsh(gram(np.eye(size, dtype=dtype)))[-1], 0.0))
    linalg = imported("scipy.sparse.linalg")
    operator = linalg.LinearOperator((size, size), matvec=gram, dtype=dtype)
    generator = imported("numpy.random").default_rng(0)
    start = generator.standard_normal(size).astype(dtype)
    if not gram(start).any():  # no tap meets a cell
        return 0.0
    options = {"k": 1, "which": "LA", "v0": start, "tol": tol}
    largest = linalg.eigsh(operator, **options, return_eigenvectors=False)
    return sqrt(max(largest[0], 0.0))
