"""Cells of blocks: zeros beyond the ends of an array, and blocks side by side."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.overlapped import read_cells, write_blocks


def arange(*shape):
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


def test_cells_inside_an_array_are_a_view():
    array = arange(1, 2, 3, 7, 8)
    cells = read_cells([array], [[2, 3]], [4, 5], Workspace())
    assert cells.shape == (1, 2, 1, 3, 4, 5)
    assert (cells[:, :, 0] == array[..., 2:6, 3:8]).all()
    assert np.shares_memory(cells, array)


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [
        (-2, 4, [0, 0, 1, 2]),
        (3, 4, [4, 5, 0, 0]),
        (-1, 7, [0, 1, 2, 3, 4, 5, 0]),
        (7, 2, [0, 0]),
        (-9, 3, [0, 0, 0]),
    ],
)
def test_cells_beyond_the_ends_are_zero(start, size, expected):
    cells = read_cells([arange(1, 1, 1, 5)], [[start]], [size], Workspace())
    assert cells.tolist() == [[[[expected]]]]


def test_cells_of_views_lie_behind_one_another():
    array = arange(1, 1, 1, 6)
    views = [array[..., 0::2], array[..., 1::2]]
    cells = read_cells(views, [[1], [-1]], [3], Workspace())
    assert cells.tolist() == [[[[[3, 5, 0]], [[0, 2, 4]]]]]


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (1, [0, 1, 2, 3, 4, 5, 6, 0]),
        (-1, [2, 3, 4, 5, 6, 0, 0, 0]),
        (5, [0, 0, 0, 0, 0, 1, 2, 3]),
        (9, [0] * 8),
    ],
)
def test_blocks_are_written_side_by_side(start, expected, add):
    target = np.zeros((1, 1, 1, 8))
    blocks = arange(1, 1, 1, 3, 2)
    for _ in range(2):
        write_blocks(blocks, target, [start], Workspace(), add=add)
    assert target.ravel().tolist() == [n * (1 + add) for n in expected]


def test_blocks_of_two_axes_are_written_as_a_plane():
    target = np.zeros((1, 1, 1, 4, 6))[..., ::-1]
    blocks = arange(1, 1, 1, 2, 2, 2, 3)
    write_blocks(blocks, target, [0, 0], Workspace(), add=False)
    assert target[0, 0, 0].tolist() == [
        [1, 2, 3, 7, 8, 9],
        [4, 5, 6, 10, 11, 12],
        [13, 14, 15, 19, 20, 21],
        [16, 17, 18, 22, 23, 24],
    ]
