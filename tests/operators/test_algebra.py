"""Sums, multiples, products and stacks of operators, judged by their dense matrices."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
import mtconv.testing

# All of them map 2 channels of 3 x 4 onto as many.
SIZE = (3, 4)
OPTIONS = (
    {"padding": ((1, 0), (0, 1))},
    {"padding": ((0, 1), (1, 0)), "padding_mode": "circular"},
    {"padding": ((1, 0), (1, 0)), "padding_mode": "reflect"},
    {"padding": ((1, 1), (1, 2)), "dilation": (2, 3), "padding_mode": "replicate"},
    {"padding": ((0, 1), (0, 1)), "groups": 2, "padding_mode": "symmetric"},
)


@dataclass
class Expression:
    """An operator and its matrix, which NumPy worked out on the way."""

    operator: Any
    matrix: Any


@cache
def problem(form, number, seed):
    """A kernel, and the matrix on 2 channels of 3 x 4 that plain loops make of it."""
    options = OPTIONS[number]
    shape = (2, 2 // options.get("groups", 1), 2, 2)
    kernel = np.random.default_rng(seed).integers(-3, 4, shape)
    units = np.eye(24, dtype=int).reshape(24, 2, 3, 4)
    apply = getattr(mtconv.testing, f"reference_{form}")
    return kernel, apply(units, kernel, **options).reshape(24, 24).T


@st.composite
def atoms(draw, make, how):
    """A convolution, or a transposed one, of 2 channels of 3 x 4 onto as many."""
    number = draw(st.integers(0, len(OPTIONS) - 1))
    form = draw(st.sampled_from(["conv", "conv_transpose"]))
    kernel, matrix = problem(form, number, draw(st.integers(0, 2)))
    factor = draw(st.sampled_from([1, 1 - 2j]))
    kind = {"conv": mtconv.Conv, "conv_transpose": mtconv.ConvTranspose}[form]
    operator = kind(make(kernel * factor), SIZE, **OPTIONS[number], **how)
    return Expression(operator, matrix * factor)


@st.composite
def expressions(draw, make, how, depth):
    """An expression of operators, of a depth of at most ``depth``."""
    word = draw(st.sampled_from(["atom", "+", "-", "neg", "*", "/", "@", "T", "H", "gram"]))
    if depth == 0 or word == "atom":
        return draw(atoms(make, how))
    first = draw(expressions(make, how, depth - 1))
    A, M = first.operator, first.matrix
    if word in "+-@":
        second = draw(expressions(make, how, depth - 1))
        B, N = second.operator, second.matrix
        pairs = {"+": (A + B, M + N), "-": (A - B, M - N), "@": (A @ B, M @ N)}
        return Expression(*pairs[word])
    factor = draw(st.sampled_from([-2, 2, 3, 1 + 1j]))
    pairs = {
        "neg": (-A, -M),
        "*": (factor * A, factor * M),
        "/": (A / 2, M / 2),
        "T": (A.T, M.T),
        "H": (A.H, M.conj().T),
        "gram": (A.T @ A, M.T @ M),
    }
    return Expression(*pairs[word])


@st.composite
def stacked(draw, make, how):
    """An expression, or a stack of two, times another on either side."""
    first, second, third = (draw(expressions(make, how, 2)) for _ in range(3))
    A, B, C = first.operator, second.operator, third.operator
    M, N, P = first.matrix, second.matrix, third.matrix
    pairs = (
        (mtconv.vstack([A, B]), np.vstack([M, N])),
        (mtconv.hstack([A, B]), np.hstack([M, N])),
        (mtconv.vstack([A, B]) @ C, np.vstack([M, N]) @ P),
        (C @ mtconv.hstack([A, B]), P @ np.hstack([M, N])),
        (2 * mtconv.vstack([A, B, C]), 2 * np.vstack([M, N, P])),
    )
    return Expression(*draw(st.sampled_from(pairs)))


def check(expression):
    """Compare an operator with its matrix, and its adjoints with the matrix's."""
    operator, matrix = expression.operator, expression.matrix
    assert operator.shape == matrix.shape
    v = (
        np.random.default_rng(1)
        .integers(-3, 4, (matrix.shape[1], 2))
        .astype(operator.dtype)
    )
    u = (
        np.random.default_rng(2)
        .integers(-3, 4, (matrix.shape[0], 2))
        .astype(operator.dtype)
    )
    results = (matrix @ v).T.reshape(2, *operator.output_shape)
    for got, expected in (
        (operator.to_dense(), matrix),
        (operator.to_sparse().toarray(), matrix),
        (operator.T.to_dense(), matrix.T),
        (operator.matvec(v[:, 0]), matrix @ v[:, 0]),
        (operator(v.T.reshape(2, *operator.input_shape)), results),
        (operator.matmat(v), matrix @ v),
        (operator.T.matmat(u), matrix.T @ u),
        (operator.rmatmat(u), matrix.conj().T @ u),
        (operator.H.matvec(u[:, 1]), matrix.conj().T @ u[:, 1]),
    ):
        np.testing.assert_array_equal(np.asarray(got), expected)


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_expressions_equal_their_matrices(backend, data):
    check(data.draw(expressions(np.asarray, {"backend": backend}, 3)))


