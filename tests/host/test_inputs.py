"""What is asked of the values of NumPy arrays, before an engine computes with them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mtconv import ConvSpec
from mtconv.backends.host.inputs import (
    all_finite,
    fit_float64,
    largest,
    most_folded,
    pieces,
    result_dtype,
)
from mtconv.geometry import Axis


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("float32", "float32"), "float32"),
        (("float32", "float64"), "float64"),
        (("float64", "float32"), "float64"),
        (("int32", "int32", "float32"), "float64"),
        (("int64", "float32", None), "float64"),
        ((">f4", "<f4"), "float32"),
        (("complex64",), "complex64"),
    ],
)
def test_the_dtype_that_all_arrays_are_promoted_to(dtypes, expected):
    arrays = [None if dtype is None else np.zeros(2, dtype) for dtype in dtypes]
    assert result_dtype(*arrays) == expected


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_infinities_are_found_in_every_part_of_an_array(rows):
    array = np.zeros((rows, 2, 2**20), np.float16)
    assert all_finite(array)
    for row in range(rows):
        array[row, 1, -1] = np.inf
        assert not all_finite(array)
        array[row] = 0


@pytest.mark.parametrize("dtype", ["=f4", ">f4", "<f4"])
def test_a_look_for_infinities_copies_no_array_as_a_whole(dtype):
    """NumPy copies arrays of another byte order before BLAS multiplies them."""
    array = np.zeros(2**23, dtype)
    tracemalloc.start()
    try:
        assert all_finite(array)
        array[-1] = np.inf
        assert not all_finite(array)
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(3,), (2, 3, 5), (1, 1, 40), (40, 1), (0, 4), (7, 6, 5)])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_pieces_are_small_and_hold_every_element_once(shape, size):
    array = np.arange(np.prod(shape)).reshape(shape)
    parts = list(pieces(array, size))
    assert all(0 < part.size <= size for part in parts)
    assert all(np.shares_memory(part, array) for part in parts)
    elements = [element for part in parts for element in part.flat]
    assert sorted(elements) == array.ravel().tolist()


@pytest.mark.parametrize(
    ("shape", "size", "parts"),
    [
        ((7, 6), 12, [(2, 6), (2, 6), (2, 6), (1, 6)]),
        ((3, 10), 15, [(3, 5), (3, 5)]),
        ((3, 4), 12, [(3, 4)]),
        ((2, 3), 1, [(1, 1)] * 6),
    ],
)
def test_pieces_are_as_long_as_they_may_be(shape, size, parts):
    assert [part.shape for part in pieces(np.zeros(shape), size)] == parts


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
    assert most_folded(ConvSpec((axis,), padding_mode=mode)) == times
    both = ConvSpec((axis, Axis(5, 2, 1, 1, 1, 2)), padding_mode=mode)
    if mode != "zeros" and mode != "reflect":
        other = {"replicate": 3, "circular": 3}[mode]
        assert most_folded(both) == times * other


def test_the_largest_element_may_be_the_smallest():
    assert largest(np.array([-128, 5], np.int8)) == 128
    assert largest(np.array([-3, 5])) == 5
    assert largest(np.array([2**64 - 1], np.uint64)) == 2**64 - 1
    assert largest(np.array([-(2**63)])) == 2**63
    assert largest(np.zeros(0, int)) == 0


# 2**53 - 1, the largest sum that is exact.
PRIMES = (6361, 69431, 20394401)

# 6361 padded elements repeat the only one there is.
REPEATED = ConvSpec((Axis(6361, 1, 1, 1, 1, 3180),), padding_mode="replicate")


def fits(form, spec, first, second, bias=None):
    bias = None if bias is None else np.array(bias)
    return fit_float64(form, spec, np.array(first), np.array(second), bias)


@pytest.mark.parametrize(
    ("form", "spec"),
    [
        # Taps of a line and of a plane, channels, and both.
        ("conv_transpose", ConvSpec((Axis(9, 9, 6361),))),
        ("conv_transpose", ConvSpec((Axis(9, 9, 1), Axis(9, 9, 6361)))),
        ("conv", ConvSpec((Axis(9, 9, 6361),))),
        ("conv_transpose", ConvSpec((Axis(9, 9, 1),), 1, 6361, 1)),
        ("conv", ConvSpec((Axis(9, 9, 1),), 1, 1, 6361)),
        # Channels of one group: those of the kernel are 2 * 6361 and 6361.
        ("conv_transpose", ConvSpec((Axis(9, 9, 1),), 2, 2 * 6361, 1)),
        ("conv", ConvSpec((Axis(9, 9, 1),), 2, 2, 2 * 6361)),
        # Every padded element repeats the only one there is.
        (
            "conv_transpose",
            ConvSpec((Axis(6361, 1, 1, 1, 1, 3180),), padding_mode="replicate"),
        ),
    ],
)
def test_sums_have_as_many_terms_as_taps_times_channels(form, spec):
    _, first, second = PRIMES
    assert fits(form, spec, first, second)
    assert not fits(form, spec, first + 1, second)


def test_taps_and_channels_are_multiplied():
    spec = ConvSpec((Axis(9, 9, 69431),), 1, 6361, 1)
    assert fits("conv", spec, PRIMES[2], 1)
    assert not fits("conv", spec, PRIMES[2] + 1, 1)


def test_padding_of_a_convolution_is_no_term():
    assert fits("conv", REPEATED, 2**53 - 1, 1)


def test_a_bias_is_one_term_more():
    spec = ConvSpec((Axis(1, 1, 1),))
    assert fits("conv", spec, 2**53 - 8, 1, [3, -7])
    assert not fits("conv", spec, 2**53 - 8, 1, [3, -8])


@pytest.mark.parametrize(("size", "exact"), [(2**53 - 1, True), (2**53, False)])
def test_gradients_of_integers_sum_over_all_elements(size, exact):
    """One element of 2**53 - 1, or so much altogether."""
    spec = ConvSpec((Axis(1, 1, 1),))
    assert fits("kernel_grad", spec, [[[size]]], [[[1]]]) == exact
    count, first, second = PRIMES
    spec = ConvSpec((Axis(count, count, 1),))
    many = np.full((1, 1, count), first)
    assert (
        fits("kernel_grad", spec, many, np.full_like(many, second + (not exact))) == exact
    )
