"""Circular operators in frequency: the same results, and what `auto` promises of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtconv
from mtconv.operators.circular.maps import FrequencyForm
from mtconv.testing import assert_adjoint

CIRCULAR = {"padding_mode": "circular"}


def whole(shape, seed=0, largest=9):
    """An array of whole numbers without symmetry."""
    return np.random.default_rng(seed).integers(-largest, largest + 1, shape).astype(float)


@st.composite
def circular_operators(draw):
    """A convolution with circular padding of any stride, and inputs of both maps."""
    rank = draw(st.integers(1, 3))
    groups, small, share = (draw(st.integers(1, 2)) for _ in range(3))
    sizes = st.integers(4, 7)
    taps = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    kernel = whole((groups * small, share, *taps), draw(st.integers(0, 9)), 3)
    options = {
        "stride": tuple(draw(st.integers(1, 3)) for _ in range(rank)),
        "dilation": tuple(draw(st.integers(1, 2)) for _ in range(rank)),
        "padding": tuple(
            (draw(st.integers(3, 9)), draw(st.integers(0, 9))) for _ in range(rank)
        ),
        "groups": groups,
        **CIRCULAR,
    }
    if draw(st.booleans()):
        kernel = kernel * (1 - 2j)
    size = tuple(draw(sizes) for _ in range(rank))
    return kernel, size, options


@given(case=circular_operators())
def test_fft_by_name_is_close_to_the_exact_maps(case):
    kernel, size, options = case
    A = mtconv.Conv(kernel, size, algorithm="fft", **options)
    B = mtconv.Conv(kernel, size, algorithm="exact", **options)
    for got, exact in ((A, B), (A.T, B.T), (A.H, B.H)):
        x = whole((2, *got.input_shape), 3)
        np.testing.assert_allclose(got(x), exact(x), atol=1e-9)
        np.testing.assert_allclose(got(x[0]), exact(x[0]), atol=1e-9)
        assert any(isinstance(form, FrequencyForm) for form in got._prepared.values())
        x = x * (1 + 1j)
        np.testing.assert_allclose(got(x), exact(x), atol=1e-9)


@pytest.fixture(params=[1, 2, 3], ids=lambda stride: f"stride-{stride}")
def A(request):
    """A large enough circular convolution that `auto` takes spectra; 3 divides no side."""
    options = {"stride": request.param, "padding": 22, **CIRCULAR}
    return mtconv.Conv(whole((45, 45), 1, 3), (200, 200), **options)


def in_frequency(operator):
    """Whether an operator has a spectrum that it kept."""
    return any(isinstance(form, FrequencyForm) for form in operator._prepared.values())


def exact(operator, x):
    """The result of direct sums."""
    copy = type(operator)._make(
        operator.kernel, operator.spec, operator.computing._replace(algorithm="exact")
    )
    return copy(x)


class TestPromises:
    def test_whole_numbers_are_exact(self, A, same):
        for operator in (A, A.T):
            x = whole(operator.input_shape, 2, 99)
            same(operator(x), exact(operator, x))
            same(operator(x.astype(np.float32)), exact(operator, x))
            assert in_frequency(operator)

    def test_whole_numbers_that_are_too_large_are_exact_too(self, A, same):
        x = whole(A.input_shape, 2, 2**40)
        same(A(x), exact(A, x))

    def test_adjoints_are_exact(self, A):
        x, y = whole(A.input_shape, 2), whole(A.output_shape, 3)
        # Exact for whole numbers; `assert_adjoint` has fractions too.
        assert np.vdot(A(x), y) == np.vdot(x, A.T(y))
        assert_adjoint(A, A.T, x, y)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_reach_what_the_kernel_reaches(self, A, value, same):
        x = whole(A.input_shape, 2)
        x[5, 7] = value
        with np.errstate(invalid="ignore"):
            same(A(x), exact(A, x))

    def test_nothing_negative_comes_from_nothing_negative(self, A):
        kernel = np.exp(-np.abs(A.kernel) * 5)
        B = mtconv.Conv(kernel, (200, 200), padding=22, **CIRCULAR)
        x = np.zeros((200, 200))
        x[3, 4] = 1.5
        assert B(x).min() >= 0
        assert B.T(x).min() >= 0
        assert in_frequency(B)

    def test_single_precision_is_as_accurate_as_direct_sums(self, A):
        rng = np.random.default_rng(4)
        x = rng.standard_normal(A.input_shape).astype(np.float32)
        x[0, 0] = 1e8  # beside which the others would be lost in single precision
        B = mtconv.Conv(A.kernel.astype(np.float32) / 7, (200, 200), padding=22, **CIRCULAR)
        got = B(x)
        assert got.dtype == np.float32
        expected = exact(B, x.astype(np.float64))
        terms = 45 * 45
        weight = mtconv.conv(
            np.abs(x).astype(float),
            np.abs(B.kernel),
            padding=22,
            algorithm="exact",
            **CIRCULAR,
        )
        assert (np.abs(got - expected) <= terms * 2.0**-24 * weight).all()

    @pytest.mark.parametrize(
        ("dtype", "y", "total"),
        [
            ("int8", [100, 100], 200),
            ("uint8", [200, 100], 300),
            ("float16", [60000, 60000], 120000),
            ("float32", [2**24, 1], 2**24 + 1),
            ("int32", [2**31 - 1, 1], 2**31),
        ],
    )
    def test_elements_that_share_a_place_are_added_in_the_wide_dtype(self, dtype, y, total):
        B = mtconv.Conv(np.ones(1), 1, padding=((0, 1),), algorithm="fft", **CIRCULAR)
        assert (B.T @ np.array(y, dtype)).tolist() == [total]
        C = mtconv.Conv(np.ones((25, 25)), (48, 48), padding=((12, 13),) * 2, **CIRCULAR).T
        repeated = np.full(C.input_shape, y[0], dtype)  # 49 on circles of 48
        assert np.allclose(C @ repeated, C @ repeated.astype(float), rtol=1e-12)
        assert in_frequency(C)

    def test_exact_and_integers_take_no_spectra(self, A):
        for kernel, algorithm in ((A.kernel, "exact"), (A.kernel.astype(int), "auto")):
            B = mtconv.Conv(kernel, (200, 200), padding=22, algorithm=algorithm, **CIRCULAR)
            B(np.ones((200, 200), kernel.dtype))
            assert not in_frequency(B)

    def test_inputs_are_left_alone(self, A):
        x = whole(A.input_shape, 2) / 3
        before = x.copy()
        x.flags.writeable = False
        A(x)
        mtconv.Conv(A.kernel, (200, 200), padding=22, algorithm="fft", **CIRCULAR)(x)
        assert (x == before).all()


@pytest.fixture(params=[300, 5000])
def small_pieces(request, monkeypatch):
    """Pieces of so many elements, which three threads share."""
    from mtconv.operators.circular import stages

    for name in ("_MOST", "_LEAST"):
        monkeypatch.setattr(stages, name, request.param)
    with mtconv.workers(3):
        yield


@pytest.mark.usefixtures("small_pieces")
class TestPiecesOfArrays:
    def test_whole_numbers_are_exact(self, A, same):
        for operator in (A, A.T):
            x = whole((2, *operator.input_shape), 2, 99)
            same(operator(x), exact(operator, x))
            x[-1, -1, -1] += 0.5  # the only fraction
            np.testing.assert_allclose(operator(x), exact(operator, x), atol=1e-8)
            assert in_frequency(operator)

    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    @pytest.mark.parametrize("place", [(0, 0), (51, 37), (-1, -1)])
    def test_every_element_is_looked_at(self, A, value, place, same):
        x = whole(A.T.input_shape, 2)
        x[place] = value
        with np.errstate(invalid="ignore"):
            same(A.T(x), exact(A.T, x))

    def test_one_negative_element_keeps_its_sign(self):
        kernel = np.zeros((45, 45))
        kernel[22, 22], kernel[0, 0] = 0.75, 1e-3
        B = mtconv.Conv(kernel, (200, 200), padding=22, algorithm="auto", **CIRCULAR)
        x = np.random.default_rng(1).random((200, 200))
        assert B(x).min() >= 0
        x[-1, -1] = -8.0
        assert np.isclose(B(x)[-1, -1], exact(B, x)[-1, -1])
        assert B(x)[-1, -1] < -5

    @pytest.mark.parametrize("dtype", [np.float32, np.complex64, ">f8"])
    def test_other_dtypes(self, A, dtype):
        x = (whole(A.input_shape, 2) / 7).astype(dtype)
        got = A(x)
        assert got.dtype == np.result_type(x.dtype, A.kernel).newbyteorder("=")
        np.testing.assert_allclose(got, exact(A, x), rtol=1e-6, atol=1e-6)


def test_elements_that_are_added_up_are_judged_one_by_one(same):
    # Of 3 elements 4 apart on a circle of 8, the first and the last are at one place.
    options = {"stride": 4, "padding": ((0, 2),), "algorithm": "auto", **CIRCULAR}
    A = mtconv.Conv([1.0, 2.0], 8, **options)
    assert A.output_shape == (3,)
    form = FrequencyForm
    x = np.array([2.0**52, 1.0, 2.0**52])  # whose sum is no longer known to be whole
    prepared = A.T
    prepared(x)
    plan = next(p for p in prepared._prepared if hasattr(p, "form"))
    assert form(plan, A.kernel).run(x[None], single=True) is None
    got = form(plan, A.kernel).run(np.array([[1.0, 10.0, 100.0]]), single=True)
    same(got, np.array([101.0, 202, 0, 0, 10, 20, 0, 0]))


def test_spectra_are_kept(A, monkeypatch):
    A(whole(A.input_shape))
    monkeypatch.setattr(FrequencyForm, "__init__", None)
    for batch in (whole(A.input_shape, 5), whole((3, *A.input_shape), 6)):
        assert A(batch).shape[-2:] == A.output_shape


def test_small_problems_take_none():
    B = mtconv.Conv([1.0, 2.0], 8, padding=((0, 1),), **CIRCULAR)
    B(np.ones(8))
    assert not in_frequency(B)


def test_without_scipy(monkeypatch, same):
    from mtconv.operators.circular import transforms

    monkeypatch.setattr(transforms, "_module", lambda: np.fft)
    A = mtconv.Conv(whole((31, 31)), (200, 200), padding=15, **CIRCULAR)
    x = whole((200, 200), 2)
    same(A(x), exact(A, x))
    assert in_frequency(A)


class TestLayouts:
    def test_channels_last(self, same):
        kernel = whole((25, 25, 2, 3), 1, 3)
        options = {"layout": "NHWC", "kernel_layout": "HWIO", "padding": 12, **CIRCULAR}
        A = mtconv.Conv(kernel, (64, 48), **options)
        x = whole((2, *A.input_shape), 2)
        same(A(x), exact(A, x))
        same(A(x[0]), exact(A, x[0]))
        assert in_frequency(A)
        assert A(x).flags.c_contiguous

    def test_stacks_with_the_batch_last(self, same):
        options = {"layout": "HWN", "padding": 15, **CIRCULAR}
        A = mtconv.Conv(whole((31, 31), 1, 3), (64, 64), **options)
        x = whole((64, 64, 3), 2)
        same(A(x), exact(A, x))
        assert in_frequency(A)


OPTIONS = {"stride": (2, 1), "padding": ((1, 2), (2, 1)), "groups": 2, **CIRCULAR}


class TestOtherLibraries:
    @pytest.mark.parametrize("name", ["jax.numpy", "torch"])
    @pytest.mark.parametrize("factor", [1, 1 - 2j], ids=["real", "complex"])
    def test_fft_by_name(self, name, factor):
        xp = pytest.importorskip(name)
        kernel, x = whole((4, 2, 3, 4), 1) * factor, whole((2, 4, 6, 5), 2)
        A = mtconv.Conv(xp.asarray(kernel), (6, 5), algorithm="fft", **OPTIONS)
        B = mtconv.Conv(kernel, (6, 5), **OPTIONS)
        got = A(xp.asarray(x.astype(kernel.dtype)))
        assert type(got) is type(xp.asarray(x))
        np.testing.assert_allclose(np.asarray(got), B(x), atol=1e-10)
        y = whole(B.output_shape, 3).astype(kernel.dtype)
        np.testing.assert_allclose(np.asarray(A.H(xp.asarray(y))), B.H(y), atol=1e-10)

    @pytest.mark.parametrize("name", ["jax.numpy", "torch"])
    @pytest.mark.parametrize("factor", [1, 1j], ids=["real", "complex"])
    def test_empty_batches(self, name, factor):
        xp = pytest.importorskip(name)
        kernel = xp.asarray(whole((4, 2, 2, 2), 1) * factor)
        options = {**OPTIONS, "padding": ((0, 0), (0, 1))}
        A = mtconv.Conv(kernel, (6, 5), algorithm="fft", **options)
        big, small = xp.zeros((0, 4, 6, 5)), xp.zeros((0, 4, 3, 5))
        assert A(big).shape == (0, 4, 3, 5)
        assert A.T(small).shape == (0, 4, 6, 5)
        assert A.regularized_inverse(1.0)(big).shape == (0, 4, 6, 5)
        assert A.regularized_solve(small, 1.0, big).shape == (0, 4, 6, 5)
        assert A(big).dtype == A(xp.zeros((1, 4, 6, 5))).dtype

    def test_gradients_and_traces_of_jax(self):
        jax = pytest.importorskip("jax")
        jnp = pytest.importorskip("jax.numpy")
        A = mtconv.Conv(
            jnp.asarray(whole((3, 3), 1)), (4, 6), algorithm="fft", padding=1, **CIRCULAR
        )
        B = mtconv.Conv(A.kernel, (4, 6), padding=1, **CIRCULAR)
        x = jnp.asarray(whole((4, 6), 2))
        loss = jax.jit(jax.grad(lambda A, x: (A(x) ** 2).sum()))
        np.testing.assert_allclose(loss(A, x).kernel, loss(B, x).kernel, atol=1e-9)

    @pytest.mark.parametrize(
        ("kernel", "stride", "adds"),
        [
            ((1, 1, 3), 1, False),
            ((2, 1, 3), 1, True),
            ((1, 2, 3), 1, True),
            ((1, 1, 3), 2, True),
        ],
    )
    def test_products_are_added_up_only_where_there_are_several(self, kernel, stride, adds):
        jax = pytest.importorskip("jax")
        jnp = pytest.importorskip("jax.numpy")
        options = {"stride": stride, "padding": ((1, 2 - stride),), **CIRCULAR}
        A = mtconv.Conv(jnp.ones(kernel), 8, algorithm="fft", **options)
        for operator in (A, A.T):
            program = jax.make_jaxpr(operator)(jnp.ones(operator.input_shape))
            assert ("dot_general" in str(program)) == adds

    def test_integers_are_refused(self):
        jnp = pytest.importorskip("jax.numpy")
        A = mtconv.Conv(
            jnp.asarray([1, 2]), 4, algorithm="fft", padding=((0, 1),), **CIRCULAR
        )
        with pytest.raises(mtconv.BackendError) as error:
            A(jnp.asarray([1, 2, 3, 4]))
        assert str(error.value) == (
            "conv: `algorithm` must be exact for integers, which 'fft' is not; got 'fft' "
            "for dtype int64. Use 'auto', or convert the arrays to floating numbers."
        )

    def test_other_padding_has_no_fft_there(self):
        jnp = pytest.importorskip("jax.numpy")
        A = mtconv.Conv(jnp.ones(2), 4, algorithm="fft")
        with pytest.raises(
            mtconv.BackendError, match="must be 'auto', 'exact' or one that"
        ):
            A(jnp.ones(4))
