"""The calls of `torch.nn.functional`: channels first, kernels (C_in, C_out/groups, *k).

======================  ==========================================================
argument                meaning in ``o = stride*i + dilation*j - lo``
======================  ==========================================================
weight                  mtconv's own order; conv: (C_out, C_in/groups, *k)
padding=p               crops ``lo = p`` and ``p - output_padding``
output_padding=q        result ``(n-1)*stride - 2p + dilation*(k-1) + q + 1``; any
                        ``q < max(stride, dilation)``
conv, padding="same"    stride 1 only, ``lo = dilation*(k-1) // 2``
======================  ==========================================================
"""

from __future__ import annotations

from typing import Any

from mtconv.compat._geometry import Geometry, cropped, group_count, refuse
from mtconv.compat._torch_conv import KERNEL as KERNEL
from mtconv.compat._torch_conv import Ints, open_call, read_ints
from mtconv.compat._torch_conv import conv1d as conv1d
from mtconv.compat._torch_conv import conv2d as conv2d
from mtconv.compat._torch_conv import conv3d as conv3d
from mtconv.errors import GeometryError, message
from mtconv.problem.layout import axis_names

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv_transpose1d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, L) or (C_in, L)
        The input.
    weight : array, shape (C_in, C_out / groups, k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, output_padding, groups, dilation : int or sequence of int
        As in torch; `output_padding` is less than `stride` or `dilation`.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, (L-1)*stride - 2*padding + dilation*(k-1) + output_padding + 1).

    Raises
    ------
    GeometryError, BackendError
        Where torch refuses too; the message has torch's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose1d.html

    Examples
    --------
    >>> conv_transpose1d([[[1, 2]]], [[[1, 10, 100]]], stride=2, padding=1)
    array([[[ 10, 102,  20]]])
    """
    options = (stride, padding, output_padding, groups, dilation)
    return transposed(1, input, weight, bias, options, algorithm, backend)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv_transpose2d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, H, W) or (C_in, H, W)
        The input.
    weight : array, shape (C_in, C_out / groups, kh, kw)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, output_padding, groups, dilation : int or sequence of int
        As in `conv_transpose1d`, for H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, *size), each size as in `conv_transpose1d`.

    See Also
    --------
    conv_transpose1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> conv_transpose2d([[[[0, 1], [2, 3]]]], [[[[0, 1], [2, 3]]]], padding=1)
    array([[[[4]]]])
    """
    options = (stride, padding, output_padding, groups, dilation)
    return transposed(2, input, weight, bias, options, algorithm, backend)


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv_transpose3d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, D, H, W) or (C_in, D, H, W)
        The input.
    weight : array, shape (C_in, C_out / groups, kd, kh, kw)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, output_padding, groups, dilation : int or sequence of int
        As in `conv_transpose1d`, for D, H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, *size), each size as in `conv_transpose1d`.

    See Also
    --------
    conv_transpose1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> conv_transpose3d([[[[[1, 2]]]]], [[[[[1]], [[3]]]]])[0, 0]
    array([[[1, 2]],
    <BLANKLINE>
           [[3, 6]]])
    """
    options = (stride, padding, output_padding, groups, dilation)
    return transposed(3, input, weight, bias, options, algorithm, backend)


def transposed(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    options: tuple[Ints, Ints, Ints, int, Ints],
    algorithm: str = "auto",
    backend: str | None = None,
    precision: Any = None,
) -> Any:
    """Run a transposed convolution with torch's options in any number of dimensions."""
    function = f"torch.conv_transpose{rank}d"
    call = open_call(function, rank, input, weight, bias, backend)
    stride, padding, output_padding, groups, dilation = options
    found = geometry(
        function,
        call.small,
        call.taps,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )
    return call.transposed(found, algorithm=algorithm, precision=precision)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Geometry:
    """Read torch's options."""
    rank = len(taps)
    axes = []
    for name, n, k, s, p, q, d in zip(
        axis_names(rank),
        small,
        taps,
        read_ints(function, "stride", stride, rank, least=1),
        read_ints(function, "padding", padding, rank, least=0),
        read_ints(function, "output_padding", output_padding, rank, least=0),
        read_ints(function, "dilation", dilation, rank, least=1),
        strict=True,
    ):
        if q >= max(s, d):
            msg = message(
                function,
                "output_padding",
                f"must be smaller than either stride or dilation, here {max(s, d)}",
                q,
                axis=name,
            )
            raise GeometryError(msg)
        axes.append(cropped(n, k, s, d, p, p - q))
    return Geometry(tuple(axes), group_count(function, "groups", groups))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in torch's options, or refuse."""
    pads = tuple(axis.lo for axis in found.axes)
    extra = tuple(axis.lo - axis.hi for axis in found.axes)
    if found.padding_mode != "zeros":
        refuse("torch", found, "it pads with zeros only")
    for axis, p, q in zip(found.axes, pads, extra, strict=True):
        if p < 0 or not 0 <= q < max(axis.stride, axis.dilation):
            refuse("torch", found, "it crops `padding` at both ends, less output_padding")
    return {
        "stride": tuple(axis.stride for axis in found.axes),
        "padding": pads,
        "output_padding": extra,
        "groups": found.groups,
        "dilation": tuple(axis.dilation for axis in found.axes),
    }
