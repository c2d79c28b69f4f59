"""SciPy's own solvers take the operators as they are."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, lsmr, lsqr, svds

import mtconv


@pytest.fixture(params=[1.0, 1 - 2j], ids=["real", "complex"])
def A(request, backend):
    """A convolution with more outputs than inputs, so that least squares has one answer."""
    kernel = np.random.default_rng(8).standard_normal((5, 2, 3, 3)) * request.param
    return mtconv.Conv(kernel, (6, 5), padding=1, padding_mode="reflect", backend=backend)


@pytest.fixture
def dense(A):
    """The matrix of A."""
    return np.asarray(A.to_dense())


@pytest.fixture
def wanted(A):
    """What the solvers are to find."""
    rng = np.random.default_rng(9)
    return rng.standard_normal(A.shape[1]) + 1j * (A.dtype.kind == "c")


def test_aslinearoperator(A, dense, wanted):
    L = aslinearoperator(A)
    assert isinstance(L, LinearOperator)
    assert L.shape == A.shape
    assert L.dtype == A.dtype
    y = dense @ wanted
    columns = np.stack([wanted, -2 * wanted], axis=1)
    np.testing.assert_allclose(L @ wanted, y, rtol=1e-12)
    np.testing.assert_allclose(L @ columns, dense @ columns, rtol=1e-12)
    np.testing.assert_allclose(L.H @ y, dense.conj().T @ y, rtol=1e-12)
    np.testing.assert_allclose(L.T @ y, dense.T @ y, rtol=1e-12)
    np.testing.assert_allclose(L.H @ (dense @ columns), dense.conj().T @ dense @ columns)


def test_algebra_is_scipys(A, dense, wanted):
    L = aslinearoperator(A)
    normal = L.H @ L + 3 * aslinearoperator(np.eye(A.shape[1]))
    expected = dense.conj().T @ (dense @ wanted) + 3 * wanted
    np.testing.assert_allclose(normal @ wanted, expected, rtol=1e-12)


def test_solvers_take_what_operators_are_combined_to(A, dense, wanted):
    gram = dense.conj().T @ dense
    got, status = cg(A.H @ A + A.H @ A / 2, 1.5 * gram @ wanted, rtol=1e-13)
    assert status == 0
    np.testing.assert_allclose(got, wanted, atol=1e-9)
    stack = mtconv.vstack([A, 3 * A])
    got = lsqr(stack, stack.matvec(wanted), atol=1e-13, btol=1e-13)[0]
    np.testing.assert_allclose(got, wanted, atol=1e-9)
    got = svds(2 * A.H @ A, k=3, return_singular_vectors=False)
    expected = 2 * np.linalg.svd(dense, compute_uv=False)[:3] ** 2
    np.testing.assert_allclose(np.sort(got)[::-1], expected, rtol=1e-10)


@pytest.mark.parametrize("solve", [lsqr, lsmr])
def test_least_squares(A, dense, wanted, solve):
    got = solve(A, dense @ wanted, atol=1e-13, btol=1e-13)[0]
    np.testing.assert_allclose(got, wanted, atol=1e-9)


def test_conjugate_gradients(A, dense, wanted):
    L = aslinearoperator(A)
    got, status = cg(L.H @ L, dense.conj().T @ (dense @ wanted), rtol=1e-13)
    assert status == 0
    np.testing.assert_allclose(got, wanted, atol=1e-9)


def test_singular_values(A, dense):
    got = svds(A, k=3, return_singular_vectors=False)
    expected = np.linalg.svd(dense, compute_uv=False)[:3]
    np.testing.assert_allclose(np.sort(got)[::-1], expected, rtol=1e-10)
