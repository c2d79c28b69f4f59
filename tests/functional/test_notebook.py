"""The notebook that this library grew out of, cell by cell, on every engine.

Its author writes the transposed convolution as a loop, then with strides and padding,
then as the transpose of a matrix; each cell's result was worked out by hand there.
"""

import numpy as np

X = np.array([[0, 1], [2, 3]])
KERNEL = np.array([[0, 1], [2, 3]])

# The matrix of the 2 x 2 kernel [[1, 2], [3, 4]] on a 3 x 3 input, written by hand:
# row 2*r + c holds the kernel where it lies with its corner on cell (r, c).
W = np.array(
    [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
)


def test_basic_operation(engine, same):
    same(engine.conv_transpose(X, KERNEL), [[0, 0, 1], [0, 4, 6], [4, 12, 9]])


def test_the_same_with_batch_and_channels(engine, same):
    got = engine.conv_transpose(X[None, None], KERNEL[None, None])
    same(got, [[[[0, 0, 1], [0, 4, 6], [4, 12, 9]]]])


def test_padding_crops_the_result(engine, same):
    same(engine.conv_transpose(X, KERNEL, padding=1), [[4]])


def test_stride_spreads_the_copies_of_the_kernel(engine, same):
    got = engine.conv_transpose(X, KERNEL, stride=2)
    same(got, [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]])


def test_transposed_convolution_restores_the_shape_of_the_convolutions_input(engine):
    image = np.arange(10 * 16 * 16).reshape(1, 10, 16, 16) % 7.0
    kernel = np.arange(20 * 10 * 5 * 5).reshape(20, 10, 5, 5) % 5.0
    small = engine.conv(image, kernel, padding=2, stride=3)
    assert small.shape == (1, 20, 6, 6)
    assert engine.conv_transpose(small, kernel, padding=2, stride=3).shape == image.shape


def test_convolution_by_a_loop(engine, same):
    image = np.arange(9.0).reshape(3, 3)
    same(engine.conv(image, [[1.0, 2.0], [3.0, 4.0]]), [[27, 37], [57, 67]])


def test_convolution_is_multiplication_by_the_matrix(engine, same):
    image = np.arange(9.0).reshape(3, 3)
    got = engine.conv(image, [[1.0, 2.0], [3.0, 4.0]])
    same(got.ravel(), W @ image.ravel())


def test_the_matrix_is_what_the_convolution_does_to_unit_images(engine, same):
    columns = [
        engine.conv(unit.reshape(3, 3), [[1, 2], [3, 4]]).ravel()
        for unit in np.eye(9, dtype=int)
    ]
    same(np.stack(columns, axis=1), W)


def test_transposed_convolution_is_multiplication_by_the_transposed_matrix(engine, same):
    y = np.array([[27.0, 37.0], [57.0, 67.0]])
    got = engine.conv_transpose(y, [[1.0, 2.0], [3.0, 4.0]])
    same(got.ravel(), W.T @ y.ravel())
