"""How products are cut into tiles: rows, columns and terms, worked out by hand."""

from __future__ import annotations

import pytest

from mtconv.backends.host.tiles import tile_of


@pytest.mark.parametrize(
    ("rows", "terms", "columns", "tile"),
    [
        # Rows and terms that make a product thin; 256 cells are the most.
        (64, 8, 5000, (64, 256)),
        (64, 7, 5000, None),
        (64, 256, 5000, (32, 96)),
        (64, 257, 5000, None),
        (65, 96, 5000, (65, 160)),
        (65, 97, 5000, None),
        # Few rows may have more terms, and need not have many columns.
        (16, 640, 2000, (16, 96)),
        (16, 641, 2000, None),
        (17, 256, 5000, (17, 224)),
        (17, 257, 5000, None),
        (17, 256, 2560, (17, 224)),
        (17, 256, 2559, None),
        (2, 100, 6000, (2, 256)),
        (1, 300, 6000, None),  # a vector
        # 128 rows at a time where there are few terms, 32 where not; equal parts.
        (128, 96, 5000, (128, 64)),
        (256, 96, 5000, (128, 64)),
        (129, 96, 5000, (43, 224)),
        (64, 97, 5000, (32, 256)),
        (60, 97, 5000, (30, 256)),
        (131, 96, 5000, None),  # a prime: rows of one
        # A million multiply-adds, rounded down to 32 cells, and more than one tile.
        (125, 80, 5000, (125, 96)),
        (124, 84, 5000, (124, 96)),
        # BLAS packs nothing for a million multiply-adds in all.
        (16, 125, 500, None),
        (16, 125, 501, (16, 256)),
        (8, 8, 15625, None),
        (8, 8, 15626, (8, 256)),
    ],
)
def test_tiles_of_thin_products(rows, terms, columns, tile):
    assert tile_of(rows, terms, columns, "rows") == (tile and (*tile, terms))


@pytest.mark.parametrize(
    ("rows", "terms", "tile"),
    [
        # 32 terms to 256 of up to 16 rows, 96 of more, up to 256 rows; in equal parts of
        # at most 32 rows and at least 4.
        (16, 31, None),
        (16, 32, (16, 72)),
        (17, 95, None),
        (17, 96, (17, 68)),
        (64, 256, (32, 36)),
        (64, 257, None),
        (256, 100, (32, 36)),
        (257, 100, None),
        (67, 100, None),  # a prime: rows of one
        (3, 40, None),
        # Results of 1200 elements, in whole fours of columns.
        (4, 40, (4, 300)),
        (28, 96, (28, 40)),
        (36, 96, (18, 64)),
    ],
)
def test_tiles_of_columns_that_are_no_rows_in_memory(rows, terms, tile):
    assert tile_of(rows, terms, 5000, "columns") == (tile and (*tile, terms))


def test_a_lone_tile_is_a_product_as_it_is():
    assert tile_of(4, 120, 301, "columns") == (4, 300, 120)
    assert tile_of(4, 120, 300, "columns") is None
    assert tile_of(4, 120, 299, "columns") is None


def test_a_product_of_few_columns_that_BLAS_does_not_pack_stays_whole():
    assert tile_of(8, 64, 256, "columns") == (8, 148, 64)  # 2**17 multiply-adds
    assert tile_of(8, 64, 255, "columns") is None


@pytest.mark.parametrize(
    ("rows", "columns", "elements", "tile"),
    [
        (16, 10, 2548, (16, 10, 637)),  # longer sums than a tile has are cut
        (16, 10, 1025, (16, 10, 513)),
        (16, 10, 1024, None),
        (120, 12, 13394, (60, 12, 957)),  # 13394 = 14 * 956.7: a shorter tile is left
        (200, 120, 95, None),  # too few elements
        (200, 120, 96, (50, 24, 96)),
        (256, 1000, 500, (64, 10, 500)),  # at most 18 columns, equal parts
        (257, 1000, 500, None),  # thick on both sides
        (1, 5000, 500, None),  # a vector
        (5000, 1, 500, None),
        (67, 30, 500, (34, 30, 500)),  # no divisor of 67: one tile is shorter
        # BLAS packs nothing for a million multiply-adds.
        (40, 50, 500, None),
        (40, 51, 500, (40, 17, 500)),
    ],
)
def test_tiles_of_products_with_long_sums(rows, columns, elements, tile):
    assert tile_of(rows, elements, columns, "sums") == tile
