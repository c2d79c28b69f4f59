"""`tf.nn.conv_transpose` and its 1-D, 2-D and 3-D forms: the size is the caller's.

With ``K = dilations*(k-1) + 1`` and the size ``N`` in `output_shape`; the input must have
the ``n`` that TensorFlow's convolution makes of ``N`` elements:

=====================  =======================================  ========================
padding                ``lo``                                   ``n``
=====================  =======================================  ========================
"SAME"                 ``max((n-1)*stride + K - N, 0) // 2``    ``ceil(N / stride)``
"VALID"                ``0``                                    ``ceil((N-K+1)/stride)``
pairs (a, b), 2-D      ``a``                                    ``(N+a+b-K)//stride + 1``
=====================  =======================================  ========================

Kernels are ``(*k, C_out/groups, C_in)``, not flipped; groups follow from `output_shape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat import _call as orders
from mtconv.compat._call import Call
from mtconv.compat._kernel import KernelRule
from mtconv.compat._tensorflow_options import Ints, Padding, channels_first
from mtconv.compat._tensorflow_options import geometry as geometry
from mtconv.compat._tensorflow_options import options as options
from mtconv.errors import GeometryError, message
from mtconv.problem.options import freeze_sizes

__all__ = ["conv1d_transpose", "conv2d_transpose", "conv3d_transpose", "conv_transpose"]

KERNEL = KernelRule("*OI", divided="O")


def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Sequence[int],
    strides: Ints,
    padding: Padding = "SAME",
    data_format: str | None = None,
    dilations: Ints | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `tf.nn.conv_transpose` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, *space, C_in), or (N, C_in, *space) with "NC..."
        The input.
    filters : array, shape (*k, C_out, C_in)
        The kernel.
    output_shape : sequence of int
        Shape of the result, batch and channels included.
    strides : int or sequence of int
        One, one per spatial axis, or with ones for batch and channels.
    padding : str or sequence of (lo, hi) pairs
        "SAME", "VALID", or in two dimensions a pair for each axis of `input`.
    data_format : str, optional
        For example "NHWC" or "NCHW"; None is channels last.
    dilations : int or sequence of int, optional
        As `strides`.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Of shape `output_shape`.

    Raises
    ------
    GeometryError, BackendError
        Where TensorFlow refuses too; the message has TensorFlow's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://www.tensorflow.org/api_docs/python/tf/nn/conv_transpose

    Examples
    --------
    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]], [[100]]], (1, 4, 1), 2)[0, :, 0]
    array([  1,  10, 102,  20])
    """
    how = (strides, padding, data_format, dilations)
    return _run("conv_transpose", input, filters, output_shape, how, algorithm, backend)


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Sequence[int],
    strides: Ints,
    padding: Padding = "SAME",
    data_format: str | None = "NWC",
    dilations: Ints | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `tf.nn.conv1d_transpose` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, L, C_in), or (N, C_in, L) with "NCW"
        The input.
    filters : array, shape (k, C_out, C_in)
        The kernel.
    output_shape : sequence of int
        Shape of the result, batch and channels included.
    strides, padding, data_format, dilations : int, str or sequence
        As in `conv_transpose`, for one axis.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Of shape `output_shape`.

    See Also
    --------
    conv_transpose : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> conv1d_transpose([[[1], [2]]], [[[1]], [[10]]], (1, 4, 1), 2)[0, :, 0]
    array([ 1, 10,  2, 20])
    """
    how = (strides, padding, data_format, dilations)
    return _run("conv1d_transpose", input, filters, output_shape, how, algorithm, backend)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Sequence[int],
    strides: Ints,
    padding: Padding = "SAME",
    data_format: str | None = "NHWC",
    dilations: Ints | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `tf.nn.conv2d_transpose` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, H, W, C_in), or (N, C_in, H, W) with "NCHW"
        The input.
    filters : array, shape (kh, kw, C_out, C_in)
        The kernel.
    output_shape : sequence of int
        Shape of the result, batch and channels included.
    strides, padding, data_format, dilations : int, str or sequence
        As in `conv_transpose`, for two axes.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Of shape `output_shape`.

    See Also
    --------
    conv_transpose : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> x, filters = [[[[0], [1]], [[2], [3]]]], [[[[0]], [[1]]], [[[2]], [[3]]]]
    >>> conv2d_transpose(x, filters, (1, 3, 3, 1), 1, "VALID")[0, :, :, 0]
    array([[ 0,  0,  1],
           [ 0,  4,  6],
           [ 4, 12,  9]])
    """
    how = (strides, padding, data_format, dilations)
    return _run("conv2d_transpose", input, filters, output_shape, how, algorithm, backend)


def conv3d_transpose(
    input: Any,
    filters: Any,
    output_shape: Sequence[int],
    strides: Ints,
    padding: Padding = "SAME",
    data_format: str | None = "NDHWC",
    dilations: Ints | None = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `tf.nn.conv3d_transpose` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, D, H, W, C_in), or (N, C_in, D, H, W) with "NCDHW"
        The input.
    filters : array, shape (kd, kh, kw, C_out, C_in)
        The kernel.
    output_shape : sequence of int
        Shape of the result, batch and channels included.
    strides, padding, data_format, dilations : int, str or sequence
        As in `conv_transpose`, for three axes.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Of shape `output_shape`.

    See Also
    --------
    conv_transpose : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> x, filters = [[[[[1], [2]]]]], [[[[[1]]]], [[[[3]]]]]
    >>> conv3d_transpose(x, filters, (1, 2, 1, 2, 1), 1, "VALID")[0, :, 0, :, 0]
    array([[1, 2],
           [3, 6]])
    """
    how = (strides, padding, data_format, dilations)
    return _run("conv3d_transpose", input, filters, output_shape, how, algorithm, backend)


def _run(
    name: str,
    input: Any,
    filters: Any,
    output_shape: Sequence[int],
    how: tuple[Ints, Padding, str | None, Ints | None],
    algorithm: str,
    backend: str | None,
) -> Any:
    function = f"tf.nn.{name}"
    strides, padding, data_format, dilations = how
    call = Call(function, KERNEL, ("input", input), ("filters", filters), backend=backend)
    rank = call.rank
    if rank > 3 or (name[4].isdigit() and rank != int(name[4])):
        wanted = "at most 3" if rank > 3 else name[4]
        rule = f"must have {wanted} spatial axes"
        raise GeometryError(message(function, "filters", rule, rank))
    first = channels_first(function, data_format)
    call.arrange((orders.channels_first if first else orders.channels_last)(rank))
    shape = freeze_sizes(function, "output_shape", output_shape)
    shape = (shape,) if isinstance(shape, int) else shape
    found = geometry(
        function,
        call.small,
        call.taps,
        output_shape=shape,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
    )
    batch, channels = shape[0], shape[1 if first else -1]
    share = call.kernel.shape[-2]
    if batch != call.x.shape[0] or channels % max(share, 1):
        msg = message(
            function,
            "output_shape",
            "must have input's batch and the channels of filters, (*k, C_out, C_in)",
            f"{shape} for {call.x.shape[0]} items and {share} channels",
        )
        raise GeometryError(msg)
    found = found._replace(groups=max(channels // max(share, 1), 1))
    return call.transposed(found, cropping="output_shape", algorithm=algorithm)