@given(data=st.data())
@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_stacks_equal_their_matrices(backend, data):
    check(data.draw(stacked(np.asarray, {"backend": backend})))


def in_library(name, data):
    """Draw an expression of kernels of a library, and of NumPy kernels that follow."""
    module = pytest.importorskip(name)

    def make(array):
        # Whole numbers are exact in floating dtypes too, and not every library mixes
        # integers with floating numbers.
        array = array.astype(np.result_type(array, np.float64))
        return module.asarray(array) if data.draw(st.booleans()) else array

    return data.draw(st.one_of(expressions(make, {}, 3), stacked(make, {})))


@pytest.mark.parametrize("name", ["torch", "array_api_strict"])
@given(data=st.data())
@settings(max_examples=15)
def test_other_libraries(name, data):
    check(in_library(name, data))


@given(data=st.data())
@settings(max_examples=6)  # each one compiles
def test_jax(data):
    check(in_library("jax.numpy", data))


@pytest.mark.parametrize("name", ["jax.numpy", "torch"])
def test_integers_of_other_libraries(name):
    module = pytest.importorskip(name)
    kernel, matrix = problem("conv", 0, 0)
    A = mtconv.Conv(module.asarray(kernel.copy()), SIZE, **OPTIONS[0])
    check(Expression(2 * A.T @ A - A / 2, 2 * matrix.T @ matrix - matrix / 2))
    assert (A.T @ A).dtype == np.int64


class TestScalars:
    A = mtconv.Conv([1, 10], 3)

    @pytest.mark.parametrize(
        "factor",
        [2, 2.5, 1 - 1j, np.int64(3), np.float32(0.5), np.array(4), np.complex64(2j)],
    )
    def test_numbers(self, factor):
        dense = self.A.to_dense()
        for operator in (factor * self.A, self.A * factor):
            assert operator.to_dense().tolist() == (factor * dense).tolist()
            assert operator.dtype == (factor * dense).dtype
            assert operator.H.to_dense().tolist() == (factor * dense).T.conj().tolist()
        assert (self.A / factor).to_dense().tolist() == (dense / factor).tolist()

    def test_single_precision_stays(self):
        A = mtconv.Conv(np.array([1, 2], np.float32), 3)
        for operator in (2 * A, A / 3, -A, A.T @ A, A - A):
            assert operator.dtype == np.float32
            assert operator(np.ones(3, np.float32)).dtype == np.float32

    def test_what_is_no_number(self):
        for factor in ("2", None, True, [2]):
            with pytest.raises(TypeError, match=r"unsupported operand|can't multiply"):
                self.A * factor
        with pytest.raises(mtconv.GeometryError) as error:
            self.A * np.ones(3)
        assert str(error.value) == (
            "A * c: `c` must be a number; got an array of shape (3,). Apply operators by @ "
            "or a call."
        )
        for operand in (1, "A", np.ones((2, 3))):
            with pytest.raises(TypeError, match=r"unsupported operand|does not support"):
                self.A + operand
            with pytest.raises(TypeError, match=r"unsupported operand|does not support"):
                operand - self.A

    def test_sums_start_with_nothing(self):
        total = sum([self.A, self.A, self.A])
        assert total.to_dense().tolist() == (3 * self.A.to_dense()).tolist()
        assert len(total.operators) == 3


