"""What stands around the nodes of an ONNX model: sizes, inputs, functions and versions."""

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


def test_shapes_that_a_model_states_inside_are_not_believed():
    nodes = [
        node("ConvTranspose", "x", "w", "h", strides=[2, 2]),
        node("Mystery", "h", "h2", domain="own"),
        node("ConvTranspose", "h2", "w", "y", strides=[2, 2], output_shape=[7, 7]),
    ]
    model = model_of(nodes, [value("x", 1, 1, 2, 2)], {"w": SMALL})
    model.graph.value_info.append(value("h2", 1, 1, 9, 9))
    assert message_of(model) == (
        "rewrite: `source` must have known sizes where a node asks for an output_shape; "
        "got node 'y' with sizes that do not follow from the inputs. State the sizes of "
        "the model's inputs, or pads in place of output_shape."
    )


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


@pytest.mark.parametrize("word", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("shape", [[1, 1, 1], ["N", 1, "L"]])
def test_a_size_that_the_kernel_does_not_reach_is_refused(word, shape):
    one = np.ones((1, 1, 1), "float32")
    options = {"strides": [2], "auto_pad": word, "name": "up"}
    nodes = [node("ConvTranspose", "x", "w", "y", **options)]
    model = model_of(nodes, [value("x", *shape)], {"w": one}, rank=3)
    assert message_of(model) == (
        "rewrite: `source` must have nodes whose sizes are the same in the standard and in "
        f"onnxruntime; got node 'up' with auto_pad='{word}', where kernel and "
        "output_padding are shorter than the stride. State pads and output_padding in "
        "place of auto_pad."
    )
    options["output_padding"] = [1]
    nodes = [node("ConvTranspose", "x", "w", "y", **options)]
    model = model_of(nodes, [value("x", *shape)], {"w": one}, rank=3)
    expected = run(model, x=one)
    assert expected.shape == (1, 1, 2)
    rewrite_model(model)
    np.testing.assert_array_equal(run(model, x=one), expected)


@pytest.mark.parametrize("inside", [False, True])
def test_a_node_in_a_function_is_refused(inside):
    nodes = [node("ConvTranspose", "x", "w", "y", strides=[2, 2])]
    if inside:
        branch = helper.make_graph(
            [node("ConvTranspose", "x", "w", "z")], "branch", [], [value("z")]
        )
        nodes = [node("If", "flag", "y", then_branch=branch, else_branch=branch)]
    opsets = [helper.make_opsetid("", 13)]
    names = ["x", "w", "flag"]
    function = helper.make_function("own", "Up", names, ["y"], nodes, opsets)
    calls = [node("Up", *names, "y", domain="own")]
    arrays = {"w": SMALL, "flag": np.array(True)}
    inputs = [value("x", 1, 1, 2, 2)]
    model = model_of(calls, inputs, arrays, functions=[function])
    before = model.SerializeToString()
    assert message_of(model) == (
        "rewrite: `source` must have every ConvTranspose in a graph, and none in a "
        "function; got function 'Up'. Put it into the graph with "
        "onnx.inliner.inline_local_functions."
    )
    assert model.SerializeToString() == before
    inlined = pytest.importorskip("onnx.inliner").inline_local_functions(model)
    assert len(rewrite_model(inlined)) == 1 + inside


def test_a_kernel_that_a_caller_can_replace_is_no_constant():
    nodes = [node("ConvTranspose", "x", "w", "y", strides=[2, 2])]
    inputs = [value("x", 1, 1, 2, 2), value("w", 1, 1, 2, 2)]
    model = model_of(nodes, inputs, {"w": SMALL})
    assert message_of(model) == (
        "rewrite: `source` must have constant kernels and biases; got 'w' of node 'y', "
        "which is an input of the model with a default value, which a caller may "
        "replace. Remove it from the inputs of the graph."
    )


def test_a_kernel_that_is_no_constant_is_refused_for_its_true_reason():
    up = node("ConvTranspose", "x", "w", "y", strides=[2, 2])
    image, kernel = value("x", 1, 1, 2, 2), value("w", 1, 1, 2, 2)
    rule = "rewrite: `source` must have constant kernels and biases; got 'w' of node 'y', "
    assert message_of(model_of([up], [image, kernel], {})) == (
        f"{rule}which is an input of the model. Store it in the model as an initializer."
    )
    computed = [node("Identity", "v", "w"), up]
    assert message_of(model_of(computed, [image], {"v": SMALL})) == (
        f"{rule}which is computed by a node Identity. Fold constants beforehand, for "
        "example with onnxsim."
    )
    model = model_of([up], [image], {"w": SMALL})
    del model.graph.initializer[:]
    values = numpy_helper.from_array(SMALL.reshape(-1), "w")
    places = numpy_helper.from_array(np.arange(4), "places")
    sparse = helper.make_sparse_tensor(values, places, [1, 1, 2, 2])
    model.graph.sparse_initializer.append(sparse)
    onnx.checker.check_model(model)
    assert message_of(model) == (
        f"{rule}which is stored as a sparse tensor. Store it as a dense initializer."
    )


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


def test_what_could_change_a_node_or_its_weights_is_refused():
    up = node("ConvTranspose", "x", "w", "y")
    model = model_of([up], [value("x", 1, 1, 2, 2)], {"w": SMALL})
    model.training_info.add().initialization.name = "start"
    assert message_of(model) == (
        "rewrite: `source` must be a model for inference, whose weights do not change; got "
        "training_info. Remove training_info."
    )
    del model.training_info[:]
    opsets = [helper.make_opsetid("", 13)]
    nodes = [node("Neg", "x", "y")]
    own = helper.make_function("", "Relu", ["x"], ["y"], nodes, opsets)
    model.functions.append(own)
    assert message_of(model) == (
        "rewrite: `source` must not define operators of ONNX itself; got function "
        "'Relu'. Put it into the graph with onnx.inliner.inline_local_functions."
    )


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


# The three taps read offsets 0, 2**28 and 2**29 + 1, which no larger step than 1 reaches.
LONG = [1, 2**29 + 1]
REFUSED = {
    "must have nodes whose strides are at most 2147483647; got node 'up' with "
    "1099511627776.": (
        {"strides": [2**40, 1]},
        (1, 1, 2, 2),
        None,
    ),
    "must have nodes whose sizes are at most 2147483647; got node 'up' with 2147483649.": (
        {"dilations": [2**31 - 1, 1]},
        (1, 1, 2, 2),
        None,
    ),
    "must have nodes whose strides have a product of at most 65536; got node 'up' with "
    "strides (257, 256).": ({"strides": [257, 256]}, (1, 1, 2, 2), None),
    # Two phases of 2**29 + 2 taps of four bytes.
    "must have nodes whose rewritten kernels have less than 2 GiB; got node 'up', which "
    "would need 4294967312 bytes.": (
        {"strides": [1, 2], "dilations": LONG},
        (1, 1, 1, 3),
        None,
    ),
    "must have inputs with as many axes and channels as their kernels; got node 'up' with "
    "shapes (1, 1, 2, 2) and (2, 1, 1, 1).": ({}, (2, 1, 1, 1), None),
    "must have kernels with at least one spatial axis; got node 'up' with a kernel of "
    "shape (2, 2).": ({}, (2, 2), None),
    "must have biases with one value per output channel, 1; got node 'up' with a bias of "
    "shape (3,).": ({}, (1, 1, 2, 2), 3),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_before_work(words):
    options, shape, bias = REFUSED[words]
    arrays = {"w": integers(*shape)} | ({"b": integers(bias)} if bias else {})
    nodes = [node("ConvTranspose", "x", *arrays, "y", name="up", **options)]
    model = model_of(nodes, [value("x", 1, 1, 2, 2)], arrays)
    assert message_of(model) == f"rewrite: `source` {words}"


def test_too_few_values_are_refused_where_sizes_are_not_known():
    nodes = [node("ConvTranspose", "x", "w", "y", name="up", dilations=[1])]
    model = model_of(nodes, [value("x", 1, 1, "H", "W")], {"w": SMALL})
    assert message_of(model) == (
        "node 'up': `dilations` must be one value or one per spatial axis ('H', 'W'); got "
        "(1,), of length 1. Write one integer, or 2 in a tuple."
    )
