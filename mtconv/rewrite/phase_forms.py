"""A convolution of stride 1 for each phase of the result."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._array_api.library import Library
from mtconv.functional import conv
from mtconv.geometry import Axis, phases
from mtconv.rewrite.frame import Rewritten, checked_arrays, filled, shuffled
from mtconv.spec import ConvSpec

__all__ = ["PhaseConv", "PhaseConvs", "as_phases"]


class PhaseConv(NamedTuple):
    """The convolution of one phase: elements ``start + stride*t`` along each axis.

    A phase without taps has a kernel of zeros, and reads its padding alone.
    """

    start: tuple[int, ...]
    kernel: Any
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PhaseConvs(Rewritten):
    """A convolution of stride 1 for each phase.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution that they equal.
    phases : tuple of PhaseConv
        Start, kernel (C_out, C_in / groups, *k), padding and dilation of each, in C order
        of the starts. All have as many outputs; the last may be beyond the result.
    bias : array, shape (C_out,), or None
        The bias of each.
    """

    phases: tuple[PhaseConv, ...]
    bias: Any

    def _kernel(self) -> Any:
        return self.phases[0].kernel

    def _apply(self, functions: Library, x: Any) -> Any:
        parts = [
            conv(
                x,
                phase.kernel,
                self.bias,
                padding=phase.padding,
                dilation=phase.dilation,
                groups=self.spec.groups,
            )
            for phase in self.phases
        ]
        batch, channels, *space = parts[0].shape
        parts = [functions.reshape(y, (batch, channels, 1, *space)) for y in parts]
        joined = functions.concat(parts, 2)
        joined = functions.reshape(joined, (batch, channels * len(parts), *space))
        return shuffled(functions, joined, self.spec)


def as_phases(spec: ConvSpec, kernel: Any, bias: Any = None) -> PhaseConvs:
    """Rewrite a transposed convolution as one convolution for each phase.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution, with zeros as padding.
    kernel : array
        Its kernel, as ``spec.conv_transpose`` takes it.
    bias : array, shape (C_out,), optional
        Its bias.

    Returns
    -------
    PhaseConvs
        The convolutions. Calling it applies them and puts their results side by side.

    Raises
    ------
    GeometryError, BackendError
        If kernel or bias do not fit the spec.

    Notes
    -----
    All convolutions together cost what the transposed convolution costs.

    Examples
    --------
    >>> import mtconv
    >>> spec = mtconv.ConvSpec.from_shapes((1, 1, 2), (1, 1, 3), stride=2)
    >>> form = as_phases(spec, [[[1, 10, 100]]])
    >>> [phase.kernel.tolist() for phase in form.phases]
    [[[[100, 1]]], [[[10]]]]
    >>> form([[[1, 2]]])
    array([[[  1,  10, 102,  20, 200]]])
    """
    kernel, bias, functions = checked_arrays("as_phases", spec, kernel, bias)
    convs = []
    for lines in product(*(_lines(axis) for axis in spec.axes)):
        table = _table(spec, [line.taps for line in lines])
        convs.append(
            PhaseConv(
                tuple(line.start for line in lines),
                filled(functions, kernel, table),
                tuple(line.padding for line in lines),
                tuple(line.dilation for line in lines),
            )
        )
    return PhaseConvs(spec, tuple(convs), bias)


class PhaseLine(NamedTuple):
    """One phase of one axis as a convolution; no taps where nothing feeds it."""

    start: int
    taps: tuple[int, ...]
    padding: tuple[int, int]
    dilation: int


def _lines(axis: Axis) -> list[PhaseLine]:
    """List the phases of an axis."""
    cells = -(-axis.big // axis.stride)
    blank = (cells, -axis.small)  # the input is cropped away
    lines = [PhaseLine(start, (), blank, 1) for start in range(axis.stride)]
    for phase in phases(axis):
        if phase.taps:
            order = range(phase.taps - 1, -1, -1)
            span = (phase.taps - 1) * phase.shift_step
            padding = span - phase.shift, cells + phase.shift - axis.small
            taps = tuple(phase.tap + m * phase.tap_step for m in order)
            lines[phase.start] = PhaseLine(phase.start, taps, padding, phase.shift_step)
    return lines


def _table(spec: ConvSpec, taps: list[tuple[int, ...]]) -> NDArray[Any]:
    """Return where each element of a phase's kernel is in the original.

    The shape is (C_out, C_in / groups, *k); a kernel of zeros points behind the end.
    """
    small, share = spec.kernel_shape[:2]
    groups, size = spec.groups, prod(spec.kernel_shape)
    sizes = tuple(max(len(numbers), 1) for numbers in taps)
    shape = groups * share, small // groups, *sizes
    if not all(taps):
        return np.full(shape, size)
    sources = np.arange(size).reshape(groups, small // groups, share, *spec.kernel_size)
    for axis, numbers in enumerate(taps):
        sources = np.take(sources, numbers, 3 + axis)
    return sources.swapaxes(1, 2).reshape(shape)
