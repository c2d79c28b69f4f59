"""The peers: torch and onnxruntime on the CPU, two threads each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from tests.benchmarks.harness import Layer

__all__ = ["THREADS", "ort_transposed", "torch_conv", "torch_transposed"]

THREADS = 2

Run = Callable[[], Any]


def torch_transposed(layer: Layer, x: Any, kernel: Any) -> Run:
    """Return a call of torch's transposed convolution on these arrays."""
    torch.set_num_threads(THREADS)
    function = getattr(torch.nn.functional, f"conv_transpose{len(layer.input_size)}d")
    return _bound(function, x, kernel, **layer.transposed_options)


def torch_conv(layer: Layer, y: Any, kernel: Any) -> Run:
    """Return a call of torch's convolution of the layer's big side."""
    torch.set_num_threads(THREADS)
    function = getattr(torch.nn.functional, f"conv{len(layer.input_size)}d")
    return _bound(function, y, kernel, **layer.options)


def _bound(function: Any, data: Any, kernel: Any, **options: Any) -> Run:
    tensors = torch.from_numpy(data), torch.from_numpy(kernel)

    @torch.inference_mode()
    def run() -> Any:
        return function(*tensors, **options)

    return run


def ort_transposed(layer: Layer, x: Any, kernel: Any, *, arena: bool = True) -> Run | None:
    """Return a call of onnxruntime's ConvTranspose; None where it has none.

    Without its arena it keeps no memory from call to call.
    """
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(layer.dtype))
    node = helper.make_node(
        "ConvTranspose",
        ["x", "w"],
        ["y"],
        strides=layer.stride,
        pads=[*layer.padding, *layer.padding],
        output_padding=layer.output_padding,
        dilations=layer.dilation,
        group=layer.groups,
        kernel_shape=layer.kernel_size,
    )
    graph = helper.make_graph(
        [node],
        layer.name,
        [helper.make_tensor_value_info("x", kind, layer.x_shape)],
        [helper.make_tensor_value_info("y", kind, layer.y_shape)],
        [onnx.numpy_helper.from_array(kernel, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        session.run(None, {"x": x})
    except Exception:  # the message differs by type and version: it has no such kernel
        return None
    return lambda: session.run(None, {"x": x})[0]
