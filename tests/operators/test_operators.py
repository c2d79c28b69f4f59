"""`Conv` and `ConvTranspose` as linear operators, on every backend."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given

import mtconv
from mtconv.strategies import problems
from mtconv.testing import assert_adjoint

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


@pytest.fixture
def A(backend):
    """A convolution of 2 channels into 3, on 5 x 6 pixels."""
    kernel = np.arange(-9, 27).reshape(3, 2, 2, 3)
    return mtconv.Conv(kernel, (5, 6), stride=(1, 2), padding=1, backend=backend)


@pytest.fixture
def x(A):
    """An input of A without symmetry."""
    return np.arange(A.shape[1]).reshape(A.input_shape) % 7 - 2


class TestCalls:
    def test_shapes(self, A):
        assert A.input_shape == (2, 5, 6)
        assert A.output_shape == (3, 6, 3)
        assert A.shape == (54, 60)
        assert A.T.input_shape == A.output_shape
        assert A.T.shape == (60, 54)

    def test_arrays_keep_their_dimensions(self, A, x, same):
        expected = mtconv.conv(x, A.kernel, stride=(1, 2), padding=1)
        same(np.asarray(A(x)), np.asarray(expected))
        same(np.asarray(A @ x), np.asarray(expected))

    def test_batches(self, A, x, same):
        batch = np.stack([x, x[::-1], 2 * x, 0 * x])
        for apply in (A, A.__matmul__):
            same(
                np.asarray(apply(batch)), np.stack([np.asarray(A(item)) for item in batch])
            )

    def test_flat_vectors(self, A, x, same):
        for apply in (A, A.__matmul__, A.matvec):
            same(np.asarray(apply(x.ravel())), np.asarray(A(x)).ravel())
        same(np.asarray(A.matvec(x.reshape(-1, 1))), np.asarray(A(x)).reshape(-1, 1))

    def test_columns(self, A, x, same):
        columns = np.stack([x.ravel(), x.ravel()[::-1], 0 * x.ravel()], axis=1)
        expected = A.to_sparse() @ columns
        same(np.asarray(A.matmat(columns)), expected)
        same(np.asarray(A @ columns), expected)
        assert A.matmat(columns[:, :0]).shape == (A.shape[0], 0)

    def test_transposed_products(self, A, same):
        y = np.arange(A.shape[0])
        dense = np.asarray(A.to_dense())
        same(np.asarray(A.T @ y), dense.T @ y)
        same(np.asarray(A.rmatvec(y)), dense.T @ y)
        same(
            np.asarray(A.rmatmat(np.stack([y, 2 * y], 1))),
            dense.T @ np.stack([y, 2 * y], 1),
        )

    def test_from_the_left(self, A, same):
        y = np.arange(A.shape[0])
        dense = np.asarray(A.to_dense())
        same(np.asarray(y @ A), y @ dense)
        same(np.asarray(np.stack([y, -y]) @ A), np.stack([y, -y]) @ dense)

    def test_kernels_follow_the_arrays_they_meet(self, jax_numpy):
        A = mtconv.Conv([1.0, 2.0], 3)
        assert isinstance(A(np.ones(3)), np.ndarray)
        assert isinstance(A(jax_numpy.ones(3)), type(jax_numpy.ones(3)))

    def test_results_promote(self):
        A = mtconv.Conv(np.array([1, 2], np.int32), 3)
        assert A.dtype == np.int32
        assert A(np.ones(3, np.float32)).dtype == np.float64

    def test_lists(self):
        assert mtconv.Conv([1, 10], 3)([1, 2, 3]).tolist() == [21, 32]


class TestLayouts:
    def test_shapes_follow_the_layout(self):
        A = mtconv.Conv(np.ones((2, 3, 4, 5)), (7, 6), layout="NHWC", kernel_layout="HWIO")
        assert A.input_shape == (7, 6, 4)
        assert A.output_shape == (6, 4, 5)
        assert A(np.ones((9, 7, 6, 4))).shape == (9, 6, 4, 5)

    def test_the_batch_stands_where_the_layout_says(self, backend, same):
        kernel = np.arange(6).reshape(3, 2, 1)
        A = mtconv.Conv(kernel, 4, layout="CLN", backend=backend)
        x = np.arange(2 * 4 * 5).reshape(2, 4, 5)
        single = mtconv.Conv(kernel, 4)
        same(np.asarray(A(x)), np.stack([single(x[..., n]) for n in range(5)], axis=-1))
        same(np.asarray(A.matmat(x.reshape(8, 5))), np.asarray(A(x)).reshape(12, 5))

    def test_bare_signals_and_images_have_batches_too(self, same):
        for size in ((4,), (4, 3)):
            A = mtconv.Conv(np.arange(1, 5).reshape((2,) * len(size) + (-1,))[..., 0], size)
            x = np.arange(5 * np.prod(size)).reshape(5, *size)
            same(A(x), np.stack([A(item) for item in x]))

    def test_bare_volumes(self, same):
        kernel = np.arange(8).reshape(2, 2, 2)
        A = mtconv.ConvTranspose(kernel, (2, 1, 3), layout="DHW")
        x = np.arange(12).reshape(2, 2, 1, 3)
        same(A(x), np.stack([A(item) for item in x]))
        same(A(x[0]), mtconv.conv_transpose(x[0], kernel, layout="DHW"))

    def test_a_bare_image_is_no_matrix_of_columns(self, same):
        A = mtconv.Conv(np.array([[1, 10], [100, 1000]]), (3, 4))
        x = np.arange(12).reshape(3, 4)
        same(A @ x, A(x))
        same(A(x).ravel(), A.to_sparse() @ x.ravel())

    def test_four_axes(self, same):
        A = mtconv.Conv(np.arange(16).reshape(1, 1, 2, 2, 2, 2), (2, 3, 2, 2))
        x = np.arange(24).reshape(A.input_shape)
        same(A(x).ravel(), A.to_sparse() @ x.ravel())


@given(case=problems(layouts=True, padding_modes=MODES, bias=False, batches=(1, 2)))
def test_operators_are_the_functions(case, same):
    forward = mtconv.Conv(case.kernel, case.spec.big, **case.conv_options)
    transposed = mtconv.ConvTranspose(case.kernel, case.spec.small, **case.options)
    same(forward(case.y), mtconv.conv(case.y, case.kernel, **case.conv_options))
    same(transposed(case.x), mtconv.conv_transpose(case.x, case.kernel, **case.options))
    assert forward.spec.axes == transposed.spec.axes
    same(forward.T(case.x), transposed(case.x))
    same(transposed.T(case.y), forward(case.y))


class TestAdjoint:
    @given(
        case=problems(
            layouts=True,
            padding_modes=MODES,
            dtypes=("int64", "complex128"),
            bias=False,
            batches=(1, 2),
        )
    )
    @pytest.mark.parametrize("name", ["numpy", "sparse"])
    def test_dot_test(self, name, case):
        A = mtconv.Conv(case.kernel, case.spec.big, backend=name, **case.conv_options)
        assert_adjoint(A, A.T, case.y, case.x, exact=True)
        assert_adjoint(A, A.H, case.y, case.x, conjugate=True, exact=True)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("rank", [1, 2, 3])
    @pytest.mark.parametrize("groups", [1, 3])
    def test_dot_test_on_every_backend(self, backend, mode, rank, groups):
        rng = np.random.default_rng(rank)
        kernel = rng.integers(-9, 10, (3, 6 // groups, *(3, 2, 2)[:rank])) * (1 - 2j)
        size = (5, 4, 3)[:rank]
        A = mtconv.Conv(
            kernel,
            size,
            stride=2,
            padding=1,
            groups=groups,
            padding_mode=mode,
            backend=backend,
        )
        y, x = (
            rng.integers(-9, 10, shape) + 1j * rng.integers(-9, 10, shape)
            for shape in (A.input_shape, A.output_shape)
        )
        assert_adjoint(A, A.T, y, x, exact=True)
        assert_adjoint(A, A.H, y, x, conjugate=True, exact=True)

    def test_the_test_can_fail(self):
        A = mtconv.Conv([1j, 2], 3)
        y, x = np.array([1, 2, 3j]), np.array([1, 1j])
        with pytest.raises(AssertionError):
            assert_adjoint(A, A.T, y, x, conjugate=True)

    def test_transposes_and_conjugates(self, A):
        assert A.T.T == A
        assert A.H == A.T
        assert A.H.H == A
        assert A.H is A.T
        B = mtconv.Conv(np.array([1, 2j]), 4)
        assert B.H != B.T
        assert B.H.H == B


class TestIdentity:
    def test_equality_is_one_truth_value(self, backend):
        kernel = np.arange(4.0)
        A = mtconv.Conv(kernel, 6, backend=backend)
        assert mtconv.Conv(kernel, 6, backend=backend) == A
        assert hash(A) == hash(mtconv.Conv(kernel, 6, backend=backend))
        assert mtconv.Conv(kernel + 1, 6, backend=backend) != A
        assert mtconv.Conv(kernel[:3], 6, backend=backend) != A
        assert mtconv.Conv(kernel, 7, backend=backend) != A
        narrow = mtconv.Conv(kernel.astype(np.float32), 6, backend=backend)
        for single, other in ((narrow, A), (A, narrow)):
            assert single != other
        assert A != A.T
        assert A != "A"
        assert mtconv.Conv(kernel, 6, backend="numpy") != mtconv.Conv(kernel, 6)

    def test_pickles(self, A, x, same):
        again = pickle.loads(pickle.dumps(A))
        assert again == A
        same(np.asarray(again(x)), np.asarray(A(x)))
        assert pickle.loads(pickle.dumps(A.T)).T == A

    def test_the_kernel_is_the_operators_own(self):
        kernel = np.array([1, 2])
        A = mtconv.Conv(kernel, 3)
        kernel[:] = 0
        assert A([1, 1, 1]).tolist() == [3, 3]
        with pytest.raises(ValueError, match="read-only"):
            A.kernel[0] = 5

    def test_later_calls_reuse_what_the_first_one_made(self, monkeypatch, same):
        from mtconv.backends import _sparse

        built = []
        build = _sparse.build_csr
        monkeypatch.setattr(
            _sparse, "build_csr", lambda *passed: built.append(passed) or build(*passed)
        )
        A = mtconv.Conv([1, 10], 3, backend="sparse")
        x = np.array([[1, 2, 3], [4, 5, 6]])
        for _ in range(3):
            same(A(x[0]), np.array([21, 32]))
            same(A(x), np.array([[21, 32], [54, 65]]))
            same(A.matmat(x.T), np.array([[21, 54], [32, 65]]))
            same(A.rmatvec(np.array([1, 2])), np.array([1, 12, 20]))
        assert len(built) == 2  # one for A, one for its transpose

    def test_taps_are_summed_in_the_dtype_of_the_result(self, backend):
        # 100 + 100 would wrap in the kernel's own dtype.
        kernel = np.array([100, 100], np.int8)
        options = {"padding": ((1, 0),), "padding_mode": "replicate", "backend": backend}
        A = mtconv.Conv(kernel, 2, **options)
        x = np.array([1, 2], np.int16)
        assert np.asarray(A(x)).tolist() == [200, 300]
        assert np.asarray(mtconv.conv(x, kernel, **options)).tolist() == [200, 300]

    def test_repr(self):
        A = mtconv.Conv([1.0, 2.0], 3)
        assert repr(A) == "Conv(input_shape=(3,), output_shape=(2,), dtype=float64)"


class TestErrors:
    @pytest.mark.parametrize(
        "shape",
        [
            (2, 5, 7),
            (59,),
            (61,),
            (3, 6, 3),
            (4, 3, 5, 6),
            (4, 2, 5, 5),
            (1, 4, 2, 5, 6),
            (),
        ],
    )
    def test_wrong_shapes(self, A, shape):
        for apply in (A, A.__matmul__, A.matvec):
            with pytest.raises(mtconv.GeometryError) as error:
                apply(np.zeros(shape))
            assert "must have shape (2, 5, 6)" in str(error.value)
            assert f"got shape {shape}" in str(error.value)

    def test_wrong_columns(self, A):
        with pytest.raises(mtconv.GeometryError, match="flat with 60 elements"):
            A @ np.zeros((54, 2))
        for shape in ((60,), (59, 2), (61, 2), (60, 2, 2)):
            with pytest.raises(mtconv.GeometryError, match="`vs` must have shape"):
                A.matmat(np.zeros(shape))
        with pytest.raises(mtconv.GeometryError, match="`x` must have shape"):
            A @ np.zeros((60, 2, 2))

    def test_many_columns_are_no_error(self, same):
        A = mtconv.Conv([1, 10], 300)
        columns = np.arange(600).reshape(300, 2)
        same(A.matmat(columns), A.to_sparse() @ columns)

    @pytest.mark.parametrize(
        ("size", "rule"),
        [
            (0, "`input_size` must be at least 1"),
            (2.0, "`input_size` must be an integer"),
            ((4, 4), "`input_size` must be one value or one per spatial axis"),
            (2, "`kernel`"),
        ],
    )
    def test_wrong_sizes(self, size, rule):
        with pytest.raises(mtconv.GeometryError, match=re.escape(rule)):
            mtconv.Conv([1, 2, 3], size)

    def test_conv_has_no_output_size(self):
        with pytest.raises(TypeError, match="output_size"):
            mtconv.Conv([1, 2], 4, output_size=3)


@pytest.mark.parametrize("nothing", [0.0, False, 1, -1, None])
def test_sums_start_with_the_integer_0_alone(nothing):
    A = mtconv.Conv([1, 2], 3)
    assert 0 + A is A
    with pytest.raises(TypeError, match=r"unsupported operand"):
        nothing + A
