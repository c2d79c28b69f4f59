"""Tiles of maps that are applied axis by axis: what they cover, read and leave between."""

from itertools import pairwise

import numpy as np
import pytest

from mtconv.geometry import Axis
from mtconv.operators.separable.bands import axis_bands
from mtconv.operators.separable.tiles import tiles_of


def bands(size, mode="zeros", taps=5):
    """Bands of eight rows, whose rows read two columns on either side."""
    axis = Axis(size, size, taps, 1, 1, taps // 2)
    return axis_bands("conv", axis, mode, np.ones(taps), np.dtype(float), last=False)


def edges(stretches):
    """Where stretches begin that follow one another, and where the last one ends."""
    slices = sorted({(s.start, s.stop) for s in stretches})
    assert all(a[1] == b[0] for a, b in pairwise(slices))
    return [*(start for start, _ in slices), slices[-1][1]]


@pytest.mark.parametrize(
    ("sizes", "itemsize", "first", "second"),
    [
        # Small: a quarter of the 25 bands, rounded up.
        ((200, 300), 8, [0, 56, 112, 168, 200], [0, 300]),
        # 2**15 elements: r rows make 300 r and read 300 (r + 2) for the second axis to read
        # 300 r, so 35 fit; 7 bands do not, half of them do.
        ((200, 300), 2**7, [*range(0, 200, 24), 200], [0, 300]),
        # 2**14 elements: 64 r + 64 r + 64 (r + 2), so 84 rows; 16 bands have 128.
        ((500, 64), 2**8, [*range(0, 500, 64), 500], [0, 64]),
        # 2**11 elements for the first 8 rows, which read 10: r columns make 8 r, read
        # 8 (r + 4) between and 10 (r + 4) of the data, so that 76 fit.
        ((200, 300), 2**11, [*range(0, 201, 8)], [*range(0, 300, 72), 300]),
        # One band of each where nothing fits.
        ((40, 40), 2**20, [*range(0, 41, 8)], [*range(0, 41, 8)]),
        ((5, 3), 2**30, [0, 5], [0, 3]),
    ],
)
def test_sizes_of_tiles(sizes, itemsize, first, second):
    tiles = tiles_of([bands(n) for n in sizes], itemsize)
    assert edges([tile.rows[0] for tile in tiles]) == first
    assert edges([tile.rows[1] for tile in tiles]) == second
    assert len(tiles) == (len(first) - 1) * (len(second) - 1)
    for tile in tiles:
        for (piece,), rows, size in zip(tile.pieces, tile.rows, sizes, strict=True):
            assert piece == (max(rows.start - 2, 0), min(rows.stop + 2, size))


def test_around_a_circle_a_tile_reads_two_pieces():
    tiles = tiles_of([bands(40, "circular"), bands(24, "circular")], 2**20)
    pieces = {tile.rows[0].start: tile.pieces[0] for tile in tiles}
    assert pieces == {
        0: ((0, 10), (38, 40)),
        8: ((6, 18),),
        16: ((14, 26),),
        24: ((22, 34),),
        32: ((0, 2), (30, 40)),
    }


def test_tiles_work_on_the_rows_that_they_have():
    first, second = bands(40), bands(24)
    for tile in tiles_of([first, second], 2**20):
        for run, rows in ((tile.first[0], tile.rows[0]), (tile.second[0], tile.rows[1])):
            assert run.rows == slice(0, rows.stop - rows.start)
        # `first` reads the data as they are, the others what was copied.
        assert tile.first[0].first.parts[0].start == tile.pieces[0][0][0]
        assert tile.copied[0].first.parts[0].start == 0
        assert tile.second[0].first.parts[0].start == 0
