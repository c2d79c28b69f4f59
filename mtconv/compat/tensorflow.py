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

from mtconv.compat._call import Call, channels_first, channels_last
from mtconv.compat._geometry import Geometry, ints, pairs, refuse, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.geometry import Axis
from mtconv.layout import axis_names
from mtconv.options import freeze_sizes

__all__ = ["conv1d_transpose", "conv2d_transpose", "conv3d_transpose", "conv_transpose"]

KERNEL = KernelRule("*OI", divided="O")

Ints = int | Sequence[int]
Padding = str | Sequence[Sequence[int]]


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
    strides, padding, data_format, dilations
        As in TensorFlow.
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
    """Call `tf.nn.conv1d_transpose`: `conv_transpose` with one spatial axis."""
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
    """Call `tf.nn.conv2d_transpose`: `conv_transpose` with two spatial axes."""
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
    """Call `tf.nn.conv3d_transpose`: `conv_transpose` with three spatial axes."""
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
    first = _channels_first(function, data_format)
    call.arrange((channels_first if first else channels_last)(rank))
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


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    output_shape: Sequence[int | None],
    strides: Ints = 1,
    padding: Padding = "SAME",
    data_format: str | None = None,
    dilations: Ints | None = None,
) -> Geometry:
    """Read TensorFlow's options; batch and channels of `output_shape` are not looked at."""
    rank = len(taps)
    first = _channels_first(function, data_format)
    if len(output_shape) != rank + 2:
        rule = f"must have {rank + 2} sizes, batch and channels included"
        raise GeometryError(message(function, "output_shape", rule, tuple(output_shape)))
    space = output_shape[2:] if first else output_shape[1:-1]
    sizes = ints(function, "output_shape", space, rank, least=1)
    steps = _steps(function, "strides", strides, rank, first)
    spread = _steps(function, "dilations", dilations, rank, first)
    crops: tuple[tuple[int, int], ...] = ((0, 0),) * rank
    if isinstance(padding, str):
        kind = word(function, "padding", padding, ("SAME", "VALID"))
    else:
        kind, crops = "EXPLICIT", _explicit(function, padding, rank, first)
    axes = []
    for name, n, k, s, d, big, (lo, hi) in zip(
        axis_names(rank), small, taps, steps, spread, sizes, crops, strict=True
    ):
        span = d * (k - 1) + 1
        expected = -(-big // s) if kind == "SAME" else (big + lo + hi - span) // s + 1
        if n != expected:
            msg = message(
                function,
                "output_shape",
                f"must be a size that the convolution maps to input's {n}",
                f"{big}, which gives {expected}",
                axis=name,
            )
            raise GeometryError(msg)
        if kind == "SAME":
            lo = max((n - 1) * s + span - big, 0) // 2
        axes.append(Axis(n, big, k, s, d, lo))
    return Geometry(tuple(axes))


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in TensorFlow's options, or refuse.

    Batch and channels of ``output_shape`` are None, to be filled in.
    """
    small = tuple(axis.small for axis in found.axes)
    taps = tuple(axis.kernel for axis in found.axes)
    said: dict[str, Any] = {
        "output_shape": (None, *(axis.big for axis in found.axes), None),
        "strides": tuple(axis.stride for axis in found.axes),
        "dilations": tuple(axis.dilation for axis in found.axes),
    }
    explicit = ((0, 0), *((axis.lo, max(axis.hi, 0)) for axis in found.axes), (0, 0))
    words: list[Padding] = ["SAME", "VALID"]
    if len(taps) == 2:
        words.append(explicit)
    for padding in words if found.padding_mode == "zeros" else []:
        try:
            attempt = geometry("convert", small, taps, padding=padding, **said)
        except GeometryError:
            continue
        if attempt.axes == found.axes:
            return said | {"padding": padding}
    return refuse("tensorflow", found, "it has only SAME, VALID and, in 2-D, pairs")


def _channels_first(function: str, data_format: str | None) -> bool:
    formats = ("NWC", "NCW", "NHWC", "NCHW", "NDHWC", "NCDHW")
    return data_format is not None and word(
        function, "data_format", data_format, formats
    ).startswith("NC")


def _steps(
    function: str, argument: str, value: Ints | None, rank: int, first: bool
) -> tuple[int, ...]:
    """Read strides or dilations of length 1, n, or n + 2 with ones for N and C."""
    if value is None:
        return (1,) * rank
    frozen = freeze_sizes(function, argument, value)
    if isinstance(frozen, tuple) and len(frozen) == 1:
        value = frozen[0]
    elif isinstance(frozen, tuple) and len(frozen) == rank + 2:
        others = (frozen[0], frozen[1 if first else -1])
        if others != (1, 1):
            rule = "must be 1 for batch and channels"
            raise GeometryError(message(function, argument, rule, frozen))
        value = frozen[2:] if first else frozen[1:-1]
    return ints(function, argument, value, rank, least=1)


def _explicit(
    function: str, padding: Sequence[Sequence[int]], rank: int, first: bool
) -> tuple[tuple[int, int], ...]:
    if rank != 2:
        word(function, "padding", padding, ("SAME", "VALID"))
    every = pairs(function, "padding", padding, 4)
    space = every[2:] if first else every[1:-1]
    if sum(map(sum, every)) != sum(map(sum, space)) or min(map(min, space)) < 0:
        rule = "must be 0 for batch and channels and at least 0 elsewhere"
        raise GeometryError(message(function, "padding", rule, padding))
    return space
