"""A convolution of stride 1 and a shuffle, read as one relation for each axis.

Output ``t`` of the convolution reads input ``i = t + dilation*e - lo``, and its channel
``phase`` is element ``block*t + phase`` of the shuffled result. That is tap
``block*dilation*(k - 1 - e) + phase`` of a transposed convolution with stride ``block``.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.axes import AxisResolver, check_sizes, per_axis
from mtconv.problem.layout import axis_names, check_groups
from mtconv.problem.options import IntOrInts, Options, freeze_sizes

__all__ = ["SubPixel", "sub_pixel"]


class SubPixel(NamedTuple):
    """Where the elements of the transposed convolution's kernel are, and its options.

    ``channels`` has the channel of the convolution for each (channel, phase) of the result.
    """

    table: NDArray[Any]
    channels: NDArray[Any]
    options: dict[str, Any]


def sub_pixel(
    function: str, shape: tuple[int, ...], block: IntOrInts, options: Options, order: str
) -> SubPixel:
    """Check the arguments of a convolution and a shuffle, and read them as one relation."""
    rank = len(shape) - 2
    names = axis_names(max(rank, 1))
    if rank < 1:
        rule = "must have channels of both sides and at least one spatial axis"
        raise GeometryError(message(function, "kernel", rule, f"shape {shape}"))
    steps = per_axis(
        function, "block", freeze_sizes(function, "block", block), names, least=1
    )
    check_sizes(function, "kernel", shape[2:], names)
    _check(function, shape, steps, options, order)
    resolver = AxisResolver(function, options, names)
    padding = []
    for a, step in enumerate(steps):
        padding.append(_crop(resolver, a, shape[2 + a], step))
    channels = _channels(shape[0], prod(steps), order)
    return SubPixel(
        _table(shape, steps, resolver.dilation, options.groups, channels),
        channels,
        {"stride": steps, "padding": tuple(padding), "groups": options.groups},
    )


def _check(
    function: str,
    shape: tuple[int, ...],
    steps: tuple[int, ...],
    options: Options,
    order: str,
) -> None:
    if isinstance(options.padding, str) and options.padding != "valid":
        rule = "must be integers"
        msg = message(function, "padding", rule, shown(options.padding))
        raise GeometryError(msg)
    if shape[0] % prod(steps):
        rule = f"must have a multiple of prod(block) = {prod(steps)} output channels"
        raise GeometryError(message(function, "kernel", rule, f"{shape[0]}"))
    check_groups(function, options.groups, kernel=shape[0] // prod(steps))
    if order == "DCR" and options.groups > 1:
        rule = "must be 'CRD' with groups, whose channels lie apart otherwise"
        raise GeometryError(message(function, "order", rule, repr(order)))


def _crop(resolver: AxisResolver, a: int, kernel: int, step: int) -> tuple[int, int]:
    """Return what the transposed convolution crops at both ends of an axis."""
    padding = resolver.padding[a]
    assert not isinstance(padding, str)
    # Without padding the convolution gives `extent - 1` fewer outputs than inputs.
    reach = Axis(1, 1, kernel, 1, resolver.dilation[a]).extent - 1
    return step * (reach - padding[0]), step * (reach - padding[1])


def _channels(count: int, phases: int, order: str) -> NDArray[Any]:
    """Return the channel of each (channel of the result, phase)."""
    numbers = np.arange(count)
    if order == "CRD":
        return numbers.reshape(count // phases, phases)
    return numbers.reshape(phases, count // phases).T


def _table(
    shape: tuple[int, ...],
    steps: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    channels: NDArray[Any],
) -> NDArray[Any]:
    """Return where each element of (C_in, C_out / groups, *k) is in the convolution's."""
    rank = len(steps)
    taps = shape[2:]
    sources = np.arange(prod(shape)).reshape(shape)[channels]
    sources = sources.reshape(len(channels), *steps, shape[1], *taps)
    sources = np.flip(sources, tuple(range(2 + rank, 2 + 2 * rank)))
    sizes = [s * d * (k - 1) + s for s, d, k in zip(steps, dilation, taps, strict=True)]
    wide = np.full((len(channels), shape[1], *sizes), prod(shape))
    for phase in np.ndindex(*steps):
        places = zip(phase, steps, dilation, taps, strict=True)
        part = tuple(slice(p, p + s * d * (k - 1) + 1, s * d) for p, s, d, k in places)
        wide[(slice(None), slice(None), *part)] = sources[(slice(None), *phase)]
    share = len(channels) // groups
    wide = wide.reshape(groups, share, shape[1], *sizes).swapaxes(1, 2)
    return wide.reshape(groups * shape[1], share, *sizes)
