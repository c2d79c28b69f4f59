"""`native`: one `lax.conv_general_dilated` each.

With a stride, the transposed convolution dilates its input and reverses its kernel, and
the kernel gradient dilates the small side as a kernel would be: the forms that XLA
matches to the backward-data and backward-filter kernels of GPU libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mtconv.backends._jax.arrays import accumulator, shifted
from mtconv.planning.ladders.jax import packed
from mtconv.sizes import at_least, traced
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]


def conv_transpose(
    spec: ConvSpec, x: Array, w: Array, precision: Any, *, on_cpu: bool
) -> Array:
    """Convolve the dilated x with the reversed kernel."""
    axes, groups, rank = spec.axes, spec.groups, spec.rank
    w = lax.rev(w, tuple(range(2, 2 + rank)))
    if groups > 1:  # (small, share) becomes (small of one group, big)
        small, share, *taps = w.shape
        w = jnp.moveaxis(w.reshape(groups, small // groups, share, *taps), 0, 1)
        w = w.reshape(small // groups, groups * share, *taps)
    padding = [(axis.extent - 1 - axis.lo, axis.extent - 1 - axis.hi) for axis in axes]
    strides = [axis.stride for axis in axes]
    if on_cpu and max(strides) > 1 and not packed(spec):
        # XLA's CPU compiler aborts or computes wrong values for these, see `packed`. Zeros
        # behind a barrier are no dilation to it.
        zero = jnp.zeros((), x.dtype)
        x = lax.pad(x, zero, [(0, 0, 0)] * 2 + [(0, 0, s - 1) for s in strides])
        x = lax.optimization_barrier(x)
        strides = [1] * rank
    return _convolve(
        x,
        w,
        (0, 1, 1, 0),
        padding,
        precision,
        on_cpu,
        window_strides=(1,) * rank,
        lhs_dilation=strides,
        rhs_dilation=[axis.dilation for axis in axes],
        feature_group_count=groups,
    )


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any, *, on_cpu: bool) -> Array:
    """Convolve y with the kernel, with strides."""
    padding = [(axis.lo, axis.hi) for axis in spec.axes]
    options = {
        "window_strides": [axis.stride for axis in spec.axes],
        "rhs_dilation": [axis.dilation for axis in spec.axes],
        "feature_group_count": spec.groups,
    }
    return _convolve(y, w, (0, 1, 0, 1), padding, precision, on_cpu, **options)


def kernel_grad(
    spec: ConvSpec, x: Array, y: Array, precision: Any, *, on_cpu: bool
) -> Array:
    """Convolve y with x as the kernel, channels in the place of the batch."""
    w = _convolve(
        y,
        x,
        (1, 0, 1, 0),
        [(axis.lo, axis.hi) for axis in spec.axes],
        precision,
        on_cpu,
        window_strides=[axis.dilation for axis in spec.axes],
        rhs_dilation=[axis.stride for axis in spec.axes],
        batch_group_count=spec.groups,
    )
    return w.swapaxes(0, 1)


def _convolve(
    data: Array,
    kernel: Array,
    leading: tuple[int, int, int, int],
    padding: Sequence[tuple[int, int]],
    precision: Any,
    on_cpu: bool,
    **options: Any,
) -> Array:
    """Convolve channels first; ``leading``: data's batch, features, kernel's O and I.

    XLA's fast convolutions on the CPU want channels last; on other platforms it finds
    the layout itself.
    """
    batch, feature, outputs, inputs = leading
    rank = data.ndim - 2
    if any(map(traced, padding)):  # a convolution takes integers only
        dilation = options.pop("lhs_dilation", (1,) * rank)
        edges = ((*ends, step - 1) for ends, step in zip(padding, dilation, strict=True))
        data = shifted(data, [(0, 0, 0), (0, 0, 0), *edges])
        padding = [(0, 0)] * rank
    space = tuple(range(2, 2 + rank))
    result = (0, 1, *space)
    if on_cpu:
        data, padding = _inside(data, kernel, padding)
        data = data.transpose(batch, *space, feature)
        kernel = kernel.transpose(*space, inputs, outputs)
        inner = tuple(range(1, 1 + rank))
        last = (0, 1 + rank, *inner)
        numbers = lax.ConvDimensionNumbers(last, (1 + rank, rank, *range(rank)), last)
    else:
        numbers = lax.ConvDimensionNumbers(
            (batch, feature, *space), (outputs, inputs, *space), result
        )
    convolved = lax.conv_general_dilated(
        data,
        kernel,
        padding=padding,
        dimension_numbers=numbers,
        precision=precision,
        preferred_element_type=accumulator(data.dtype) if on_cpu else None,
        **options,
    )
    return jnp.moveaxis(convolved, -1, 1) if on_cpu else convolved


def _inside(
    data: Array, kernel: Array, padding: Sequence[tuple[int, int]]
) -> tuple[Array, Sequence[tuple[int, int]]]:
    """Crop and pad beforehand what XLA's CPU convolutions do not crop and pad well.

    Their values are wrong where one end of an axis is cropped and the other one padded. And
    a kernel of more cells than the data changes places with it, and ends in a slow loop.
    Data that XLA dilates come here only where `packed` holds: nothing is cropped then, and
    no kernel is larger, so they are left as they are.
    """
    crops = [(min(low, 0), min(high, 0), 0) for low, high in padding]
    size = [n + a + b for n, (a, b, _) in zip(data.shape[2:], crops, strict=True)]
    left = all(at_least(n, 1) is True for n in size)
    if left and at_least(prod(size), prod(kernel.shape[2:])) is True:
        data = shifted(data, [(0, 0, 0), (0, 0, 0), *crops])
        return data, [(max(low, 0), max(high, 0)) for low, high in padding]
    data = shifted(data, [(0, 0, 0), (0, 0, 0), *((*ends, 0) for ends in padding)])
    return lax.optimization_barrier(data), [(0, 0)] * len(padding)
