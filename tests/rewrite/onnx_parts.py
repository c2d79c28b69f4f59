"""Models of a few nodes, made from names and arrays, and their results in onnxruntime."""

import numpy as np
import pytest

from mtconv import GeometryError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
rewrite_model = pytest.importorskip("mtconv.rewrite.onnx_graph").rewrite_model
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT


def node(kind, *words, **attributes):
    """Make a node from the names of its inputs, and then that of its output."""
    return helper.make_node(kind, list(words[:-1]), [words[-1]], **attributes)


def value(name, *shape):
    return helper.make_tensor_value_info(name, FLOAT, shape)


def graph_of(nodes, inputs, arrays, rank=4):
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    return helper.make_graph(nodes, "graph", inputs, [value("y", *[None] * rank)], stored)


def model_of(*parts, ir_version=8, opset=13, rank=4, **more_parts):
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    model = helper.make_model(
        graph_of(*parts, rank=rank),
        opset_imports=opsets,
        ir_version=ir_version,
        **more_parts,
    )
    onnx.checker.check_model(model)
    return model


def run(model, **arrays):
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, arrays)[0]


def integers(*shape):
    return (np.arange(np.prod(shape)) % 7 + 1).astype("float32").reshape(shape)


def message_of(model):
    with pytest.raises(GeometryError) as error:
        rewrite_model(model)
    return str(error.value)


SMALL = integers(1, 1, 2, 2)
