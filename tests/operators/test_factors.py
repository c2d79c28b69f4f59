"""Where kernels stop being products of one vector for each axis."""

from functools import reduce

import numpy as np
import pytest

from mtconv.operators.separable.factors import factors_of

DOUBLE = 2.0**-52


def product(factors):
    """Multiply one vector for each axis."""
    return reduce(np.multiply.outer, factors)


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
    # Four roundings for each axis are allowed.
    corner = (0,) * rank  # off the lines through the largest element
    for factor, expected in ((0.98, True), (1.02, False)):
        near = kernel.copy()
        near[corner] /= 1 + factor * 4 * rank * epsilon
        assert has_factors(near, epsilon) == expected
        assert has_factors(-near, epsilon) == expected


def test_products_of_vectors():
    lines = [np.array([1.0, -2, 4]), np.array([0.1, 0.0, 0.3]), np.array([7.0, 3])]
    factors = factors_of(product(lines), DOUBLE)
    np.testing.assert_allclose(product(factors), product(lines), rtol=1e-15)
    assert (product(factors)[:, 1] == 0).all()


def test_whole_numbers_and_binary_fractions_have_exact_factors():
    for scale in (1.0, 2.0**-9, 2.0**70):
        for kernel in (
            product([np.array([1, 4, 6, 4, 1])] * 2),
            product([np.array([-3, 0, 9]), np.array([5, 7]), np.array([2, 2, 4])]),
        ):
            factors = factors_of(kernel * scale, DOUBLE)
            assert (product(factors) == kernel * scale).all()
            # Each is whole numbers times a power of two, so that sums are exact.
            for line in factors:
                bits = np.frexp(line)[0] * 2**12
                assert (np.rint(bits) == bits).all()


@pytest.mark.parametrize(
    "kernel",
    [
        np.array([[1.0, 2], [2, 5]]),
        np.array([[0.0, 1], [1, 0]]),
        np.array([[2.0**40, 2.0**30], [2.0**30, 2.0**20 + 1]]),
        # Whole numbers that are a product but for 1, which is their last digit.
        product([np.array([2.0**26 + 1, 2.0**26 + 3])] * 2) + np.diag([0, 1]),
        np.array([[1.0, np.nan], [1, 1]]),
        np.array([[np.inf, 1.0], [1, 1]]),
        np.zeros((2, 2)),
        np.full((2, 2), 1e-300),
        np.array([[1 + 1j, 2], [3, 4]]) * 2,
        product([np.array([1 + 2j, 3 - 1j, 2])] * 2),
        product([np.array([1 + 2j, 3 - 1j, 2])] * 2) / 2,
        product([np.array([1 + 2j, 3 - 1j, 2])] * 2) * 2.0**-40,
    ],
)
def test_others_have_none(kernel):
    assert factors_of(kernel, DOUBLE) is None


@pytest.mark.parametrize("epsilon", [2.0**-52, 2.0**-23])
def test_vectors_that_could_underflow_are_none(epsilon):
    u, v = np.array([1.37 * epsilon**2.9, 1, 0.7]), np.array([1.3, 0, 1.1])
    for kernel in (product([u, v]), product([v, u])):
        assert factors_of(kernel * 1e9, epsilon) is not None
    u[0] = 0.3 * epsilon**3
    assert factors_of(product([v, u]) * 1e9, epsilon) is None


@pytest.mark.parametrize("epsilon", [2.0**-52, 2.0**-23])
def test_what_is_nearly_a_product_has_none(epsilon):
    t = np.exp(-(np.arange(-3, 4) ** 2) / 4.5)
    kernel = product([t, t])
    assert factors_of(kernel, epsilon) is not None
    for place in ((0, 0), (3, 1), (6, 6)):
        near = kernel.copy()
        near[place] *= 1 + 12 * epsilon
        assert factors_of(near, epsilon) is None
