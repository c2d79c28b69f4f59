"""Dtypes of operators and of their matrices: unsigned, narrow, of another byte order."""

import pickle

import numpy as np
import pytest

import mtconv

# What the convolution with (1, 200) does to five elements, less that with (2, 3).
DIFFERENCE = [
    [1, -197, 0, 0, 0],
    [0, 1, -197, 0, 0],
    [0, 0, 1, -197, 0],
    [0, 0, 0, 1, -197],
]


def test_unsigned_operators_are_negated_as_their_arrays_are(library):
    make, how = library
    A = mtconv.Conv(make(np.array([1, 200], "uint8")), 3, **how)
    matrix = np.array([[1, 200, 0], [0, 1, 200]], "uint8")
    for operator in (-A, A - A - A, -1 * A):
        assert np.asarray(operator.to_dense()).dtype == np.uint8
        np.testing.assert_array_equal(np.asarray(operator.to_dense()), -matrix)
        x = make(np.array([3, 1, 2], "uint8"))
        np.testing.assert_array_equal(np.asarray(operator(x)), [53, 111])  # less 203, 401


@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_members_that_are_narrow_do_not_wrap_in_the_matrix_of_a_wide_one(backend):
    if backend == "sparse":
        pytest.importorskip("scipy")
    A = mtconv.Conv(np.array([2.0, 3.0]), 5, backend=backend)
    B = mtconv.Conv(np.array([1, 200], "uint8"), 5, backend=backend)
    for operator in (A - B, -(2 * B.T.T / 2 - A)):
        np.testing.assert_array_equal(operator.to_dense(), DIFFERENCE)
        np.testing.assert_array_equal(operator.matmat(np.eye(5)), DIFFERENCE)
        units = 3 * np.eye(5, dtype="uint8")
        np.testing.assert_array_equal(operator.matmat(units), 3 * np.array(DIFFERENCE))
        pytest.importorskip("scipy")
        np.testing.assert_array_equal(operator.to_sparse().toarray(), DIFFERENCE)


def test_taps_that_meet_in_one_element_do_not_wrap_either():
    options = {"padding": ((0, 2),), "padding_mode": "circular"}
    A = mtconv.Conv(np.array([100, 0, 100], "int8"), 2, **options)
    expected = [[200, 0], [0, 200]]
    np.testing.assert_array_equal((A / 1).to_dense(), expected)
    np.testing.assert_array_equal((A / 1)(np.eye(2)), expected)
    np.testing.assert_array_equal(A.to_dense(), [[-56, 0], [0, -56]])


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_the_matrix_of_a_multiple_has_its_dtype(dtype):
    pytest.importorskip("scipy")
    A = mtconv.Conv(np.array([1, 3], dtype), 3)
    for operator in (A / 2, 0.5 * A, A.H / 2):
        matrix = operator.to_sparse()
        assert matrix.dtype == operator.dtype == dtype
        np.testing.assert_array_equal(matrix.toarray(), operator.to_dense())
    np.testing.assert_array_equal((A / 2).to_dense(), [[0.5, 1.5, 0], [0, 0.5, 1.5]])


def test_kernels_of_another_byte_order_are_kept_in_that_of_the_machine():
    swapped = np.dtype("float32").newbyteorder("S")
    for A in (
        mtconv.Conv(np.array([1, 3], swapped), 3),
        mtconv.KernelConv(np.array([1, 3, 2], swapped), kernel_size=(2,)),
    ):
        assert A.dtype == A.to_dense().dtype == A(np.ones(A.input_shape, ">f4")).dtype
        assert A.dtype.isnative
        assert A.dtype == "float32"
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(A, protocol)) == A
    np.testing.assert_array_equal(A.to_dense(), [[1, 3], [3, 2]])


def test_numbers_that_a_dtype_does_not_hold_are_refused():
    A = mtconv.Conv(np.array([1, 2], "uint8"), 3)
    for factor in (-2, 300, 2**70):
        with pytest.raises(mtconv.BackendError) as error:
            factor * A
        assert str(error.value) == (
            f"c * A: `c` must be a number that uint8 holds; got {factor}. Make the "
            "operator with a kernel of a wider dtype, or of floating numbers."
        )
    fixed = -2 * mtconv.Conv(np.array([1, 2], "int16"), 3)
    np.testing.assert_array_equal(fixed.to_dense(), [[-2, -4, 0], [0, -2, -4]])
