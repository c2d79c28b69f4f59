"""Values of every algorithm on awkward arrays, dtypes and blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy.algorithms import ALGORITHMS as BY_NAME
from mtconv.backends.host import inputs as values
from mtconv.planning import tuning

ALGORITHMS = tuple(BY_NAME)
EXACT = ("gemm", "polyphase", "subpixel", "direct")
OPTIONS = {"stride": 2, "padding": 1, "groups": 2}


def loops(x, kernel, stride, padding, groups):
    """Transposed convolution of a batch of images by the definition, in int64."""
    n, channels, height, width = x.shape
    share, kh, kw = kernel.shape[1:]
    size = [stride * (m - 1) + k - 2 * padding for m, k in ((height, kh), (width, kw))]
    y = np.zeros((n, groups * share, *size), np.int64)
    for c, b, i, j, p, q in np.ndindex(channels, share, height, width, kh, kw):
        row, column = stride * i + p - padding, stride * j + q - padding
        if 0 <= row < size[0] and 0 <= column < size[1]:
            group = c // (channels // groups)
            y[:, group * share + b, row, column] += x[:, c, i, j] * kernel[c, b, p, q]
    return y


def integers(dtype=np.int64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 5, (2, 4, 5, 6)).astype(dtype)
    kernel = rng.integers(-4, 5, (4, 3, 3, 4)).astype(dtype)
    return x, kernel


EXPECTED = loops(*integers(), **OPTIONS)


def odd(array, kind):
    """The same values in an array that is hard to take."""
    if kind == "read-only":
        array = array.copy()
        array.flags.writeable = False
        return array
    if kind == "Fortran":
        return np.asfortranarray(array)
    if kind == "reversed":
        return np.ascontiguousarray(array[..., ::-1, ::-1])[..., ::-1, ::-1]
    if kind == "every second":
        wide_array = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide_array[..., ::2] = array
        return wide_array[..., ::2]
    if kind == "big-endian":
        return array.astype(array.dtype.newbyteorder(">"))
    buffer = np.zeros(array.nbytes + 1, np.uint8)  # "unaligned"
    moved = buffer[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


KINDS = ("read-only", "Fortran", "reversed", "every second", "big-endian", "unaligned")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", EXACT)
def test_awkward_arrays_give_the_same_values_and_stay_as_they_were(algorithm, kind):
    x, kernel = (odd(array, kind) for array in integers(np.float32))
    copies = x.copy(), kernel.copy()
    y = mtconv.conv_transpose(x, kernel, algorithm=algorithm, **OPTIONS)
    assert np.array_equal(y, EXPECTED)
    assert y.dtype == np.float32
    assert np.array_equal(x, copies[0])
    assert np.array_equal(kernel, copies[1])


DTYPES = (
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "int8",
    "uint8",
    "int16",
    "int32",
    "int64",
    "uint64",
    "longdouble",
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", EXACT)
def test_dtypes_are_kept_and_integers_wrap(algorithm, dtype):
    x, kernel = integers(dtype)
    y = mtconv.conv_transpose(x, kernel, algorithm=algorithm, **OPTIONS)
    assert y.dtype == dtype
    assert np.array_equal(y, EXPECTED.astype(dtype))


@pytest.mark.parametrize("algorithm", EXACT)
def test_integers_too_large_for_float64_are_exact(algorithm):
    x = np.array([2**40 + 1, 3])
    kernel = np.array([2**20 + 1, 7, 2**62])
    expected = [(2**40 + 1) * (2**20 + 1), 7 * (2**40 + 1) + 3 * (2**20 + 1)]
    y = mtconv.conv_transpose(x, kernel, algorithm=algorithm)
    assert y.tolist()[:2] == expected
    assert y[3] == np.int64(3 * 2**62 - 2**64)  # wrapped once


def test_half_precision_sums_in_float32():
    x = np.full((1, 2048, 1), 1.0, np.float16)
    kernel = np.full((2048, 1, 1), 1.0, np.float16)
    kernel[0] = 2048.0
    # In float16, 2048 + 1 is 2048: a running sum would stay there.
    assert mtconv.conv_transpose(x, kernel).item() == 2048 + 2047 + 1


def test_bfloat16_is_known_by_name():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x, kernel = integers(ml_dtypes.bfloat16)
    y = mtconv.conv_transpose(x, kernel, **OPTIONS)
    assert y.dtype == ml_dtypes.bfloat16
    assert np.array_equal(y, EXPECTED.astype(np.float32).astype(ml_dtypes.bfloat16))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_empty_batches_and_zero_channels(algorithm):
    options = {"stride": 2, "algorithm": algorithm}
    x, kernel = np.ones((0, 4, 5)), np.ones((4, 3, 3))
    assert mtconv.conv_transpose(x, kernel, **options).shape == (0, 3, 11)
    nothing = mtconv.conv_transpose(np.ones((2, 0, 5)), np.ones((0, 3, 3)), **options)
    assert nothing.shape == (2, 3, 11)
    assert not nothing.any()
    grad = mtconv.kernel_grad(x, np.ones((0, 3, 11)), kernel_size=3, **options)
    assert grad.shape == (4, 3, 3)
    assert not grad.any()


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_infinity_and_nan_of_a_tap_reach_the_cells_of_that_tap_only(algorithm, bad):
    x = np.array([1.0, 2.0, 0.5])
    for tap, (stride, padding) in itertools.product(
        range(3), ((1, 0), (2, 1), (1, 2), (3, 0))
    ):
        kernel = np.array([1.0, 2.0, 4.0])
        kernel[tap] = bad
        options = {"stride": stride, "padding": padding, "algorithm": algorithm}
        y = mtconv.conv_transpose(x, kernel, **options)
        reached = {stride * i + tap - padding for i in range(3)} & set(range(len(y)))
        assert {o for o in range(len(y)) if not np.isfinite(y[o])} == reached
        back = mtconv.conv(np.ones(len(y)), kernel, **options)
        reached = {i for i in range(len(back)) if 0 <= stride * i + tap - padding < len(y)}
        assert {i for i in range(len(back)) if not np.isfinite(back[i])} == reached


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_infinity_and_nan_of_a_cell_reach_the_cells_of_its_taps_only(algorithm, bad):
    """A kernel of five taps and stride 2: phases of three and of two taps."""
    x, kernel = np.ones((4, 5)), 1 + np.arange(25.0).reshape(5, 5)
    x[1, 2] = bad
    y = mtconv.conv_transpose(x, kernel, stride=2, padding=1, algorithm=algorithm)
    reached = np.zeros(y.shape, bool)
    reached[1:6, 3:8] = True  # o = 2*i + j - 1
    assert np.array_equal(~np.isfinite(y), reached)


@pytest.mark.parametrize("algorithm", EXACT)
def test_infinity_of_a_cell_reaches_the_taps_that_meet_it_only(algorithm):
    x = np.array([np.inf, 1.0])
    y = np.array([1.0, 1.0, 1.0])
    grad = mtconv.kernel_grad(x, y, kernel_size=(4,), padding=1, algorithm=algorithm)
    assert grad.tolist() == [1.0, np.inf, np.inf, np.inf]


@pytest.fixture(params=[128, 1024])
def small_blocks(request, monkeypatch, cut_anew):
    """Cut every problem into many blocks, as only large ones are."""
    size = request.param
    for limit in ("COLUMN", "RESULT", "SUBPIXEL", "STACK", "GROUP"):
        monkeypatch.setattr(tuning, f"{limit}_BYTES", size)
    monkeypatch.setattr(tuning, "GATHER_BYTES", 2 * size)
    monkeypatch.setattr(tuning, "BLOCK_BYTES", 8 * size)
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    monkeypatch.setattr(tuning, "SMALL_ELEMENTS", 0)
    cut_anew()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("bias", [None, [1, -2, 3, -4, 5, -6]])
def test_blocks_join_to_the_whole(algorithm, bias):
    x, kernel = integers(np.float32)
    passed = None if bias is None else np.array(bias, np.float32)
    y = mtconv.conv_transpose(x, kernel, passed, algorithm=algorithm, **OPTIONS)
    added = 0 if bias is None else np.reshape(bias, (-1, 1, 1))
    assert np.array_equal(y, EXPECTED + added)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate", "symmetric"])
def test_blocks_of_padding_modes_are_adjoint(algorithm, mode):
    options = {**OPTIONS, "padding_mode": mode, "algorithm": algorithm}
    x, kernel = integers()
    y = np.random.default_rng(1).integers(-4, 5, EXPECTED.shape)
    spread = mtconv.conv_transpose(x, kernel, **options)
    collected = mtconv.conv(y, kernel, **options)
    grad = mtconv.kernel_grad(x, y, kernel_size=kernel.shape[2:], **options)
    assert (spread * y).sum() == (collected * x).sum() == (grad * kernel).sum()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_folded_sums_of_halves_are_rounded_once(algorithm, mode, dtype):
    """Whole numbers: exact in float32, and too large for 8 or 11 bits."""
    dtype = np.float16 if dtype == "float16" else pytest.importorskip("ml_dtypes").bfloat16
    rng = np.random.default_rng(0)
    x, kernel, bias = (
        rng.integers(-60, 61, shape).astype(dtype)
        for shape in ((2, 3, 12, 9), (3, 2, 4, 3), 2)
    )
    options = {"padding": (4, 3), "padding_mode": mode}
    wide_arrays = (array.astype(np.float32) for array in (x, kernel, bias))
    exact = mtconv.conv_transpose(*wide_arrays, algorithm="direct", **options)
    y = mtconv.conv_transpose(x, kernel, bias, algorithm=algorithm, **options)
    assert np.array_equal(y, exact.astype(dtype))


@pytest.mark.parametrize("algorithm", EXACT)
def test_integers_stay_exact_where_many_cells_fold_into_one(algorithm):
    x = np.full(9, 2**51 + 1)
    options = {"padding": 4, "padding_mode": "replicate", "algorithm": algorithm}
    assert mtconv.conv_transpose(x, [1], **options).tolist() == [9 * (2**51 + 1)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_cells_that_no_tap_reaches_are_zero_and_not_nearly_zero(algorithm):
    """Taps land at -2, 1 and 4, and the result is cell 0 alone."""
    x, kernel = np.array([0.1]), np.array([-0.3, 0.7, 0.9])
    options = {"dilation": 3, "padding": ((2, 4),), "algorithm": algorithm}
    assert mtconv.conv_transpose(x, kernel, **options).tolist() == [0]
    assert mtconv.conv(np.array([0.1]), kernel, **options).tolist() == [0]
    grad = mtconv.kernel_grad(x, np.array([0.1]), kernel_size=(3,), **options)
    assert grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("taps", [2, 3, 4, 5, 6, 7])
def test_fft_stays_close_to_the_exact_algorithms(dtype, taps):
    rng = np.random.default_rng(taps)
    x = rng.standard_normal((2, 5, 9, 14)).astype(dtype)
    kernel = rng.standard_normal((5, 3, taps, taps)).astype(dtype)
    exact = mtconv.conv_transpose(x, kernel, stride=2, padding=1, algorithm="direct")
    y = mtconv.conv_transpose(x, kernel, stride=2, padding=1, algorithm="fft")
    assert y.dtype == dtype
    assert abs(y - exact).max() <= 30 * np.finfo(dtype).eps * abs(exact).max()


@pytest.mark.parametrize("count", [3, tuning.ELEMENTS_AT_A_TIME + 1])
def test_finite_elements_whose_squares_are_not(count):
    array = np.full((2, count), 1e30, np.float32)
    assert values.all_finite(array)
    assert values.all_finite(array[:, ::2])
    for wrong in (np.nan, np.inf):
        array[1, -1] = wrong
        assert not values.all_finite(array)


@pytest.mark.parametrize(
    ("dtype", "count", "at_once"),
    [
        ("float64", tuning.UNSHARED_TERMS, True),
        ("float64", tuning.UNSHARED_TERMS + 1, False),
        ("float32", tuning.UNSHARED_TERMS + 1, True),
    ],
)
def test_no_look_makes_blas_use_threads_of_its_own(dtype, count, at_once, monkeypatch):
    """OpenBLAS adds up longer products of double precision on several threads."""
    looks, product = [], np.vdot

    def noted(a, b):
        looks.append(a.size)
        return product(a, b)

    monkeypatch.setattr(np, "vdot", noted)
    array = np.full((1, count), 3, dtype)
    assert values.all_finite(array)
    assert looks == [count] * at_once
    array[0, -1] = np.inf
    assert not values.all_finite(array)


@pytest.mark.parametrize(
    ("channels", "share", "groups", "taps"), [(6, 4, 2, 5), (12, 2, 3, 4), (3, 5, 1, 1)]
)
def test_integers_go_to_floats_only_where_no_sum_can_reach_their_limit(
    channels, share, groups, taps
):
    """A sum has as many terms as taps and channels of a group, on the larger side."""
    spec = mtconv.ConvSpec.from_shapes(
        (1, channels, 9), (channels, share, taps), groups=groups
    )
    terms = max(channels // groups, share) * taps
    x, w = np.array([[[0, -3]]]), np.array([[[7]]])
    largest = (2**53 - 1) // terms // 7  # of x
    x[0, 0, 0] = largest
    for form in ("conv_transpose", "conv"):
        assert values.fit_float64(form, spec, x, w, None) == (largest * 7 * terms < 2**53)
        assert not values.fit_float64(form, spec, x + 1, w, None)
        assert not values.fit_float64(form, spec, x, w, np.array([7 * terms + 1]))
