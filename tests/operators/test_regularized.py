"""Closed forms of circular operators: arguments, dtypes, other libraries, errors."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

import mtconv
from mtconv.testing import assert_adjoint
from tests.operators.circular_operators import CIRCULAR, operators, spread


@given(A=operators())
@settings(max_examples=30)
def test_norms_are_exact(A):
    dense = A.to_dense()
    assert np.isclose(A.norm(tol=10.0), np.linalg.norm(dense, 2), rtol=1e-12)


@pytest.fixture(params=["conv", "conv_transpose"])
def A(request):
    """One small channel and two residues, or its transpose."""
    options = {"stride": 2, "padding": ((1, 1), (2, 2)), **CIRCULAR}
    forward = mtconv.Conv(spread(1, (4, 6)), (6, 8), **options)
    return forward if request.param == "conv" else forward.T


def test_shapes_of_arguments(A, same):
    weight = 0.1
    y, z = spread(2, (3, *A.output_shape)), spread(3, (3, *A.input_shape))
    every = A.regularized_solve(y, weight, z)
    for n in range(3):
        np.testing.assert_allclose(
            A.regularized_solve(y[n], weight, z[n]), every[n], rtol=1e-13
        )
    flat = A.regularized_solve(y[0].ravel(), weight, z[0].ravel())
    np.testing.assert_allclose(flat, every[0].ravel(), rtol=1e-13)
    from_zero = A.regularized_solve(y, weight)
    same(from_zero, A.regularized_solve(y, weight, 0 * z))
    assert not np.array_equal(from_zero, every)


@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 3, 1), (3, 1, 3), (1, 2, 3)])
@pytest.mark.parametrize(
    "most_channels", [(1, 2), (7, 1), (7, 2), (60, 2), (100, 1), (200, 1), (200, 2)]
)
def test_pieces_make_no_difference(stride, most_channels, monkeypatch, same):
    from mtconv.operators.circular import stages

    most, channels = most_channels

    small = (6, 4, 5)
    size = tuple(n * s for n, s in zip(small, stride, strict=True))
    padding = tuple((1, 3 - s) for s in stride)  # 4 - stride in all
    A = mtconv.Conv(
        spread(1, (channels, 2, 4, 4, 4)), size, stride=stride, padding=padding, **CIRCULAR
    )
    y, z = spread(2, (2, *A.output_shape)), spread(3, (2, *A.input_shape))
    expected = A.regularized_solve(y, 0.1, z), A.T.regularized_solve(z, 0.1, y)
    inverse = A.regularized_inverse(0.1)(z), A.T.regularized_inverse(0.1)(y)
    for name in ("_MOST", "_LEAST"):
        monkeypatch.setattr(stages, name, most)
    monkeypatch.setattr(stages, "_THREADED", 1)
    results = []
    for workers in (2, 3):
        with mtconv.workers(workers):
            results.append(
                (
                    A.regularized_solve(y, 0.1, z),
                    A.T.regularized_solve(z, 0.1, y),
                    A.regularized_inverse(0.1)(z),
                    A.T.regularized_inverse(0.1)(y),
                )
            )
    for first, second, whole in zip(*results, (*expected, *inverse), strict=True):
        same(first, second)
        np.testing.assert_allclose(first, whole, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("channels", "groups"), [((0, 2), 1), ((2, 0), 1), ((2, 0), 2), ((1, 0), 1)]
)
def test_kernels_without_channels_leave_z(channels, groups, stride):
    options = {"stride": stride, "padding": ((1, 2 - stride),), "groups": groups}
    A = mtconv.Conv(np.ones((*channels, 3)), 6, **options, **CIRCULAR)
    for operator in (A, A.T):
        y, z = spread(2, operator.output_shape), spread(3, operator.input_shape)
        for got, expected in (
            (operator.regularized_solve(y, 2.0, z), z),
            (operator.regularized_solve(y, 2.0), 0 * z),
            (operator.regularized_inverse(2.0)(z), z / 2),
        ):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)


def test_single_channels_are_multiplied_without_sums(monkeypatch):
    from mtconv.operators.circular import inverse

    def conv(channels, stride):
        kernel, padding = spread(1, (channels, 1, 4, 4)), ((0, 4 - stride),) * 2
        options = {"stride": stride, "padding": padding, **CIRCULAR}
        return mtconv.Conv(kernel, (16, 4), **options)

    monkeypatch.setattr(inverse, "suits", lambda *_: False)  # no solves line by line
    monkeypatch.setattr(np, "einsum", None)
    for stride in (1, 4):
        A = conv(1, stride)
        for operator in (A, A.T):
            dense = operator.to_dense()
            gram = dense.T @ dense + 0.1 * np.eye(operator.shape[1])
            y, z = spread(2, operator.output_shape), spread(3, operator.input_shape)
            expected = np.linalg.solve(gram, dense.T @ y.ravel() + 0.1 * z.ravel())
            got = operator.regularized_solve(y, 0.1, z).ravel()
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
            got = operator.regularized_inverse(0.1)(z).ravel()
            expected = np.linalg.solve(gram, z.ravel())
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    A = conv(2, 4)
    with pytest.raises(TypeError):
        A.regularized_inverse(0.1)(spread(3, A.input_shape))


class TestDataThatComeAgain:
    """Spectra of data that are kept make no difference, and are told by every bit."""

    @pytest.fixture(params=[(2**17, 1), (2**17, 2), (3, 1), (3, 2)])
    def A(self, request, monkeypatch):
        from mtconv.operators.circular import stages

        most, channels = request.param  # of a piece: three elements are columns of rows
        monkeypatch.setattr(stages, "_MOST", most)
        options = {"stride": (2, 1), "padding": ((1, 1), (1, 2)), **CIRCULAR}
        return mtconv.Conv(spread(1, (channels, 2, 4, 4)), (6, 8), **options)

    def test_results_are_the_same_bits(self, A, same):
        y, z = spread(2, A.output_shape), spread(3, A.input_shape)
        first = A.regularized_solve(y, 0.1, z)
        other = A.regularized_solve(y, 0.1)
        for _ in range(3):
            same(A.regularized_solve(y, 0.1, z), first)
            same(A.regularized_solve(y, 0.1), other)
            same(A.regularized_solve(y.copy(), 0.1, z), first)

    def test_data_may_be_overwritten(self, A, same):
        y, z = spread(2, A.output_shape), spread(3, A.input_shape)
        for _ in range(3):
            A.regularized_solve(y, 0.1, z)
        y[..., -1, -1] += 1
        fresh = type(A)._make(A.kernel, A.spec, A.computing)
        same(A.regularized_solve(y, 0.1, z), fresh.regularized_solve(y, 0.1, z))

    def test_shapes_and_dtypes_that_share_their_bytes(self, A, same):
        y, z = spread(2, (2, *A.output_shape)), spread(3, (2, *A.input_shape))
        for _ in range(3):
            A.regularized_solve(y, 0.1, z)
        fresh = type(A)._make(A.kernel, A.spec, A.computing)
        same(A.regularized_solve(y[0], 0.1, z[0]), fresh.regularized_solve(y[0], 0.1, z[0]))
        assert not np.array_equal(
            A.regularized_solve(y, 0.1, z), A.regularized_solve(y[::-1].copy(), 0.1, z)
        )

    def test_what_is_kept_is_used(self, A, monkeypatch):
        from mtconv.operators.circular import lines, passes

        y, counts = spread(2, A.output_shape), []

        def counted(transform):
            def wrapper(*args, **options):
                counts.append(1)
                return transform(*args, **options)

            return wrapper

        forward = counted(lines.Side.forward), counted(passes.numpy_forward)
        monkeypatch.setattr(lines.Side, "forward", forward[0])
        monkeypatch.setattr(passes, "numpy_forward", forward[1])
        numbers = []
        for _ in range(4):
            counts.clear()
            A.regularized_solve(y, 0.1)
            numbers.append(len(counts))
        assert numbers[0] == numbers[1] > 0  # at the second call it is kept
        assert numbers[2:] == [0, 0]


def test_layouts():
    kernel = spread(4, (5, 4, 2, 3))
    options = {"layout": "HWNC", "kernel_layout": "HWIO", "stride": 2, **CIRCULAR}
    A = mtconv.Conv(kernel, (6, 4), padding=((1, 2), (2, 0)), **options)
    y, z = spread(5, (3, 2, 7, 3)), spread(6, (6, 4, 7, 2))
    got = A.regularized_solve(y, 0.5, z)
    dense = A.to_dense()
    gram = dense.T @ dense + 0.5 * np.eye(A.shape[1])
    for n in range(7):
        right = dense.T @ y[:, :, n].ravel() + 0.5 * z[:, :, n].ravel()
        expected = np.linalg.solve(gram, right)
        np.testing.assert_allclose(got[:, :, n].ravel(), expected, rtol=1e-9, atol=1e-11)
    B = A.regularized_inverse(0.5)
    inverse = np.linalg.inv(gram)
    result = B(z)
    for n in range(7):
        np.testing.assert_allclose(
            result[:, :, n].ravel(), inverse @ z[:, :, n].ravel(), atol=1e-11
        )


def test_weights_may_change_from_call_to_call(A):
    y, z = spread(2, A.output_shape), spread(3, A.input_shape)
    dense = A.to_dense()
    for weight in (0.5, 2, 0.5, np.float64(3)):
        gram = dense.T @ dense + float(weight) * np.eye(A.shape[1])
        right = dense.T @ y.ravel() + weight * z.ravel()
        got = A.regularized_solve(y, weight, z).ravel()
        np.testing.assert_allclose(
            got, np.linalg.solve(gram, right), rtol=1e-10, atol=1e-12
        )


def test_dtypes(A):
    y = spread(2, A.output_shape)
    single = type(A)._make(A.kernel.astype(np.float32), A.spec, A.computing)
    assert single.regularized_solve(y.astype(np.float32), 0.1).dtype == np.float32
    expected = single.regularized_solve(y, 0.1)
    assert expected.dtype == np.float64
    got = single.regularized_solve(y.astype(np.float32), 0.1)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    integers = type(A)._make((A.kernel * 9).astype(int), A.spec, A.computing)
    assert integers.regularized_solve((y * 9).astype(int), 0.1).dtype == np.float64
    assert integers.regularized_inverse(0.1).dtype == np.float64
    assert A.regularized_solve(y * 1j, 0.1).dtype == np.complex128


def test_inputs_are_left_alone(A):
    y, z = spread(2, A.output_shape), spread(3, A.input_shape)
    copies = y.copy(), z.copy()
    A.regularized_solve(y, 0.1, z)
    A.regularized_inverse(0.1)(z)
    assert (y == copies[0]).all()
    assert (z == copies[1]).all()


def test_the_inverse_is_an_operator(A):
    B = A.regularized_inverse(0.25)
    dense = A.to_dense()
    expected = np.linalg.inv(dense.T @ dense + 0.25 * np.eye(A.shape[1]))
    assert (B.input_shape, B.output_shape) == (A.input_shape, A.input_shape)
    np.testing.assert_allclose(B.to_dense(), expected, atol=1e-13)
    np.testing.assert_allclose(B.to_sparse().toarray(), expected, atol=1e-13)
    x = spread(3, A.input_shape)
    np.testing.assert_allclose(
        (B @ A.T)(spread(4, A.output_shape)),
        A.regularized_solve(spread(4, A.output_shape), 0.25),
        atol=1e-13,
    )
    np.testing.assert_allclose(B.to_sparse(order="F") @ x.ravel("F"), B(x).ravel("F"))
    assert_adjoint(B, B.T, x, spread(5, A.input_shape))
    assert np.isclose(B.norm(), np.linalg.norm(expected, 2), rtol=1e-7)
    assert pickle.loads(pickle.dumps(B)) == B == B.T.T
    assert A.regularized_inverse(0.5) != B
    name = type(A).__name__
    assert repr(B).startswith(f"inverse({name}.H @ {name} + 0.25)(input_shape=")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_not_finite_stays_in_its_sample_and_group(value, stride):
    options = {"stride": stride, "padding": ((1, 2 - stride),), "groups": 2, **CIRCULAR}
    A = mtconv.Conv(spread(1, (4, 3, 3)), 6, **options)
    for operator in (A, A.T):
        channels, size = operator.input_shape
        x = spread(2, (2, channels, size))
        x[1, -1, 2] = value  # in the last group
        with np.errstate(invalid="ignore"):
            got = operator.regularized_inverse(0.5)(x)
        finite = np.ones(x.shape, bool)
        finite[1, channels // 2 :] = False
        assert (np.isfinite(got) == finite).all()


class TestOtherLibraries:
    @pytest.mark.parametrize("name", ["jax.numpy", "torch", "array_api_strict"])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_values(self, name, channels):
        xp = pytest.importorskip(name)
        options = {"stride": 2, "padding": ((1, 1), (2, 1)), **CIRCULAR}
        kernel = spread(1, (channels, 2, 4, 5))
        A = mtconv.Conv(kernel, (6, 4), **options)
        B = mtconv.Conv(xp.asarray(kernel), (6, 4), **options)
        y, z = spread(2, (3, *A.output_shape)), spread(3, (3, *A.input_shape))
        for ours, theirs in ((A, B), (A.T, B.T)):
            got = theirs.regularized_solve(xp.asarray(y), 0.1, xp.asarray(z))
            assert type(got) is type(xp.asarray(y))
            np.testing.assert_allclose(
                np.asarray(got), ours.regularized_solve(y, 0.1, z), atol=1e-12
            )
            got = theirs.regularized_inverse(0.1)(xp.asarray(z))
            np.testing.assert_allclose(
                np.asarray(got), ours.regularized_inverse(0.1)(z), atol=1e-12
            )
            y, z = z, y

    def test_traced_weights_and_gradients_of_jax(self, A):
        jax = pytest.importorskip("jax")
        jnp = pytest.importorskip("jax.numpy")
        B = type(A)._make(jnp.asarray(A.kernel), A.spec, A.computing)
        y = jnp.asarray(spread(2, A.output_shape))
        solve = jax.jit(lambda B, weight: B.regularized_solve(y, weight).sum())
        value, step = solve(B, 0.3), 1e-5
        assert np.isclose(value, A.regularized_solve(np.asarray(y), 0.3).sum())
        slope = (solve(B, 0.3 + step) - solve(B, 0.3 - step)) / (2 * step)
        assert np.isclose(jax.grad(solve, argnums=1)(B, 0.3), slope, rtol=1e-6)
        x = jnp.asarray(spread(3, A.input_shape))
        inverse = jax.jit(lambda weight: B.regularized_inverse(weight)(x))(0.3)
        expected = A.regularized_inverse(0.3)(np.asarray(x))
        np.testing.assert_allclose(inverse, expected, atol=1e-12)


# torch warns of what it does itself.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("mode", ["grad", "jacfwd"])
@pytest.mark.parametrize("library", ["jax", "torch.func"])
def test_derivatives_by_the_weight(library, mode):
    """With one tap the solution is ``y / (1 + weight)``, of derivative -y / 4 at 1."""
    derive = getattr(pytest.importorskip(library), mode)
    one = pytest.importorskip({"jax": "jax.numpy"}.get(library, "torch")).asarray(1.0)
    A = mtconv.Conv(np.ones(1), 6, **CIRCULAR)
    y = np.arange(6.0)
    solved = derive(lambda weight: A.regularized_solve(y, weight).sum())
    inverted = derive(lambda weight: A.regularized_inverse(weight)(y).sum())
    assert abs(float(solved(one)) + 15 / 4) < 1e-5
    assert abs(float(inverted(one)) + 15 / 4) < 1e-5


@pytest.mark.parametrize("library", ["jax.numpy", "torch"])
def test_arrays_of_numpy_follow_those_of_another_library(A, library):
    other = pytest.importorskip(library).asarray
    y, z = spread(4, A.output_shape), np.ones(A.input_shape)
    expected = A.regularized_solve(y, 2.0, z)
    for arrays in ((other(y), z), (y, other(z)), (other(y), other(z))):
        got = A.regularized_solve(arrays[0], 2.0, arrays[1])
        assert isinstance(got, type(other(y)))
        assert np.allclose(np.asarray(got), expected, rtol=1e-5)
    assert np.allclose(A.regularized_solve(y, other(2.0), z), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "zero", [0, 0.0, 0j, np.int64(0), np.float32(0), np.array(0.0), np.array(0)]
)
def test_any_zero_is_where_a_solve_starts(A, zero, same):
    y = spread(4, A.output_shape)
    same(A.regularized_solve(y, 2.0, zero), A.regularized_solve(y, 2.0))


class TestErrors:
    def test_other_padding(self):
        A = mtconv.Conv([1.0, 2.0], 4)
        for call in (
            lambda: A.regularized_inverse(1),
            lambda: A.regularized_solve([1.0], 1),
        ):
            with pytest.raises(mtconv.GeometryError) as error:
                call()
            assert str(error.value).endswith(
                "`padding_mode` must be 'circular' for closed forms; got 'zeros'. Solve by "
                "iteration, as with scipy's lsqr."
            )

    @pytest.mark.parametrize(
        ("size", "padding", "text"),
        [
            (
                6,
                ((0, 0),),
                "Conv.regularized_inverse: `padding` must make the big side the stride "
                "times the small one; got 6 with stride 2 and 2 on the small side on axis "
                "'W'. Pad by 1 in all.",
            ),
            (
                7,
                ((1, 0),),
                "Conv.regularized_inverse: `padding` must make the big side the stride "
                "times the small one; got 7 with stride 2 and 3 on the small side on axis "
                "'W'. Make the big side a multiple of the stride.",
            ),
        ],
    )
    def test_sides_that_do_not_fit(self, size, padding, text):
        A = mtconv.Conv([1.0, 2.0, 3.0], size, stride=2, padding=padding, **CIRCULAR)
        with pytest.raises(mtconv.GeometryError) as error:
            A.regularized_inverse(1.0)
        assert str(error.value) == text
        if "Pad by 1" in text:  # the fix works
            fixed = mtconv.Conv([1.0, 2.0, 3.0], 6, stride=2, padding=((0, 1),), **CIRCULAR)
            fixed.regularized_inverse(1.0)

    def test_taps_that_are_fewer_than_the_stride_need_no_padding(self):
        options = {"stride": 3, **CIRCULAR}
        with pytest.raises(mtconv.GeometryError, match=r"Pad by 0 in all\.$"):
            mtconv.Conv([2.0], 6, padding=((0, 2),), **options).regularized_inverse(1.0)
        fixed = mtconv.Conv([2.0], 6, **options).regularized_inverse(1.0)
        # The two elements that are seen are divided by 2 * 2 + 1.
        np.testing.assert_allclose(fixed(np.ones(6)), [0.2, 1, 1, 0.2, 1, 1])

    @pytest.mark.parametrize("element", [np.nan, np.inf])
    def test_kernels_that_are_not_finite(self, element):
        A = mtconv.Conv([1.0, element, 2.0], 4, padding=1, **CIRCULAR)
        for call in (A.regularized_inverse(1.0), lambda y: A.regularized_solve(y, 1.0)):
            with pytest.raises(ValueError, match="`kernel` must be finite; got 1 of 3"):
                call(np.ones(4))

    def test_too_many_channels(self):
        count = 2**20
        A = mtconv.Conv(np.ones((17, 2, 1)), count, **CIRCULAR)
        with pytest.raises(mtconv.BackendError) as error:
            A.regularized_solve(np.broadcast_to(1.0, (17, count)), 1.0)
        # At each frequency 17 x 17 and twice 17 x 2 complex numbers of 16 bytes: 5712 of
        # them in all, and a GiB has 1024 times as many bytes as there are frequencies.
        assert 16 * (17 * 17 + 2 * 17 * 2) == 5712
        assert str(error.value) == (
            "Conv.regularized_solve: `kernel` must have at most 16 channels on the small "
            "side of a group; got 17, whose matrices would take 5.58 GiB. Solve by "
            "iteration, as with scipy's lsqr."
        )
        mtconv.Conv(np.ones((32, 2, 1)), 64, groups=2, **CIRCULAR).regularized_inverse(1.0)

    @pytest.mark.parametrize(
        "weight",
        [
            *(0, -1.0, np.nan, np.inf, 10**400, Fraction(1, 10**400)),
            *("1", None, True, 1j, np.bool_(True), np.timedelta64(1), np.complex64(1)),
            *(np.longdouble(-1), np.longdouble("nan"), np.array(-1, np.longdouble)),
        ],
    )
    def test_weights(self, A, weight):
        with pytest.raises(ValueError, match="`weight` must be a finite number above 0"):
            A.regularized_inverse(weight)
        with pytest.raises(ValueError, match="`weight` must be a finite number above 0"):
            A.regularized_solve(np.ones(A.output_shape), weight)

    @pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 1j, True])
    @pytest.mark.parametrize("library", ["jax.numpy", "torch"])
    def test_weights_of_other_libraries(self, A, library, value):
        weight = pytest.importorskip(library).asarray(value)
        with pytest.raises(ValueError, match="`weight` must be a finite number above 0"):
            A.regularized_solve(np.ones(A.output_shape), weight)

    @pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
    @pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="alike")
    def test_more_than_double_precision(self, A, dtype):
        double = "complex128" if np.dtype(dtype).kind == "c" else "float64"
        text = f"`dtype` must have double precision at most.*astype.np.{double}"
        with pytest.raises(mtconv.BackendError, match=text):
            A.regularized_solve(np.ones(A.output_shape, dtype), 1.0)
        with pytest.raises(mtconv.BackendError, match=text):
            A.regularized_inverse(1.0)(np.ones(A.input_shape, dtype))

    def test_libraries_that_are_mixed(self, A):
        jax, torch = pytest.importorskip("jax.numpy"), pytest.importorskip("torch")
        y, z = jax.ones(A.output_shape), torch.ones(A.input_shape)
        text = r"regularized_solve: `y` must be of the same array library.* z of torch"
        with pytest.raises(mtconv.BackendError, match=text):
            A.regularized_solve(y, 1.0, z)

    def test_shapes(self, A):
        with pytest.raises(mtconv.GeometryError, match="`y` must have shape"):
            A.regularized_solve(np.ones((2, 2)), 1.0)
        for z in (np.ones((2, 2)), np.ones(A.input_shape), 1.0, -1):
            with pytest.raises(mtconv.GeometryError, match="`z` must be 0 or have shape"):
                A.regularized_solve(np.ones((2, *A.output_shape)), 1.0, z)
        rows, columns = A.shape
        shapes = (columns + 1, columns - 1, (columns, 1), A.input_shape)
        for z in map(np.ones, shapes):
            with pytest.raises(mtconv.GeometryError, match="`z` must be 0 or have shape"):
                A.regularized_solve(np.ones(rows), 1.0, z)
