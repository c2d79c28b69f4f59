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

from collections.abc import Sequence
from typing import Any

from mtconv import geometry as relation
from mtconv.compat._call import Call, channels_first
from mtconv.compat._geometry import Geometry, cropped, group_count, ints, refuse, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.functional import conv
from mtconv.layout import axis_names

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

KERNEL = KernelRule("IO*", divided="O")

Ints = int | Sequence[int]


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
    stride, padding, output_padding, groups, dilation
        As in torch.
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
    """Call `torch.nn.functional.conv_transpose2d`; as `conv_transpose1d` in (H, W)."""
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
    """Call `torch.nn.functional.conv_transpose3d`; as `conv_transpose1d` in (D, H, W)."""
    options = (stride, padding, output_padding, groups, dilation)
    return transposed(3, input, weight, bias, options, algorithm, backend)


def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv1d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, L) or (C_in, L)
        The input.
    weight : array, shape (C_out, C_in / groups, k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, dilation, groups
        As in torch: padding is an integer, one per axis, "valid" or "same".
    algorithm, backend : str, optional
        As in `mtconv.conv`.

    Returns
    -------
    array
        Shape (N, C_out, floor((L + 2*padding - dilation*(k-1) - 1) / stride) + 1).

    Raises
    ------
    GeometryError, BackendError
        Where torch refuses too.

    Examples
    --------
    >>> conv1d([[[1, 2, 3, 4]]], [[[1, 10]]], stride=2)
    array([[[21, 43]]])
    """
    options = (stride, padding, dilation, groups)
    return _forward(1, input, weight, bias, options, algorithm, backend)


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv2d`; as `conv1d` in (H, W)."""
    options = (stride, padding, dilation, groups)
    return _forward(2, input, weight, bias, options, algorithm, backend)


def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `torch.nn.functional.conv3d`; as `conv1d` in (D, H, W)."""
    options = (stride, padding, dilation, groups)
    return _forward(3, input, weight, bias, options, algorithm, backend)


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
    call = _call(function, rank, input, weight, bias, backend)
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


def _forward(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    options: tuple[Ints, Ints | str, Ints, int],
    algorithm: str,
    backend: str | None,
) -> Any:
    function = f"torch.conv{rank}d"
    call = _call(function, rank, input, weight, bias, backend)
    stride, padding, dilation, groups = options
    steps = _ints(function, "stride", stride, rank, least=1)
    spread = _ints(function, "dilation", dilation, rank, least=1)
    if isinstance(padding, str):
        pads = _word_padding(function, padding, steps, spread, call.taps)
    else:
        amounts = _ints(function, "padding", padding, rank, least=0)
        pads = tuple((amount, amount) for amount in amounts)
    names = axis_names(rank)
    for name, size, tap, s, d, (lo, hi) in zip(
        names, call.small, call.taps, steps, spread, pads, strict=True
    ):
        if relation.small_size(size, tap, s, d, lo, hi) < 1:
            msg = message(
                function,
                "weight",
                f"must not span more than the padded input, {size + lo + hi} cells",
                f"a span of dilation*(k - 1) + 1 = {d * (tap - 1) + 1}",
                axis=name,
            )
            raise GeometryError(msg)
    share = call.kernel.shape[1]
    if share * groups != call.channels:
        msg = message(
            function,
            "input",
            "must have as many channels as `weight`, (C_out, C_in/groups, *k), "
            f"takes: {share} x {groups} groups",
            f"{call.channels}",
        )
        raise GeometryError(msg)
    return conv(
        call.x,
        call.kernel,
        call.bias,
        stride=steps,
        padding=pads,
        dilation=spread,
        groups=groups,
        layout=call.layout,
        algorithm=algorithm,
        backend=backend,
    )


def _call(
    function: str, rank: int, input: Any, weight: Any, bias: Any, backend: str | None
) -> Call:
    call = Call(
        function, KERNEL, ("input", input), ("weight", weight), ("bias", bias), backend
    )
    if call.rank != rank:
        msg = message(
            function,
            "weight",
            f"must have {rank + 2} dimensions",
            f"{call.rank + 2} dimensions",
        )
        raise GeometryError(msg)
    call.arrange(channels_first(rank, batched=call.batched("(N, C_in, *space)")))
    return call


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
        _ints(function, "stride", stride, rank, least=1),
        _ints(function, "padding", padding, rank, least=0),
        _ints(function, "output_padding", output_padding, rank, least=0),
        _ints(function, "dilation", dilation, rank, least=1),
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


def _ints(
    function: str, argument: str, value: Any, rank: int, *, least: int
) -> tuple[int, ...]:
    """Read one integer or one per axis; torch repeats a sequence of one."""
    if not isinstance(value, int) and len(value) == 1:
        value = value[0]
    return ints(function, argument, value, rank, least=least)


def _word_padding(
    function: str,
    padding: str,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    taps: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    if word(function, "padding", padding, ("valid", "same")) == "valid":
        return ((0, 0),) * len(taps)
    if any(step != 1 for step in stride):
        msg = message(function, "padding", "must not be 'same' with a stride", stride)
        raise GeometryError(msg)
    totals = [d * (k - 1) for d, k in zip(dilation, taps, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
