"""One two-dimensional problem as the call of every framework, for comparing conversions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.compat.sizes import Drawn

# Function, names of its input and kernel.
CALLS = {
    "torch": ("torch.conv_transpose2d", "input", "weight"),
    "jax": ("jax.conv_transpose", "lhs", "rhs"),
    "jax_transpose_kernel": ("jax.conv_transpose", "lhs", "rhs"),
    "flax": ("flax.conv_transpose", "inputs", "kernel"),
    "flax_transpose_kernel": ("flax.conv_transpose", "inputs", "kernel"),
    "haiku": ("haiku.conv_transpose", "inputs", "w"),
    "equinox": ("equinox.conv_transpose", "x", "weight"),
    "keras": ("keras.conv_transpose", "inputs", "kernel"),
    "tensorflow": ("tensorflow.conv_transpose", "input", "filters"),
    "onnx": ("onnx.ConvTranspose", "X", "W"),
    "tinygrad": ("tinygrad.conv_transpose2d", "x", "weight"),
    "mlx": ("mlx.conv_transpose2d", "input", "weight"),
}
CHANNELS_FIRST = ("torch", "equinox", "onnx", "tinygrad")


def drawn(name: str, x: np.ndarray, kernel: Any, options: dict[str, Any]) -> Drawn:
    """Write a call on x of shape (1, C_in, H, W); the kernel is the framework's own."""
    function, data, weight = CALLS[name]
    given = x if name in CHANNELS_FIRST else np.moveaxis(x, 1, -1)
    if name == "equinox":
        given = given[0]
    if name == "tensorflow":
        channels = kernel.shape[-2]
        size = [1, *options["output_shape"][1:-1], channels]
        options = options | {"output_shape": size}
    if name.startswith(("jax", "flax")):
        options = {"transpose_kernel": False} | options
    arrays = {data: np.ascontiguousarray(given), weight: np.ascontiguousarray(kernel)}
    return Drawn(function, arrays, options)


def channels_first(name: str, result: np.ndarray) -> np.ndarray:
    """Bring the result of a call into the order (1, C_out, H, W)."""
    if name == "equinox":
        return result[None]
    return result if name in CHANNELS_FIRST else np.moveaxis(result, -1, 1)
