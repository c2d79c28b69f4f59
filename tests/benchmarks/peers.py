"""The peers: torch and onnxruntime on the CPU, two threads each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from tests.benchmarks.harness import Layer

__all__ = ["THREADS", "ort_conv", "ort_transposed", "torch_conv", "torch_transposed"]

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
    extra = {"output_padding": layer.output_padding}
    return _ort("ConvTranspose", layer, x, kernel, layer.y_shape, extra, arena)


def ort_conv(layer: Layer, y: Any, kernel: Any, *, arena: bool = True) -> Run | None:
    """Return a call of onnxruntime's Conv of the big side; None where it has none."""
    shape = (layer.batch, layer.in_channels, *layer.conv_size)
    return _ort("Conv", layer, y, kernel, shape, {}, arena)


def _ort(
    name: str,
    layer: Layer,
    data: Any,
    kernel: Any,
    shape: tuple[int, ...],
    extra: dict[str, Any],
    arena: bool,
) -> Run | None:
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(layer.dtype))
    node = helper.make_node(
        name,
        ["data", "w"],
        ["result"],
        strides=layer.stride,
        pads=[*layer.padding, *layer.padding],
        dilations=layer.dilation,
        group=layer.groups,
        kernel_shape=layer.kernel_size,
        **extra,
    )
    graph = helper.make_graph(
        [node],
        layer.name,
        [helper.make_tensor_value_info("data", kind, data.shape)],
        [helper.make_tensor_value_info("result", kind, shape)],
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
        session.run(None, {"data": data})
    except Exception:  # the message differs by type and version: it has no such kernel
        return None
    return lambda: session.run(None, {"data": data})[0]
