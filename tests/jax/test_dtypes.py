"""Dtypes of JAX: accumulation, wrapping, promotion, with and without 64 bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mtconv

ALGORITHMS = ("gemm", "polyphase", "direct", "native")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_accumulates_in_float32(dtype, algorithm):
    # 300 ones: in half precision alone, bfloat16 would stop counting at 256.
    x, y = jnp.ones((1, 300, 2), dtype), jnp.ones((1, 1, 4), dtype)
    kernel = jnp.ones((300, 1, 2), dtype)
    result = mtconv.conv_transpose(x, kernel, stride=2, algorithm=algorithm)
    assert result.dtype == dtype
    assert (result == 300).all()

    many = jnp.ones((1, 1, 600), dtype)
    gradient = mtconv.kernel_grad(
        many[..., :300], many, kernel_size=2, stride=2, algorithm=algorithm
    )
    assert gradient.dtype == dtype
    assert (gradient == 300).all()

    wide = jnp.ones((300, 1, 2), dtype).swapaxes(0, 1)
    back = mtconv.conv(jnp.ones((1, 300, 4), dtype), wide, stride=2, algorithm=algorithm)
    assert (back == 600).all()
    del y


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_wrap_as_those_of_numpy(dtype, algorithm):
    rng = np.random.default_rng(0)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = rng.integers(low, high, (1, 3, 4), dtype)
    kernel = rng.integers(low, high, (3, 2, 3), dtype)
    options = {"stride": 2, "algorithm": algorithm}
    got = mtconv.conv_transpose(jnp.asarray(x), kernel, **options)
    expected = mtconv.conv_transpose(x, kernel, stride=2, algorithm="direct")
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_complex_numbers_are_not_conjugated(algorithm):
    rng = np.random.default_rng(0)
    x, kernel, y = (
        (rng.integers(-4, 5, shape) + 1j * rng.integers(-4, 5, shape)).astype("complex64")
        for shape in ((1, 2, 3), (2, 1, 2), (1, 1, 6))
    )
    options = {"stride": 2, "algorithm": algorithm}
    got = mtconv.conv_transpose(jnp.asarray(x), kernel, **options)
    expected = np.zeros((1, 1, 6), "complex64")
    for i in range(3):
        for j in range(2):
            expected[0, 0, 2 * i + j] += x[0, :, i] @ kernel[:, 0, j]
    np.testing.assert_array_equal(got, expected)
    _, backward = jax.vjp(
        lambda x, w: mtconv.conv_transpose(x, w, **options),
        jnp.asarray(x),
        jnp.asarray(kernel),
    )
    back, gradient = backward(jnp.asarray(y))
    np.testing.assert_array_equal(back, mtconv.conv(y, kernel, stride=2))
    np.testing.assert_array_equal(
        gradient, mtconv.kernel_grad(x, y, kernel_size=2, stride=2)
    )


def test_without_64_bits(make):
    with jax.enable_x64(False):
        x = make((1, 2, 3), 0, "float32")
        kernel = np.asarray(make((2, 1, 2), 1, "float32"))
        result = mtconv.conv_transpose(x, kernel, stride=2)
        assert result.dtype == "float32"
        function = jax.jit(lambda x, w: mtconv.conv_transpose(x, w, stride=2))
        assert (function(x, kernel) == result).all()
        assert mtconv.conv_transpose([1, 2], [1, 1], backend="jax").dtype == "int32"
    wide = mtconv.conv_transpose(x.astype("float64"), kernel, stride=2)
    assert wide.dtype == "float64"
    assert (wide == result).all()


@pytest.mark.parametrize(
    ("x", "kernel", "result"),
    [
        ("float32", "float64", "float64"),
        ("bfloat16", "float16", "float32"),
        ("int8", "int32", "int32"),
        ("int32", "float32", "float32"),
        ("float32", "complex64", "complex64"),
    ],
)
def test_mixed_dtypes_promote_as_jax_does(make, x, kernel, result):
    got = mtconv.conv_transpose(make((1, 1, 3), 0, x), make((1, 1, 2), 1, kernel))
    assert got.dtype == result


@pytest.mark.parametrize("array", [jnp.zeros((1, 1, 3), bool), jax.random.key(0)])
def test_what_cannot_be_multiplied_is_refused(array):
    with pytest.raises(mtconv.BackendError, match="must have integer, floating or complex"):
        mtconv.conv_transpose(array, jnp.ones((1, 1, 2)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nan_and_infinity_stay_where_they_belong(algorithm):
    x = jnp.array([[[1.0, jnp.nan, 2.0, 3.0, jnp.inf]]])
    kernel = jnp.array([[[1.0, 2.0, 4.0]]])
    got = mtconv.conv_transpose(x, kernel, stride=2, algorithm=algorithm)
    expected = [1, 2, jnp.nan, jnp.nan, jnp.nan, 4, 11, 6, jnp.inf, jnp.inf, jnp.inf]
    np.testing.assert_array_equal(got[0, 0], expected)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nan_and_infinity_of_y_stay_where_they_belong(algorithm):
    y = jnp.array([[[jnp.nan, 1.0, 2.0, 3.0, 5.0, jnp.inf]]])
    options = {"stride": 2, "padding": 1, "algorithm": algorithm}
    back = mtconv.conv(y, jnp.array([[[1.0, 2.0, 4.0]]]), **options)
    np.testing.assert_array_equal(back[0, 0], [jnp.nan, 1 + 4 + 12, jnp.inf])
    x = jnp.array([[[1.0, 10.0, 100.0]]])
    grad = mtconv.kernel_grad(x, y, kernel_size=3, **options)
    np.testing.assert_array_equal(grad[0, 0], [10 + 300, jnp.nan, jnp.inf])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_infinity_of_y_reaches_the_taps_that_read_it(algorithm):
    # Small element i meets elements 2*i - 1, 2*i, 2*i + 1 and 2*i + 2 of y.
    x = jnp.broadcast_to(jnp.array([1.0, 10.0]), (5, 2, 2))
    y = jnp.broadcast_to(jnp.array([jnp.inf, 1.0, 2.0, jnp.nan]), (5, 3, 4))
    options = {"stride": 2, "padding": 1, "algorithm": algorithm}
    grad = mtconv.kernel_grad(x, y, kernel_size=4, **options)
    expected = [5 * 10, jnp.inf, jnp.nan, 5 * 2]
    np.testing.assert_array_equal(grad, np.broadcast_to(expected, (2, 3, 4)))
