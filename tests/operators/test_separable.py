"""Kernels that are the product of one vector for each axis, which are applied so."""

import pickle
import sys
from collections import Counter
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
import mtconv.testing
from mtconv.operators import forms
from mtconv.operators.separable.form import SeparableForm

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


@pytest.fixture(autouse=True)
def _any_size(monkeypatch):
    """Let `auto` apply small kernels axis by axis too, where something else is faster."""
    cost = forms.separable_cost

    def free(*arguments):
        return cost(*arguments)._replace(seconds=0.0)

    monkeypatch.setattr(forms, "separable_cost", free)


def separated(operator):
    """Whether an operator has applied its kernel axis by axis."""
    return any(isinstance(form, SeparableForm) for form in operator._prepared.values())


def exact(operator, x):
    """The result of direct sums."""
    computing = operator.computing._replace(algorithm="exact")
    return type(operator)._make(operator.kernel, operator.spec, computing)(x)


def product(factors):
    """Multiply one vector for each axis."""
    return reduce(np.multiply.outer, factors)


def whole(shape, seed, largest=9):
    """An array of whole numbers without symmetry."""
    return np.random.default_rng(seed).integers(-largest, largest + 1, shape)


@st.composite
def geometries(draw):
    """Options, sizes and taps of convolutions of two or three axes."""
    rank = draw(st.integers(2, 3))
    taps = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    mode = draw(st.sampled_from(MODES))
    least = 0 if mode != "zeros" else -1
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": tuple(
            (draw(st.integers(least, 3)), draw(st.integers(least, 3))) for _ in range(rank)
        ),
        "padding_mode": mode,
        "groups": draw(st.integers(1, 2)),
    }
    largest = 30 if rank == 2 else 12
    return taps, tuple(draw(st.integers(9, largest)) for _ in range(rank)), options


def kernels(taps, groups, make):
    """A kernel whose groups are products of vectors that are made one by one."""
    channels = [
        product([make(n, 7 * group + axis) for axis, n in enumerate(taps)])
        for group in range(groups)
    ]
    return np.array(channels)[:, None]


