"""`tf.nn.conv_transpose` and its 1-D, 2-D and 3-D forms: the size is the caller's.

The input must have the size that TensorFlow's convolution makes of ``output_shape``.
Kernels are ``(*k, C_out/groups, C_in)``, not flipped; groups follow from `output_shape`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtconv.compat._tensorflow_options import Padding, channels_first
from mtconv.compat._tensorflow_options import read as read
from mtconv.compat._tensorflow_options import write as write
from mtconv.conventions import call as orders
from mtconv.conventions.arguments import Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall
from mtconv.conventions.documented import documented, ranked
from mtconv.conventions.framework import draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message

__all__ = ["conv1d_transpose", "conv2d_transpose", "conv3d_transpose", "conv_transpose"]

ARRAYS = ("input", "filters")
KERNEL = KernelRule("*OI", divided="O")
LINK = "https://www.tensorflow.org/api_docs/python/tf/nn/conv_transpose"


@documented("TensorFlow", LINK)
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

    Returns
    -------
    array
        Of shape `output_shape`.

    Examples
    --------
    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]], [[100]]], (1, 4, 1), 2)[0, :, 0]
    array([  1,  10, 102,  20])
    """
    return _run("tf.nn.conv_transpose", None, locals())


@documented("TensorFlow", LINK)
def _transpose_of(
    rank: int,
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
    """Call `tf.nn.conv{rank}d_transpose` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, *space, C_in), or (N, C_in, *space) with "NC..."
        The input.
    filters : array, shape (*k, C_out, C_in)
        The kernel.
    output_shape : sequence of int
        Shape of the result, batch and channels included.
    strides, padding, data_format, dilations : int, str or sequence
        As in `conv_transpose`, for {rank} spatial axes.

    Returns
    -------
    array
        Of shape `output_shape`.

    Examples
    --------
    >>> conv1d_transpose([[[1], [2]]], [[[1]], [[10]]], (1, 4, 1), 2)[0, :, 0]
    array([ 1, 10,  2, 20])
    >>> x, filters = [[[[0], [1]], [[2], [3]]]], [[[[0]], [[1]]], [[[2]], [[3]]]]
    >>> conv2d_transpose(x, filters, (1, 3, 3, 1), 1, "VALID")[0, :, :, 0]
    array([[ 0,  0,  1],
           [ 0,  4,  6],
           [ 4, 12,  9]])
    >>> x, filters = [[[[[1], [2]]]]], [[[[[1]]]], [[[[3]]]]]
    >>> conv3d_transpose(x, filters, (1, 2, 1, 2, 1), 1, "VALID")[0, :, 0, :, 0]
    array([[1, 2],
           [3, 6]])
    """
    return _run(f"tf.nn.conv{rank}d_transpose", rank, locals())


conv1d_transpose, conv2d_transpose, conv3d_transpose = ranked(
    "conv{}d_transpose", _transpose_of, data_format=("NWC", "NHWC", "NDHWC")
)


def _run(function: str, rank: int | None, arguments: Mapping[str, Any]) -> Any:
    call = FrameworkCall(function, KERNEL, ARRAYS, arguments)
    if call.rank > 3 or rank not in (None, call.rank):
        rule = f"must have {'at most 3' if call.rank > 3 else rank} spatial axes"
        raise GeometryError(message(function, "filters", rule, call.rank))
    first = channels_first(function, arguments["data_format"])
    call.arrange((orders.channels_first if first else orders.channels_last)(call.rank))

    def read_groups(options: Arguments) -> Geometry:
        geometry, shape = read(options), options.frozen("output_shape")
        assert isinstance(shape, tuple)
        channels, per_group = shape[1 if first else -1], max(call.kernel.shape[-2], 1)
        if shape[0] != call.x.shape[0] or channels % per_group:
            options.refuse(
                "output_shape",
                "must have input's batch and the channels of filters, (*k, C_out, C_in)",
                f"{shape} for {call.x.shape[0]} samples and "
                f"{call.kernel.shape[-2]} channels",
            )
        return geometry._replace(groups=max(channels // per_group, 1))

    return call.transposed(read_groups, cropping="output_shape")


SIZES = size_rules("""
    `output_shape`, `"SAME"` | max((n-1)*s + K - N, 0) // 2 | n = ceil(N / s)
    | output_shape=(1, N, 1)
    `output_shape`, `"VALID"` | 0 | n = (N - K) // s + 1
    | output_shape=(1, N, 1), padding="VALID"
    `output_shape`, pairs `(a, b)`, 2-D | a | n = (N + a + b - K) // s + 1
    | output_shape=(1, N, N, 1), padding=((0, 0), (a, b), (a, b), (0, 0))
""")
DRAWS = draw_rules(
    "output_shape: shape of VALID, strides: stride, padding: VALID, dilations: dilation",
    "output_shape: shape of SAME, strides: stride, padding: SAME, dilations: dilation",
    "written",
)
LIMIT = "it has only SAME, VALID and, in 2-D, pairs"
