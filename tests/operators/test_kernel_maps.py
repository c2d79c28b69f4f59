"""The maps of a kernel for fixed data, and their adjoint, in every library."""

import pickle

import numpy as np
import pytest
from hypothesis import given

import mtconv
from mtconv.strategies import problems
from mtconv.testing import assert_adjoint

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


def unit_kernels(shape):
    """Every kernel of a single one, in C order."""
    size = int(np.prod(shape))
    return np.eye(size, dtype=int).reshape(size, *shape)


def matrix_of(function, shape):
    """The matrix of a function of kernels, column by column."""
    return np.stack([np.asarray(function(w)).ravel() for w in unit_kernels(shape)], axis=1)


@given(case=problems(layouts=True, padding_modes=MODES, bias=False, batches=(1, 2)))
def test_they_are_the_functions(case, same):
    size, spec = case.spec.kernel_size, case.spec
    small, big = spec.small_channels, spec.big_channels
    A = mtconv.KernelConvTranspose(case.x, kernel_size=size, channels=big, **case.options)
    B = mtconv.KernelConv(case.y, kernel_size=size, channels=small, **case.conv_options)
    w = case.kernel
    assert A.input_shape == B.input_shape == w.shape
    assert A.output_shape == case.y.shape
    assert B.output_shape == case.x.shape
    same(A(w), mtconv.conv_transpose(case.x, w, **case.options))
    same(B(w), mtconv.conv(case.y, w, **case.conv_options))
    grad = mtconv.kernel_grad(case.x, case.y, **case.grad_options)
    same(A.T(case.y), grad)
    same(B.T(case.x), grad)
    for operator in (A, B):
        v, u = np.arange(operator.shape[1]) - 3, np.arange(operator.shape[0]) - 5
        matrix = operator.to_sparse()
        same(operator.matvec(v), matrix @ v)
        same(operator.T.matvec(u), matrix.T @ u)
        assert operator == operator.T.T


@pytest.fixture(params=["conv", "conv_transpose"])
def form(request):
    """Which of the two maps."""
    return request.param


@pytest.fixture(params=MODES)
def mode(request):
    """Every padding mode."""
    return request.param


OPTIONS = {"stride": (2, 1), "padding": 1, "groups": 2}


def make(form, data, **options):
    """The operator on kernels of 2 x 3 taps, from 4 channels to 2 or back."""
    if form == "conv":
        return mtconv.KernelConv(data, kernel_size=(2, 3), channels=2, **options)
    return mtconv.KernelConvTranspose(data, kernel_size=(2, 3), channels=4, **options)


def data_for(form, dtype=int):
    shape = (2, 4, 5, 4) if form == "conv" else (2, 2, 3, 4)
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 11 - 5).astype(dtype)


def test_matrices_of_every_padding_mode(form, mode, same):
    data = data_for(form)
    A = make(form, data, padding_mode=mode, **OPTIONS)
    reference = getattr(mtconv.testing, f"reference_{form}")
    options = {**OPTIONS, "padding_mode": mode}
    expected = matrix_of(lambda w: reference(data, w, **options), A.input_shape)
    assert A.input_shape == (2, 2, 2, 3)
    same(A.to_dense(), expected)
    same(A.T.to_dense(), expected.T)
    assert A.to_sparse().has_canonical_format
    same(A.to_sparse("coo").toarray(), expected)
    # Raveled column by column, on both sides.
    w = np.arange(24).reshape(A.input_shape)
    same(A.to_sparse(order="F") @ w.ravel("F"), A(w).ravel("F"))


def test_libraries(form, library, same):
    convert, options = library
    data = data_for(form) * (1 - 2j)
    A = make(form, convert(data), **OPTIONS, **options)
    reference = getattr(mtconv.testing, f"reference_{form}")
    dense = matrix_of(lambda w: reference(data, w, **OPTIONS), A.input_shape)
    v, u = (np.arange(n).astype(complex) for n in A.shape[::-1])
    columns = np.stack([v, 2 * v, v[::-1]], axis=1)
    for got, expected in (
        (A.to_dense(), dense),
        (A.H.to_dense(), dense.conj().T),
        (A.matvec(convert(v)), dense @ v),
        (A.matmat(convert(columns)), dense @ columns),
        (A.rmatvec(convert(u)), dense.conj().T @ u),
        (A.T(convert(u)), dense.T @ u),
        ((A.H @ A).matvec(convert(v)), dense.conj().T @ (dense @ v)),
        ((2 * A - A).matvec(convert(v)), dense @ v),
    ):
        same(np.asarray(got), expected)
    assert A.dtype == np.complex128
    assert np.isclose(A.norm(), np.linalg.norm(dense, 2), rtol=1e-7)
    assert repr(A).startswith(f"{type(A).__name__}(input_shape=(2, 2, 2, 3), ")
    assert "KernelGrad" in repr(A.T)
    again = pickle.loads(pickle.dumps(A))
    assert again == A != A.T
    assert hash(again) == hash(A)


def test_adjoints(form):
    A = make(form, data_for(form), **OPTIONS)
    w = np.arange(24).reshape(A.input_shape)
    y = np.arange(A.shape[0]).reshape(A.output_shape) % 5
    assert_adjoint(A, A.T, w, y, exact=True)


def test_batches_of_kernels(form, same):
    A = make(form, data_for(form), **OPTIONS)
    ws = np.arange(72).reshape(3, *A.input_shape)
    same(A(ws), np.stack([A(w) for w in ws]))
    assert A(ws[:0]).shape == (0, *A.output_shape)