@given(
    geometry=geometries(),
    dtype=st.sampled_from(["float64", "float32", "int64", "int16", "uint8", "float16"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_whole_numbers_are_exact(geometry, dtype, seed):
    taps, size, options = geometry

    def factor(count, number):
        values = whole(count, 100 * seed + number, 3)
        values[0] = 2  # a vector of zeros is no factor
        return abs(values) if dtype == "uint8" else values

    kernel = kernels(taps, options["groups"], factor).astype(dtype)
    A = mtconv.Conv(kernel, size, **options)
    for operator, name in ((A, "conv"), (A.T, "conv_transpose")):
        x = abs(whole((2, *operator.input_shape), seed, 4))
        got = operator(x.astype(dtype))
        assert got.dtype == dtype
        if name == "conv":
            expected = mtconv.testing.reference_conv(x, kernel.astype(int), **options)
            assert (got == expected.astype(dtype)).all()
        else:
            assert (got == exact(operator, x.astype(dtype))).all()
        assert separated(operator)
    x, y = whole(A.input_shape, 1).astype(dtype), whole(A.output_shape, 2).astype(dtype)
    if dtype in ("float64", "int64"):
        mtconv.testing.assert_adjoint(A, A.T, x, y, exact=True)


@given(
    geometry=geometries(),
    dtype=st.sampled_from(["float32", "complex64"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_errors_are_within_the_stated_bound(geometry, dtype, seed):
    taps, size, options = geometry
    rng = np.random.default_rng(seed)

    def factor(count, _):
        values = np.exp(5 * rng.standard_normal(count)) * rng.choice([-1, 1], count)
        if dtype == "complex64":
            values = values * np.exp(1j * rng.standard_normal(count))
        return values

    # Rounded in all places, as by somebody who multiplied and scaled in this precision.
    factors = [factor(n, 0).astype(dtype) for n in taps]
    kernel = np.array([product(factors)] * options["groups"])[:, None] / np.float32(3)
    A = mtconv.Conv(kernel, size, **options)
    sums = (sum(taps) + 5 * len(taps)) * (3 if dtype == "complex64" else 1)
    for operator in (A, A.T):
        x = rng.standard_normal((2, *operator.input_shape)).astype(dtype)
        got = operator(x)
        assert got.dtype == dtype
        assert separated(operator)
        double = "complex128" if dtype == "complex64" else "float64"
        copy = type(operator)._make(kernel.astype(double), A.spec, A.computing)
        expected = exact(copy, x.astype(double))
        positive = type(operator)._make(abs(kernel).astype(float), A.spec, A.computing)
        weights = exact(positive, abs(x).astype(float))
        assert (abs(got - expected) <= sums * 2.0**-23 * weights).all()


def test_the_bound_in_double_precision():
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("has no wider numbers")
    t = np.exp(-(np.arange(-3, 4) ** 2) / 4.5)
    kernel = product([t / t.sum()] * 3)
    A = mtconv.Conv(kernel, (20, 21, 22), padding=3, layout="DHW")
    x = np.random.default_rng(1).standard_normal(A.input_shape)
    wide = mtconv.Conv(kernel.astype(np.longdouble), (20, 21, 22), padding=3, layout="DHW")
    for operator, other in ((A, wide), (A.T, wide.T)):
        error = abs(operator(x) - other(x.astype(np.longdouble)))
        weights = exact(operator, abs(x))
        assert (error <= (3 * 7 + 5 * 3) * 2.0**-52 * weights).all()
        assert separated(operator)


def work_of_first_call(make, size):
    """How many calls of functions and steps of generators a first call makes."""
    operator = make(size)
    x, events = np.zeros(operator.input_shape), Counter()
    with mtconv.workers(1):
        sys.setprofile(lambda _, event, __: events.update((event,)))
        try:
            operator(x)
        finally:
            sys.setprofile(None)
    assert separated(operator)
    return events["call"] + events["c_call"]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: mtconv.Conv(np.ones((3, 5)), input_size=(9, n)),
        # Rows of which each reads columns of its own.
        lambda n: mtconv.Conv(np.ones((3, 5)), input_size=(9, 40 * n), stride=(1, 40)),
        lambda n: mtconv.ConvTranspose(np.ones((3, 5)), input_size=(9, n), stride=2),
        # Padding of which most bands read one element.
        lambda n: mtconv.Conv(
            np.ones((3, 5)),
            input_size=(9, 20),
            padding=((0, 0), (n, n)),
            padding_mode="replicate",
        ),
    ],
    ids=["conv", "apart", "conv_transpose", "padding"],
)
def test_a_first_call_does_work_in_proportion_to_the_size(make):
    few, many = work_of_first_call(make, 3000), work_of_first_call(make, 12000)
    assert many < 4.1 * few


def test_small_elements_beside_large_ones_are_as_exact_as_the_bound():
    u = np.array([1.37 * 2.0**-60, 2.0**100, 1.1 * 2.0**-60, 1])
    kernel = product([np.array([1.3, 1, 1.1]), u]).astype(np.float32)
    A = mtconv.ConvTranspose(kernel, (400, 400))
    x = np.zeros((400, 400), np.float32)
    x[200, 200] = 1
    y = A(x)
    assert (y[200:203, 200:204] == kernel).all()


def test_single_precision_is_no_product_in_double_precision():
    t = np.exp(-(np.arange(-3, 4) ** 2) / 4.5)
    kernel = product([t, t]).astype(np.float32)
    A = mtconv.Conv(kernel, (40, 40))
    A(np.ones((40, 40), np.float32))
    assert separated(A)
    B = mtconv.Conv(kernel, (40, 40))
    B(np.ones((40, 40)))
    assert not separated(B)


KERNEL = product([np.array([1.0, 2, -1])] * 2)


class TestPromises:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
    def test_values_that_are_not_finite_reach_what_the_kernel_reaches(self, value, same):
        A = mtconv.Conv(KERNEL, (40, 50), padding=1)
        for operator in (A, A.T):
            x = whole(operator.input_shape, 1).astype(float)
            x[20, 30] = value
            with np.errstate(all="ignore"):
                same(operator(x), exact(operator, x))
            assert separated(operator)

    def test_a_kernel_that_is_not_finite_is_not_separated(self, same):
        kernel = KERNEL.copy()
        kernel[0, 0] = np.inf
        A = mtconv.Conv(kernel, (40, 50))
        x = whole((40, 50), 1).astype(float)
        with np.errstate(invalid="ignore"):
            same(A(x), exact(A, x))
        assert not separated(A)

    def test_exact_and_algorithms_by_name_do_not_separate(self):
        for algorithm in ("exact", "gemm", "polyphase", "direct", "fft"):
            A = mtconv.Conv(KERNEL, (40, 40), algorithm=algorithm)
            A(np.ones((40, 40)))
            assert not separated(A)

    def test_several_channels_in_a_group_are_not_separated(self, same):
        kernel = np.array([[KERNEL, KERNEL]])
        A = mtconv.Conv(kernel, (40, 40))
        x = whole((2, 40, 40), 1).astype(float)
        same(A(x), exact(A, x))
        assert not separated(A)

    @pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "uint8"])
    def test_integers_wrap_as_direct_sums_do(self, dtype, same):
        A = mtconv.Conv(abs(KERNEL).astype(dtype), (20, 30), padding=1)
        high = np.iinfo(dtype).max
        x = np.random.default_rng(1).integers(0, high, (20, 30), dtype, endpoint=True)
        for operator in (A, A.T):
            with np.errstate(over="ignore"):
                same(operator(x), exact(operator, x))
            assert separated(operator)

    def test_nothing_negative_comes_from_nothing_negative(self):
        t = np.exp(-(np.arange(-8, 9) ** 2) / 2)
        A = mtconv.Conv(product([t, t]), (64, 64), padding=8)
        x = np.zeros((64, 64))
        x[5, 7] = 1.25
        for operator in (A, A.T):
            assert operator(x).min() >= 0
            assert (operator(x) == 0).any()
            assert separated(operator)

    def test_the_pair_is_adjoint_to_rounding(self):
        rng = np.random.default_rng(4)
        kernel = product([rng.standard_normal(5) for _ in range(3)])
        options = {"padding": 2, "stride": (1, 2, 1), "layout": "DHW"}
        A = mtconv.Conv(kernel, (20, 21, 22), **options)
        x, y = rng.standard_normal(A.input_shape), rng.standard_normal(A.output_shape)
        left, right = (A(x) * y).sum(), (x * A.T(y)).sum()
        positive = mtconv.Conv(abs(kernel), (20, 21, 22), **options)
        weight = (positive(abs(x)) * abs(y)).sum()
        assert abs(left - right) <= 40 * 2.0**-52 * weight
        assert separated(A)
        assert separated(A.T)

    def test_inputs_are_left_alone(self):
        A = mtconv.Conv(KERNEL, (40, 40))
        x = whole((40, 40), 1).astype(float)
        before = x.copy()
        x.flags.writeable = False
        A(x)
        assert (x == before).all()

    def test_numbers_of_threads_make_no_difference(self, same):
        t = np.exp(-(np.arange(-3, 4) ** 2) / 4.5)
        A = mtconv.Conv(product([t] * 3), (40, 50, 60), padding=3, layout="DHW")
        x = np.random.default_rng(1).standard_normal((40, 50, 60))
        with mtconv.workers(2):
            expected = A(x)
        for number in (3, 4):
            with mtconv.workers(number):
                same(A(x), expected)


class TestInputs:
    @pytest.mark.parametrize("mode", ["zeros", "circular"])
    def test_layouts(self, mode, same):
        kernel = np.array([KERNEL, 2 * KERNEL[::-1]])[:, None].transpose(2, 3, 1, 0)
        options = {"layout": "NHWC", "kernel_layout": "HWIO", "padding_mode": mode}
        A = mtconv.Conv(kernel, (40, 30), groups=2, padding=1, **options)
        x = whole((3, 40, 30, 2), 1).astype(float)
        same(A(x), exact(A, x))
        same(A(x[0]), exact(A, x[0]))
        same(A.T(x), exact(A.T, x))
        assert separated(A)

    @pytest.mark.parametrize("mode", ["zeros", "circular", "reflect"])
    def test_views(self, mode, same):
        A = mtconv.Conv(KERNEL, (40, 30), padding=1, padding_mode=mode)
        x = whole((40, 60), 1).astype(float)[::-1, ::2]
        same(A(x), exact(A, x))
        same(A(np.asfortranarray(x)), exact(A, x))
        same(A(x.astype(">f8")), exact(A, x))
        same(A(x.astype("float32")), exact(A, x))
        same(A(np.ones((40, 30, 0)).transpose(2, 0, 1)), np.ones((0, 40, 30)))
        assert separated(A)

    def test_four_axes(self, same):
        kernel = product([np.array([1.0, 2, 3])] * 4)[None, None]
        A = mtconv.Conv(kernel, (9, 8, 7, 6), padding=1, stride=(1, 2, 1, 2))
        for operator in (A, A.T):
            x = whole((2, *operator.input_shape), 1).astype(float)
            same(operator(x), exact(operator, x))
            assert separated(operator)

    @pytest.mark.parametrize("mode", MODES)
    def test_many_tiles(self, mode, same, monkeypatch):
        from mtconv.operators.separable import tiles

        monkeypatch.setattr(tiles, "_SCRATCH_BYTES", 2**14)
        kernel = product([np.array([1.0, 2, 3, 1, 5])] * 3)
        options = {"padding": 2, "padding_mode": mode, "layout": "DHW"}
        A = mtconv.Conv(kernel, (40, 45, 20), stride=(2, 1, 3), **options)
        for operator in (A, A.T):
            x = whole(operator.input_shape, 1).astype(float)
            same(operator(x), exact(operator, x))
            same(operator(x.astype("f4")), exact(operator, x))
            assert separated(operator)

    @pytest.mark.parametrize(
        ("shape", "taps", "shared"),
        [
            # 2**15 elements on either side; 255 rows of 129 elements and of 128.
            ((64, 512), (1, 1), True),
            ((255, 129), (1, 2), False),
        ],
    )
    def test_small_arrays_stay_on_the_calling_thread(
        self, shape, taps, shared, monkeypatch
    ):
        from mtconv.operators.separable import form

        def note(*_, shared):
            calls.append(shared)

        calls = []
        monkeypatch.setattr(form, "run_all", note)
        monkeypatch.setattr(form, "all_finite", lambda _: True)
        A = mtconv.Conv(np.ones(taps), shape)
        A(np.ones(A.input_shape))
        assert calls == [shared]

    def test_tiles_that_read_columns_apart(self, same, monkeypatch):
        from mtconv.operators.separable import tiles

        monkeypatch.setattr(tiles, "_SCRATCH_BYTES", 0)
        # Eight rows read eight columns, and as many of the second tap after a gap.
        kernel = product([np.array([1.0, 2]), np.array([3.0, 5])])
        A = mtconv.Conv(kernel, (80, 90), dilation=(40, 50))
        for operator in (A, A.T):
            x = whole(operator.input_shape, 1).astype(float)
            same(operator(x), exact(operator, x))
            same(operator(x.astype("f4")), exact(operator, x))
            assert separated(operator)

    @pytest.mark.parametrize(("dtype", "itemsize"), [("f4", 4), ("f8", 8)])
    def test_tiles_are_cut_by_the_bytes_behind_them(self, dtype, itemsize, monkeypatch):
        from mtconv.operators.separable import form

        calls, tiles_of = [], form.tiles_of
        monkeypatch.setattr(form, "tiles_of", lambda *a: calls.append(a[1]) or tiles_of(*a))
        A = mtconv.Conv(np.ones((3, 3, 3), dtype), (9, 9, 40), layout="DHW")
        A(np.ones(A.input_shape, dtype))
        assert calls == [40 * itemsize]

    def test_rows_that_are_too_long_are_not_separated(self):
        # Some of them would take more memory than a thread may.
        kernel = np.ones((3, 3, 3))
        for length, taken in ((10_000, True), (100_000, False)):
            A = mtconv.Conv(kernel, (4, 4, length), layout="DHW")
            assert ("separable" in str(mtconv.explain(A))) == taken

    def test_pickles(self, same):
        A = mtconv.Conv(KERNEL, (40, 40))
        x = whole((40, 40), 1).astype(float)
        same(pickle.loads(pickle.dumps(A))(x), A(x))
