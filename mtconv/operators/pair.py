"""`Conv` and `ConvTranspose`: the two maps as operators, each the other's transpose."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mtconv.operators.base import How, Operator
from mtconv.options import IntOrInts, Padding, freeze

__all__ = ["Conv", "ConvTranspose"]


class Conv(Operator):
    """The convolution with a fixed kernel, as a linear operator.

    Parameters
    ----------
    kernel : array, shape (C_out, C_in / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv` takes it. A NumPy array is copied.
    input_size : int or sequence of int
        Spatial size of the input.
    stride, padding, dilation, groups, padding_mode, layout, kernel_layout, algorithm, \
    backend, precision
        As in `mtconv.conv`. Without a backend, a NumPy kernel follows the arrays that
        the operator is applied to.

    See Also
    --------
    ConvTranspose : the transpose.

    Notes
    -----
    SciPy's iterative solvers, pylops and lineax take it. Under JAX it is a pytree whose
    leaf is the kernel, as soon as an operator is made or applied with JAX imported. Sums,
    multiples and products are those of `scipy.sparse.linalg.aslinearoperator`.

    Examples
    --------
    >>> A = Conv([1, 10], input_size=3)
    >>> A([1, 2, 3])
    array([21, 32])
    >>> A.T([1, 2])
    array([ 1, 12, 20])
    >>> A.shape
    (2, 3)
    """

    form = "conv"

    def __init__(
        self,
        kernel: Any,
        input_size: IntOrInts,
        *,
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
            "Conv",
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            layout=layout,
            kernel_layout=kernel_layout,
        )
        self._set(kernel, input_size, options, How(backend, algorithm, precision))


class ConvTranspose(Operator):
    """The transposed convolution with a fixed kernel, as a linear operator.

    Parameters
    ----------
    kernel : array, shape (C_in, C_out / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv_transpose` takes it. A NumPy array is copied.
    input_size : int or sequence of int
        Spatial size of the input, the small side.
    stride, padding, output_padding, output_size, dilation, groups, padding_mode, layout, \
    kernel_layout, algorithm, backend, precision
        As in `mtconv.conv_transpose`; the backend as in `Conv`.

    See Also
    --------
    Conv : the transpose.

    Examples
    --------
    >>> A = ConvTranspose([1, 10, 100], input_size=2, stride=2)
    >>> A([1, 2])
    array([  1,  10, 102,  20, 200])
    >>> A.T == Conv([1, 10, 100], input_size=5, stride=2)
    True
    """

    form = "conv_transpose"

    def __init__(
        self,
        kernel: Any,
        input_size: IntOrInts,
        *,
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
            "ConvTranspose",
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
        self._set(kernel, input_size, options, How(backend, algorithm, precision))


Conv.other, ConvTranspose.other = ConvTranspose, Conv