def test_signals_images_and_volumes_without_channels(same):
    x = np.arange(2 * 3 * 2).reshape(2, 3, 2)
    A = mtconv.KernelConvTranspose(x, kernel_size=(2, 1, 2))
    assert (A.input_shape, A.output_shape) == ((2, 1, 2), (3, 3, 3))
    w = np.arange(4).reshape(2, 1, 2)
    same(A(w), mtconv.conv_transpose(x, w, layout="DHW", kernel_layout="DHW"))
    A = mtconv.KernelConv(x[0], kernel_size=(2, 1))
    assert (A.input_shape, A.output_shape) == ((2, 1), (2, 2))
    same(A([[1], [10]]), np.array([[20, 31], [42, 53]]))
    B = mtconv.KernelConv(np.arange(6), kernel_size=(2,), stride=2)
    same(B(np.array([1, 10])), np.array([10, 32, 54]))
    C = mtconv.KernelConv(np.ones((5, 4, 3)), kernel_size=2, layout="NHW")
    assert (C.input_shape, C.output_shape) == ((2, 2), (5, 3, 2))


def test_default_channels():
    x = np.ones((1, 6, 8))
    assert mtconv.KernelConvTranspose(x, kernel_size=3).input_shape == (6, 1, 3)
    grouped = mtconv.KernelConvTranspose(x, kernel_size=3, groups=3)
    assert (grouped.input_shape, grouped.output_shape) == ((6, 1, 3), (1, 3, 10))
    assert mtconv.KernelConv(x, kernel_size=3, groups=2).input_shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("make", "name"), [(mtconv.KernelConv, "y"), (mtconv.KernelConvTranspose, "x")]
)
def test_all_but_the_data_are_named(make, name):
    data = np.arange(5)
    with pytest.raises(TypeError, match="positional"):
        make(data, (2,))
    assert make(**{name: data}, kernel_size=(2,)) == make(data, kernel_size=(2,))


def test_the_data_are_the_operators_own():
    x = np.array([1, 2, 3])
    A = mtconv.KernelConv(x, kernel_size=(2,))
    x[:] = 0
    assert A([1, 1]).tolist() == [3, 5]
    with pytest.raises(AttributeError, match="operators never change"):
        A.data = x


def test_pytree(jax_numpy):
    jax = pytest.importorskip("jax")
    x = jax_numpy.arange(4.0)
    A = mtconv.KernelConvTranspose(x, kernel_size=(2,))
    assert [leaf.tolist() for leaf in jax.tree.leaves(A)] == [x.tolist()]
    w = jax_numpy.array([1.0, 10.0])
    assert jax.jit(lambda A, w: A.T(A(w)))(A, w).tolist() == A.T(A(w)).tolist()
    by_data = jax.grad(lambda A: A(w).sum())(A).data
    assert by_data.tolist() == [11.0] * 4


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: mtconv.KernelConv(np.ones(5), kernel_size=2),
            "KernelConv: `kernel_size` must be a tuple unless y has batch, channels and "
            "space; got 2 for y of shape (5,). Write one kernel size per spatial axis, for "
            "example (2,).",
        ),
        (
            lambda: mtconv.KernelConvTranspose(np.ones((5, 6)), kernel_size=2),
            "KernelConvTranspose: `kernel_size` must be a tuple unless x has batch, "
            "channels and space; got 2 for x of shape (5, 6). Write one kernel size per "
            "spatial axis, for example (2, 2).",
        ),
        (
            lambda: mtconv.KernelConv(np.ones(5), kernel_size=(2,), channels=1),
            "KernelConv: `channels` must be left out where the data have no channels; got "
            "1. With them, y has 2 or 3 axes.",
        ),
        (
            lambda: mtconv.KernelConvTranspose(
                np.ones((5, 4)), kernel_size=(2, 1), channels=2
            ),
            "KernelConvTranspose: `channels` must be left out where the data have no "
            "channels; got 2. With them, x has 3 or 4 axes.",
        ),
        (
            lambda: mtconv.KernelConv(np.ones((1, 4, 5)), kernel_size=2, channels=0),
            "KernelConv: `channels` must be a positive multiple of groups=1; got 0.",
        ),
        (
            lambda: mtconv.KernelConv(
                np.ones((1, 4, 5)), kernel_size=2, groups=2, channels=3
            ),
            "KernelConv: `channels` must be a positive multiple of groups=2; got 3.",
        ),
        (
            lambda: mtconv.KernelConvTranspose(np.ones((1, 4, 5)), kernel_size=0),
            "KernelConvTranspose: `kernel_size` must be at least 1",
        ),
        (
            lambda: mtconv.KernelConv(np.ones((1, 4, 5)), kernel_size=2, groups=3),
            "KernelConv: `groups` must divide",
        ),
        (
            lambda: mtconv.KernelConv(np.ones((1, 4, 5)), kernel_size=(7,)),
            "KernelConv: `kernel_size` must not span more",
        ),
    ],
)
def test_errors(call, text):
    with pytest.raises(mtconv.GeometryError) as error:
        call()
    assert str(error.value).startswith(text)


def test_matrices_beyond_the_memory_are_refused(monkeypatch):
    from mtconv.matrix import memory

    monkeypatch.setattr(memory, "_available_memory", lambda: 2**30)
    A = mtconv.KernelConv(np.ones((1, 1, 2000, 2000)), kernel_size=(11, 11))
    with pytest.raises(mtconv.BackendError) as error:
        A.to_sparse()
    assert "fits into the memory available, 1.0 GiB; got 479160000 entries" not in str(
        error
    )
    assert "Apply the operator without its matrix." in str(error.value)
