"""ONNX node tests: a folder for each node, as the ONNX backend tests have them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.verify.folders import refuse_other_files
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
    refuse_other_files(
        root, (name for node in _nodes(cases, seed) for name in _files(node))
    )
    for node in _nodes(cases, seed):
        write_node(onnx, root / _place(node), node)
    return root


def _nodes(cases: int | None, seed: int) -> Iterable[Node]:
    return core_nodes() if cases is None else islice(random_nodes(seed), cases)


def _place(node: Node) -> str:
    """Return the folder of a node, below that of all."""
    return f"{'refused' if node.options is None else 'node'}/{node.name}"


def _files(node: Node) -> Iterator[str]:
    """Yield the names of the files of a node."""
    place = _place(node)
    yield f"{place}/model.onnx"
    for number in range(len(node.arrays)):
        yield f"{place}/test_data_set_0/input_{number}.pb"
    if node.options is not None:
        yield f"{place}/test_data_set_0/output_0.pb"


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
