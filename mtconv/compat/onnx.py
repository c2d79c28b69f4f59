"""The operator `ConvTranspose` of ONNX: channels first, kernels (C_in, C_out/groups, *k).

With ``K = dilations*(k-1) + 1`` and ``q = output_padding``. Where a size ``N`` is given or
follows, the total crop is ``t = (n-1)*strides + K + q - N``:

===========================  =========================  ===============================
attributes                   ``lo``                     size of the result
===========================  =========================  ===============================
pads (NOTSET)                ``pads[axis]``             ``(n-1)*s + K + q - both pads``
auto_pad VALID               ``0``                      ``(n-1)*s + K + q``
SAME_UPPER                   ``max(t, 0) // 2``         ``n*s``
SAME_LOWER                   ``(max(t, 0) + 1) // 2``   ``n*s``
output_shape, SAME_UPPER     ``max(t, 0) // 2``         as given
output_shape, otherwise      ``(max(t, 0) + 1) // 2``   as given
===========================  =========================  ===============================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv.compat._call import Call, channels_first
from mtconv.compat._geometry import Geometry, cropped, group_count, ints, refuse, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.geometry import Axis
from mtconv.problem.layout import axis_names
from mtconv.problem.options import freeze_sizes

__all__ = ["ConvTranspose"]

KERNEL = KernelRule("IO*", divided="O")

_FUNCTION = "onnx.ConvTranspose"
_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def ConvTranspose(
    X: Any,
    W: Any,
    B: Any = None,
    *,
    auto_pad: str | bytes = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Evaluate an ONNX `ConvTranspose` node on arrays of any library.

    Parameters
    ----------
    X : array, shape (N, C_in, *space)
        The input.
    W : array, shape (C_in, C_out / group, *k)
        The kernel.
    B : array, shape (C_out,), optional
        Added to every element of a channel.
    auto_pad : str or bytes
        "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID"; bytes are what onnx stores.
    dilations : sequence of int, optional
        One per spatial axis.
    group : int
        Number of groups.
    kernel_shape, output_padding : sequence of int, optional
        One per spatial axis; the shape has to be W's own.
    output_shape : sequence of int, optional
        The spatial sizes, with or without batch and channels before them.
    pads : sequence of int, optional
        What the result is cropped by: all low ends, then all high ends.
    strides : sequence of int, optional
        One per spatial axis.
    algorithm, backend : str, optional
        As in `mtconv.conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, *size).

    Raises
    ------
    GeometryError, BackendError
        Where the operator's text refuses; the message has ONNX's names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__ConvTranspose.html

    Examples
    --------
    >>> ConvTranspose([[[1, 2]]], [[[1, 10, 100]]], strides=[2], output_shape=[4])
    array([[[ 10, 102,  20, 200]]])
    """
    call = Call(_FUNCTION, KERNEL, ("X", X), ("W", W), ("B", B), backend)
    call.arrange(channels_first(call.rank))
    taps = _ints(_FUNCTION, "kernel_shape", kernel_shape, call.taps, least=1)
    if taps != call.taps:
        rule = f"must be W's own, {call.taps}"
        raise GeometryError(message(_FUNCTION, "kernel_shape", rule, taps))
    found = geometry(
        _FUNCTION,
        call.small,
        call.taps,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        output_padding=output_padding,
        output_shape=output_shape,
        pads=pads,
        strides=strides,
    )
    return call.transposed(found, cropping="pads", grouping="group", algorithm=algorithm)


def geometry(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    auto_pad: str | bytes = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Geometry:
    """Read the attributes of a node."""
    rank = len(taps)
    steps = _ints(function, "strides", strides, (1,) * rank, least=1)
    spread = _ints(function, "dilations", dilations, (1,) * rank, least=1)
    extra = _ints(function, "output_padding", output_padding, (0,) * rank, least=0)
    for name, q, s, d in zip(axis_names(rank), extra, steps, spread, strict=True):
        if q >= max(s, d):
            rule = f"must be less than the larger of stride and dilation, {max(s, d)}"
            raise GeometryError(message(function, "output_padding", rule, q, axis=name))
    if isinstance(auto_pad, bytes):  # as the attribute of a node has it
        auto_pad = auto_pad.decode("latin-1")
    auto_pad = word(function, "auto_pad", auto_pad, _AUTO_PADS)
    ends = _ints(function, "pads", pads, (0,) * (2 * rank), least=0)
    if auto_pad != "NOTSET" and any(ends):
        rule = f"must be left out with auto_pad={auto_pad!r}"
        raise GeometryError(message(function, "pads", rule, ends))
    sizes = _sizes(function, output_shape, rank)
    if sizes is None and auto_pad.startswith("SAME"):
        sizes = tuple(n * s for n, s in zip(small, steps, strict=True))
    axes = []
    for a, (n, k, s, d, q) in enumerate(
        zip(small, taps, steps, spread, extra, strict=True)
    ):
        if sizes is None:
            axes.append(cropped(n, k, s, d, ends[a], ends[a + rank] - q))
            continue
        total = max((n - 1) * s + d * (k - 1) + 1 + q - sizes[a], 0)
        lo = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        axes.append(Axis(n, sizes[a], k, s, d, lo))
    return Geometry(tuple(axes), group_count(function, "group", group))


def _ints(
    function: str, argument: str, value: Any, default: tuple[int, ...], *, least: int
) -> tuple[int, ...]:
    """Read a list attribute; one that is absent or empty has its default."""
    frozen = default if value is None else freeze_sizes(function, argument, value)
    if frozen == ():
        return default
    return ints(function, argument, frozen, len(default), least=least)


def _sizes(function: str, output_shape: Any, rank: int) -> tuple[int, ...] | None:
    """Read the sizes of the result, whether batch and channels come first or not."""
    if output_shape is None:
        return None
    frozen = freeze_sizes(function, "output_shape", output_shape)
    if isinstance(frozen, tuple) and len(frozen) == rank + 2:
        frozen = frozen[2:]
    return ints(function, "output_shape", frozen, rank, least=1)


def options(found: Geometry) -> dict[str, Any]:
    """Write a geometry in explicit pads, which no runtime can read in another way."""
    lows = [axis.lo for axis in found.axes]
    extra = [max(-axis.hi, 0) for axis in found.axes]
    if found.padding_mode != "zeros" or min(lows) < 0:
        refuse("onnx", found, "it pads with zeros only and its pads are not negative")
    # The standard has less than the dilation too, which onnxruntime does not run.
    if any(q >= axis.stride for axis, q in zip(found.axes, extra, strict=True)):
        refuse("onnx", found, "its output_padding is less than the stride")
    return {
        "auto_pad": "NOTSET",
        "strides": [axis.stride for axis in found.axes],
        "dilations": [axis.dilation for axis in found.axes],
        "group": found.groups,
        "pads": [*lows, *(max(axis.hi, 0) for axis in found.axes)],
        "output_padding": extra,
    }
