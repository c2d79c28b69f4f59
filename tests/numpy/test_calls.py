"""What a call decides by the values of its arrays, and what its result looks like."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends import _numpy
from mtconv.backends._numpy import settled
from mtconv.backends._numpy.algorithms import ALGORITHMS
from mtconv.geometry import Axis
from mtconv.planning.candidate import Fallback
from mtconv.planning.ladders.numpy import precautions
from mtconv.planning.plan import plan_for
from mtconv.problem.options import freeze


def how(form, algorithm, first, second, **options):
    """Name the dtype and the algorithm that a call is computed with."""
    first, second = np.asarray(first), np.asarray(second)
    dtype = np.result_type(first, second)
    size = (2,) if form == "kernel_grad" else None
    named = (freeze(form, **options), dtype.name, algorithm, "numpy")
    plan = plan_for(form, first.shape, second.shape, *named, kernel_size=size)
    chosen, computing = settled(plan, first, second, None)
    return computing.name, chosen.NAME


INF = float("inf")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("conv_transpose", "gemm", [1.0, 2.0], [3.0, 4.0]), ("float64", "gemm")),
        (("conv_transpose", "gemm", [1, 2], [3, 4]), ("float64", "gemm")),
        (("conv_transpose", "direct", [1, 2], [3, 4]), ("int64", "direct")),
        (("conv_transpose", "gemm", [1, 2], [3, 2**52]), ("int64", "gemm")),
        (("conv_transpose", "gemm", [1, 2], [3, INF]), ("float64", "gemm")),
        (("conv_transpose", "polyphase", [1, 2], [3, INF]), ("float64", "direct")),
        (("conv_transpose", "polyphase", [1, INF], [3, 4]), ("float64", "polyphase")),
        (("conv", "gemm", [1, 2, 3], [3, INF]), ("float64", "gemm")),
        (("conv", "polyphase", [1, 2, INF], [3, 4]), ("float64", "polyphase")),
        # What infinities do to a gradient is seen when it is there.
        (("kernel_grad", "polyphase", [1, INF], [1, 2, 3]), ("float64", "polyphase")),
    ],
)
def test_how_a_call_is_computed(call, expected):
    assert how(*call) == expected


@pytest.mark.parametrize(
    ("form", "axis", "mode", "pads"),
    [
        ("conv", Axis(3, 5, 3), "zeros", False),
        ("conv", Axis(3, 4, 3), "zeros", True),
        ("conv", Axis(3, 5, 3, 1, 1, 1), "zeros", True),
        ("kernel_grad", Axis(3, 4, 3), "zeros", True),
        ("conv_transpose", Axis(3, 4, 3), "zeros", False),
        ("conv", Axis(3, 1, 4, 1, 1, 3), "zeros", True),
        ("conv", Axis(3, 3, 3, 1, 1, 1), "circular", False),  # padded beforehand
    ],
)
def test_zeros_stand_for_clipped_taps_where_columns_are_gathered(form, axis, mode, pads):
    spec = mtconv.ConvSpec((Axis(2, 2, 1), axis), padding_mode=mode)
    condition = "infinite x" if form == "kernel_grad" else "infinite kernel"
    for algorithm, listed in (("gemm", pads), ("polyphase", True), ("direct", False)):
        if (form, algorithm) == ("kernel_grad", "polyphase"):
            condition = "infinite data"  # zeros beside x meet elements of y
        passed = precautions(spec, form, "float32", algorithm, algorithm)
        assert passed == ("float32", (Fallback(condition, "direct", "float32"),) * listed)


@pytest.mark.parametrize(
    ("algorithm", "padding", "x", "y", "computed"),
    [
        ("polyphase", 0, [1.0, 2], [1.0, 2, 3], ["polyphase"]),
        # Zeros beside x meet elements of y, and zeros beside y meet elements of x.
        ("polyphase", 0, [1.0, 2], [1.0, 2, INF], ["polyphase", "direct"]),
        ("polyphase", 0, [1.0, INF], [1.0, 2, 3], ["polyphase", "direct"]),
        ("gemm", 1, [1.0, 2], [3.0], ["gemm"]),
        ("gemm", 1, [INF, 2], [3.0], ["gemm", "direct"]),
        # There is no zero beside x for this element of y to meet.
        ("gemm", 1, [1.0, 2], [INF], ["gemm"]),
        # Nothing is padded.
        ("gemm", 0, [1.0, INF], [1.0, 2, 3], ["gemm"]),
    ],
)
def test_a_gradient_is_computed_again_where_padded_zeros_spoilt_it(
    watch, algorithm, padding, x, y, computed
):
    """Infinity in x or y belongs in the gradient, and zero times infinity does not."""
    x, y = np.array(x), np.array(y)
    calls = {name: watch(ALGORITHMS[name], "kernel_grad") for name in (algorithm, "direct")}
    options = {"padding": padding, "algorithm": algorithm}
    grad = mtconv.kernel_grad(x, y, kernel_size=(2,), **options)
    assert [name for name, made in calls.items() if made] == computed
    # o = i + j - padding
    joined = [
        [x[i] * y[i + j - padding] for i in range(2) if 0 <= i + j - padding < len(y)]
        for j in range(2)
    ]
    assert grad.tolist() == [sum(terms) for terms in joined]


def test_a_clipped_tap_of_a_convolution_must_not_be_infinite():
    assert how("conv", "gemm", [1, 2, 3], [3, INF], padding=1) == ("float64", "direct")
    assert how("conv", "gemm", [1, 2, 3], [3, 4.0], padding=1) == ("float64", "gemm")


def test_halves_are_computed_in_float32():
    x, w = np.ones(3, np.float16), np.ones(2, np.float16)
    assert how("conv_transpose", "gemm", x, w) == ("float32", "gemm")


def test_sums_without_terms_are_direct():
    x, w = np.ones((2, 0, 5)), np.ones((0, 3, 3))
    assert how("conv_transpose", "gemm", x, w) == ("float64", "direct")
    x, w = np.ones((0, 2, 5)), np.ones((2, 3, 3))
    assert how("conv_transpose", "gemm", x, w) == ("float64", "direct")


def test_an_empty_result_asks_no_algorithm(monkeypatch):
    asked = []
    monkeypatch.setattr(_numpy, "settled", lambda *args: asked.append(args))
    y = mtconv.conv_transpose(np.ones((0, 2, 5)), np.ones((2, 3, 3)))
    assert y.shape == (0, 3, 7)
    assert not asked


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "CHWN"])
@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_results_are_contiguous_in_every_layout(form, layout):
    sizes = {"N": 2, "C": 3, "H": 4, "W": 5}
    array = np.ones([sizes[letter] for letter in layout])
    options = {"layout": layout}
    if form == "kernel_grad":
        result = mtconv.kernel_grad(array, array, kernel_size=1, **options)
        assert result.shape == (3, 3, 1, 1)
    else:
        result = getattr(mtconv, form)(array, np.ones((3, 3, 1, 1)), **options)
        assert result.shape == array.shape
    assert result.flags.c_contiguous
