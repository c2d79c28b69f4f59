"""Dtypes: promotion is the library's own, halves accumulate in float32, integers wrap."""

import numpy as np
import pytest

import mtconv
from mtconv.testing import reference_conv_transpose

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64", "complex64", "complex128")
X, KERNEL = np.array([[1, 2, 3]]), np.array([[4, 5]])
RESULT = [[4, 13, 22, 15]]


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_a_dtype_stays_what_it_is(engine, dtype):
    got = engine.conv_transpose(X.astype(dtype), KERNEL.astype(dtype))
    assert got.dtype == dtype
    assert got.tolist() == RESULT


@pytest.mark.parametrize(
    ("x", "kernel"),
    [
        ("float32", "float64"),
        ("int32", "float32"),
        ("int8", "uint8"),
        ("float32", "complex64"),
        ("float16", "float32"),
        ("int64", "float32"),
        ("uint64", "int64"),
    ],
)
def test_mixed_dtypes_promote_as_numpy_does(quick_engine, x, kernel):
    got = quick_engine.conv_transpose(X.astype(x), KERNEL.astype(kernel))
    assert got.dtype == np.result_type(x, kernel)
    assert got.tolist() == RESULT


def test_mixed_dtypes_promote_as_jax_does(jax_numpy):
    for x, kernel in [("int32", "float32"), ("float16", "int64"), ("int64", "float32")]:
        a, b = jax_numpy.asarray(X, x), jax_numpy.asarray(KERNEL, kernel)
        assert mtconv.conv_transpose(a, b).dtype == jax_numpy.result_type(a, b)


def test_the_bias_takes_part_in_promotion(quick_engine):
    x, kernel = X[None].astype("float32"), KERNEL[:, None].astype("float32")
    got = quick_engine.conv_transpose(x, kernel, np.array([0.5], "float64"))
    assert got.dtype == np.float64
    assert got.tolist() == [[[4.5, 13.5, 22.5, 15.5]]]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap(engine, dtype):
    limits = np.iinfo(dtype)
    x = np.array([limits.max, limits.min, 3], dtype)
    kernel = np.array([limits.max, 2], dtype)
    expected = [int(a) for a in np.convolve(x.astype(object), kernel.astype(object))]
    got = engine.conv_transpose(x, kernel)
    assert [int(v) for v in got] == [
        (value - limits.min) % 2**limits.bits + limits.min for value in expected
    ]


@pytest.mark.parametrize("terms", [64, 5000])
def test_float16_accumulates_in_float32(engine, terms):
    # In float16 a sum of ones stops at 2048, where one more is lost to rounding.
    x = np.ones((1, terms, 1), np.float16)
    kernel = np.ones((terms, 1, 1), np.float16)
    got = engine.conv_transpose(x, kernel)
    assert got.dtype == np.float16
    assert got.item() == float(np.float16(terms))


def test_bfloat16_accumulates_in_float32(engine):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.ones((1, 1000, 1)).astype(bfloat16)
    kernel = np.ones((1000, 1, 1)).astype(bfloat16)
    got = engine.conv_transpose(x, kernel)
    assert got.dtype == bfloat16
    assert got.astype(float).item() == 1000


def test_float16_overflows_to_infinity_only_in_the_result(quick_engine):
    x = np.full((1, 2, 1), 60000, np.float16)
    single = np.array([[[1]], [[-1]]], np.float16)
    assert quick_engine.conv_transpose(x, single).item() == 0
    two = np.array([[[1]], [[1]]], np.float16)
    with np.errstate(over="ignore"):
        assert quick_engine.conv_transpose(x, two).item() == np.inf


def test_complex_numbers_are_not_conjugated(engine):
    x, kernel = np.array([1 + 2j, 3j]), np.array([1j, 2 - 1j])
    expected = [-2 + 1j, 1 + 3j, 3 + 6j]
    assert engine.conv_transpose(x, kernel).tolist() == expected
    # (1j)(1 + 2j) + (2 - 1j)(3j) and so on: no sign is turned.
    assert engine.conv(x, kernel).tolist() == [1j * (1 + 2j) + (2 - 1j) * 3j]


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct"])
def test_infinity_and_nan_stay_where_they_belong(algorithm):
    x = np.array([1.0, np.inf, 2.0, np.nan, 3.0])
    got = mtconv.conv_transpose(x, [1.0, 1.0], algorithm=algorithm)
    np.testing.assert_array_equal(got, [1, np.inf, np.inf, np.nan, np.nan, 3])


def test_sequences_take_numpys_default_dtypes():
    assert mtconv.conv_transpose([1], [2]).dtype == np.int64
    assert mtconv.conv_transpose([1.0], [2]).dtype == np.float64
    assert mtconv.conv_transpose([1j], [2]).dtype == np.complex128


def test_longdouble_is_refused_or_right():
    x = np.array([1, 2], np.longdouble)
    got = mtconv.conv_transpose(x, x)
    expected = reference_conv_transpose(x, x)
    assert got.dtype == np.longdouble
    assert got.tolist() == expected.tolist()


def test_jax_without_x64_keeps_float32(jax_numpy):
    import jax

    with jax.enable_x64(False):
        got = mtconv.conv_transpose(jax_numpy.asarray([1.0]), np.array([2.0]))
    assert got.dtype == np.float32
