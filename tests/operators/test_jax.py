"""Operators under JAX: pytrees whose leaf is the kernel, and maps like any other."""

import subprocess
import sys

import numpy as np
import pytest

import mtconv

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")


@pytest.fixture
def A():
    """A convolution of 2 channels into 3, on JAX."""
    kernel = np.arange(-9.0, 27.0).reshape(3, 2, 2, 3)
    return mtconv.Conv(kernel, (5, 6), stride=(1, 2), padding=1, backend="jax")


@pytest.fixture
def x(A):
    """An input of A without symmetry."""
    return jnp.arange(A.shape[1]).reshape(A.input_shape) % 7 - 2.0


def test_argument_of_a_jitted_function(A, x):
    @jax.jit
    def normal(A, x):
        return A.T(A(x))

    expected = A.to_dense().T @ (A.to_dense() @ x.ravel())
    assert normal(A, x).ravel().tolist() == expected.tolist()


def test_one_compilation_serves_all_kernels(A, x):
    traced = []

    @jax.jit
    def apply(A, x):
        traced.append(A)
        return A(x)

    B = mtconv.Conv(A.kernel + 1, (5, 6), stride=(1, 2), padding=1, backend="jax")
    assert apply(A, x).tolist() == A(x).tolist()
    assert apply(B, x).tolist() == B(x).tolist()
    assert len(traced) == 1


def test_leaves(A):
    leaves, structure = jax.tree.flatten(A)
    assert [leaf.shape for leaf in leaves] == [A.kernel.shape]
    assert jax.tree.unflatten(structure, leaves) == A
    assert structure == jax.tree.structure(mtconv.Conv(2 * A.kernel, (5, 6), **OPTIONS))
    assert structure != jax.tree.structure(A.T)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, A)
    assert (doubled.kernel == 2 * A.kernel).all()


OPTIONS = {"stride": (1, 2), "padding": 1, "backend": "jax"}


def test_unflattening_does_not_check(A):
    # Transformations put what they like where the kernel was.
    structure = jax.tree.structure(A)
    assert jax.tree.unflatten(structure, [None]).kernel is None


def test_gradient_by_the_operator_is_one(A, x):
    gradient = jax.grad(lambda A: (A(x) ** 2).sum())(A)
    assert type(gradient) is mtconv.Conv
    expected = mtconv.kernel_grad(
        2 * A(x)[None], x[None], kernel_size=(2, 3), stride=(1, 2), padding=1
    )
    assert gradient.kernel.tolist() == expected.tolist()


def test_vmap_over_operators(x):
    kernels = jnp.arange(24.0).reshape(4, 3, 2, 1, 1)
    stacked = jax.vmap(lambda kernel: mtconv.Conv(kernel, (5, 6)))(kernels)
    got = jax.vmap(lambda A: A(x))(stacked)
    for kernel, result in zip(kernels, got, strict=True):
        assert result.tolist() == mtconv.Conv(kernel, (5, 6))(x).tolist()


def test_real_operators_are_their_own_conjugates():
    # NumPy takes bfloat16 for a kind of its own.
    for dtype in ("int8", "float32", "bfloat16"):
        A = mtconv.Conv(jnp.array([1, 2], dtype), 3)
        assert A.H is A.T


def test_conjugate_transposes_made_inside_a_trace_do_not_leak():
    A = mtconv.Conv(jnp.array([1, 2j]), 3)
    y = jnp.array([1j, 1])
    inside = jax.jit(lambda y: A.H(y))(y)
    assert A.H(y).tolist() == inside.tolist() == [1j, 1 + 2, -2j]


def test_kernels_of_numpy_may_be_traced_too(x):
    A = mtconv.Conv(np.arange(36.0).reshape(3, 2, 2, 3), (5, 6))
    assert jax.jit(lambda A, x: A(x))(A, x).tolist() == A(x).tolist()


def test_conjugate_gradients(A, x):
    B = mtconv.Conv(A.kernel[..., :1], (5, 6), padding=1, backend="jax")
    y = B(x)

    @jax.jit
    def solve(B, y):
        return jax.scipy.sparse.linalg.cg(
            lambda v: B.T(B(v)), B.T(y), tol=1e-13, maxiter=1000
        )[0]

    np.testing.assert_allclose(solve(B, y), x, atol=1e-7)


def test_jax_is_imported_by_nobody_here():
    # An operator made before JAX came is a pytree all the same, once it is applied.
    code = """
import sys, pickle, mtconv
A = mtconv.Conv([1.0, 2.0], 3)
assert A([1, 1, 1]).tolist() == [3, 3] and pickle.loads(pickle.dumps(A)).T.T == A
assert "jax" not in sys.modules
import jax
A([1, 1, 1])
assert len(jax.tree.leaves(A)) == 1 and jax.tree.leaves(A)[0] is A.kernel
"""
    subprocess.run([sys.executable, "-c", code], check=True)


class TestAlgebra:
    def test_arguments_of_a_jitted_function(self, A, x):
        normal = A.T @ A + 2 * (A.T @ A)
        expected = 3 * (A.to_dense().T @ A.to_dense() @ x.ravel())
        assert jax.jit(lambda N, x: N(x))(normal, x).ravel().tolist() == expected.tolist()
        assert (
            jax.tree.unflatten(jax.tree.structure(normal), jax.tree.leaves(normal))
            == normal
        )

    def test_numbers_are_static_and_arrays_are_leaves(self, A):
        assert len(jax.tree.leaves(3 * A)) == 1
        assert len(jax.tree.leaves(jnp.float32(3) * A)) == 2
        assert jax.tree.structure(3 * A) != jax.tree.structure(2 * A)

    def test_traced_factors(self, A, x):
        gradient = jax.grad(lambda c: ((c * A)(x) ** 2).sum())(2.0)
        assert float(gradient) == float(4 * (A(x) ** 2).sum())

    def test_gradients_by_operators(self, A, x):
        operator = mtconv.vstack([A, -A])
        gradient = jax.grad(lambda S: (S(x) ** 2).sum())(operator)
        by_one = jax.grad(lambda A: (A(x) ** 2).sum())(A)
        for member in (gradient.operators[0], gradient.operators[1].operators[0]):
            assert member.kernel.tolist() == by_one.kernel.tolist()

    def test_conjugates_made_inside_a_trace_do_not_leak(self):
        A = mtconv.Conv(jnp.array([1, 2j]), 3)
        normal = A.H @ A
        x = jnp.array([1j, 1, 0])
        inside = jax.jit(lambda x: normal.H(x))(x)
        assert normal.H(x).tolist() == inside.tolist()
