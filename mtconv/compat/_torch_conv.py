"""`torch.nn.functional.conv1d/2d/3d`, and how torch's arrays and integers are read.

The kernel is ``(C_out, C_in/groups, *k)``, the same array as the transposed call's.
``padding="same"`` goes with a stride of 1 only and has ``lo = dilation*(k-1) // 2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtconv import geometry as relation
from mtconv.compat._call import Call, channels_first
from mtconv.compat._geometry import group_count, ints, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.functional import conv
from mtconv.problem.layout import axis_names
from mtconv.problem.options import freeze_sizes

__all__ = ["KERNEL", "Ints", "conv1d", "conv2d", "conv3d", "open_call", "read_ints"]

KERNEL = KernelRule("IO*", divided="O")

Ints = int | Sequence[int]


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
    stride, padding, dilation, groups : int or sequence of int
        As in torch; padding also "valid" or, with a stride of 1, "same".
    algorithm, backend : str, optional
        As in `mtconv.conv`.

    Returns
    -------
    array
        Shape (N, C_out, floor((L + 2*padding - dilation*(k-1) - 1) / stride) + 1).

    Raises
    ------
    GeometryError, BackendError
        Where torch refuses too; the message has torch's argument names.

    Notes
    -----
    Dtypes and costs are those of `mtconv.conv`.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html

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
    """Call `torch.nn.functional.conv2d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, H, W) or (C_in, H, W)
        The input.
    weight : array, shape (C_out, C_in / groups, kh, kw)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, dilation, groups : int or sequence of int
        As in `conv1d`, for H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv`.

    Returns
    -------
    array
        Shape (N, C_out, *size), each size as in `conv1d`.

    See Also
    --------
    conv1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> conv2d([[[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]], [[[[0, 1], [2, 3]]]])
    array([[[[19, 25],
             [37, 43]]]])
    """
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
    """Call `torch.nn.functional.conv3d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, D, H, W) or (C_in, D, H, W)
        The input.
    weight : array, shape (C_out, C_in / groups, kd, kh, kw)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, dilation, groups : int or sequence of int
        As in `conv1d`, for D, H, W.
    algorithm, backend : str, optional
        As in `mtconv.conv`.

    Returns
    -------
    array
        Shape (N, C_out, *size), each size as in `conv1d`.

    See Also
    --------
    conv1d : for dtypes, errors, costs and the source.

    Examples
    --------
    >>> conv3d([[[[[1, 2]], [[3, 4]]]]], [[[[[1]], [[10]]]]])
    array([[[[[31, 42]]]]])
    """
    options = (stride, padding, dilation, groups)
    return _forward(3, input, weight, bias, options, algorithm, backend)


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
    call = open_call(function, rank, input, weight, bias, backend)
    stride, padding, dilation, groups = options
    steps = read_ints(function, "stride", stride, rank, least=1)
    spread = read_ints(function, "dilation", dilation, rank, least=1)
    if isinstance(padding, str):
        pads = _word_padding(function, padding, steps, spread, call.taps)
    else:
        amounts = read_ints(function, "padding", padding, rank, least=0)
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
    groups = group_count(function, "groups", groups)
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


def open_call(
    function: str, rank: int, input: Any, weight: Any, bias: Any, backend: str | None
) -> Call:
    """Take the arrays of a call with a number of spatial axes."""
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


def read_ints(
    function: str, argument: str, value: Any, rank: int, *, least: int
) -> tuple[int, ...]:
    """Read one integer or one per axis; torch repeats a sequence of one."""
    frozen = freeze_sizes(function, argument, value)
    if isinstance(frozen, tuple) and len(frozen) == 1:
        value = frozen[0]
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
