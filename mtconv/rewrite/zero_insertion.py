"""A convolution of stride 1 of an input with zeros between its elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._array_api.library import Library
from mtconv.functional import conv
from mtconv.rewrite.frame import Rewritten, checked_arrays, filled, widened
from mtconv.spec import ConvSpec

__all__ = ["ZeroInsertion", "as_zero_insertion"]


@dataclass(frozen=True, eq=False)
class ZeroInsertion(Rewritten):
    """Zeros between the elements of the input, and a convolution of stride 1.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution that it equals.
    kernel : array, shape (C_out, C_in / groups, *k)
        The kernel of the convolution: flipped, channels exchanged.
    bias : array, shape (C_out,), or None
        Its bias.
    steps : tuple of int
        Distance of the elements of the input along each axis once zeros are between them.
    padding : tuple of (int, int)
        Padding of the convolution; negative values crop its input.
    dilation : tuple of int
        Its dilation.
    groups : int
        Its groups.
    """

    kernel: Any
    bias: Any
    steps: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    def _kernel(self) -> Any:
        return self.kernel

    def _apply(self, functions: Library, x: Any) -> Any:
        for axis, step in enumerate(self.steps):
            x = widened(functions, x, 2 + axis, step)
        return conv(
            x,
            self.kernel,
            self.bias,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


def as_zero_insertion(spec: ConvSpec, kernel: Any, bias: Any = None) -> ZeroInsertion:
    """Rewrite a transposed convolution as a convolution of an input with zeros between.

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
    ZeroInsertion
        The arrays and options of the convolution. Calling it applies it.

    Raises
    ------
    GeometryError, BackendError
        If kernel or bias do not fit the spec.

    Notes
    -----
    The convolution multiplies the zeros: it costs the product of the strides times what
    the transposed convolution costs.

    Examples
    --------
    >>> import mtconv
    >>> spec = mtconv.ConvSpec.from_shapes((1, 1, 2), (1, 1, 3), stride=2)
    >>> form = as_zero_insertion(spec, [[[1, 10, 100]]])
    >>> form.kernel, form.steps, form.padding
    (array([[[100,  10,   1]]]), (2,), ((2, 2),))
    >>> form([[[1, 2]]])
    array([[[  1,  10, 102,  20, 200]]])
    """
    kernel, bias, functions = checked_arrays("as_zero_insertion", spec, kernel, bias)
    small, share = spec.kernel_shape[:2]
    shape = spec.groups, small // spec.groups, share, *spec.kernel_size
    table = np.arange(prod(spec.kernel_shape)).reshape(shape).swapaxes(1, 2)
    table = np.flip(table, tuple(range(3, table.ndim)))
    table = table.reshape(spec.groups * share, small // spec.groups, *spec.kernel_size)
    return ZeroInsertion(
        spec,
        filled(functions, kernel, table),
        bias,
        tuple(axis.stride for axis in spec.axes),
        tuple((a.extent - 1 - a.lo, a.extent - 1 - a.hi) for a in spec.axes),
        tuple(axis.dilation for axis in spec.axes),
        spec.groups,
    )
