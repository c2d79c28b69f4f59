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
        (8, 8, 5000, (8, 256)),
        (7, 8, 5000, None),
        (64, 256, 5000, (32, 96)),
        (64, 257, 5000, None),
        (65, 96, 5000, (65, 160)),
        (65, 97, 5000, None),
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
        (125, 80, 97, (125, 96)),
        (125, 80, 96, None),
        (128, 96, 65, (128, 64)),
        (64, 8, 256, None),
        (64, 8, 257, (64, 256)),
        (64, 8, 200, None),
    ],
)
def test_tiles_of_thin_products(rows, terms, columns, tile):
    assert tile_of(rows, terms, columns, "rows") == (tile and (*tile, terms))


@pytest.mark.parametrize(
    ("rows", "terms", "tile"),
    [
        # 32 terms to 256, up to 256 rows, in equal parts of at most 32 rows and at least 4.
        (64, 31, None),
        (64, 32, (32, 36)),
        (64, 256, (32, 36)),
        (64, 257, None),
        (256, 40, (32, 36)),
        (257, 40, None),
        (67, 40, None),  # a prime: rows of one
        (3, 40, None),
        # Results of 1200 elements, in whole fours of columns, and more than one tile.
        (4, 40, (4, 300)),
        (28, 40, (28, 40)),
        (36, 40, (18, 64)),
    ],
)
def test_tiles_of_columns_that_are_no_rows_in_memory(rows, terms, tile):
    assert tile_of(rows, terms, 5000, "columns") == (tile and (*tile, terms))


def test_a_lone_tile_is_a_product_as_it_is():
    assert tile_of(4, 40, 301, "columns") == (4, 300, 40)
    assert tile_of(4, 40, 300, "columns") is None
    assert tile_of(4, 40, 299, "columns") is None


@pytest.mark.parametrize(
    ("rows", "columns", "elements", "tile"),
    [
        (16, 10, 2548, (16, 10, 637)),
        (120, 12, 13394, (60, 12, 957)),  # 13394 = 14 * 956.7: a shorter tile is left
        (8, 8, 95, None),  # too few elements
        (8, 8, 96, (8, 8, 96)),
        (256, 1000, 500, (64, 10, 500)),  # at most 18 columns, equal parts
        (257, 1000, 500, None),  # thick on both sides
        (1, 50, 500, None),  # a vector
        (50, 1, 500, None),
        (67, 3, 200, (34, 3, 200)),  # no divisor of 67: one tile is shorter
    ],
)
def test_tiles_of_products_with_long_sums(rows, columns, elements, tile):
    assert tile_of(rows, elements, columns, "sums") == tile