class TestShapes:
    def test_axes_of_length_one_do_not_matter(self, same):
        image = mtconv.Conv(np.array([[1, 2], [3, 4]]), (3, 4))
        channels = mtconv.Conv(np.array([[[[0, 1], [5, 0]]]]), (3, 4))
        x = np.arange(12).reshape(3, 4)
        same((image + channels)(x), image(x) + channels(x[None])[0])
        same((channels + image)(x[None]), image(x)[None] + channels(x[None]))
        same((channels.T @ image)(x), channels.T(image(x)[None]))
        stack = mtconv.vstack([image, channels])
        same(stack(x), np.concatenate([image(x).ravel(), channels(x[None]).ravel()]))

    def test_batches_stand_where_the_layout_says(self, same):
        options = {"layout": "CLN", "padding": "same"}
        A = mtconv.Conv(np.arange(12).reshape(2, 2, 3), 4, **options)
        x = np.arange(40).reshape(2, 4, 5)
        for operator, matrix in (
            (A + A, 2 * A.to_dense()),
            (A.T @ A, A.T.to_dense() @ A.to_dense()),
            (3 * A, 3 * A.to_dense()),
        ):
            same(operator(x).reshape(8, 5), matrix @ x.reshape(8, 5))

    def test_stacks_are_split(self, same):
        A, B = mtconv.Conv([1, 10], 3), mtconv.Conv([[1, 2, 3]], (1, 3))
        stack = mtconv.vstack([A, B])
        parts = stack.split(stack(np.array([[1, 2, 3], [0, 1, 0]])))
        same(parts[0], np.array([[21, 32], [10, 1]]))
        same(parts[1], np.array([[[14]], [[2]]]))
        assert [part.shape for part in stack.T.split(np.arange(3))] == [(2,), (1, 1)]
        with pytest.raises(mtconv.GeometryError) as error:
            stack.split(np.ones(4))
        assert str(error.value) == (
            "VStack.split: `vector` must have shape (3,), alone or behind a batch axis; "
            "got shape (4,)."
        )

    def test_matrices_of_raveled_columns(self):
        A = mtconv.Conv(np.arange(6).reshape(2, 3), (3, 4))
        F = A.to_sparse(order="F").toarray()
        for operator, matrix in (
            (A.T @ A, F.T @ F),
            (A + 2 * A, 3 * F),
            (mtconv.vstack([A, A]), np.vstack([F, F])),
            (mtconv.hstack([A, A]), np.hstack([F, F])),
        ):
            assert operator.to_sparse(order="F").toarray().tolist() == matrix.tolist()

    @pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr"])
    def test_formats(self, format):  # noqa: A002
        A = mtconv.Conv([1, 2], 4, padding=1, padding_mode="circular")
        matrix = (A.T @ A).to_sparse(format)
        assert matrix.format == format
        assert matrix.toarray().tolist() == (A.T.to_dense() @ A.to_dense()).tolist()


A, B = mtconv.Conv([1, 10], 3), mtconv.Conv([1, 10], 4)


