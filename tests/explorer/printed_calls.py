"""Calls that the explorer prints, run with mtconv's own versions of the frameworks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

import mtconv
import mtconv.compat
from mtconv.compat import flax, jax, keras, onnx, tensorflow, torch

__all__ = ["run"]

# Frameworks whose data have their channels last.
LAST = ("jax", "flax", "keras", "tensorflow")


def run(form: str, framework: str, text: str, x: Any, kernel: Any) -> Any:
    """Run a printed call on channels-first data; the result is channels first too."""
    if form == "conv":
        return _run_conv(framework, text, x, kernel)
    if framework == "mtconv":
        return _evaluate(text, x, kernel)
    kernel = mtconv.compat.convert_kernel(kernel, "mtconv", framework)
    if framework in LAST:
        return np.moveaxis(_evaluate(text, np.moveaxis(x, 1, -1), kernel), -1, 1)
    return _evaluate(text, x, kernel)


def _run_conv(framework: str, text: str, x: Any, kernel: Any) -> Any:
    if framework not in ("flax", "keras", "tensorflow"):
        return _evaluate(text, x, kernel)
    # (O, I, *k) to (*k, I, O), which the stand-ins below undo.
    rank = kernel.ndim - 2
    kernel = kernel.transpose(*range(2, 2 + rank), 1, 0)
    return np.moveaxis(_evaluate(text, np.moveaxis(x, 1, -1), kernel), -1, 1)


def _evaluate(text: str, x: Any, kernel: Any) -> Any:
    """Evaluate a call with `x` and `kernel` in place of the frameworks' own functions."""

    def conv_last(y, w, **options):
        rank = w.ndim - 2
        w = w.transpose(rank + 1, rank, *range(rank))
        result = mtconv.conv(np.moveaxis(y, -1, 1), w, **options)
        return np.moveaxis(result, 1, -1)

    def flax_transposed(features, kernel_size, **options):
        assert features == kernel.shape[-1]
        assert kernel_size == kernel.shape[:-2]
        return flax.conv_transpose(x, kernel, **options)

    def flax_conv(features, kernel_size, strides, padding, kernel_dilation=1):
        assert features == kernel.shape[-1]
        assert kernel_size == kernel.shape[:-2]
        return conv_last(
            x, kernel, stride=strides, padding=padding, dilation=kernel_dilation
        )

    def lax_conv(y, w, window_strides, padding, rhs_dilation=1):
        return mtconv.conv(
            y, w, stride=window_strides, padding=padding, dilation=rhs_dilation
        )

    def keras_conv(y, w, strides, padding, dilation_rate=1):
        return conv_last(y, w, stride=strides, padding=padding, dilation=dilation_rate)

    def tf_conv(y, w, strides, padding, dilations=1):
        assert padding.isupper()
        return conv_last(y, w, stride=strides, padding=padding.lower(), dilation=dilations)

    def make_node(operator, inputs, outputs, **attributes):
        assert (inputs, outputs) == (["x", "kernel"], ["y"])
        if operator == "ConvTranspose":
            return onnx.ConvTranspose(x, kernel, **attributes)
        pads = attributes["pads"]
        rank = len(pads) // 2
        return mtconv.conv(
            x,
            kernel,
            stride=tuple(attributes["strides"]),
            padding=tuple(zip(pads[:rank], pads[rank:], strict=True)),
            dilation=tuple(attributes.get("dilations", (1,) * rank)),
        )

    transposed_lax = jax.conv_transpose
    names = {
        "x": x,
        "kernel": kernel,
        "mtconv": mtconv,
        "torch": SimpleNamespace(nn=SimpleNamespace(functional=torch)),
        "jax": SimpleNamespace(
            lax=SimpleNamespace(
                conv_transpose=transposed_lax, conv_general_dilated=lax_conv
            )
        ),
        "flax": SimpleNamespace(
            linen=SimpleNamespace(ConvTranspose=flax_transposed, Conv=flax_conv)
        ),
        "keras": SimpleNamespace(
            ops=SimpleNamespace(conv_transpose=keras.conv_transpose, conv=keras_conv)
        ),
        "tf": SimpleNamespace(
            nn=SimpleNamespace(
                conv_transpose=tensorflow.conv_transpose, convolution=tf_conv
            )
        ),
        "onnx": SimpleNamespace(helper=SimpleNamespace(make_node=make_node)),
    }
    return eval(text, names)
