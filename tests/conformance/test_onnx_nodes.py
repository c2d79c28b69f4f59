"""The backend node tests that onnx itself has for ConvTranspose."""

import warnings

import numpy as np
import pytest
from onnx import helper

from mtconv.compat.onnx import ConvTranspose


def cases():
    """Load them; some of onnx's other node tests warn while they are made."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = load_model_tests(kind="node")
    return [case for case in every if case.name.startswith("test_convtranspose")]


CASES = cases()


def test_onnx_has_these_node_tests(record_property):
    assert len(CASES) >= 10
    record_property("cases", len(CASES))
    print(f"\nonnx: {len(CASES)} node tests of ConvTranspose")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_node_test_passes(case, backend):
    (node,) = case.model.graph.node
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert case.data_sets
    for inputs, (expected,) in case.data_sets:
        result = ConvTranspose(*inputs, **attributes, backend=backend)
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=case.rtol, atol=case.atol)
