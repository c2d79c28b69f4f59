"""MATLAB's `convmtx2`: the sparse matrix of a full convolution, columns first.

``reshape(T*X(:), size(H) + [m n] - 1)`` is ``conv2(X, H)``: stride 1, nothing cropped, the
kernel not flipped. MATLAB unravels arrays column by column, which is the C order of the
transposed array, so ``T`` is the matrix of the transposed kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.compat._geometry import Geometry, cropped, ints, refuse
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.matrix import build_csr
from mtconv.planning.plan import MAX_ELEMENTS
from mtconv.problem.axes import check_sizes
from mtconv.spec import ConvSpec

__all__ = ["convmtx2"]

KERNEL = KernelRule("*")

_FUNCTION = "matlab.convmtx2"


def convmtx2(H: Any, m: int | Sequence[int], n: int | None = None) -> Any:
    """Make MATLAB's two-dimensional convolution matrix, as a SciPy sparse array.

    Parameters
    ----------
    H : array, shape (h, w)
        The kernel.
    m, n : int
        Size of the images that the matrix is for; or ``m`` alone, a pair.

    Returns
    -------
    scipy.sparse.csr_array, shape ((h + m - 1) * (w + n - 1), m * n)
        For images and results unraveled column by column: ``order="F"`` in NumPy.

    Raises
    ------
    GeometryError
        If H is not a matrix or a size is not positive.
    ImportError
        If SciPy is not installed.

    Notes
    -----
    Costs ``h * w * m * n`` entries of memory, in the kernel's own dtype.

    References
    ----------
    .. [1] https://www.mathworks.com/help/images/ref/convmtx2.html

    Examples
    --------
    >>> convmtx2([[1, 2]], 1, 2).toarray()
    array([[1, 0],
           [2, 1],
           [0, 2]])
    """
    kernel = np.asarray(backend_for(_FUNCTION, "sparse", H=H).asarray(_FUNCTION, "H", H))
    if kernel.ndim != 2:
        rule = "must have 2 dimensions"
        raise GeometryError(message(_FUNCTION, "H", rule, kernel.ndim))
    check_sizes(_FUNCTION, "H", kernel.shape, ("'H'", "'W'"))
    if n is None:
        m, n = ints(_FUNCTION, "m", m, 2, least=1)
    found = geometry(_FUNCTION, (), kernel.shape, m=m, n=n)
    entries = prod(kernel.shape) * prod(axis.small for axis in found.axes)
    if entries > MAX_ELEMENTS:
        rule = f"must not lead to more than 2**47 = {MAX_ELEMENTS} entries"
        raise GeometryError(message(_FUNCTION, "m", rule, f"{entries} entries"))
    spec = ConvSpec(found.axes[::-1])
    from mtconv.backends._sparse import as_csr_array

    flat = np.ascontiguousarray(kernel.T)[None, None]
    return as_csr_array(build_csr(_FUNCTION, "conv_transpose", spec, flat))


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    m: Any,
    n: Any,
) -> Geometry:
    """Read the sizes; ``small`` is what they say."""
    del small
    sizes = (*ints(function, "m", m, 1, least=1), *ints(function, "n", n, 1, least=1))
    axes = [cropped(size, k, 1, 1, 0, 0) for size, k in zip(sizes, taps, strict=True)]
    return Geometry(tuple(axes))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry as sizes, or refuse."""
    plain = Geometry(tuple(cropped(a.small, a.kernel, 1, 1, 0, 0) for a in found.axes))
    if plain != found or len(found.axes) != 2:
        refuse("matlab", found, "convmtx2 has two axes, stride 1 and no padding")
    return dict(zip("mn", (axis.small for axis in found.axes), strict=True))
