"""Chunks of no elements, and whole arrays of none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

import mtconv
from tests.backends.dask.small_arrays import BIAS, KERNEL, X, Y

da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.usefixtures("in_this_thread")

EMPTY = {
    "first": (0, 1, 1),
    "middle": (1, 0, 1),
    "last": (1, 1, 0),
    "several": (0, 0, 1, 0, 1, 0, 0),
    "all but one": (0, 2, 0),
}


def cut(array: np.ndarray, axis: int, chunks: tuple[int, ...]) -> da.Array:
    """Cut one axis of an array as told; the others are one chunk."""
    cuts = [(size,) for size in array.shape]
    cuts[axis] = chunks
    return da.from_array(array, chunks=tuple(cuts))


def terms() -> Iterator[tuple[int, ...]]:
    """Batch, small channel, big channel, small cell and tap of every product."""
    return product(range(2), repeat=5)


@pytest.mark.parametrize("chunks", [(0, 1), (1, 0), (0, 1, 0), (0, 0, 1)])
def test_a_kernel_of_one_tap_beside_empty_chunks(chunks: tuple[int, ...]) -> None:
    x = da.from_array(np.array([3, 5, 7]), chunks=((0, 2, 0, 1),))
    kernel = da.from_array(np.array([2]), chunks=(chunks,))
    assert mtconv.conv(x, kernel).compute().tolist() == [6, 10, 14]
    spread = mtconv.conv_transpose(x, kernel, stride=2)
    assert spread.compute().tolist() == [6, 0, 10, 0, 14]
    image = da.from_array(np.array([[3, 5, 7]]), chunks=(chunks, (3,)))
    square = da.from_array(np.array([[2]]), chunks=(chunks, chunks))
    assert mtconv.conv(image, square).compute().tolist() == [[6, 10, 14]]
    gradient = mtconv.kernel_grad(image, image, kernel_size=(1, 1))
    assert gradient.compute().tolist() == [[9 + 25 + 49]]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("chunks", EMPTY.values(), ids=EMPTY)
def test_empty_chunks_of_every_array(axis: int, chunks: tuple[int, ...]) -> None:
    up, down = np.zeros((2, 2, 3), int), np.zeros((2, 2, 2), int)
    up += BIAS[:, None]
    down += BIAS[:, None]
    gradient = np.zeros((2, 2, 2), int)
    for n, s, b, i, j in terms():
        up[n, b, i + j] += X[n, s, i] * KERNEL[s, b, j]
        down[n, s, i] += Y[n, b, i + j] * KERNEL[s, b, j]
        gradient[s, b, j] += X[n, s, i] * Y[n, b, i + j]
    x, kernel, bias = cut(X, axis, chunks), cut(KERNEL, axis, chunks), cut(BIAS, 0, chunks)
    y = cut(Y, axis, (*chunks, 1) if axis == 2 else chunks)
    for result, expected in (
        (mtconv.conv_transpose(x, kernel, bias), up),
        (mtconv.conv(y, kernel, bias), down),
        (mtconv.kernel_grad(x, y, kernel_size=2), gradient),
    ):
        assert result.compute().tolist() == expected.tolist()


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
def test_a_bias_of_an_empty_chunk_behind_padding(mode: str) -> None:
    x = da.from_array(np.array([[[2]]]), chunks=1)
    options = {"padding_mode": mode}
    for chunks in ((0, 1), (1, 0), (0, 1, 0)):
        kernel = da.from_array(np.array([[[3]]]), chunks=((1,), (1,), chunks))
        bias = da.from_array(np.array([4]), chunks=(chunks,))
        got = mtconv.conv_transpose(x, kernel, bias, **options)
        assert got.compute().tolist() == [[[10]]]
        assert mtconv.conv(x, kernel, bias, **options).compute().tolist() == [[[10]]]


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("chunks", [(0,), (0, 0)])
def test_no_channels_add_nothing_to_the_bias(mode: str, chunks: tuple[int, ...]) -> None:
    data = cut(np.zeros((1, 0, 3), int), 1, chunks)
    for call, kernel in (
        (mtconv.conv, np.zeros((2, 0, 1), int)),
        (mtconv.conv_transpose, np.zeros((0, 2, 1), int)),
    ):
        got = call(
            data, cut(kernel, kernel.shape.index(0), chunks), BIAS, padding_mode=mode
        )
        assert got.compute().tolist() == [[[100] * 3, [200] * 3]]


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("chunks", [(0,), (0, 0)])
def test_no_channels_of_the_result(mode: str, chunks: tuple[int, ...]) -> None:
    bias = cut(np.zeros(0, int), 0, chunks)
    for call, axis in ((mtconv.conv, 0), (mtconv.conv_transpose, 1)):
        shape = (0, 2, 1) if axis == 0 else (2, 0, 1)
        kernel = cut(np.zeros(shape, int), axis, chunks)
        got = call(da.from_array(X, chunks=1), kernel, bias, padding_mode=mode)
        assert got.shape == got.compute().shape == (2, 0, 2)


@pytest.mark.parametrize("chunks", [(0,), (0, 0)])
def test_an_empty_batch(chunks: tuple[int, ...]) -> None:
    x, y = cut(X[:0], 0, chunks), cut(Y[:0], 0, (0,))
    assert mtconv.conv_transpose(x, KERNEL).compute().shape == (0, 2, 3)
    assert mtconv.conv(x, KERNEL, BIAS, padding_mode="circular").compute().shape == (
        0,
        2,
        1,
    )
    gradient = mtconv.kernel_grad(x, y, kernel_size=2)
    assert gradient.compute().tolist() == np.zeros((2, 2, 2)).tolist()


def test_gradients_for_no_channels() -> None:
    x, y = cut(np.zeros((2, 0, 2), int), 1, (0, 0)), da.from_array(Y, chunks=1)
    assert mtconv.kernel_grad(x, y, kernel_size=2).compute().shape == (0, 2, 2)
