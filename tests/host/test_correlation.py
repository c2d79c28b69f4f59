"""Products of kernel gradients: what is cut into tiles, and that nothing is lost."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from mtconv.backends.host import correlation, tiles
from mtconv.backends.host.correlation import add_correlation
from mtconv.backends.host.memory import Workspace
from mtconv.planning import tuning


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(len(shape)).integers(-4, 5, shape).astype(dtype)


def by_sums(rows, columns):
    """Sum over items and elements, (g, *taps, r, c), in whole numbers."""
    rows, columns = rows.astype(np.int64), columns.astype(np.int64)
    return np.einsum("ngre,ng...ce->g...rc", rows, columns)


@pytest.mark.parametrize(
    ("rows", "columns", "elements"),
    [(16, 10, 2548), (67, 13, 1031), (1, 3, 700), (8, 100, 96), (3, 41, 1500), (2, 2, 0)],
)
@pytest.mark.parametrize("items", [1, 3])
@pytest.mark.parametrize("taps", [(), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_items_elements_and_taps_are_summed(
    rows, columns, elements, items, taps, dtype
):
    left = numbers(items, 2, rows, elements, dtype=dtype)
    right = numbers(items, 2, *taps, columns, elements, dtype=dtype)
    out = np.full((2, *taps, rows, columns), 7, dtype)
    add_correlation(left, right, out, Workspace())
    assert np.array_equal(out, 7 + by_sums(left, right))


def test_tiles_are_taken_and_a_lost_one_is_seen(monkeypatch):
    """The product of 67 rows needs two tiles: without the shorter one it is wrong."""
    left, right = numbers(1, 1, 67, 1031), numbers(1, 1, 13, 1031)
    out = np.zeros((1, 67, 13), np.float32)
    real = tiles.parts
    monkeypatch.setattr(tiles, "parts", lambda *cut: real(*cut)[:1])
    add_correlation(left, right, out, Workspace())
    assert not np.array_equal(out, by_sums(left, right))


@pytest.mark.parametrize("most", [1, 2**12, 2**30])
def test_terms_are_added_up_a_few_at_a_time(most, monkeypatch):
    monkeypatch.setattr(tuning, "TERM_BYTES", most)
    left, right = numbers(2, 1, 6, 5000), numbers(2, 1, 4, 5000)
    out = np.zeros((1, 6, 4), np.float32)
    add_correlation(left, right, out, Workspace())
    assert np.array_equal(out, by_sums(left, right))


@pytest.mark.parametrize(
    ("most", "chain", "terms"),
    [
        (1, 99, 1),
        (95, 99, 1),
        (2 * 96, 99, 2),
        (4 * 96 - 1, 99, 3),
        (99 * 96, 99, 15),  # all of three items
        (99 * 96, 10, 10),  # two items
        (99 * 96, 9, 5),
        (99 * 96, 2, 2),
    ],
)
def test_so_many_terms_are_kept_as_have_room(most, chain, terms, monkeypatch):
    """A term is a result of 6 rows and 4 columns: 96 bytes; items have five of them."""
    monkeypatch.setattr(tuning, "TERM_BYTES", most)
    monkeypatch.setattr(tuning, "CHAIN", chain)
    real, counts = correlation.multiply_tiles, []

    def noted(rows, *rest):
        counts.append(prod(rows.shape[:2]))
        real(rows, *rest)

    monkeypatch.setattr(correlation, "multiply_tiles", noted)
    left, right = numbers(3, 1, 6, 5000), numbers(3, 1, 4, 5000)
    out = np.zeros((1, 6, 4), np.float32)
    add_correlation(left, right, out, Workspace())
    assert np.array_equal(out, by_sums(left, right))
    assert max(counts) == terms
    assert sum(counts) == 15


def test_sums_of_a_million_ones_and_a_little_do_not_lose_it():
    """A chain of single additions would stay at 2**24."""
    left = np.ones((1, 1, 4, 2**24 // 8 + 5), np.float32)
    right = np.full_like(left, 9)
    out = np.zeros((1, 4, 4), np.float32)
    add_correlation(left, right, out, Workspace())
    exact = 9 * left.shape[-1]
    assert abs(out - exact).max() <= exact * 2.0**-22
