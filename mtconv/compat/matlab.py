"""MATLAB's `convmtx2`: the sparse matrix of a full convolution, columns first.

``reshape(T*X(:), size(H) + [m n] - 1)`` is ``conv2(X, H)``: stride 1, nothing cropped, the
kernel not flipped. MATLAB unravels arrays column by column, which is the C order of the
transposed array, so ``T`` is the matrix of the transposed kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.importing import imported
from mtconv.matrix import build_csr
from mtconv.planning.plan import MAX_ELEMENTS
from mtconv.problem.axes import check_sizes
from mtconv.spec import ConvSpec

__all__ = ["convmtx2"]

ARRAYS = ("H",)
KERNEL = KernelRule("*")

_FUNCTION = "matlab.convmtx2"
LINK = "https://www.mathworks.com/help/images/ref/convmtx2.html"


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
        m, n = Arguments(_FUNCTION, {"m": m}, (), kernel.shape).ints("m", least=1)
    geometry = read(Arguments(_FUNCTION, {"m": m, "n": n}, (), kernel.shape))
    entries = prod(kernel.shape) * prod(geometry.per_axis("small"))
    if entries > MAX_ELEMENTS:
        rule = f"must not lead to more than 2**47 = {MAX_ELEMENTS} entries"
        raise GeometryError(message(_FUNCTION, "m", rule, f"{entries} entries"))
    spec = ConvSpec(geometry.axes[::-1])
    flat = np.ascontiguousarray(kernel.T)[None, None]
    return imported("mtconv.backends._sparse").as_csr_array(
        build_csr(_FUNCTION, "conv_transpose", spec, flat)
    )


def read(call: Arguments) -> Geometry:
    """Read the sizes, which are those of the input."""
    sizes = tuple(_size(call, name) for name in ("m", "n"))
    ones = (1,) * len(sizes)
    call = Arguments(call.function, call.options, sizes, call.taps)
    return call.cropped(ones, ones, ((0, 0),) * len(sizes))


def _size(call: Arguments, name: str) -> int:
    size = call.count(name) if call[name] is not None else 0
    return size or call.refuse(name, "must be a size of the images", None)


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry as sizes."""
    if len(geometry.axes) == 2:
        yield dict(zip("mn", geometry.per_axis("small"), strict=True))


SIZES = size_rules("""
    `convmtx2(H, m, n)`, columns first | 0 | n + k - 1 | m=n, n=n
""")
DRAWS = draw_rules("m: first size, n: last size")
LIMIT = "convmtx2 has two axes, stride 1 and no padding"