class TestErrors:
    @pytest.mark.parametrize(
        ("combine", "text"),
        [
            (
                lambda: A + B,
                "A + B: `B` must have the input_shape (3,) of `A`; got (4,). Only "
                "operators of equal shapes can be added.",
            ),
            (
                lambda: A - A.T,
                "A - B: `B` must have the input_shape (3,) of `A`; got (2,). B.T has it.",
            ),
            (
                lambda: A @ A,
                "A @ B: `B` must give what `A` takes, arrays of shape (3,); got "
                "output_shape (2,). B.T does.",
            ),
            (
                lambda: A.T @ B.T,
                "A @ B: `B` must give what `A` takes, arrays of shape (2,); got "
                "output_shape (4,). Make one of them with another input_size.",
            ),
            (
                lambda: mtconv.vstack([A, B]),
                "vstack: `operators[1]` must have the input_shape (3,) of the first "
                "operator; got (4,). operators[1].T has it.",
            ),
            (
                lambda: mtconv.hstack([A, A.T]),
                "hstack: `operators[1]` must have the output_shape (2,) of the first "
                "operator; got (3,). operators[1].T has it.",
            ),
            (
                lambda: mtconv.vstack([]),
                "vstack: `operators` must have at least one operator; got an empty list.",
            ),
            (
                lambda: mtconv.vstack(A),
                "vstack: `operators` must be a list of operators; got a value of type "
                "Conv. Write vstack([A, B]).",
            ),
            (
                lambda: mtconv.hstack([A, 3]),
                "hstack: `operators[1]` must be an operator of mtconv; got a value of type "
                "int. Make one with mtconv.Conv or mtconv.ConvTranspose.",
            ),
        ],
    )
    def test_shapes_that_do_not_fit(self, combine, text):
        with pytest.raises(mtconv.GeometryError) as error:
            combine()
        assert str(error.value) == text

    def test_named_backends_that_differ(self):
        A = mtconv.Conv([1.0, 2.0], 3, backend="sparse")
        B = mtconv.Conv([1.0, 2.0], 3, backend="numpy")
        for combine in (lambda: A + B, lambda: A.T @ B, lambda: mtconv.vstack([A, B])):
            with pytest.raises(mtconv.BackendError) as error:
                combine()
            assert "must have the same backend as the others; got " in str(error.value)
            assert str(error.value).endswith(
                "Make one of them without `backend`: its NumPy kernel follows the other."
            )
        assert ((A + mtconv.Conv([1.0, 2.0], 3))(np.ones(3)) == 6).all()

    def test_libraries_that_differ(self, jax_numpy):
        xp = pytest.importorskip("array_api_strict")
        A = mtconv.Conv(jax_numpy.ones(2), 3)
        B = mtconv.Conv(xp.ones(2), 3)
        with pytest.raises(mtconv.BackendError) as error:
            A.T @ B
        assert str(error.value) == (
            "A @ B: `A` must be of the same array library as the others; got A of jax, "
            "B of array_api_strict. Convert one of them; NumPy arrays follow the other "
            "library by themselves."
        )

    def test_integers_that_a_library_does_not_divide(self):
        xp = pytest.importorskip("array_api_strict")
        A = mtconv.Conv(xp.asarray([1, 2]), 3)
        with pytest.raises(mtconv.BackendError) as error:
            A / 2
        assert str(error.value) == (
            "A / c: `c` must be of a kind that array_api arrays of int64 multiply; got 2. "
            "Make the operator with a floating kernel."
        )
        with pytest.raises(mtconv.BackendError, match="does not promote"):
            A + mtconv.Conv(xp.asarray([1.0, 2.0]), 3)

    def test_operators_never_change(self):
        with pytest.raises(AttributeError) as error:
            (A + A).operators = ()
        assert str(error.value) == (
            "Sum: `operators` cannot be set, since operators never change. Make another "
            "Sum."
        )

    def test_norms_need_finite_kernels(self):
        with pytest.raises(ValueError, match="must be finite in double precision"):
            (A + mtconv.Conv([1.0, np.nan], 3)).norm()
        with pytest.raises(ValueError, match="must be a finite number of at least 0"):
            (A + A).norm(tol=-1)


def test_norms():
    A, B = mtconv.Conv([1.0, -2.0, 3.5], 9), mtconv.Conv([0.5, 2.0, 1.0], 9)
    dense = (A - B).to_dense()
    for operator, matrix in (
        (A - B, dense),
        (A.T @ B, A.T.to_dense() @ B.to_dense()),
        (3 * A.T @ A, 3 * A.T.to_dense() @ A.to_dense()),
        (A.T @ A / -3, A.T.to_dense() @ A.to_dense() / 3),
        (mtconv.vstack([A, B]), np.vstack([A.to_dense(), B.to_dense()])),
        (mtconv.hstack([A.T, 1j * B.T]), np.hstack([A.T.to_dense(), B.T.to_dense()])),
    ):
        assert np.isclose(operator.norm(), np.linalg.norm(matrix, 2), rtol=1e-7)
    # The exact norm of a circular convolution is that of its multiples, too.
    C = mtconv.Conv([1.0, -1.0], 4, padding=((0, 1),), padding_mode="circular")
    assert ((-3 * C).norm(), (C / 4).norm(), (C.T @ C).norm()) == (6.0, 0.5, 4.0)
    assert (C - C).norm() == 0.0
    nothing = mtconv.Conv(np.ones((0, 1, 3)), 8)
    assert (nothing + nothing).norm() == 0.0
