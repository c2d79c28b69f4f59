"""ONNX models before and after the rewrite, in onnxruntime."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtconv import GeometryError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
rewrite_model = pytest.importorskip("mtconv.rewrite.onnx_graph").rewrite_model
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT


def model_of(kernel, bias, x_shape, *, opset=18, **attributes):
    """A model of one node, its input between two others."""
    rank = kernel.ndim - 2
    arrays = {"kernel": kernel, "bias": bias}
    stored = [numpy_helper.from_array(a, n) for n, a in arrays.items() if a is not None]
    nodes = [
        helper.make_node("Neg", ["x"], ["negative"]),
        helper.make_node(
            "ConvTranspose",
            ["negative", *(tensor.name for tensor in stored)],
            ["up"],
            name="up",
            **attributes,
        ),
        helper.make_node("Neg", ["up"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", FLOAT, [None] * (rank + 2))],
        stored,
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return model


def run(model, x):
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def kinds(graph):
    return {node.op_type for node in graph.node}


def check(model, x):
    expected = run(model, x)
    rows = rewrite_model(model)
    onnx.checker.check_model(model)
    assert "ConvTranspose" not in kinds(model.graph)
    got = run(model, x)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)
    return rows


@st.composite
def drawn_models(draw):
    rank = draw(st.integers(1, 3))
    most = {1: 5, 2: 3, 3: 2}[rank]

    def each(low, high):
        return [draw(st.integers(low, high)) for _ in range(rank)]

    strides, taps, dilations = each(1, 4 if rank == 1 else 3), each(1, most), each(1, 2)
    if draw(st.booleans()):
        strides = strides[:1] * rank
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, taps, strict=True)]
    extra = [draw(st.integers(0, s - 1)) for s in strides]
    space = each(2, 4)
    pads = [draw(st.integers(0, span)) for span in spans * 2]
    for a in range(rank):
        size = strides[a] * (space[a] - 1) + spans[a] - pads[a] - pads[rank + a] + extra[a]
        if size < 1:
            pads[a] = pads[rank + a] = 0
    groups, before, after = (draw(st.integers(1, 2)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    kernel = rng.integers(-4, 5, (groups * before, after, *taps)).astype("float32")
    bias = rng.integers(-4, 5, groups * after).astype("float32")
    x = rng.integers(-4, 5, (2, groups * before, *space)).astype("float32")
    attributes = {
        "strides": strides,
        "dilations": dilations,
        "pads": pads,
        "output_padding": extra,
        "group": groups,
    }
    known = draw(st.sampled_from(["sizes", "rank"]))
    shape = list(x.shape) if known == "sizes" else ["N", x.shape[1], *"DHW"[:rank]]
    chosen = bias if draw(st.booleans()) else None
    return model_of(kernel, chosen, shape, **attributes), x


@settings(max_examples=80)
@given(drawn_models())
def test_any_node_gives_equal_values(drawn):
    check(*drawn)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("shape", [[1, 2, 5], ["N", 2, "L"]])
def test_pads_by_a_word(auto_pad, shape):
    kernel = np.arange(1, 13, dtype="float32").reshape(2, 2, 3)
    model = model_of(kernel, None, shape, auto_pad=auto_pad, strides=[2])
    check(model, np.arange(10, dtype="float32").reshape(1, 2, 5))


def test_a_size_that_is_asked_for():
    kernel = np.arange(1, 7, dtype="float32").reshape(1, 2, 3)
    options = {"strides": [2], "output_shape": [9]}
    x = np.arange(4, dtype="float32").reshape(1, 1, 4)
    check(model_of(kernel, None, [1, 1, 4], **options), x)
    with pytest.raises(GeometryError) as error:
        rewrite_model(model_of(kernel, None, [1, 1, "L"], **options))
    assert str(error.value) == (
        "rewrite: `source` must have known sizes where a node asks for an output_shape; "
        "got node 'up' with sizes that do not follow from the inputs. State the sizes of "
        "the model's inputs, or pads in place of output_shape."
    )


def test_equal_strides_of_images_are_a_depth_to_space():
    kernel = np.arange(1, 65, dtype="float32").reshape(2, 2, 4, 4)
    x = np.arange(24, dtype="float32").reshape(1, 2, 3, 4)
    model = model_of(kernel, None, ["N", 2, "H", "W"], strides=[2, 2], pads=[1] * 4)
    rows = check(model, x)
    assert kinds(model.graph) == {"Neg", "Conv", "DepthToSpace"}
    assert rows == [("up", (2, 2, 4, 4), (8, 2, 3, 3), (2, 2))]
    assert {tensor.name for tensor in model.graph.initializer} == {"up/kernel"}


def test_the_oldest_opset():
    kernel = np.arange(1, 9, dtype="float32").reshape(1, 2, 4)
    x = np.arange(4, dtype="float32").reshape(1, 1, 4)
    check(model_of(kernel, None, [1, 1, 4], opset=11, strides=[3]), x)
    with pytest.raises(GeometryError) as error:
        rewrite_model(model_of(kernel, None, [1, 1, 4], opset=10, strides=[3]))
    assert str(error.value) == (
        "rewrite: `source` must be of opset 11 or later; got opset 10. Convert it with "
        "onnx.version_converter.convert_version."
    )


def test_a_node_inside_a_branch():
    inner = model_of(np.ones((1, 1, 3), "float32"), None, [1, 1, 4], strides=[2])
    constant = numpy_helper.from_array(np.arange(1, 4, dtype="float32"), "scale")
    branches = []
    for name in ("then_branch", "else_branch"):
        graph = onnx.GraphProto()
        graph.CopyFrom(inner.graph)
        graph.name = name
        del graph.input[:]
        for node in graph.node:
            node.output[0] = f"{name}_{node.output[0]}"
            if node.op_type != "Neg" or node.input[0] != "x":
                node.input[0] = f"{name}_{node.input[0]}"
        graph.output[0].name = f"{name}_y"
        branches.append(graph)
    both = dict(zip(("then_branch", "else_branch"), branches, strict=True))
    nodes = [helper.make_node("If", ["flag"], ["y"], **both)]
    graph = helper.make_graph(
        nodes,
        "outer",
        [helper.make_tensor_value_info("x", FLOAT, [1, 1, 4])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 1, None])],
        [numpy_helper.from_array(np.array(True), "flag"), constant],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    x = np.arange(4, dtype="float32").reshape(1, 1, 4)
    expected = run(model, x)
    assert len(rewrite_model(model)) == 2
    onnx.checker.check_model(model)
    for part in model.graph.node[0].attribute:
        assert "ConvTranspose" not in kinds(part.g)
    np.testing.assert_array_equal(run(model, x), expected)


def test_a_kernel_that_is_computed_is_refused_and_nothing_changes():
    model = model_of(np.ones((1, 1, 3), "float32"), None, [1, 1, 4])
    model.graph.node[1].input[1] = "negative"
    before = model.SerializeToString()
    with pytest.raises(GeometryError) as error:
        rewrite_model(model)
    assert str(error.value) == (
        "rewrite: `source` must have constant kernels and biases; got 'negative' of "
        "node 'up', which is computed by a node Neg. Fold constants beforehand, for "
        "example with onnxsim."
    )
    assert model.SerializeToString() == before


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_generator_that_torch_exported(dynamo, tmp_path):
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
    generator = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(6, 8, 4),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(8, 4, 4, 2, 1, groups=2),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(4, 1, 3, 3, output_padding=1, dilation=2),
    )
    rng = np.random.default_rng(0)
    for parameter in generator.parameters():
        values = rng.integers(-2, 3, tuple(parameter.shape))
        parameter.data = torch.tensor(values, dtype=torch.float32)
    x = torch.tensor(rng.integers(-2, 3, (1, 6, 2, 2)), dtype=torch.float32)
    path = tmp_path / "generator.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(generator, (x,), path, dynamo=dynamo)
    model = onnx.load(path)
    rows = check(model, x.numpy())
    assert len(rows) == 3
    np.testing.assert_array_equal(run(model, x.numpy()), generator(x).detach().numpy())
