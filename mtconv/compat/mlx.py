"""`mlx.core.conv_transpose1d/2d/3d`: torch's geometry, channels last.

Kernels are ``(C_out, *k, C_in/groups)``, not flipped; ``padding=p`` crops ``lo = p`` and
``p - output_padding``, which may be of any size here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._call import Call, channels_last
from mtconv.compat._geometry import Geometry, cropped, group_count, ints, refuse
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

KERNEL = KernelRule("O*I", divided="I")

Ints = int | Sequence[int]
_ANY = -(2**62)  # paddings may be negative


def conv_transpose1d(
    input: Any,
    weight: Any,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `mlx.core.conv_transpose1d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, L, C_in)
        The input.
    weight : array, shape (C_out, k, C_in / groups)
        The kernel.
    stride, padding, dilation, output_padding, groups : int or sequence of int
        As in mlx.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, (L-1)*stride - 2*padding + dilation*(k-1) + output_padding + 1, C_out).

    Raises
    ------
    GeometryError, BackendError
        If shapes or options do not fit; the message has mlx's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.conv_transpose1d.html

    Examples
    --------
    >>> conv_transpose1d([[[1], [2]]], [[[1], [10], [100]]], stride=2)[0, :, 0]
    array([  1,  10, 102,  20, 200])
    """
    options = (stride, padding, dilation, output_padding, groups)
    return _run(1, input, weight, options, algorithm, backend)


def conv_transpose2d(
    input: Any,
    weight: Any,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `mlx.core.conv_transpose2d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, H, W, C_in)
        The input.
    weight : array, shape (C_out, kh, kw, C_in / groups)
        The kernel.
    stride, padding, dilation, output_padding, groups : int or sequence of int
        As in `conv_transpose1d`, for H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, *size, C_out), each size as in `conv_transpose1d`.

    See Also
    --------
    conv_transpose1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> x, weight = [[[[0], [1]], [[2], [3]]]], [[[[0], [1]], [[2], [3]]]]
    >>> conv_transpose2d(x, weight)[0, :, :, 0]
    array([[ 0,  0,  1],
           [ 0,  4,  6],
           [ 4, 12,  9]])
    """
    options = (stride, padding, dilation, output_padding, groups)
    return _run(2, input, weight, options, algorithm, backend)


def conv_transpose3d(
    input: Any,
    weight: Any,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `mlx.core.conv_transpose3d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, D, H, W, C_in)
        The input.
    weight : array, shape (C_out, kd, kh, kw, C_in / groups)
        The kernel.
    stride, padding, dilation, output_padding, groups : int or sequence of int
        As in `conv_transpose1d`, for D, H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, *size, C_out), each size as in `conv_transpose1d`.

    See Also
    --------
    conv_transpose1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> x, weight = [[[[[1], [2]]]]], [[[[[1]]], [[[3]]]]]
    >>> conv_transpose3d(x, weight)[0, :, 0, :, 0]
    array([[1, 2],
           [3, 6]])
    """
    options = (stride, padding, dilation, output_padding, groups)
    return _run(3, input, weight, options, algorithm, backend)


def _run(
    rank: int,
    input: Any,
    weight: Any,
    options: tuple[Ints, Ints, Ints, Ints, int],
    algorithm: str,
    backend: str | None,
) -> Any:
    function = f"mlx.conv_transpose{rank}d"
    call = Call(function, KERNEL, ("input", input), ("weight", weight), backend=backend)
    if call.rank != rank:
        rule = f"must have {rank + 2} dimensions"
        raise GeometryError(message(function, "weight", rule, call.kernel.ndim))
    call.arrange(channels_last(rank))
    stride, padding, dilation, output_padding, groups = options
    found = geometry(
        function,
        call.small,
        call.taps,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=output_padding,
        groups=groups,
    )
    return call.transposed(found, algorithm=algorithm)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
    groups: int = 1,
) -> Geometry:
    """Read mlx's options."""
    rank = len(taps)
    axes = [
        cropped(n, k, s, d, p, p - q)
        for n, k, s, d, p, q in zip(
            small,
            taps,
            ints(function, "stride", stride, rank, least=1),
            ints(function, "dilation", dilation, rank, least=1),
            ints(function, "padding", padding, rank, least=_ANY),
            ints(function, "output_padding", output_padding, rank, least=0),
            strict=True,
        )
    ]
    return Geometry(tuple(axes), group_count(function, "groups", groups))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in mlx's options, or refuse."""
    extra = tuple(axis.lo - axis.hi for axis in found.axes)
    if found.padding_mode != "zeros" or min(extra) < 0:
        refuse("mlx", found, "it crops `padding` at both ends, less output_padding")
    if any(axis.stride > 1 and axis.lo >= axis.extent for axis in found.axes):
        refuse("mlx", found, "with a stride it is wrong where padding exceeds the kernel")
    if len(found.axes) == 3 and found.groups > 1:
        refuse("mlx", found, "it has groups in one and two dimensions only")
    return {
        "stride": tuple(axis.stride for axis in found.axes),
        "padding": tuple(axis.lo for axis in found.axes),
        "dilation": tuple(axis.dilation for axis in found.axes),
        "output_padding": extra,
        "groups": found.groups,
    }
