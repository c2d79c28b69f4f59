"""What stands around the nodes of an ONNX model: sizes, inputs, functions and versions."""

import numpy as np
import pytest

from tests.rewrite.onnx_parts import (
    SMALL,
    helper,
    integers,
    model_of,
    node,
    numpy_helper,
    onnx,
    rewrite_model,
    run,
    value,
)

KEEPS = {"auto_pad": "SAME_UPPER", "output_padding": [1, 1]}


def test_sizes_after_a_node_whose_shape_onnx_infers_wrongly():
    nodes = [
        node("ConvTranspose", "x", "w", "h", strides=[2, 2], **KEEPS),
        node("ConvTranspose", "h", "w", "y", strides=[2, 2], output_shape=[3, 3]),
    ]
    model = model_of(nodes, [value("x", 1, 1, 1, 1)], {"w": SMALL})
    x = np.ones((1, 1, 1, 1), "float32")
    expected = [[[[4, 6, 8], [6, 4, 8], [12, 12, 16]]]]
    assert run(model, x=x).tolist() == expected
    assert len(rewrite_model(model)) == 2
    assert run(model, x=x).tolist() == expected


FOLLOWED = {
    "after nothing": [],
    "after elements": [node("Relu", "h0", "h1"), node("Add", "h1", "row", "h")],
    "after a convolution": [
        node("Conv", "h0", "k", "h", strides=[1, 2], pads=[1, 0, 2, 1], dilations=[2, 1])
    ],
    "after SAME": [node("Conv", "h0", "k", "h", strides=[1, 2], auto_pad="SAME_LOWER")],
    "after VALID": [node("Conv", "h0", "k", "h", auto_pad="VALID")],
    "after a pool": [node("MaxPool", "h0", "h", kernel_shape=[2, 1], strides=[2, 1])],
    "after a reshape": [node("Reshape", "h0", "shape", "h")],
    "after a join": [node("Concat", "h0", "h0", "h", axis=-1)],
}


@pytest.mark.parametrize("case", FOLLOWED)
@pytest.mark.parametrize("extra", [0, 1])
def test_sizes_are_followed_through_other_nodes(case, extra):
    """The crop at the low end depends on the size: a wrong one gives other values."""
    nodes = FOLLOWED[case]
    first = "h0" if nodes else "h"
    options = {"strides": [2, 3], "output_padding": [extra, 2 * extra]}
    x = integers(2, 1, 3, 4)
    arrays = {
        "w": integers(1, 1, 3, 3),
        "k": integers(1, 1, 2, 3),
        "row": integers(1, 1),
        "shape": np.array([0, 1, -1, 2]),
    }
    # The height and width of a plain second node, less three.
    plain = [
        node("ConvTranspose", "x", "w", first, **options),
        *nodes,
        node("ConvTranspose", "h", "w", "y", strides=[2, 3]),
    ]
    inputs = [value("x", "N", 1, 3, 4)]
    used = {name for part in plain for name in part.input}
    arrays = {name: array for name, array in arrays.items() if name in used}
    height, width = run(model_of(plain, inputs, arrays), x=x).shape[2:]
    asked = {"strides": [2, 3], "output_shape": [height - 3, width - 3]}
    if case == "after a reshape":
        inputs = [value("x", 2, 1, 3, 4)]
    nodes = [*plain[:-1], node("ConvTranspose", "h", "w", "y", **asked)]
    model = model_of(nodes, inputs, arrays)
    expected = run(model, x=x)
    assert len(rewrite_model(model)) == 2
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(run(model, x=x), expected)


