"""The core set in runtimes that are often installed: their values, or a known fault."""

import re
from importlib import import_module

import numpy as np
import pytest

from mtconv.verify import export_conformance
from mtconv.verify.core import core_cases
from tests.verify.runtimes import (
    by_onnxruntime,
    by_reference_evaluator,
    by_xla,
    onnx_arrays,
    stablehlo_parts,
)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    pytest.importorskip("onnx")
    return export_conformance(tmp_path_factory.mktemp("core"), format="onnx")


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    return export_conformance(tmp_path_factory.mktemp("core"), format="stablehlo")


def has_wide_groups(case):
    """Return whether there are groups of several inputs or outputs."""
    inputs, outputs = case.kernel.shape[:2]
    groups = case.options["groups"]
    return groups > 1 and (inputs > groups or outputs > 1)


# The values of all these are those of plain loops, which test_exports.py shows by three
# implementations. The evaluator of onnx 1.23 cannot do groups of several outputs, nor an
# output_shape without SAME; onnxruntime has no dilation with SAME.
FAULTS = {
    "onnxruntime": {"conv_auto_pad_same_dilated: InvalidArgument"},
    "onnx.reference": {
        f"convtranspose_{name}: ValueError"
        for name in (
            *(core.name for core in core_cases() if has_wide_groups(core.case)),
            *("output_shape", "output_shape_2d", "output_shape_output_padding"),
        )
    },
}
RUNTIMES = {"onnxruntime": by_onnxruntime, "onnx.reference": by_reference_evaluator}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_onnx_runtimes(nodes, runtime):
    pytest.importorskip(runtime)
    wrong = set()
    for folder in sorted((nodes / "node").iterdir()):
        expected = onnx_arrays(folder)[1]
        try:
            result = RUNTIMES[runtime](folder)
        except Exception as error:
            wrong.add(f"{folder.name}: {type(error).__name__}")
            continue
        if result.shape != expected.shape or (result != expected).any():
            wrong.add(folder.name)
    assert wrong == FAULTS[runtime]


def test_how_many_problems_have_wide_groups():
    """The page says so."""
    assert sum(has_wide_groups(core.case) for core in core_cases()) == 13


def test_models_are_legal_and_have_their_shapes(nodes):
    """The shape inference of onnx 1.23 adds output_padding to the size of SAME."""
    onnx = pytest.importorskip("onnx")
    wrong = {}
    for folder in sorted((nodes / "node").iterdir()):
        model = onnx.load(folder / "model.onnx")
        onnx.checker.check_model(model)
        try:
            onnx.checker.check_model(model, full_check=True)
        except onnx.shape_inference.InferenceError as error:
            wrong[folder.name] = str(error).strip()[-34:]
    assert wrong == {
        "convtranspose_auto_pad_same_output_padding": "differ in dimension 2: (11) vs (9)"
    }


def test_onnxruntime_refuses_what_is_no_node(nodes):
    pytest.importorskip("onnxruntime")
    folders = sorted((nodes / "refused").iterdir())
    assert len(folders) == 14
    for folder in folders:
        assert onnx_arrays(folder)[1] is None
        with pytest.raises(Exception, match=r"(?i)conv|shape|group|bias"):
            by_onnxruntime(folder)


@pytest.fixture
def xla():
    jax = pytest.importorskip("jax")
    parts = {
        "jax._src.interpreters.mlir": "module_to_bytecode",
        "jax._src.lib": "xla_client",
        "jaxlib.mlir.ir": "Module",
    }
    try:
        ready = all(hasattr(import_module(name), part) for name, part in parts.items())
    except ImportError:
        ready = False
    if not ready:
        pytest.skip(f"jax {jax.__version__} keeps its compiler elsewhere")
    return by_xla


def test_stablehlo_modules_give_their_values_when_jax_compiles_them(modules, xla):
    paths = sorted(modules.glob("*.mlir"))
    assert len(paths) == sum(1 if core.special else 3 for core in core_cases())
    wrong = [path.stem for path in paths if (xla(path) != stablehlo_parts(path)[1]).any()]
    # XLA makes a sum of products of a convolution with one channel and one position, and
    # loses `reverse`; test_faults.py has it with numbers by hand.
    assert wrong in ([], ["one_position_conv_transpose"])


def test_jax_refuses_what_is_no_module(modules, xla):
    paths = sorted((modules / "refused").iterdir())
    assert len(paths) == 6
    for path in paths:
        with pytest.raises(Exception, match=r"expects|inferred shape"):
            xla(path)


def test_random_nodes_of_onnx_are_legal_and_every_attribute_is_among_them(tmp_path):
    onnx = pytest.importorskip("onnx")
    root = export_conformance(tmp_path, 150, "onnx", seed=3)
    written = {"ConvTranspose": set(), "Conv": set()}
    words = {"ConvTranspose": set(), "Conv": set()}
    for folder in (root / "node").iterdir():
        model = onnx.load(folder / "model.onnx")
        onnx.checker.check_model(model)
        (node,) = model.graph.node
        for attribute in node.attribute:
            written[node.op_type].add(attribute.name)
            if attribute.name == "auto_pad":
                words[node.op_type].add(attribute.s)
    for operator, names in written.items():
        every = set(onnx.defs.get_schema(operator, 11).attributes)
        assert names == every, operator
        assert words[operator] >= {b"SAME_UPPER", b"SAME_LOWER", b"VALID"}
    assert len(list((root / "refused").iterdir())) >= 5


def test_random_modules_give_their_values_and_every_form_is_among_them(tmp_path, xla):
    root = export_conformance(tmp_path, 40, "stablehlo", seed=3)
    paths = sorted(root.glob("*.mlir"))
    for path in paths:
        np.testing.assert_array_equal(xla(path), stablehlo_parts(path)[1], path.name)
    text = "".join(path.read_text() for path in paths)
    for form in ("transposed convolution", "the adjoint", "gradient by the kernel"):
        assert form in text
    for pattern in (
        *(r"pad = \[.*-\d", r"lhs_dilate = \[.*[2-9]", r"rhs_dilate = \[.*[2-9]"),
        *(r"reverse = \[.*true", r"reverse = \[.*false", r"stride = \[.*[2-9]"),
        *("batch_group_count = [23]", "feature_group_count = [23]", r"numbers = \[f, 0, b"),
    ):
        assert re.search(pattern, text), pattern
    refused = list((root / "refused").iterdir())
    assert len(refused) >= 3
    for path in refused:
        with pytest.raises(Exception, match=r"expects|inferred shape"):
            xla(path)
