"""`KernelConvTranspose` and `KernelConv`: the two maps as operators on kernels."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mtconv.operators.kernel_maps import KernelMap
from mtconv.operators.single import ComputeOptions
from mtconv.problem.options import IntOrInts, Padding, freeze

__all__ = ["KernelConv", "KernelConvTranspose"]


class KernelConvTranspose(KernelMap):
    """The transposed convolution of fixed data, as a linear operator on kernels.

    ``A(w)`` is ``mtconv.conv_transpose(x, w, **options)``, and ``A.T(y)`` is
    ``mtconv.kernel_grad(x, y, ...)``: what blind deconvolution and dictionary learning
    solve for.

    Parameters
    ----------
    x : array, shape (N, C_in, *n) or (C_in, *n), or (*n,)
        The data, as `mtconv.conv_transpose` takes them. A NumPy array is copied.
    kernel_size : int or tuple of int
        Number of taps; an int where x has batch and channels, otherwise a tuple.
    channels : int, optional
        Channels of the result, C_out; as many as `groups` by default.
    stride : int or sequence of int
        As in `mtconv.conv_transpose`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `mtconv.conv_transpose`.
    output_padding : int or sequence of int
        As in `mtconv.conv_transpose`.
    output_size : int or sequence of int, optional
        As in `mtconv.conv_transpose`.
    dilation : int or sequence of int
        As in `mtconv.conv_transpose`.
    groups : int
        As in `mtconv.conv_transpose`.
    padding_mode : str
        As in `mtconv.conv_transpose`.
    layout, kernel_layout : str, optional
        As in `mtconv.conv_transpose`.
    algorithm : str
        As in `mtconv.conv_transpose`.
    backend : str, optional
        As in `mtconv.Conv`, for x in place of the kernel.
    precision : optional
        As in `mtconv.conv_transpose`.

    See Also
    --------
    KernelConv : the same for the convolution.

    Notes
    -----
    All that is said of `mtconv.Conv` holds: algebra, matrix, solvers of others, pytree
    (its leaf is x). A batch of kernels costs as many calls. The batch axis of x is one of
    the result's; it is not an axis of the kernel.

    Examples
    --------
    >>> A = KernelConvTranspose([1, 10], kernel_size=(3,), stride=2)
    >>> A.input_shape, A.output_shape
    ((3,), (5,))
    >>> A([1, 2, 3])
    array([ 1,  2, 13, 20, 30])
    >>> A.T([1, 2, 3, 4, 5])
    array([31, 42, 53])
    """

    def __init__(
        self,
        x: Any,
        *,
        kernel_size: IntOrInts,
        channels: SupportsIndex | None = None,
        stride: IntOrInts = 1,
        padding: Padding = 0,
        output_padding: IntOrInts = 0,
        output_size: IntOrInts | None = None,
        dilation: IntOrInts = 1,
        groups: SupportsIndex = 1,
        padding_mode: str = "zeros",
        layout: str | None = None,
        kernel_layout: str | None = None,
        algorithm: str = "auto",
        backend: str | None = None,
        precision: Any = None,
    ) -> None:
        options = freeze(
            "KernelConvTranspose",
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            output_size=output_size,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            layout=layout,
            kernel_layout=kernel_layout,
        )
        computing = ComputeOptions(backend, algorithm, precision)
        self._set("conv_transpose", x, kernel_size, channels, options, computing)


class KernelConv(KernelMap):
    """The convolution of fixed data, as a linear operator on kernels.

    ``A(w)`` is ``mtconv.conv(y, w, **options)``, and ``A.T(x)`` is
    ``mtconv.kernel_grad(x, y, ...)``.

    Parameters
    ----------
    y : array, shape (N, C_in, *size) or (C_in, *size), or (*size,)
        The data, as `mtconv.conv` takes them. A NumPy array is copied.
    kernel_size : int or tuple of int
        Number of taps; an int where y has batch and channels, otherwise a tuple.
    channels : int, optional
        Channels of the result, C_out; as many as `groups` by default.
    stride : int or sequence of int
        As in `mtconv.conv`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `mtconv.conv`.
    dilation : int or sequence of int
        As in `mtconv.conv`.
    groups : int
        As in `mtconv.conv`.
    padding_mode : str
        As in `mtconv.conv`.
    layout, kernel_layout : str, optional
        As in `mtconv.conv`.
    algorithm : str
        As in `mtconv.conv`.
    backend : str, optional
        As in `mtconv.Conv`, for y in place of the kernel.
    precision : optional
        As in `mtconv.conv`.

    See Also
    --------
    KernelConvTranspose : the same for the transposed convolution.

    Examples
    --------
    >>> A = KernelConv([1, 10, 100, 1000], kernel_size=(2,), stride=2)
    >>> A([1, 2])
    array([  21, 2100])
    >>> A.to_dense()
    array([[   1,   10],
           [ 100, 1000]])
    >>> A.T([1, 2])
    array([ 201, 2010])
    """

    def __init__(
        self,
        y: Any,
        *,
        kernel_size: IntOrInts,
        channels: SupportsIndex | None = None,
        stride: IntOrInts = 1,
        padding: Padding = 0,
        dilation: IntOrInts = 1,
        groups: SupportsIndex = 1,
        padding_mode: str = "zeros",
        layout: str | None = None,
        kernel_layout: str | None = None,
        algorithm: str = "auto",
        backend: str | None = None,
        precision: Any = None,
    ) -> None:
        options = freeze(
            "KernelConv",
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            layout=layout,
            kernel_layout=kernel_layout,
        )
        computing = ComputeOptions(backend, algorithm, precision)
        self._set("conv", y, kernel_size, channels, options, computing)


KernelMap.forward.update(conv_transpose=KernelConvTranspose, conv=KernelConv)
