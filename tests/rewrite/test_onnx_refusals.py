"""ONNX models that are not rewritten, each with the true reason."""

import numpy as np
import pytest

from tests.rewrite.onnx_parts import (
    SMALL,
    graph_of,
    helper,
    integers,
    message_of,
    model_of,
    node,
    numpy_helper,
    onnx,
    rewrite_model,
    run,
    value,
)


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
    assert message_of(model) == f"{rule}which is nowhere in the model."
    values = numpy_helper.from_array(SMALL.reshape(-1), "w")
    places = numpy_helper.from_array(np.arange(4), "places")
    sparse = helper.make_sparse_tensor(values, places, [1, 1, 2, 2])
    model.graph.sparse_initializer.append(sparse)
    onnx.checker.check_model(model)
    assert message_of(model) == (
        f"{rule}which is stored as a sparse tensor. Store it as a dense initializer."
    )


def test_nodes_without_input_or_kernel_are_refused():
    for inputs in (["x"], ["", "w"], ["x", ""]):
        up = helper.make_node("ConvTranspose", inputs, ["y"])
        graph = graph_of([up], [value("x", 1, 1, 2, 2)], {"w": SMALL})
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        assert message_of(model) == (
            "rewrite: `source` must have an input and a kernel for every ConvTranspose; "
            "got node 'y'."
        )


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
    "must have kernels with at least one spatial axis, and not empty; got node 'up' with "
    "a kernel of shape (2, 2).": ({}, (2, 2), None),
    "must have kernels with at least one spatial axis, and not empty; got node 'up' with "
    "a kernel of shape (1, 1, 0, 2).": ({}, (1, 1, 0, 2), None),
    "must have nodes whose strides are lists; got node 'up'.": (
        {"strides": 2},
        (1, 1, 2, 2),
        None,
    ),
    "must have biases with one value per output channel, 1; got node 'up' with a bias of "
    "shape (3,).": ({}, (1, 1, 2, 2), 3),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_before_work(words):
    options, shape, bias = REFUSED[words]
    arrays = {"w": integers(*shape)} | ({"b": integers(bias)} if bias else {})
    nodes = [node("ConvTranspose", "x", *arrays, "y", name="up", **options)]
    # The checker of onnx would refuse the last of them.
    graph = graph_of(nodes, [value("x", 1, 1, 2, 2)], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    assert message_of(model) == f"rewrite: `source` {words}"


def test_too_few_values_are_refused_where_sizes_are_not_known():
    nodes = [node("ConvTranspose", "x", "w", "y", name="up", dilations=[1])]
    model = model_of(nodes, [value("x", 1, 1, "H", "W")], {"w": SMALL})
    assert message_of(model) == (
        "node 'up': `dilations` must be one value or one per spatial axis ('H', 'W'); got "
        "(1,), of length 1. Write one integer, or 2 in a tuple."
    )
