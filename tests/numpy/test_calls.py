"""What a call decides by the values of its arrays, and what its result looks like."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends import _numpy
from mtconv.backends._numpy import settled
from mtconv.backends.host import inputs as values
from mtconv.geometry import Axis
from mtconv.planning.candidate import Fallback
from mtconv.planning.ladders.numpy import precautions
from mtconv.planning.plan import plan_for
from mtconv.problem.options import freeze


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_infinities_are_found_in_every_part_of_an_array(rows):
    array = np.zeros((rows, 2, 2**20), np.float16)
    assert values.all_finite(array)
    for row in range(rows):
        array[row, 1, -1] = np.inf
        assert not values.all_finite(array)
        array[row] = 0


@pytest.mark.parametrize("shape", [(3,), (2, 3, 5), (1, 1, 40), (40, 1), (0, 4), (7, 6, 5)])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_pieces_are_small_and_hold_every_element_once(shape, size):
    array = np.arange(np.prod(shape)).reshape(shape)
    parts = list(values.pieces(array, size))
    assert all(0 < part.size <= size for part in parts)
    assert all(np.shares_memory(part, array) for part in parts)
    elements = [element for part in parts for element in part.flat]
    assert sorted(elements) == array.ravel().tolist()


@pytest.mark.parametrize(
    ("axis", "mode", "times"),
    [
        (Axis(9, 1, 1, 1, 1, 4), "replicate", 9),
        (Axis(9, 3, 1, 1, 1, 4), "replicate", 5),
        (Axis(9, 3, 1, 1, 1, 3), "circular", 3),
        (Axis(9, 9, 1), "zeros", 1),
        (Axis(9, 4, 1, 1, 1, 3), "reflect", 3),
        (Axis(8, 12, 1), "circular", 1),  # cropped, not padded
    ],
)
def test_cells_that_fold_into_one(axis, mode, times):
    assert values.most_folded(mtconv.ConvSpec((axis,), padding_mode=mode)) == times
    both = mtconv.ConvSpec((axis, Axis(5, 2, 1, 1, 1, 2)), padding_mode=mode)
    if mode != "zeros" and mode != "reflect":
        other = {"replicate": 3, "circular": 3}[mode]
        assert values.most_folded(both) == times * other


def test_the_largest_element_may_be_the_smallest():
    assert values.largest(np.array([-128, 5], np.int8)) == 128
    assert values.largest(np.array([-3, 5])) == 5
    assert values.largest(np.array([2**64 - 1], np.uint64)) == 2**64 - 1
    assert values.largest(np.array([-(2**63)])) == 2**63
    assert values.largest(np.zeros(0, int)) == 0


@pytest.mark.parametrize(("size", "exact"), [(2**53 - 1, True), (2**53, False)])
def test_gradients_of_integers_sum_over_all_cells(size, exact):
    """One cell of 2**53 - 1, or so much altogether: 6361 * 69431 * 20394401."""
    spec = mtconv.ConvSpec((Axis(1, 1, 1),))
    x, y = np.full((1, 1, 1), size), np.ones((1, 1, 1), int)
    assert values.fit_float64("kernel_grad", spec, x, y, None) == exact
    many = np.full((1, 1, 6361), 69431)
    spec = mtconv.ConvSpec((Axis(6361, 6361, 1),))
    other = np.full((1, 1, 6361), 20394401 + (not exact))
    assert values.fit_float64("kernel_grad", spec, many, other, None) == exact


# ------------------------------------------------------------------------------- the call


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
        # Of a gradient it is x that is multiplied by padded zeros; y too if shifted.
        (("kernel_grad", "polyphase", [1, INF], [1, 2, 3]), ("float64", "direct")),
        (("kernel_grad", "polyphase", [1, 2], [1, 2, INF]), ("float64", "direct")),
        (("kernel_grad", "gemm", [1, INF], [1, 2, 3]), ("float64", "gemm")),
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
