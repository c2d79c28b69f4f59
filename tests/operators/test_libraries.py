"""Every member of an operator, and of what operators are combined to, in every library."""

import pickle

import numpy as np
import pytest

import mtconv

KERNEL = np.arange(-9, 27).reshape(3, 2, 2, 3)
COMPLEX = KERNEL * (1 + 2j) - 3j


@pytest.fixture(
    params=[KERNEL, KERNEL.astype("float32"), COMPLEX], ids=lambda w: w.dtype.name
)
def kernel(request):
    """A kernel of 2 channels into 3."""
    return request.param


@pytest.fixture
def A(kernel, library):
    """A convolution of 2 channels into 3, on 5 x 6 pixels."""
    make, options = library
    return mtconv.Conv(make(kernel), (5, 6), stride=(1, 2), padding=1, **options)


@pytest.fixture
def dense(kernel):
    """The matrix of A, tap by tap."""
    matrix = np.zeros((3, 6, 3, 2, 5, 6), kernel.dtype)
    for (s, b, j, k), tap in np.ndenumerate(kernel):
        for i in range(6):
            for l in range(3):  # noqa: E741
                o, p = i + j - 1, 2 * l + k - 1
                if 0 <= o < 5 and 0 <= p < 6:
                    matrix[s, i, l, b, o, p] += tap
    return matrix.reshape(54, 60)


def test_shapes_and_dtype(A, kernel):
    for operator in (A, A.T, A.H):
        assert operator.dtype == kernel.dtype
        assert isinstance(operator.dtype, np.dtype)
    assert (A.shape, A.T.shape) == ((54, 60), (60, 54))


def test_repr(A, kernel):
    sides = "input_shape=(2, 5, 6), output_shape=(3, 6, 3)"
    assert repr(A) == f"Conv({sides}, dtype={kernel.dtype})"
    assert repr(A.T @ A).startswith("(ConvTranspose @ Conv)(input_shape=(2, 5, 6), ")
    assert "Conv" in A._repr_html_()


def test_arrays_stay_in_their_library(A, kernel, library):
    make, options = library
    x = make(np.arange(60).reshape(2, 5, 6).astype(kernel.dtype))
    y = A(x)
    own = np.ndarray if options else type(make(kernel))
    for array in (y, A.H(y), A.T @ y, A.to_dense(), (A.T @ A)(x), (A + A)(x), (2 * A)(x)):
        assert isinstance(array, own)


def test_products(A, dense, kernel, library, same):
    make, _ = library
    v, u = (np.arange(-5, size - 5).astype(kernel.dtype) for size in (60, 54))
    vs, us = (np.stack([w, w[::-1], 2 * w], 1) for w in (v, u))
    adjoint = dense.conj().T
    for got, expected in (
        (A(make(v)), dense @ v),
        (A(make(v.reshape(2, 5, 6))), (dense @ v).reshape(3, 6, 3)),
        (A(make(vs.T.reshape(3, 2, 5, 6))), (dense @ vs).T.reshape(3, 3, 6, 3)),
        (A @ make(v), dense @ v),
        (A @ make(vs), dense @ vs),
        (A.matvec(make(v)), dense @ v),
        (A.matvec(make(v[:, None])), dense @ v[:, None]),
        (A.matmat(make(vs)), dense @ vs),
        (A.rmatvec(make(u)), adjoint @ u),
        (A.rmatmat(make(us)), adjoint @ us),
        (A.T(make(u)), dense.T @ u),
        (A.H(make(u)), adjoint @ u),
        (A.H.matmat(make(us)), adjoint @ us),
    ):
        same(np.asarray(got), expected)


def test_neutral_arrays_follow(A, dense, kernel, same):
    v = (np.arange(60) % 7).astype(kernel.dtype)
    for operator, matrix in ((A, dense), (A.T @ A, dense.T @ dense), (A - A, 0 * dense)):
        same(np.asarray(operator.matvec(v)), matrix @ v)


def test_products_from_the_left(A, dense, kernel, same):
    u = np.arange(54).astype(kernel.dtype)
    same(np.asarray(u @ A), u @ dense)
    same(np.asarray(np.stack([u, -u]) @ A), np.stack([u, -u]) @ dense)


def test_matrices(A, dense, same):
    same(np.asarray(A.to_dense()), dense)
    same(A.to_sparse().toarray(), dense)
    same(np.asarray(A.H.to_dense()), dense.conj().T)


def test_norm(A, dense):
    expected = np.linalg.norm(dense, 2)
    assert np.isclose(A.norm(), expected, rtol=1e-7)
    assert np.isclose((A.H @ A).norm(), expected**2, rtol=1e-7)
    assert np.isclose((A + A.H.H).norm(), 2 * expected, rtol=1e-7)


def test_equality_and_pickling(A, library):
    make, options = library
    again = pickle.loads(pickle.dumps(A))
    assert again == A == A.T.T == A.H.H
    assert hash(again) == hash(A)
    assert A != A.T
    changed = np.asarray(A.kernel).copy()
    changed[0, 0, 0, 0] += 1
    assert mtconv.Conv(make(changed), (5, 6), stride=(1, 2), padding=1, **options) != A
    for made in (A.T @ A, A + A, 2 * A, mtconv.vstack([A, A]), mtconv.hstack([A, A])):
        again = pickle.loads(pickle.dumps(made))
        assert again == made == made.T.T == made.H.H
        assert hash(again) == hash(made)
        assert made != A
    assert 2 * A != 3 * A
    assert A + A != A + 2 * A


def test_kernels_that_need_gradients():
    torch = pytest.importorskip("torch")
    kernel = torch.arange(6.0, requires_grad=True)
    A = mtconv.Conv(kernel, 9)
    assert A.to_dense().tolist() == mtconv.Conv(np.arange(6.0), 9).to_dense().tolist()
    assert np.isclose(A.norm(), mtconv.Conv(np.arange(6.0), 9).norm())
    (2 * A.T @ A)(torch.ones(9)).sum().backward()
    assert kernel.grad.shape == (6,)
    half = mtconv.Conv(torch.arange(3).to(torch.bfloat16), 4)
    assert "bfloat16" in repr(half)
    assert half.to_sparse().toarray().tolist() == [[0, 1, 2, 0], [0, 0, 1, 2]]


def test_kernels_on_other_devices():
    xp = pytest.importorskip("array_api_strict")
    device = xp.Device("device1")
    A = mtconv.Conv(xp.asarray([1, 10], device=device), 3)
    assert A.to_dense().device == device
    assert A.to_sparse().toarray().tolist() == [[1, 10, 0], [0, 1, 10]]
    assert (A.T @ A)(np.array([1, 2, 3])).device == device
    assert mtconv.Conv(xp.asarray([1, 10], device=device), 3) == A
