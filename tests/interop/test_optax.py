"""optax learns kernels of operators, which are pytrees, and codes beside them."""

import numpy as np
import pytest

import mtconv

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy

RNG = np.random.default_rng(31)


def descend(loss, parameters, steps, rate):
    """Minimize a function of parameters by Adam."""
    optimizer = optax.adam(optax.exponential_decay(rate, steps // 10, 0.6))

    @jax.jit
    def step(parameters, state):
        value, slopes = jax.value_and_grad(loss)(parameters)
        updates, state = optimizer.update(slopes, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    state = optimizer.init(parameters)
    for _ in range(steps):
        parameters, state, value = step(parameters, state)
    return parameters, float(value)


def test_the_kernel_of_an_operator_is_learned():
    true = jnp.asarray(RNG.standard_normal((2, 3, 3, 3)), jnp.float32)
    x = jnp.asarray(RNG.standard_normal((4, 2, 6, 7)), jnp.float32)
    y = mtconv.conv_transpose(x, true, stride=2)
    A = mtconv.ConvTranspose(jnp.zeros_like(true), (6, 7), stride=2)
    learned, value = descend(lambda A: ((A(x) - y) ** 2).mean(), A, 600, 0.1)
    assert isinstance(learned, mtconv.ConvTranspose)
    assert learned.spec == A.spec
    assert value < 1e-5
    np.testing.assert_allclose(learned.kernel, true, atol=0.02)


def test_the_input_of_a_map_of_kernels_is_learned():
    x = jnp.asarray(RNG.standard_normal((2, 2, 9)), jnp.float32)
    true = jnp.asarray(RNG.standard_normal((2, 1, 4)), jnp.float32)
    A = mtconv.KernelConvTranspose(x, kernel_size=(4,), stride=2, channels=1)
    y = A(true)
    learned, _ = descend(lambda w: ((A(w) - y) ** 2).mean(), jnp.zeros_like(true), 600, 0.1)
    np.testing.assert_allclose(learned, true, atol=0.02)


def test_the_weight_of_a_closed_form_is_learned():
    kernel = jnp.asarray([[1.0, 2.0, 1.0]], jnp.float32)
    A = mtconv.Conv(kernel, (1, 12), padding=((0, 0), (1, 1)), padding_mode="circular")
    y = jnp.asarray(RNG.standard_normal((1, 12)), jnp.float32)
    wanted = A.regularized_solve(y, 0.7)

    def loss(logarithm):
        return ((A.regularized_solve(y, jnp.exp(logarithm)) - wanted) ** 2).sum()

    learned, value = descend(loss, jnp.asarray(0.0), 400, 0.05)
    assert value < 1e-6
    assert abs(float(jnp.exp(learned)) - 0.7) < 0.01
