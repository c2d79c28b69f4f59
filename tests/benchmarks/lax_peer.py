"""The peer of JAX: transposed convolution by `lax` alone, as people write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tests.benchmarks.harness import Layer

__all__ = ["lax_transposed", "with_gradients"]


def lax_transposed(
    layer: Layer, channels_last: bool, *, inserted: bool = False
) -> Callable[..., Any]:
    """Transposed convolution of a layer by `lax` alone, channels first outside.

    ``inserted``: zeros are inserted by a pad, and the convolution is a plain one.
    """
    rank = len(layer.input_size)
    space = "DHW"[3 - rank :]
    groups, small, share = layer.groups, layer.in_channels, layer.kernel_shape[1]
    layout = f"N{space}C" if channels_last else f"NC{space}"

    def function(x: Any, kernel: Any) -> Any:
        kernel = jnp.flip(kernel, range(2, 2 + rank))
        if groups > 1:
            kernel = kernel.reshape(groups, small // groups, share, *layer.kernel_size)
            kernel = jnp.moveaxis(kernel, 0, 1).reshape(
                small // groups, groups * share, *layer.kernel_size
            )
        if channels_last:
            x, kernel = jnp.moveaxis(x, 1, -1), jnp.moveaxis(kernel, (0, 1), (-2, -1))
        strides = layer.stride
        if inserted:
            first = 1 if channels_last else 2
            edges = [(0, 0, 0)] * (rank + 2)
            edges[first : first + rank] = [(0, 0, stride - 1) for stride in strides]
            # Without the barrier XLA may make a dilation of it again.
            x = lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), edges))
            strides = (1,) * rank
        y = lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(1,) * rank,
            padding=[
                (d * (k - 1) - p, d * (k - 1) - p + extra)
                for k, d, p, extra in zip(
                    layer.kernel_size,
                    layer.dilation,
                    layer.padding,
                    layer.output_padding,
                    strict=True,
                )
            ],
            lhs_dilation=strides,
            rhs_dilation=layer.dilation,
            dimension_numbers=(
                layout,
                f"{space}IO" if channels_last else f"IO{space}",
                layout,
            ),
            feature_group_count=groups,
        )
        return jnp.moveaxis(y, -1, 1) if channels_last else y

    return function


def with_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the result together with both gradients."""

    def both(x: Any, kernel: Any, cotangent: Any) -> Any:
        y, backward = jax.vjp(function, x, kernel)
        return y, backward(cotangent)

    return both
