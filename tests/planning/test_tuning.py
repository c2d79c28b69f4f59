"""The numbers that decide speed keep the order that their uses need."""

from __future__ import annotations

import pytest

from mtconv.backends.host import memory
from mtconv.planning import tuning
from mtconv.planning.ladders.numpy import rates_of
from mtconv.planning.rates import SHIPPED

NUMBERS = {name: value for name, value in vars(tuning).items() if name.isupper()}
BYTES = [name for name in NUMBERS if name.endswith("_BYTES")]


@pytest.mark.parametrize("name", BYTES)
def test_blocks_outgrow_the_first_cache_and_keep_the_promised_memory(name):
    """Whole pages: 128 KiB at least, and less than 64 MiB."""
    size = NUMBERS[name]
    assert type(size) is int
    assert size % 2**12 == 0
    assert 2**17 <= size < 2**26


def test_a_block_with_its_arena_stays_below_the_promised_memory():
    assert tuning.BLOCK_BYTES < tuning.MOST_BYTES
    assert tuning.MOST_BYTES + memory.KEPT_BYTES < 64 * 2**20


def test_what_is_made_of_a_block_fits_it():
    for name in set(BYTES) - {"BLOCK_BYTES", "MOST_BYTES"}:
        assert NUMBERS[name] <= tuning.BLOCK_BYTES, name


def test_estimates_have_columns_of_about_a_block():
    assert tuning.COLUMN_BYTES // 4 <= rates_of(4).block <= tuning.COLUMN_BYTES


def test_small_problems_have_one_block_and_the_next_ones_a_few():
    assert 1 < tuning.FEW_BLOCKS < tuning.LEAST_BLOCKS
    assert tuning.SMALL_WORK < tuning.FEW_BLOCKS_WORK
    # What is one look-up is small in every other way too.
    for fewest in (tuning.FEW_COLUMNS, tuning.FEW_ELEMENTS, tuning.FEW_TERMS):
        assert 2**10 <= fewest < tuning.SMALL_ELEMENTS
    # Products that BLAS does not pack are no work for threads, nor for spectra.
    assert 10**5 < tuning.UNPACKED < tuning.INEXACT_FROM < tuning.SMALL_WORK


def test_chains_of_sums_are_longer_where_they_are_not_added_one_by_one():
    assert tuning.DIRECT_CHAIN < tuning.CHAIN
    assert tuning.TILED_ROWS < tuning.THIN_ROWS
    assert tuning.THIN_DEPTH < tuning.MOST_DEPTH < tuning.FEW_ROWS_DEPTH


def test_shipped_rates_are_in_the_order_of_what_they_measure():
    """A multiply-add of BLAS is the least, and an array operation at least the most."""
    order = (SHIPPED.product, SHIPPED.element, SHIPPED.strided, SHIPPED.call)
    assert list(order) == sorted(order)
    assert 1e-12 < SHIPPED.product < 1e-10
    assert 1e-7 < SHIPPED.call < 1e-5
    # A vector of a tile has many multiply-adds, and takes longer than one.
    assert 10 * SHIPPED.product < SHIPPED.tile < SHIPPED.call
    assert SHIPPED.element < SHIPPED.move < SHIPPED.strided
