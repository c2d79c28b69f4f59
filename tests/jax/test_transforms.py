"""Transformations of JAX: every one gives what plain calls give, exactly on integers."""

from __future__ import annotations

import itertools

import hypothesis
import jax
import jax.numpy as jnp
import pytest
from hypothesis import strategies as st
from jax.test_util import check_grads

import mtconv


def equal(got, expected):
    """Compare trees of arrays element by element."""
    got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
    assert len(got) == len(expected)
    for single, other in zip(got, expected, strict=True):
        assert single.shape == other.shape
        assert single.dtype == other.dtype
        assert (single == other).all()


def gradients(function):
    """Return the function of (first, second, cotangent) that gives both gradients."""
    return lambda first, second, ct: jax.vjp(function, first, second)[1](ct)


def test_gradients_are_the_other_two_maps(problem):
    x, kernel, y = problem.arrays()
    both = (problem.conv(y, kernel), problem.kernel_grad(x, y))
    equal(gradients(problem.conv_transpose)(x, kernel, y), both)
    equal(jax.jit(gradients(problem.conv_transpose))(x, kernel, y), both)
    both = (problem.conv_transpose(x, kernel), problem.kernel_grad(x, y))
    equal(jax.jit(gradients(problem.conv))(y, kernel, x), both)
    both = (problem.conv(y, kernel), problem.conv_transpose(x, kernel))
    equal(jax.jit(gradients(problem.kernel_grad))(x, y, kernel), both)


def test_tangents_are_the_map_itself_in_each_operand(problem):
    x, kernel, y = problem.arrays()
    dx, dkernel, _ = problem.arrays(seed=3)
    got = jax.jvp(problem.conv_transpose, (x, kernel), (dx, dkernel))
    tangent = problem.conv_transpose(dx, kernel) + problem.conv_transpose(x, dkernel)
    equal(got, (problem.conv_transpose(x, kernel), tangent))
    del y


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
@pytest.mark.parametrize("mapped", [(True, False), (False, True), (True, True)])
def test_vmap_equals_a_loop(problem, form, mapped):
    function = getattr(problem, form)
    arrays = [problem.arrays(seed) for seed in (0, 5, 9)]
    names = {"conv_transpose": (0, 1), "conv": (2, 1), "kernel_grad": (0, 2)}[form]
    operands = [
        jnp.stack([actual[n] for actual in arrays], axis=1) if along else arrays[0][n]
        for n, along in zip(names, mapped, strict=True)
    ]
    axes = tuple(1 if along else None for along in mapped)
    got = jax.jit(jax.vmap(function, axes, 2))(*operands)
    one_by_one = [
        function(
            *(
                actual[n] if along else arrays[0][n]
                for n, along in zip(names, mapped, strict=True)
            )
        )
        for actual in arrays
    ]
    equal(got, jnp.stack(one_by_one, axis=2))


@pytest.mark.parametrize(
    "mapped", [m for m in itertools.product((True, False), repeat=3) if any(m)]
)
def test_jit_of_vmap_of_gradients_equals_eager_loops(problem, mapped):
    function = gradients(problem.conv_transpose)
    arrays = [problem.arrays(seed) for seed in (0, 5)]
    operands = [
        jnp.stack([actual[n] for actual in arrays]) if along else arrays[0][n]
        for n, along in enumerate(mapped)
    ]
    axes = tuple(0 if along else None for along in mapped)
    got = jax.jit(jax.vmap(function, axes))(*operands)
    one_by_one = [
        function(*(actual[n] if along else arrays[0][n] for n, along in enumerate(mapped)))
        for actual in arrays
    ]
    equal(got, jax.tree.map(lambda *parts: jnp.stack(parts), *one_by_one))


def test_vmap_over_both_emits_no_grouped_convolution(problem):
    x, kernel, _ = problem.arrays()
    mapped = jax.jit(jax.vmap(problem.conv_transpose))
    text = mapped.lower(jnp.stack([x, x]), jnp.stack([kernel, kernel])).as_text()
    assert "stablehlo.dot_general" in text
    assert "stablehlo.convolution" not in text


