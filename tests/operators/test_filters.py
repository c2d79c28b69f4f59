"""Values of closed forms, judged by dense solves and by rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.backends.dispatch import load
from mtconv.backends.libraries import library_of
from mtconv.operators.circular.filters import Filters
from tests.operators.circular_operators import CIRCULAR, drawn, error, operators, spread


@given(A=operators(), relative=st.sampled_from([1e-3, 1e-1, 10.0]))
@settings(max_examples=60)
def test_inverse_against_dense_inverses(A, relative):
    dense = A.to_dense()
    weight = relative * np.linalg.norm(dense, 2) ** 2
    expected = np.linalg.inv(dense.conj().T @ dense + weight * np.eye(A.shape[1]))
    B = A.regularized_inverse(weight)
    x = drawn((A.shape[1], 2), A, 3)
    for got, matrix in ((B, expected), (B.T, expected.T), (B.H, expected.conj().T)):
        assert error(got.matmat(x), matrix @ x) < 1e-10
    assert error(B(x.T.reshape(2, *A.input_shape)).reshape(2, -1), (expected @ x).T) < 1e-10


def by_singular_values(dense, y, weight, z):
    """Solve with singular values, without differences of nearly equal numbers."""
    u, s, vh = np.linalg.svd(dense)
    # Of zero, rounding leaves a value that would be divided by the weight.
    s[s < 1e-13 * s[0]] = 0
    filtered, kept = np.zeros(dense.shape[::-1]), np.ones(dense.shape[1])
    places = np.arange(len(s))
    filtered[places, places] = s / (s * s + weight)
    kept[places] = weight / (s * s + weight)
    spectrum = filtered @ (u.conj().T @ y.ravel()) + kept * (vh @ z.ravel())
    return vh.conj().T @ spectrum


@given(
    A=operators(),
    relative=st.sampled_from([1e-9, 1e-5, 1e-1, 10.0]),
    size=st.sampled_from([0, 1e-6, 1]),
)
@settings(max_examples=100)
def test_solve_against_dense_solves(A, relative, size):
    """Also for y = 0, where little may be left of z."""
    dense = A.to_dense()
    weight = relative * np.linalg.norm(dense, 2) ** 2
    y, z = size * drawn(A.output_shape, A, 3), drawn(A.input_shape, A, 5)
    expected = by_singular_values(dense, y, weight, z)
    assert error(A.regularized_solve(y, weight, z).ravel(), expected) < 1e-10


@given(A=operators(), relative=st.sampled_from([1e-9, 1e-5]), seed=st.integers(0, 9))
@settings(max_examples=40)
def test_a_solution_that_is_tiny_beside_z_has_errors_of_rounding_z(A, relative, seed):
    """z is in the range of A^H, of which y = 0 leaves next to nothing."""
    dense = A.to_dense()
    weight = relative * np.linalg.norm(dense, 2) ** 2
    z = A.H(drawn(A.output_shape, A, seed))
    got = A.regularized_solve(np.zeros(A.output_shape), weight, z).ravel()
    expected = by_singular_values(dense, np.zeros(A.output_shape), weight, z)
    difference = np.linalg.norm(got - expected)
    assert difference < 1e-10 * np.linalg.norm(expected) + 1e-14 * np.linalg.norm(z)


def exact_solution(dense, y, weight, z):
    """Solve the normal equations without any rounding."""
    rows = [[Fraction(float(value)) for value in row] for row in dense]
    count, weight = len(rows[0]), Fraction(weight)
    y, z = ([Fraction(float(value)) for value in vector] for vector in (y, z))
    system = [
        [
            *(
                sum(row[i] * row[j] for row in rows) + (weight if i == j else 0)
                for j in range(count)
            ),
            sum(row[i] * value for row, value in zip(rows, y, strict=True)) + weight * z[i],
        ]
        for i in range(count)
    ]
    for i in range(count):
        system[i] = [value / system[i][i] for value in system[i]]
        for j in range(count):
            if j != i and system[j][i]:
                factor = system[j][i]
                system[j] = [
                    a - factor * b for a, b in zip(system[j], system[i], strict=True)
                ]
    return np.array([float(row[-1]) for row in system])


@given(A=operators(), seed=st.integers(0, 9))
@settings(max_examples=40)
def test_solve_keeps_its_digits_at_small_weights(A, seed):
    if A.dtype.kind == "c" or max(A.shape) > 12:
        return
    dense = A.to_dense()
    weight = 1e-9 * float(np.linalg.norm(dense, 2)) ** 2
    y, z = spread(seed, A.shape[0]), spread(seed + 1, A.shape[1])
    expected = exact_solution(dense, y, weight, z)
    got = A.regularized_solve(y.reshape(A.output_shape), weight, z.reshape(A.input_shape))
    assert error(got.ravel(), expected) < 1e-10


def test_solve_of_dependent_channels():
    # Singular values of zero, which rounding must not make those of a division by a weight.
    kernel = spread(1, (1, 2, 3))
    A = mtconv.Conv(
        np.concatenate([kernel, 2 * kernel, -4 * kernel]),
        6,
        stride=2,
        padding=((0, 1),),
        **CIRCULAR,
    )
    for operator in (A, A.T):
        dense = operator.to_dense()
        y, z = spread(2, operator.shape[0]), spread(3, operator.shape[1])
        for relative in (1e-9, 1e-13):
            weight = relative * float(np.linalg.norm(dense, 2)) ** 2
            arrays = y.reshape(operator.output_shape), z.reshape(operator.input_shape)
            got = operator.regularized_solve(arrays[0], weight, arrays[1])
            expected = exact_solution(dense, y, weight, z)
            assert error(got.ravel(), expected) < 1e-10


def filters_of(seed, small, form="conv", share=3, residues=2):
    """Filters of a symbol for one group and four frequencies."""
    symbol = spread(seed, (1, small, share, residues, 4)) * (1 - 2j)
    return Filters(form, library_of(load("numpy")), symbol, {})


NAMES = ("of_rest", "of_start", "inverse")


@pytest.mark.parametrize("small", [1, 2])
def test_filters_are_made_once_for_equal_weights(small):
    filters = filters_of(1, small, "conv_transpose", 1)
    for name in NAMES:
        make = getattr(filters, name)
        first = make(0.5)
        assert make(float("0.5")) is first
        other = make(0.25)
        assert other is not first
        assert not (other == first).any()
        assert make(0.25) is other
        # An array may hold another value at the next call.
        weight = np.array(0.25)
        assert make(weight) is not make(weight)
        assert make(0.25) is other


def test_matrices_are_decomposed_once(monkeypatch):
    calls, svd = [], np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *a, **k: calls.append(1) or svd(*a, **k))
    filters = filters_of(1, 2, "conv_transpose", 1)
    for weight in (0.5, 0.25):
        filters.of_rest(weight)
        filters.of_start(weight)
    assert len(calls) == 1
    filters.of_rest(np.array(0.5))
    assert len(calls) == 1
    fresh = filters_of(1, 2, "conv_transpose", 1)
    for _ in range(2):
        fresh.of_rest(np.array(0.5))  # nothing is kept while values may be unknown
    assert len(calls) == 3


def test_one_channel_needs_no_decomposition(monkeypatch):
    for name in ("svd", "inv"):
        monkeypatch.setattr(np.linalg, name, None)
    filters = filters_of(1, 1, "conv", 1, 1)
    (symbol,) = filters.symbol[0, 0, 0]
    power = abs(symbol) ** 2
    for name, expected in (
        ("of_rest", symbol.conj() / (power + 0.5)),
        ("of_start", 0.5 / (power + 0.5)),
        ("inverse", 1 / (power + 0.5)),
    ):
        got = getattr(filters, name)(0.5)
        np.testing.assert_allclose(got.ravel(), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("form", "small", "share", "residues", "starts"),
    [
        # Rows are those of the result: big channels and residues of a transposed map.
        ("conv", 2, 1, 2, True),
        ("conv", 2, 3, 1, False),
        ("conv", 2, 1, 3, False),
        ("conv", 3, 1, 2, True),
        ("conv_transpose", 2, 1, 2, True),
        ("conv_transpose", 3, 1, 2, False),
        ("conv_transpose", 3, 2, 2, True),
        ("conv_transpose", 2, 3, 1, True),
    ],
)
def test_where_little_may_be_left_of_z(form, small, share, residues, starts):
    got = filters_of(1, small, form, share, residues).of_start(0.5)
    assert (got is not None) == starts
    if starts:
        channels = share * residues if form == "conv" else small
        assert got.shape == (1, channels, channels, 4)


@pytest.mark.parametrize("weight", [1e-9, 1e-5, 1.0])
@pytest.mark.parametrize("size", [(7, 6), (96, 96)])
def test_a_solution_that_is_tiny_beside_z_keeps_its_digits(weight, size):
    """With y = 0 and one tap the solution is ``weight / (1 + weight)`` times z."""
    z = spread(5, size)
    A = mtconv.Conv(np.ones((1, 1)), size, **CIRCULAR)
    expected = z * (weight / (1 + weight))
    for operator in (A, A.T):
        got = operator.regularized_solve(np.zeros(size), weight, z)
        assert np.abs(got - expected).max() < 1e-14 * weight * np.abs(z).max()


@pytest.mark.parametrize(
    ("kernel", "size", "stride"),
    [
        (np.ones(5), 10, 1),
        (np.ones(3), 30, 1),
        (np.ones(10), 30, 2),
        (np.ones((5, 5)), (15, 15), 1),
        (np.ones((3, 2)), (6, 10), 1),
        (np.einsum("ab,c->abc", np.eye(2), np.ones(7)), 14, 1),
        (np.ones((2, 3, 7)), 14, 1),
    ],
)
def test_frequencies_that_a_box_removes(kernel, size, stride):
    """Rounding leaves a little of them, which a weight of 1e-9 must not enlarge."""
    taps = kernel.shape[-np.size(size) :]
    padding = tuple((0, k - stride) for k in taps)
    A = mtconv.Conv(kernel, size, stride=stride, padding=padding, **CIRCULAR)
    for operator in (A, A.T):
        dense = operator.to_dense()
        u, s, vh = np.linalg.svd(dense, full_matrices=False)
        weight = 1e-9 * s[0] ** 2
        y = spread(3, operator.output_shape)
        inverse = np.where(s > 1e-12 * s[0], s / (s * s + weight), 0)
        expected = vh.T @ (inverse * (u.T @ y.ravel()))
        assert error(operator.regularized_solve(y, weight).ravel(), expected) < 1e-10
