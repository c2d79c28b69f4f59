"""lineax solves the normal equations with the calls of the operators."""

import jax
import jax.numpy as jnp
import lineax
import numpy as np

import mtconv


def test_conjugate_gradients_on_the_normal_equations():
    kernel = np.random.default_rng(11).standard_normal((3, 1, 3, 3)).astype(np.float32)
    A = mtconv.Conv(kernel, (8, 7), padding=1, padding_mode="circular", backend="jax")
    x = jnp.asarray(np.random.default_rng(12).standard_normal(A.input_shape), jnp.float32)

    @jax.jit
    def solve(A, y):
        normal = lineax.FunctionLinearOperator(
            lambda v: A.T(A(v)),
            jax.ShapeDtypeStruct(A.input_shape, y.dtype),
            lineax.positive_semidefinite_tag,
        )
        return lineax.linear_solve(normal, A.T(y), lineax.CG(rtol=1e-6, atol=1e-6)).value

    np.testing.assert_allclose(solve(A, A(x)), x, atol=1e-3)


def test_conjugate_gradients_on_a_sum():
    kernel = np.random.default_rng(11).standard_normal((1, 1, 3, 3)).astype(np.float32)
    A = mtconv.Conv(kernel, (8, 7), padding=1, padding_mode="circular", backend="jax")
    single = mtconv.Conv(np.ones((1, 1, 1, 1), np.float32), (8, 7))
    x = jnp.asarray(np.random.default_rng(12).standard_normal(A.input_shape), jnp.float32)
    normal = A.T @ A + 0.5 * single
    operator = lineax.FunctionLinearOperator(
        normal,
        jax.ShapeDtypeStruct(A.input_shape, x.dtype),
        lineax.positive_semidefinite_tag,
    )
    solver = lineax.CG(rtol=1e-6, atol=1e-6)
    got = jax.jit(lambda y: lineax.linear_solve(operator, y, solver).value)(normal(x))
    np.testing.assert_allclose(got, x, atol=1e-3)


def test_matrix():
    A = mtconv.Conv(jnp.array([1.0, 2.0, 3.0]), 5, stride=2)
    operator = lineax.FunctionLinearOperator(A, jax.ShapeDtypeStruct((5,), jnp.float32))
    assert operator.as_matrix().tolist() == A.to_dense().tolist()
    assert operator.T.as_matrix().tolist() == A.T.to_dense().tolist()
