"""The one list of frameworks. A new one is a file beside this and a row in it."""

from __future__ import annotations

from dataclasses import replace

from mtconv import functional
from mtconv.compat import (
    _mtconv,
    equinox,
    flax,
    haiku,
    jax,
    keras,
    matlab,
    mlx,
    onnx,
    tensorflow,
    tinygrad,
    torch,
)
from mtconv.compat._framework import Framework
from mtconv.problem.options import PADDING_MODES

# What `mtconv.compat` shows; `FRAMEWORKS` is imported from here.
__all__ = [
    "equinox",
    "flax",
    "haiku",
    "jax",
    "keras",
    "matlab",
    "mlx",
    "onnx",
    "tensorflow",
    "tinygrad",
    "torch",
]

_JAX = Framework(
    "jax",
    jax,
    "jax.lax.conv_transpose",
    jax.conv_transpose,
    "N*C",
    conv_kernel="*IO",
    stride="strides",
    dilation="rhs_dilation",
    beside=("dimension_numbers", "preferred_element_type"),
    defaults={"strides": 1, "padding": "SAME"},
    packages=("jax",),
    live="jax.lax.conv_transpose",
    tensor="jax.numpy.asarray",
)
_FLAX = Framework(
    "flax",
    flax,
    "flax.nnx.ConvTranspose",
    flax.conv_transpose,
    "N*C",
    conv_kernel="*IO",
    stride="strides",
    dilation="kernel_dilation",
    padding_modes=("zeros", "circular"),
    fixed={"transpose_kernel": False},
    packages=("flax", "jax"),
)


def _transposed(row: Framework) -> Framework:
    name, fixed = f"{row.name}_transpose_kernel", {"transpose_kernel": True}
    return replace(row, name=name, rule=jax.KERNEL_TRANSPOSED, fixed=fixed)


_ROWS = (
    Framework(
        "mtconv",
        _mtconv,
        "mtconv.conv_transpose",
        functional.conv_transpose,
        "NC*",
        conv_kernel="OI*",
        groups="groups",
        sized={"output_size": ()},
        padding_modes=PADDING_MODES,
        beside=("layout", "kernel_layout"),
    ),
    Framework(
        "torch",
        torch,
        "torch.nn.functional.conv_transpose1d/2d/3d",
        torch.conv_transpose1d,
        "NC*",
        conv_kernel="OI*",
        groups="groups",
        packages=("torch",),
        live="torch.nn.functional.conv_transpose{rank}d",
        tensor="torch.from_numpy",
    ),
    _JAX,
    _transposed(_JAX),
    _FLAX,
    _transposed(_FLAX),
    Framework(
        "haiku",
        haiku,
        "haiku.ConvNDTranspose",
        haiku.conv_transpose,
        "N*C",
        conv_kernel="*IO",
        dilation="",
        sized={"output_shape": ()},
        beside=("data_format",),
        packages=("haiku", "jax"),
    ),
    Framework(
        "equinox",
        equinox,
        "equinox.nn.ConvTranspose",
        equinox.conv_transpose,
        "C*",
        conv_kernel="OI*",
        groups="groups",
        padding_modes=("zeros", "circular"),
        packages=("equinox", "jax"),
    ),
    Framework(
        "keras",
        keras,
        "keras.ops.conv_transpose",
        keras.conv_transpose,
        "N*C",
        conv_kernel="*IO",
        depthwise_kernel="*CM",
        stride="strides",
        dilation="dilation_rate",
        beside=("data_format",),
        packages=("keras",),
        live="keras.ops.conv_transpose",
        tensor="keras.ops.convert_to_tensor",
    ),
    Framework(
        "tensorflow",
        tensorflow,
        "tf.nn.conv_transpose",
        tensorflow.conv_transpose,
        "N*C",
        conv_kernel="*IO",
        depthwise_kernel="*CM",
        groups="by shape",
        stride="strides",
        dilation="dilations",
        sized={"output_shape": ()},
        defaults={"strides": 1},
        packages=("tensorflow",),
    ),
    Framework(
        "onnx",
        onnx,
        "ConvTranspose",
        onnx.ConvTranspose,
        "NC*",
        conv_kernel="OI*",
        groups="group",
        stride="strides",
        dilation="dilations",
        sized={"output_shape": ()},
        packages=("onnx", "onnxruntime"),
    ),
    Framework(
        "tinygrad",
        tinygrad,
        "Tensor.conv_transpose2d",
        tinygrad.conv_transpose2d,
        "NC*",
        conv_kernel="OI*",
        groups="groups",
        packages=("tinygrad",),
        live="tinygrad.Tensor.conv_transpose2d",
        tensor="tinygrad.Tensor",
    ),
    Framework(
        "mlx",
        mlx,
        "mlx.core.conv_transpose1d/2d/3d",
        mlx.conv_transpose1d,
        "N*C",
        conv_kernel="O*I",
        groups="groups",
        packages=("mlx",),
    ),
    Framework(
        "matlab",
        matlab,
        "convmtx2",
        matlab.convmtx2,
        "*",
        stride="",
        dilation="",
        sized={"m": (), "n": ()},
    ),
)

FRAMEWORKS: dict[str, Framework] = {row.name: row for row in _ROWS}
