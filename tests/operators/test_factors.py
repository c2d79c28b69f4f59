"""Where kernels stop being products of one vector for each axis."""

import numpy as np
import pytest

from mtconv.operators.separable.factors import ROUNDINGS, factors_of

DOUBLE = 2.0**-52


def has_factors(kernel, epsilon=DOUBLE):
    return factors_of(np.asarray(kernel), epsilon) is not None


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        # 18 is the largest: (12, 18) / 6 times (9, 18) / 9, and 18 is 3 times 3 * 2.
        ([[6.0, 12], [9, 18]], ([12, 18], [0.5, 1])),
        ([[0.0, -2], [0, 4]], ([-2, 4], [0, 1])),
        ([[0.75, 1.5], [1.0, 2.0]], ([1.5, 2], [0.5, 1])),
        ([[-5.0]], ([5], [-1])),
        # The last one is (2, 0, 5) / 4, so the first one has 150 / 1.25.
        ([[[40.0, 0, 100]], [[60, 0, 150]]], ([80, 120], [1], [0.5, 0, 1.25])),
    ],
)
def test_the_first_vector_has_the_scale(kernel, expected):
    factors = factors_of(np.array(kernel), DOUBLE)
    assert [factor.tolist() for factor in factors] == [
        list(map(float, e)) for e in expected
    ]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_no_elements_have_no_factors(shape):
    assert not has_factors(np.ones(shape))


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(2.0**-501, False), (2.0**-500, True), (2.0**500, True), (2.0**501, False)],
)
def test_magnitudes(largest, expected):
    assert has_factors(np.full((2, 2), largest)) == expected
    assert has_factors(np.array([[0, 0], [0, -largest]])) == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    kernel = np.full((2, 3), 0.1)
    kernel[1, 2] = value
    assert not has_factors(kernel)


def test_whole_numbers_are_factored_below_the_largest_whole_one():
    # In units of the last column, which a row of one product shares.
    assert has_factors([[2.0**53 - 1, 1], [2.0**53 - 1, 1]])
    assert not has_factors([[2.0**53 + 2, 3], [2.0**53 + 2, 3]])
    # No whole numbers, which may have rounded factors.
    assert has_factors(np.array([[2.0**53 + 2, 3], [2.0**53 + 2, 3]]) / 64)


@pytest.mark.parametrize(("unit", "expected"), [(2**20 - 1, False), (2**20 + 1, True)])
def test_complex_numbers_of_few_bits_were_meant_to_be_exact(unit, expected):
    kernel = np.full((2, 2), unit * 2.0**-30, complex)
    assert has_factors(kernel) == expected
    assert has_factors(1j * kernel) == expected
    assert not has_factors(kernel * 2.0**30)


@pytest.mark.parametrize("epsilon", [2.0**-23, 2.0**-10])
def test_the_smallest_element_of_a_vector(epsilon):
    for factor, expected in ((1.01, True), (0.99, False)):
        small = factor * epsilon**3
        assert (
            has_factors(np.multiply.outer([0.1, 0.7], [1, small, 0]), epsilon) == expected
        )
        # The first vector has the scale, whatever it is.
        assert has_factors(np.multiply.outer([1, small], [0.1, 0.7]), epsilon)


@pytest.mark.parametrize("rank", [2, 3])
def test_the_distance_from_a_product(rank):
    epsilon = 2.0**-20
    kernel = np.array(0.1)
    for _ in range(rank):
        kernel = np.multiply.outer(kernel, [0.3, 0.7])
    corner = (0,) * rank  # off the lines through the largest element
    for factor, expected in ((0.98, True), (1.02, False)):
        near = kernel.copy()
        near[corner] /= 1 + factor * ROUNDINGS * rank * epsilon
        assert has_factors(near, epsilon) == expected
        assert has_factors(-near, epsilon) == expected
