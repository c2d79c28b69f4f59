"""SciPy's solvers find kernels and images with operators of every kind."""

import numpy as np
import pytest

import mtconv

linalg = pytest.importorskip("scipy.sparse.linalg")

RNG = np.random.default_rng(41)
DATA = RNG.standard_normal((2, 2, 6, 7))
CIRCULAR = {"padding_mode": "circular"}


@pytest.mark.parametrize("solve", ["lsqr", "lsmr"])
@pytest.mark.parametrize("kind", [mtconv.KernelConv, mtconv.KernelConvTranspose])
def test_kernels_are_found(kind, solve):
    kernel = RNG.standard_normal((2, 2, 2, 3))
    A = kind(DATA, kernel_size=(2, 3), channels=2, padding=1)
    b = A(kernel).ravel()
    options = {"atol": 1e-13, "btol": 1e-13}
    solution = getattr(linalg, solve)(A, b, **options)[0]
    np.testing.assert_allclose(solution.reshape(kernel.shape), kernel, atol=1e-9)


def test_conjugate_gradients_for_kernels():
    kernel = RNG.standard_normal((2, 2, 2, 3))
    A = mtconv.KernelConv(DATA, kernel_size=(2, 3), channels=2)
    normal = A.T @ A
    solution, info = linalg.cg(
        linalg.aslinearoperator(normal), normal.matvec(kernel.ravel()), rtol=1e-13
    )
    assert info == 0
    np.testing.assert_allclose(solution.reshape(kernel.shape), kernel, atol=1e-9)


def test_singular_values_of_a_map_of_kernels():
    A = mtconv.KernelConvTranspose(DATA, kernel_size=(2, 3), channels=1)
    expected = np.linalg.svd(A.to_dense(), compute_uv=False)[:3]
    solution = linalg.svds(linalg.aslinearoperator(A), k=3, return_singular_vectors=False)
    np.testing.assert_allclose(np.sort(solution)[::-1], expected, rtol=1e-8)


def test_a_regularized_inverse_preconditions_conjugate_gradients():
    # The operator itself has zero padding; the inverse is that of its circular neighbour.
    kernel = np.outer([1.0, 2, 3, 2, 1], [1.0, 3, 2, 3, 2])
    A = mtconv.Conv(kernel, (40, 40), padding=2)
    neighbour = mtconv.Conv(kernel, (40, 40), padding=2, **CIRCULAR)
    one = mtconv.Conv(np.ones((1, 1)), (40, 40))
    normal = linalg.aslinearoperator(A.T @ A + 1.0 * one)
    b = RNG.standard_normal(1600)
    counts = []
    for preconditioner in (None, neighbour.regularized_inverse(1.0)):
        steps = []
        M = preconditioner and linalg.aslinearoperator(preconditioner)
        x, info = linalg.cg(normal, b, rtol=1e-10, M=M, callback=steps.append)
        assert info == 0
        np.testing.assert_allclose(normal @ x, b, atol=1e-7)
        counts.append(len(steps))
    assert counts[1] < 0.8 * counts[0]
