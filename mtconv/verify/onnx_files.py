"""ONNX node tests: a folder for each node, as the ONNX backend tests have them."""

from __future__ import annotations

import importlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.verify.onnx_nodes import Node, core_nodes
from mtconv.verify.onnx_random import random_nodes

__all__ = ["export_onnx", "write_node"]

# What every runtime reads: neither operator has changed its meaning since.
_OPSET, _IR = 11, 8


def export_onnx(folder: Path, cases: int | None = None, seed: int = 0) -> Path:
    """Write the core set, or random nodes, and return the folder; needs the package onnx.

    Nodes that have to be refused are in a folder of their own, and have no output.
    """
    onnx = _onnx()
    root = folder / "onnx"
    nodes = core_nodes() if cases is None else islice(random_nodes(seed), cases)
    for node in nodes:
        kind = "refused" if node.options is None else "node"
        write_node(onnx, root / kind / node.name, node)
    return root


def write_node(onnx: Any, folder: Path, node: Node) -> None:
    """Write a folder with the model, the inputs and, if there is one, the output."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names, result = ["X", "W", "B"][: len(node.arrays)], node.result()
    inputs = [
        helper.make_tensor_value_info(name, kind, list(array.shape))
        for name, array in zip(names, node.arrays, strict=True)
    ]
    shape = None if result is None else list(result.shape)
    output = helper.make_tensor_value_info("Y", kind, shape)
    operation = helper.make_node(node.operator, names, ["Y"], **node.attributes)
    graph = helper.make_graph([operation], folder.name, inputs, [output])
    imports = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=_IR)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    _save(folder / "model.onnx", model)
    for number, (name, array) in enumerate(zip(names, node.arrays, strict=True)):
        _save(data / f"input_{number}.pb", _tensor(onnx, array, name))
    if result is not None:
        _save(data / "output_0.pb", _tensor(onnx, result, "Y"))


def _tensor(onnx: Any, array: NDArray[Any], name: str) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(array, np.float32), name)


def _save(path: Path, message: Any) -> None:
    path.write_bytes(message.SerializeToString(deterministic=True))


def _onnx() -> Any:
    try:
        onnx = importlib.import_module("onnx")
        importlib.import_module("onnx.helper")
        importlib.import_module("onnx.numpy_helper")
    except ImportError:
        msg = "ONNX files need the package onnx. Install it with: pip install onnx"
        raise ImportError(msg) from None
    return onnx
