"""Gradients: the other two maps, by equality with plain loops on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mtconv
from tests.gpu.support import FEW, library, make, same


def both_ways(
    case: Any, **choices: Any
) -> list[tuple[Any, tuple[Any, ...], Any, tuple[Any, ...]]]:
    """List map, operands, cotangent, and the expected gradients by the operands."""
    up, down, by_kernel = case.expected()

    def conv_transpose(x: Any, kernel: Any) -> Any:
        return mtconv.conv_transpose(x, kernel, **case.options, **choices)

    def conv(y: Any, kernel: Any) -> Any:
        return mtconv.conv(y, kernel, **case.conv_options, **choices)

    def kernel_grad(x: Any, y: Any) -> Any:
        return mtconv.kernel_grad(x, y, **case.grad_options, **choices)

    return [
        (conv_transpose, (case.x, case.kernel), case.y, (down, by_kernel)),
        (conv, (case.y, case.kernel), case.x, (up, by_kernel)),
        (kernel_grad, (case.x, case.y), case.kernel, (down, up)),
    ]


def without_bias(problem: str) -> Any:
    case = make(problem)
    return type(case)(case.x, case.kernel, None, case.y, case.options)


@pytest.mark.parametrize("problem", FEW)
def test_jax(jax: Any, problem: str) -> None:
    lib = library("jax")
    for function, operands, cotangent, expected in both_ways(without_bias(problem)):
        backward = jax.jit(lambda a, b, c, function=function: jax.vjp(function, a, b)[1](c))
        got = backward(*map(lib.put, (*operands, cotangent)))
        for gradient, value in zip(got, expected, strict=True):
            assert lib.on_gpu(gradient)
            same(lib.get(gradient), value)


def test_jax_outside_of_jit_and_forward_mode(jax: Any) -> None:
    lib, case = library("jax"), without_bias("strided image")
    (function, operands, cotangent, expected), *_ = both_ways(case)
    x, kernel, y = map(lib.put, (*operands, cotangent))
    _, backward = jax.vjp(function, x, kernel)
    for gradient, value in zip(backward(y), expected, strict=True):
        same(lib.get(gradient), value)
    # Linear in x: the tangent of twice x is twice the value.
    value, tangent = jax.jvp(lambda x: function(x, kernel), (x,), (2 * x,))
    same(lib.get(value), case.expected()[0])
    same(lib.get(tangent), 2 * case.expected()[0])


def test_jax_second_derivative(jax: Any) -> None:
    """<T(x, w), y> is linear in w, so its derivative by x and w in turn is a map of y."""
    lib, case = library("jax"), without_bias("strided image")
    (function, (x, kernel), y, _), *_ = both_ways(case)
    x, kernel, y = map(lib.put, (x, kernel, y))

    def form(x: Any, kernel: Any) -> Any:
        return (function(x, kernel) * y).sum()

    mixed = jax.jit(jax.grad(lambda w: (jax.grad(form)(x, w) * x).sum()))
    same(lib.get(mixed(kernel)), case.expected()[2])


@pytest.mark.parametrize("algorithm", ["auto", "exact"])
@pytest.mark.parametrize("problem", FEW)
def test_torch(torch: Any, problem: str, algorithm: str) -> None:
    lib, case = library("torch"), without_bias(problem)
    for function, operands, cotangent, expected in both_ways(case, algorithm=algorithm):
        leaves = [lib.put(a).requires_grad_() for a in operands]
        got = torch.autograd.grad(function(*leaves), leaves, lib.put(cotangent))
        for gradient, value in zip(got, expected, strict=True):
            assert lib.on_gpu(gradient)
            same(lib.get(gradient), value)


def test_torch_second_derivative(torch: Any) -> None:
    lib, case = library("torch"), without_bias("strided image")
    (function, (x, kernel), y, _), *_ = both_ways(case)
    x, kernel = (lib.put(a).requires_grad_() for a in (x, kernel))
    form = (function(x, kernel) * lib.put(y)).sum()
    (by_x,) = torch.autograd.grad(form, x, create_graph=True)
    (mixed,) = torch.autograd.grad((by_x * x.detach()).sum(), kernel)
    same(lib.get(mixed), case.expected()[2])


def test_bias_gradient(torch: Any) -> None:
    lib, case = library("torch"), make("strided image")
    x, kernel, bias, y = case.on(lib)
    bias.requires_grad_()
    out = mtconv.conv_transpose(x, kernel, bias, **case.options)
    (got,) = torch.autograd.grad(out, bias, y)
    same(lib.get(got), case.y.sum((0, 2, 3), dtype=np.float32))
