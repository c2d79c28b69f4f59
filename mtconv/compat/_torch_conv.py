"""`torch.nn.functional.conv1d/2d/3d`, and how torch's arrays and integers are read.

The kernel is ``(C_out, C_in/groups, *k)``, the same array as the transposed call's.
``padding="same"`` goes with a stride of 1 only and has ``lo = dilation*(k-1) // 2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtconv import geometry as relation
from mtconv.conventions.arguments import Arguments, Ints, Pairs
from mtconv.conventions.call import FrameworkCall, channels_first
from mtconv.conventions.documented import documented, ranked
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message
from mtconv.functional import conv

__all__ = ["ARRAYS", "KERNEL", "conv1d", "conv2d", "conv3d"]

ARRAYS = ("input", "weight", "bias")
KERNEL = KernelRule("IO*", divided="O")

LINK = "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv{rank}d.html"


@documented("torch", LINK)
def _conv(
    rank: int,
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
    """Call `torch.nn.functional.conv{rank}d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, C_in, *space) or (C_in, *space)
        The input.
    weight : array, shape (C_out, C_in / groups, *k)
        The kernel.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride, padding, dilation, groups : int or sequence of int
        As in torch; `padding` also "valid" or, with a stride of 1, "same".

    Returns
    -------
    array
        Shape (N, C_out, *size), each size
        ``floor((n + 2*padding - dilation*(k-1) - 1) / stride) + 1``.

    Examples
    --------
    >>> conv1d([[[1, 2, 3, 4]]], [[[1, 10]]], stride=2)
    array([[[21, 43]]])
    >>> conv2d([[[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]], [[[[0, 1], [2, 3]]]])
    array([[[[19, 25],
             [37, 43]]]])
    >>> conv3d([[[[[1, 2]], [[3, 4]]]]], [[[[[1]], [[10]]]]])
    array([[[[[31, 42]]]]])
    """
    return _forward(rank, locals())


conv1d, conv2d, conv3d = ranked("conv{}d", _conv)


def _forward(rank: int, arguments: Mapping[str, Any]) -> Any:
    call = FrameworkCall(f"torch.conv{rank}d", KERNEL, ARRAYS, arguments, rank=rank)
    call.arrange(channels_first(rank, batched=call.batched("(N, C_in, *space)")))
    options = Arguments(call.function, arguments, call.small, call.taps)
    stride = options.repeated("stride", least=1)
    dilation = options.repeated("dilation", least=1)
    padding = _padding(options, stride, dilation)
    for name, size, tap, s, d, (lo, hi) in zip(
        options.names, call.small, call.taps, stride, dilation, padding, strict=True
    ):
        if relation.small_size(size, tap, s, d, lo, hi) < 1:
            msg = message(
                call.function,
                "weight",
                f"must not span more than the padded input, {size + lo + hi} elements",
                f"a span of dilation*(k - 1) + 1 = {d * (tap - 1) + 1}",
                axis=name,
            )
            raise GeometryError(msg)
    groups = options.count("groups")
    per_group = call.kernel.shape[1]
    if per_group * groups != call.channels:
        msg = message(
            call.function,
            "input",
            "must have as many channels as `weight`, (C_out, C_in/groups, *k), "
            f"takes: {per_group} x {groups} groups",
            f"{call.channels}",
        )
        raise GeometryError(msg)
    return conv(
        call.x,
        call.kernel,
        call.bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        layout=call.layout,
        algorithm=arguments["algorithm"],
        backend=call.backend,
    )


def _padding(
    options: Arguments, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Pairs:
    """Read integers or a word."""
    if not isinstance(options["padding"], str):
        return tuple((p, p) for p in options.repeated("padding", least=0))
    if options.word("padding", ("valid", "same")) == "valid":
        return ((0, 0),) * options.rank
    if any(step != 1 for step in stride):
        options.refuse("padding", "must not be 'same' with a stride", stride)
    totals = [span - 1 for span in options.spans(dilation)]
    return tuple((total // 2, total - total // 2) for total in totals)