def test_constants_in_nodes():
    """A `Constant` node may have a tensor, or for a bias a list of numbers."""
    nodes = [
        node("Constant", "w", value=numpy_helper.from_array(SMALL)),
        node("Constant", "b", value_floats=[5.0]),
        node("ConvTranspose", "x", "w", "b", "y", strides=[2, 2]),
    ]
    model = model_of(nodes, [value("x", 1, 1, 1, 1)], {})
    assert rewrite_model(model) == [("y", (1, 1, 2, 2), (4, 1, 1, 1), (2, 2))]
    assert [item.op_type for item in model.graph.node] == ["Conv", "DepthToSpace"]
    x = np.ones((1, 1, 1, 1), "float32")
    assert run(model, x=x).tolist() == [[[[6, 7], [8, 9]]]]


def test_a_model_without_such_nodes_stays_as_it_is():
    nodes = [node("Mul", "x", "factor", "y")]
    inputs = [value("x", 1, 1, 2, 2), value("factor", 1)]
    model = model_of(nodes, inputs, {"factor": integers(1)}, ir_version=3, opset=11)
    before = model.SerializeToString()
    assert rewrite_model(model) == []
    assert model.SerializeToString() == before


def test_other_inputs_and_initializers_stay():
    nodes = [node("ConvTranspose", "x", "w", "y", strides=[2, 2])]
    inputs = [value("x", 1, 1, 2, 2), value("unused", 3)]
    arrays = {"w": SMALL, "unused": integers(3), "also_unused": integers(2)}
    model = model_of(nodes, inputs, arrays)
    rewrite_model(model)
    assert [item.name for item in model.graph.input] == ["x", "unused"]
    names = {tensor.name for tensor in model.graph.initializer}
    assert {"unused", "also_unused"} <= names
    assert "w" not in names


def test_the_oldest_version_lists_its_weights_as_inputs():
    nodes = [
        node("ConvTranspose", "x", "w", "h", strides=[2, 2]),
        node("Mul", "h", "factor", "y"),
    ]
    inputs = [value("x", 1, 1, 2, 2), value("w", 1, 1, 2, 2), value("factor", 1)]
    arrays = {"w": SMALL, "factor": integers(1) + 2}
    model = model_of(nodes, inputs, arrays, ir_version=3, opset=11)
    x = integers(1, 1, 2, 2)
    expected = run(model, x=x)
    rewrite_model(model)
    onnx.checker.check_model(model)
    assert model.ir_version == 4
    assert [item.name for item in model.graph.input] == ["x", "factor"]
    np.testing.assert_array_equal(run(model, x=x), expected)


@pytest.mark.parametrize("strides", [[2], [2, 2], [2, 3], [2, 1, 3]])
@pytest.mark.parametrize("batch", [0, 2])
def test_sizes_that_are_not_known_with_an_empty_batch(strides, batch):
    rank = len(strides)
    nodes = [node("ConvTranspose", "x", "w", "y", strides=strides)]
    inputs = [value("x", "N", 1, *"DHW"[:rank])]
    arrays = {"w": integers(1, 2, *(3,) * rank)}
    model = model_of(nodes, inputs, arrays, rank=rank + 2)
    x = integers(batch, 1, *(2, 3, 4)[:rank])
    expected = run(model, x=x)
    rewrite_model(model)
    result = run(model, x=x)
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result, expected)


def test_constants_stay_in_their_graph():
    """The branch comes after a node of the outer graph, whose constants are not its own."""
    branch = helper.make_graph(
        [node("ConvTranspose", "h", "w", "z", strides=[2, 1])], "branch", [], [value("z")]
    )
    for part in branch.output:
        part.type.tensor_type.ClearField("shape")
    nodes = [
        node("ConvTranspose", "x", "w", "h", strides=[1, 2]),
        node("If", "flag", "y", then_branch=branch, else_branch=branch),
    ]
    arrays = {"w": SMALL, "flag": np.array(True)}
    model = model_of(nodes, [value("x", 1, 1, 2, 2)], arrays)
    x = integers(1, 1, 2, 2)
    expected = run(model, x=x)
    assert len(rewrite_model(model)) == 3
    np.testing.assert_array_equal(run(model, x=x), expected)
