"""Padding modes: values and gradients of every mode, and that nothing is scattered."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import mtconv

# Shapes and paddings; most repeat the short axis more than once.
MODES = {
    "circular": ((2, 2, 9, 2), ((3, 1), (3, 2))),
    "reflect": ((2, 2, 5, 2), ((3, 1), (3, 2))),
    "replicate": ((2, 2, 4, 3), ((5, 2), (0, 4))),
    "symmetric": ((2, 2, 4, 2), ((4, 1), (3, 5))),
}


@pytest.fixture(params=MODES)
def padded(request):
    """Return y's shape, a kernel's shape and the options of one mode."""
    shape, padding = MODES[request.param]
    options = {"stride": (2, 1), "padding": padding, "padding_mode": request.param}
    return shape, (3, 2, 3, 2), options


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16"])
def test_values_equal_numpy(padded, make, dtype):
    y_shape, kernel_shape, options = padded
    y, kernel = make(y_shape, 0, "int32"), make(kernel_shape, 1, "int32")
    x_shape = mtconv.conv_shape(y_shape, kernel_shape, **options)
    x = make(x_shape, 2, "int32")
    size = {"output_size": y_shape[2:]}
    expected = (
        mtconv.conv(np.asarray(y), np.asarray(kernel), **options),
        mtconv.conv_transpose(np.asarray(x), np.asarray(kernel), **options, **size),
        mtconv.kernel_grad(np.asarray(x), np.asarray(y), kernel_size=(3, 2), **options),
    )
    x, y, kernel = (array.astype(dtype) for array in (x, y, kernel))
    actual = (
        mtconv.conv(y, kernel, **options),
        mtconv.conv_transpose(x, kernel, **options, **size),
        mtconv.kernel_grad(x, y, kernel_size=(3, 2), **options),
    )
    for got, wanted in zip(actual, expected, strict=True):
        assert got.dtype == dtype
        assert abs(wanted).max() < 2**8  # exact in every dtype
        np.testing.assert_array_equal(np.asarray(got.astype("float32")), wanted)


def test_gradients_are_the_other_map(padded, make):
    y_shape, kernel_shape, options = padded
    y, kernel = make(y_shape, 0), make(kernel_shape, 1)
    x = make(mtconv.conv_shape(y_shape, kernel_shape, **options), 2)

    def up(x, kernel):
        return mtconv.conv_transpose(x, kernel, output_size=y_shape[2:], **options)

    def down(y, kernel):
        return mtconv.conv(y, kernel, **options)

    spread, collected = up(x, kernel), down(y, kernel)
    grad = mtconv.kernel_grad(x, y, kernel_size=(3, 2), **options)
    for function, first, cotangent, back in ((up, x, y, collected), (down, y, x, spread)):
        by_first, by_kernel = jax.vjp(function, first, kernel)[1](cotangent)
        np.testing.assert_array_equal(by_first, back)
        np.testing.assert_array_equal(by_kernel, grad)


def test_nothing_is_gathered_or_scattered(padded, make):
    y_shape, kernel_shape, options = padded
    y, kernel = make(y_shape, 0), make(kernel_shape, 1)

    def loss(y, kernel):
        x = mtconv.conv(y, kernel, **options)
        return mtconv.conv_transpose(x, kernel, output_size=y_shape[2:], **options).sum()

    program = jax.jit(jax.grad(loss, (0, 1))).lower(y, kernel).as_text()
    assert "gather" not in program
    assert "scatter" not in program


def test_gradients_outside_of_jit_send_nothing_from_the_host(padded, make):
    y_shape, kernel_shape, options = padded
    y, kernel = make(y_shape, 0, "float32"), make(kernel_shape, 1, "float32")
    x = make(mtconv.conv_shape(y_shape, kernel_shape, **options), 2, "float32")
    with jax.transfer_guard("disallow"):
        _, backward = jax.vjp(lambda y, w: mtconv.conv(y, w, **options), y, kernel)
        got = backward(x)
        size = {"output_size": y_shape[2:]}
        up, _ = jax.vjp(
            lambda x, w: mtconv.conv_transpose(x, w, **options, **size), x, kernel
        )
    by_kernel = mtconv.kernel_grad(
        np.asarray(x), np.asarray(y), kernel_size=(3, 2), **options
    )
    assert (got[0] == up).all()
    assert (got[1] == by_kernel).all()
