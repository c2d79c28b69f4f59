"""The kernel gradient as the matrix of another convolution."""

from __future__ import annotations

from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

__all__ = ["gradient_spec"]


def gradient_spec(spec: ConvSpec, batch: int) -> ConvSpec:
    """Return the geometry in which `kernel_grad` convolves y with x as the kernel.

    The relation is symmetric in ``i`` and ``j``: stride and dilation change places, the
    taps are the small side, and the sum over the batch is one over channels of y.
    """
    axes = tuple(
        Axis(a.kernel, a.big, a.small, a.dilation, a.stride, a.lo) for a in spec.axes
    )
    small = spec.kernel_shape[0]
    return ConvSpec(axes, spec.groups, small, spec.groups * batch, spec.padding_mode)
