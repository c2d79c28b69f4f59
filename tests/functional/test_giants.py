"""Strides, dilations and sizes far beyond their kernel cost what the kernel does."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mtconv
from mtconv.explaining.explain import explain

MILLION, BILLION = 10**6, 10**9


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct", "fft"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_transposed_convolutions_leave_holes(algorithm, dilation):
    x, kernel = np.array([[[1.0, 2]]]), np.array([[[1.0, 10, 100]]])
    options = {"stride": MILLION, "dilation": dilation, "algorithm": algorithm}
    y = mtconv.conv_transpose(x, kernel, **options)[0, 0]
    taps = dilation * np.arange(3)
    assert y[taps].round(6).tolist() == [1, 10, 100]
    assert y[MILLION + taps].round(6).tolist() == [2, 20, 200]
    assert np.count_nonzero(y) == 6
    back = mtconv.conv(y[None, None], kernel, **options)
    assert back.round(4).tolist() == [[[10101, 20202]]]


def test_matrices_have_empty_rows(same):
    x, kernel = np.arange(1.0, 5).reshape(2, 2), np.array([[1.0, 2], [3, 4]])
    options = {"stride": (MILLION, 3), "padding": ((0, 0), (0, -1))}
    y = mtconv.conv_transpose(x, kernel, backend="sparse", **options)
    same(y, mtconv.conv_transpose(x, kernel, backend="numpy", **options))
    assert y[MILLION + 1].tolist() == [9, 12, 0, 12, 16, 0]


def test_empty_batches_plan_nothing_that_they_do_not_need():
    x, kernel = np.ones((0, 1, 2)), np.ones((1, 1, 3))
    y = mtconv.conv_transpose(x, kernel, stride=10**12)
    assert y.shape == (0, 1, 10**12 + 3)
    with pytest.raises(mtconv.BackendError, match="fits into the memory"):
        mtconv.conv_transpose(x, kernel, stride=10**12, backend="sparse")


def test_many_sizes_are_a_range():
    many = mtconv.input_sizes(2, 3, form="conv", stride=BILLION)
    assert many == (range(BILLION + 3, 2 * BILLION + 3),)
    few = mtconv.input_sizes(2, 3, form="conv", stride=1000)
    assert few == (tuple(range(1003, 2003)),)
    with pytest.raises(mtconv.GeometryError, match="1000000003, 1000000004, 1"):
        mtconv.conv_transpose_shape((2,), (3,), stride=BILLION, output_size=7)
    with pytest.raises(mtconv.GeometryError, match="output_size"):
        mtconv.conv_transpose_shape((2,), (3,), stride=2**200, output_size=7)


def test_explanations_stay_short():
    got = explain((2,), (3,), stride=BILLION)
    (axis,) = got.axes
    assert axis.legal == range(BILLION + 3, 2 * BILLION + 3)
    assert axis.phases == (1, 1, 1, 0)
    assert "0 to 1 in 1000000000 phases" in str(got)
    written = json.loads(json.dumps(got.as_dict()))["axes"][0]
    assert written["legal"] == {"from": BILLION + 3, "to": 2 * BILLION + 2}