@pytest.fixture(scope="module")
def hessian_vector_products(problem):
    """Both orders of differentiation, compiled once for all examples."""

    def cubic(arrays, y):
        return jnp.sum(problem.conv_transpose(*arrays) ** 2 * y)

    def forward_over_reverse(arrays, direction, y):
        return jax.jvp(lambda a: jax.grad(cubic)(a, y), (arrays,), (direction,))[1]

    def reverse_over_forward(arrays, direction, y):
        return jax.grad(lambda a: jax.jvp(lambda b: cubic(b, y), (a,), (direction,))[1])(
            arrays
        )

    return jax.jit(forward_over_reverse), jax.jit(reverse_over_forward)


@hypothesis.given(seed=st.integers(0, 2**31))
def test_hessian_vector_products_agree_both_ways(problem, hessian_vector_products, seed):
    x, kernel, y = problem.arrays(seed)
    direction = problem.arrays(seed + 3)[:2]
    single, other = (
        product((x, kernel), direction, y) for product in hessian_vector_products
    )
    equal(single, other)
    assert any((part != 0).any() for part in single)


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_numerical_differentiation_to_second_order(form, make):
    # Values are small, so that the differences of a cubic are exact enough.
    x, kernel = make((1, 2, 3), 0) / 8, make((2, 1, 2), 1) / 8
    y = make((1, 1, 5), 2) / 8
    function, arrays = {
        "conv_transpose": (
            lambda a, b: mtconv.conv_transpose(a, b, stride=2)[..., :5],
            (x, kernel),
        ),
        "conv": (lambda a, b: mtconv.conv(a, b, stride=2), (y, kernel)),
        "kernel_grad": (
            lambda a, b: mtconv.kernel_grad(a, b, stride=2, kernel_size=1),
            (x, y),
        ),
    }[form]
    check_grads(function, arrays, order=2, atol=1e-6, rtol=1e-6)


def test_hessian_is_symmetric_and_bilinear(make):
    x, kernel = make((1, 1, 3), 0), make((1, 1, 2), 1)
    y = make((1, 1, 6), 2)

    def trilinear(x, kernel):
        return jnp.sum(mtconv.conv_transpose(x, kernel, stride=2) * y)

    (xx, xw), (wx, ww) = jax.hessian(trilinear, (0, 1))(x, kernel)
    assert (xx == 0).all()
    assert (ww == 0).all()
    assert (xw.reshape(3, 2) == wx.reshape(2, 3).T).all()
    # d^2 T / dx[i] dw[j] = y[2 i + j]
    expected = jnp.stack([y[0, 0, 0:6:2], y[0, 0, 1:6:2]], axis=1)
    assert (xw.reshape(3, 2) == expected).all()


def test_scan_and_checkpoint(make):
    x, kernels = make((1, 2, 4), 0), make((3, 2, 2, 3), 1)

    def layer(x, kernel):
        return mtconv.conv_transpose(x, kernel, padding=1)

    def scanned(x, kernels):
        y, _ = jax.lax.scan(lambda x, k: (jax.checkpoint(layer)(x, k), None), x, kernels)
        return jnp.sum(y * y)

    def unrolled(x, kernels):
        for kernel in kernels:
            x = layer(x, kernel)
        return jnp.sum(x * x)

    equal(
        jax.jit(jax.grad(scanned, (0, 1)))(x, kernels),
        jax.grad(unrolled, (0, 1))(x, kernels),
    )


def test_linear_transpose_of_the_transposed_convolution_is_the_convolution(problem):
    x, kernel, y = problem.arrays()
    transposed = jax.linear_transpose(lambda x: problem.conv_transpose(x, kernel), x)
    equal(transposed(y)[0], problem.conv(y, kernel))


def test_bias_and_its_gradient(make):
    x, kernel, bias = make((2, 3, 4), 0), make((3, 2, 3), 1), make((2,), 2)
    y = make((2, 2, 6), 3)

    def function(x, kernel, bias):
        return mtconv.conv_transpose(x, kernel, bias)

    expected = mtconv.conv_transpose(x, kernel) + bias[:, None]
    equal(function(x, kernel, bias), expected)
    equal(jax.vjp(function, x, kernel, bias)[1](y)[2], y.sum((0, 2)))
