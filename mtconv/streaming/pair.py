"""`ConvTransposeStream` and `ConvStream`: the two maps on signals that come in chunks."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mtconv.problem.options import IntOrInts, Padding, freeze
from mtconv.streaming.base import MapStream

__all__ = ["ConvStream", "ConvTransposeStream"]


class ConvTransposeStream(MapStream):
    """A transposed convolution of a signal that comes in chunks.

    The outputs of all steps and of the flush, joined, are ``conv_transpose(x, kernel,
    bias, **options)`` of the joined chunks. Every element is computed once and in one
    piece, so it has the value and the rounding that one call on these inputs gives.

    Parameters
    ----------
    kernel : array, shape (C_in, C_out / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv_transpose` takes it. A NumPy array is copied.
    bias : array, shape (C_out,), optional
        Added once to every element of a channel.
    axis : int or str
        The axis of time: a number among the spatial axes, or its layout letter.
    stride : int or sequence of int
        As in `mtconv.conv_transpose`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `mtconv.conv_transpose`. The result begins after ``lo`` and ends before
        ``hi`` elements, so the last ``hi`` are held back until it is clear that they are
        not the last.
    output_padding : int or sequence of int
        As in `mtconv.conv_transpose`. There is no `output_size`: the size is not known.
    dilation : int or sequence of int
        As in `mtconv.conv_transpose`.
    groups : int
        As in `mtconv.conv_transpose`.
    padding_mode : str
        "zeros"; other modes depend on both ends of the signal.
    layout, kernel_layout : str, optional
        As in `mtconv.conv_transpose`.
    algorithm : str
        As in `mtconv.conv_transpose`.
    backend : str, optional
        As in `mtconv.conv_transpose`. Without one, a NumPy kernel follows the chunks.
    precision : optional
        As in `mtconv.conv_transpose`.

    Raises
    ------
    GeometryError, BackendError
        If kernel and options do not fit together.

    See Also
    --------
    ConvStream : the convolution.
    chain : several layers as one stream.

    Notes
    -----
    A step on ``c`` elements costs what ``c`` elements of the whole cost. The state has
    about ``dilation*(k - 1) / stride`` elements of every channel, whatever the length of
    the signal.

    Streams are pytrees of JAX with kernel and bias as leaves, and can be pickled.

    Examples
    --------
    >>> stream = ConvTransposeStream([1, 10, 100], stride=2)
    >>> state = stream.start()
    >>> state, output = stream.step(state, [1])
    >>> output
    array([ 1, 10])
    >>> state, output = stream.step(state, [2])
    >>> output
    array([102,  20])
    >>> stream.flush(state)
    array([200])
    """

    form = "conv_transpose"

    def __init__(
        self,
        kernel: Any,
        bias: Any = None,
        *,
        axis: SupportsIndex | str = -1,
        stride: IntOrInts = 1,
        padding: Padding = 0,
        output_padding: IntOrInts = 0,
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
            "ConvTransposeStream",
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            layout=layout,
            kernel_layout=kernel_layout,
        )
        self._set(kernel, bias, axis, options, algorithm, backend, precision)


class ConvStream(MapStream):
    """A convolution of a signal that comes in chunks.

    The outputs of all steps and of the flush, joined, are ``conv(x, kernel, bias,
    **options)`` of the joined chunks.

    Parameters
    ----------
    kernel : array, shape (C_out, C_in / groups, *k), or (*k,) of one or two axes
        The kernel, as `mtconv.conv` takes it. A NumPy array is copied.
    bias : array, shape (C_out,), optional
        Added once to every element of a channel.
    axis : int or str
        As in `ConvTransposeStream`.
    stride : int or sequence of int
        As in `mtconv.conv`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `mtconv.conv`. Along the axis of time "same" goes with stride 1 only: with
        others it depends on the length of the whole signal. ``(dilation*(k - 1), 0)`` is
        the causal padding, whose latency is 0.
    dilation : int or sequence of int
        As in `mtconv.conv`.
    groups : int
        As in `mtconv.conv`.
    padding_mode : str
        "zeros"; other modes depend on both ends of the signal.
    layout, kernel_layout : str, optional
        As in `mtconv.conv`.
    algorithm : str
        As in `mtconv.conv`.
    backend : str, optional
        As in `ConvTransposeStream`.
    precision : optional
        As in `mtconv.conv`.

    Raises
    ------
    GeometryError, BackendError
        If kernel and options do not fit together.

    See Also
    --------
    ConvTransposeStream : the transposed convolution.

    Notes
    -----
    A step costs what its outputs cost in the whole. The state has at most
    ``dilation*(k - 1)`` elements of every channel.

    Examples
    --------
    >>> stream = ConvStream([1, 10, 100], padding=1)
    >>> state = stream.start()
    >>> state, output = stream.step(state, [1, 2])
    >>> output
    array([210])
    >>> state, output = stream.step(state, [3])
    >>> output
    array([321])
    >>> stream.flush(state)
    array([32])
    """

    form = "conv"

    def __init__(
        self,
        kernel: Any,
        bias: Any = None,
        *,
        axis: SupportsIndex | str = -1,
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
            "ConvStream",
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            layout=layout,
            kernel_layout=kernel_layout,
        )
        self._set(kernel, bias, axis, options, algorithm, backend, precision)
