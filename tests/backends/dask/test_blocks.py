"""What one task does, on blocks that are written down here."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dask.array")

from mtconv.backends._dask.blocks import FoldTask, MapTask, cut, joined
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec


@pytest.mark.parametrize("stop", range(1, 8))
def test_small_parts_are_copied_so_that_their_chunk_can_be_freed(stop: int) -> None:
    """Less than half of a chunk is small: up to three of eight elements."""
    block = np.arange(8).reshape(4, 2)
    taken = cut(block.ravel(), (slice(0, stop),))
    assert taken.tolist() == list(range(stop))
    assert np.shares_memory(taken, block) == (stop >= 4)


def test_the_smallness_of_a_part_is_that_of_all_its_axes() -> None:
    block = np.arange(12).reshape(3, 4)
    taken = cut(block, (slice(1, 3), slice(0, 3)))
    assert taken.tolist() == [[4, 5, 6], [8, 9, 10]]
    assert np.shares_memory(taken, block)
    taken = cut(block, (slice(1, 3), slice(1, 3)))
    assert taken.tolist() == [[5, 6], [9, 10]]
    assert not np.shares_memory(taken, block)


def test_parts_are_joined_along_every_axis() -> None:
    whole = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    parts = [
        [[whole[n : n + 1, rows, :2], whole[n : n + 1, rows, 2:]] for rows in halves]
        for n, halves in enumerate([[slice(0, 1), slice(1, 5)]] * 2)
    ]
    assert joined(parts).tolist() == whole.tolist()
    columns = (5, 0, 0, 2)
    got = joined(parts, (None, (4, 1), columns))
    assert got[0].tolist() == [[29, 24, 24, 26], [11, 6, 6, 8]]
    assert (got[1] == got[0] + 30).all()
    reordered = joined(parts, ((1, 0), None, None))
    assert reordered.tolist() == whole.tolist()[::-1]


def test_a_single_part_is_not_copied() -> None:
    part = np.arange(6).reshape(1, 2, 3)
    assert joined([[[part]]], (None, None, None)) is part
    assert joined(part) is part


# Along rows, stride 2 and one cropped at the low end; along columns, plain.
SPEC = ConvSpec((Axis(2, 4, 3, stride=2, lo=1), Axis(2, 3, 2)), 1, 1, 1)
X = np.array([[1, 2], [3, 4]])
KERNEL = np.array([[1, 2], [3, 4], [5, 6]])
Y = np.array([[1, -1, 2], [0, 3, 1], [2, 1, -2], [1, 0, 5]])
AS_THEY_ARE = (None,) * 4
REVERSED = {2: (None, None, (1, 0), None), 4: (None, None, (3, 2, 1, 0), None)}


def region(array: np.ndarray) -> list:
    """Cut an image into its rows, each a part of its own."""
    return [[[[array[None, None, [row]]] for row in range(len(array))]]]


@pytest.mark.parametrize("reverse", [False, True])
def test_each_map_on_one_block(reverse: bool) -> None:
    up, down, grad = np.zeros_like(Y), np.zeros_like(X), np.zeros_like(KERNEL)
    for i, j, m, k in np.ndindex(2, 3, 2, 2):
        o, p = 2 * i + j - 1, m + k
        if 0 <= o < 4:
            up[o, p] += X[i, m] * KERNEL[j, k]
            down[i, m] += Y[o, p] * KERNEL[j, k]
            grad[j, k] += X[i, m] * Y[o, p]
    kernel, bias = KERNEL[None, None], np.array([100])
    step = -1 if reverse else 1
    of_x, of_y = (REVERSED[n] if reverse else AS_THEY_ARE for n in (2, 4))
    x, y = region(X[::step]), region(Y[::step])
    spread = MapTask("conv_transpose", SPEC, "auto", (of_x, ()))
    assert spread(x, kernel).tolist() == [[up.tolist()]]
    assert spread(x, kernel, bias).tolist() == [[(up + 100).tolist()]]
    back = MapTask("conv", SPEC, "auto", (of_y, ()))
    assert back(y, kernel, bias).tolist() == [[(down + 100).tolist()]]
    gradient = MapTask("kernel_grad", SPEC, "auto", (of_x, of_y))
    assert gradient(x, y).tolist() == [[[grad.tolist()]]]


def test_tasks_are_values() -> None:
    """What is told apart by its content can be a key, and nobody changes it."""
    tasks = {MapTask("conv", SPEC, "auto", (AS_THEY_ARE, ())) for _ in range(2)}
    assert len(tasks | {FoldTask((None,), (n,)) for n in (3, 3, 4)}) == 3


def test_the_algorithm_is_that_of_the_caller() -> None:
    spec = ConvSpec((Axis(8, 9, 2),), 1, 1, 1)
    x, kernel = np.zeros((1, 1, 8)), np.array([[[1e-9, 1.0]]])
    x[0, 0, 0] = 1e9
    got = {
        name: MapTask("conv_transpose", spec, name, ((None,) * 3, ()))([[[x]]], kernel)
        for name in ("direct", "fft")
    }
    assert got["direct"].tolist() == [[[1, 1e9, 0, 0, 0, 0, 0, 0, 0]]]
    assert got["fft"].tolist() != got["direct"].tolist()


FOLDS = [
    # Columns of the region belong to 1, 0, 1, 0; rows are as they are.
    ((None, (1, 0, 1, 0)), (2, 2), [[6, 4], [14, 12]]),
    # The first row once more, from behind; columns are as they are.
    (((1, 0), None), (2, 4), [[5, 6, 7, 8], [1, 2, 3, 4]]),
    # Both rows on one, the ends of the columns on the middle ones.
    (((0, 0), (0, 0, 1, 1)), (1, 2), [[14, 22]]),
    # Nothing of the region belongs to the last column.
    ((None, (0, 0, 0, 0)), (2, 2), [[10, 0], [26, 0]]),
    ((None, None), (2, 4), [[1, 2, 3, 4], [5, 6, 7, 8]]),
]


@pytest.mark.parametrize(("targets", "shape", "expected"), FOLDS)
def test_elements_are_added_to_those_they_belong_to(
    targets: tuple, shape: tuple[int, int], expected: list
) -> None:
    image = np.arange(1, 9).reshape(2, 4)
    block = np.stack([image, 10 * image])[None]
    region = [[[[block[..., :1], block[..., 1:]]]]]
    got = FoldTask(targets, shape)(region)
    assert got.dtype == image.dtype
    assert got.tolist() == [[expected, (10 * np.array(expected)).tolist()]]
    assert block.tolist() == [[image.tolist(), (10 * image).tolist()]]
