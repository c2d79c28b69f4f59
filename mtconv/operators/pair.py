"""`Conv` and `ConvTranspose`: the two maps as operators, each the other's transpose."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mtconv.operators.base import Operator
from mtconv.operators.single import ComputeOptions
from mtconv.problem.options import IntOrInts, Padding, freeze

__all__ = ["Conv", "ConvTranspose"]


class Conv(Operator):
    """The convolution with a fixed kernel, as a linear operator.

    Parameters
    ----------
    kernel : array, shape (C_out, C_in / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv` takes it. A NumPy array is copied.
    input_size : int or sequence of int
        Spatial size of the input.
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
        As in `mtconv.conv`. Without one, a NumPy kernel follows the arrays that the
        operator is applied to.
    precision : optional
        As in `mtconv.conv`.

    See Also
    --------
    ConvTranspose : the transpose.

    Notes
    -----
    SciPy's iterative solvers, pylops and lineax accept the operator. In JAX it is a pytree
    whose leaf is the kernel; making or applying an operator registers the class once JAX is
    imported.

    ``A + B``, ``A - B``, ``-A``, ``2 * A``, ``A / 2``, ``A @ B``, `mtconv.vstack` and
    `mtconv.hstack` are operators with the same members. A NumPy kernel without
    `backend` follows the other operators. Shapes that differ only by axes of length 1 fit.

    On NumPy, `auto` applies operators with circular padding in the frequency domain if that
    is estimated to be faster, and keeps the spectrum of the kernel; ``algorithm="fft"``
    does so on JAX, torch and CuPy too, which have it for circular padding only. If the size
    of the big side is the stride times that of the small side, `regularized_inverse` and
    `regularized_solve` have closed forms.

    A kernel that is the product of one vector for each axis, with one channel in a group,
    is applied axis by axis on NumPy if that is estimated to be faster. `mtconv.explain` of
    the operator says what is taken.

    The accuracy is that of `mtconv.conv`: on NumPy, if `auto` takes the FFT in float64, the
    error of an element is below ``2**-44`` times the product of the norms of the padded x
    and the kernel. Axis by axis it is below ``(k_1 + ... + k_d + 5*d) * eps`` times the sum
    of the magnitudes of its products, for ``k_a`` taps on axis a of d (three times that for
    complex numbers), unless products underflow.

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
        self._set(
            kernel, input_size, options, ComputeOptions(backend, algorithm, precision)
        )


class ConvTranspose(Operator):
    """The transposed convolution with a fixed kernel, as a linear operator.

    Parameters
    ----------
    kernel : array, shape (C_in, C_out / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv_transpose` takes it. A NumPy array is copied.
    input_size : int or sequence of int
        Spatial size of the input, the small side.
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
        As in `Conv`.
    precision : optional
        As in `mtconv.conv_transpose`.

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
        self._set(
            kernel, input_size, options, ComputeOptions(backend, algorithm, precision)
        )


Conv.other, ConvTranspose.other = ConvTranspose, Conv
