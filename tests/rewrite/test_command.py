"""The command that rewrites a file with an ONNX model."""

import numpy as np
import pytest

from mtconv.cli.main import main

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

KERNEL = np.arange(1, 65, dtype="float32").reshape(2, 2, 4, 4)
X = np.arange(18, dtype="float32").reshape(1, 2, 3, 3)


@pytest.fixture
def source(tmp_path):
    """Write a model of one node."""
    path = tmp_path / "model.onnx"
    onnx.save(model_of(strides=[2, 2]), path)
    return path


def model_of(operator="ConvTranspose", **attributes):
    node = helper.make_node(operator, ["x", "w"], ["y"], name="up", **attributes)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 2, 3, 3]), ("y", [None] * 4))
    ]
    stored = [numpy_helper.from_array(KERNEL, "w")]
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:], stored)
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def result_of(path):
    return runtime.InferenceSession(path.read_bytes()).run(None, {"x": X})[0]


def refused(capsys, *words):
    """Run the command; return what it says."""
    status = main(["rewrite", *map(str, words)])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    return err.removeprefix("mtconv rewrite: error: ").rstrip("\n")


def test_the_command(source, tmp_path, capsys):
    target = tmp_path / "out.onnx"
    assert main(["rewrite", str(source), str(target), "--as", "conv-shuffle"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["node", "kernel", "kernel", "of", "the", "Conv", "shuffle"]
    assert "(8, 2, 2, 2)" in lines[-1]
    assert "ConvTranspose" not in {node.op_type for node in onnx.load(target).graph.node}
    np.testing.assert_array_equal(result_of(target), result_of(source))


def test_weights_in_a_file_of_their_own(tmp_path):
    source, target = tmp_path / "model.onnx", tmp_path / "out.onnx"
    parts = {"location": "w.bin", "size_threshold": 0}
    onnx.save(model_of(strides=[2, 2]), source, save_as_external_data=True, **parts)
    assert main(["rewrite", str(source), str(target)]) == 0
    onnx.save(model_of(strides=[2, 2]), source)
    np.testing.assert_array_equal(result_of(target), result_of(source))


@pytest.mark.parametrize("kind", ["name", "dots", "symlink", "hard link", "from a symlink"])
def test_the_source_is_never_written_over(source, tmp_path, capsys, kind):
    before, other = source.read_bytes(), tmp_path / "other.onnx"
    target = other
    if kind == "name":
        target = source
    elif kind == "dots":
        target = tmp_path / ".." / tmp_path.name / "model.onnx"
    elif kind == "hard link":
        other.hardlink_to(source)
    else:
        other.symlink_to(source)
    if kind == "from a symlink":
        source, target = target, source
    assert refused(capsys, source, target) == (
        f"TARGET must be another file than the source; got {target}. Write to a new file."
    )
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["out.json", "out.textproto", "out.onnxtxt", "out", ".onnx"]
)
def test_targets_with_other_endings(source, tmp_path, capsys, name):
    target = tmp_path / name
    assert refused(capsys, source, target) == f"TARGET must end in .onnx; got {target}."
    assert not target.exists()


@pytest.mark.parametrize("name", ["a.json", "a.textproto", "a.onnxtxt", "a.onnx", "a"])
@pytest.mark.parametrize("content", [b"{}", b"no model", b"ir_version: 8", b"\xff\xfe"])
def test_sources_that_are_no_models(tmp_path, capsys, name, content):
    source, target = tmp_path / name, tmp_path / "out.onnx"
    source.write_bytes(content)
    text = refused(capsys, source, target)
    assert text.startswith(f"SOURCE must be an ONNX model; got {source}: ")
    assert not target.exists()


def test_a_source_that_is_no_valid_model(tmp_path, capsys):
    source, target = tmp_path / "empty.onnx", tmp_path / "out.onnx"
    source.write_bytes(b"")
    text = refused(capsys, source, target)
    assert text.startswith(f"SOURCE must be a valid ONNX model; got {source}: ")
    onnx.save(
        model_of(), source, save_as_external_data=True, location="w", size_threshold=0
    )
    (tmp_path / "w").unlink()
    text = refused(capsys, source, target)
    assert text.startswith(f"SOURCE must be a valid ONNX model; got {source}: Data of ")
    assert refused(capsys, tmp_path, target) == f"{tmp_path}: Is a directory"


def test_messages_speak_of_attributes(tmp_path, capsys):
    source, target = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(model_of(output_padding=[1]), source)
    assert refused(capsys, source, target) == (
        "node 'up': output_padding must be one value or one per spatial axis ('H', 'W'); "
        "got (1,), of length 1. Write one integer, or 2 in a tuple."
    )


def test_a_model_without_such_nodes_is_copied(tmp_path, capsys):
    source, target = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(model_of("Conv"), source)
    assert main(["rewrite", str(source), str(target)]) == 0
    assert capsys.readouterr().out == f"{source} has no ConvTranspose; copied to {target}\n"
    assert target.read_bytes() == source.read_bytes()
