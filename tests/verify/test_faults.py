"""What the page on verification says of other implementations, with numbers by hand.

If one of these fails, the implementation has changed: run tests/verify/implementers.py with
--write, and change the page's sentences and these cases.
"""

import numpy as np
import pytest

from mtconv.verify.onnx_files import write_node
from mtconv.verify.onnx_nodes import node_of
from tests.verify.plain import as_stablehlo_says
from tests.verify.sweep import RUNTIMES, outcome

ONE, TWO = [[[1]]], [[[1, 2]]]
PAIR = [[[1, 10]]]
PAIRS = [[[1, 10]], [[100, 1000]]]

# Runtime and its module, operator, X, W, attributes, the right result, and what is given:
# a result, a shape, or "refused".
NODES = [
    (
        *("OpenVINO", "openvino", "ConvTranspose", [[[1, 2], [3, 4]]], PAIRS),
        {"group": 2, "output_shape": [2]},
        *([[[12, 20], [3400, 4000]]], [[[1, 12], [300, 3400]]]),
    ),
    (
        *("OpenVINO", "openvino", "ConvTranspose", TWO, PAIR),
        {"output_shape": [2], "auto_pad": "SAME_UPPER"},
        *([[[1, 12]]], [[[12, 20]]]),
    ),
    (
        *("TVM", "tvm", "ConvTranspose", TWO, PAIR),
        {"output_shape": [2]},
        *([[[12, 20]]], [[[1, 12, 20]]]),
    ),
    (
        *("onnxruntime", "onnxruntime", "Conv", TWO, ONE),
        {"auto_pad": "SAME_UPPER", "dilations": [2]},
        *(TWO, "refused"),
    ),
    (
        *("onnx's reference evaluator", "onnx", "ConvTranspose"),
        *([[[1], [2]]], [[[1], [10]], [[100], [1000]]], {"group": 2}),
        *([[[1], [10], [200], [2000]]], "refused"),
    ),
    (
        *("onnx's reference evaluator", "onnx", "ConvTranspose"),
        *([[[1], [2], [3], [4]]], [[[1]], [[10]], [[100]], [[1000]]], {"group": 2}),
        *([[[21], [4300]]], "refused"),
    ),
    (
        *("onnx's reference evaluator", "onnx", "ConvTranspose", TWO, PAIR),
        {"output_shape": [2]},
        *([[[12, 20]]], "refused"),
    ),
    (
        *("onnx's reference evaluator", "onnx", "ConvTranspose", ONE, ONE),
        {"output_shape": [1], "output_padding": [1], "strides": [2]},
        *([[[0]]], [[[1]]]),
    ),
    (
        *("onnx's shape inference", "onnx", "ConvTranspose", ONE, PAIR),
        {"auto_pad": "SAME_UPPER", "strides": [2], "output_padding": [1]},
        *([[[1, 10]]], (1, 1, 3)),
    ),
    (
        *("onnx's shape inference", "onnx", "ConvTranspose", TWO, ONE),
        {"output_shape": [1]},
        *([[[2]]], (1, 1)),
    ),
    (
        *("IREE from ONNX", "iree.compiler", "ConvTranspose", TWO, PAIR),
        {"pads": [1, 0]},
        *([[[12, 20]]], "refused"),
    ),
]


@pytest.mark.parametrize(
    ("runtime", "module", "operator", "x", "w", "attributes", "right", "wrong"), NODES
)
def test_nodes(runtime, module, operator, x, w, attributes, right, wrong, tmp_path):
    pytest.importorskip(module)
    onnx = pytest.importorskip("onnx")
    arrays = np.array(x, float), np.array(w, float)
    node = node_of("fault", operator, arrays, attributes)
    np.testing.assert_array_equal(node.result(), right)
    folder = tmp_path / "node" / operator.lower()
    write_node(onnx, folder, node)
    check(RUNTIMES[runtime].run, folder, wrong)


MODULE = """\
module {{
  func.func @case() -> tensor<{result}xi32> {{
    %lhs = stablehlo.constant dense<{lhs}> : tensor<{left}xi32>
    %rhs = stablehlo.constant dense<{rhs}> : tensor<{right}xi32>
    %0 = stablehlo.convolution(%lhs, %rhs)
      dim_numbers = [b, f, 0]x[i, o, 0]->[b, f, 0],
      window = {{stride = [{stride}], pad = {pad}, lhs_dilate = [1], rhs_dilate = [1], \
reverse = [{reverse}]}}
      {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}
      : (tensor<{left}xi32>, tensor<{right}xi32>) -> tensor<{result}xi32>
    return %0 : tensor<{result}xi32>
  }}
  func.func @main() {{
    %0 = func.call @case() : () -> tensor<{result}xi32>
    check.expect_eq_const %0, dense<{expected}> : tensor<{result}xi32>
    return
  }}
}}
"""

# Runtime and its module, both sides, stride, pad, whether the kernel is reversed, groups,
# the right result, and what is given.
MODULES = [
    (
        *("IREE", "iree.compiler", [[[1], [2]]], [[[1, 10], [100, 1000]]], 1, [[1, 1]]),
        *(True, 2, [[[1, 10], [200, 2000]]], [[[10, 1], [2000, 200]]]),
    ),
    (
        *("IREE", "iree.compiler", TWO, PAIR, 2, [[0, 1]]),
        *(False, 1, [[[21]]], "refused"),
    ),
    (
        *("XLA by jax", "jax", TWO, PAIR, 1, [[0, 0]]),
        *(True, 1, [[[12]]], [[[21]]]),
    ),
]


@pytest.mark.parametrize(
    (
        *("runtime", "module", "lhs", "rhs", "stride", "pad", "reverse", "groups"),
        *("right", "wrong"),
    ),
    MODULES,
)
def test_modules(
    runtime, module, lhs, rhs, stride, pad, reverse, groups, right, wrong, tmp_path
):
    pytest.importorskip(module)
    types = ("x".join(map(str, np.shape(array))) for array in (lhs, rhs, right))
    text = MODULE.format(
        **dict(zip(("left", "right", "result"), types, strict=True)),
        lhs=lhs,
        rhs=rhs,
        stride=stride,
        pad=pad,
        reverse=str(reverse).lower(),
        groups=groups,
        expected=right,
    )
    result, expected = as_stablehlo_says(text)
    np.testing.assert_array_equal(result, right)
    np.testing.assert_array_equal(expected, right)
    path = tmp_path / "fault.mlir"
    path.write_text(text)
    check(RUNTIMES[runtime].run, path, wrong)


def check(run, path, wrong):
    """Compare what a runtime does with what is said of it."""
    if wrong == "refused":
        assert outcome(run, path)[0] == "refused"
        return
    result = run(path)
    if isinstance(result, tuple):
        assert result == wrong
    else:
        np.testing.assert_array_equal(result, wrong)
