"""Matrix products: what is cut into tiles and chains, and what is written in place."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host import matmul as products_of
from mtconv.backends.host.matmul import as_matrices, matmul, matrices_for, multiply
from mtconv.backends.host.memory import Workspace


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(len(shape)).integers(-4, 5, shape).astype(dtype)


@pytest.fixture
def products(monkeypatch):
    """Note the shapes that `numpy.matmul` writes."""
    got = []

    def noted(rows, columns, out):
        got.append(out.shape)
        return real(rows, columns, out=out)

    real = np.matmul
    monkeypatch.setattr(products_of.np, "matmul", noted)
    return got


@pytest.fixture
def chains(monkeypatch):
    """Note the numbers of terms of each product, and whether it is written to ``out``."""
    got = []

    def noted(rows, columns, out):
        assert columns.shape[-2] == rows.shape[-1]
        got.append(rows.shape[-1])
        return real(rows, columns, out)

    real = products_of.matmul
    monkeypatch.setattr(products_of, "matmul", noted)
    return got


@pytest.mark.parametrize(
    ("shapes", "written"),
    [
        # 700 cells are two tiles of 256 and what is left.
        (((16, 125), (125, 700)), [(2, 1, 16, 256), (1, 1, 16, 188)]),
        (((16, 125), (125, 768)), [(3, 1, 16, 256)]),
        (((16, 125), (125, 769)), [(3, 1, 16, 256), (1, 1, 16, 1)]),
        (((5, 16, 125), (5, 125, 512)), [(5, 2, 1, 16, 256)]),
        # 256 rows are two tiles of 128.
        (((256, 64), (2, 64, 2600)), [(2, 27, 2, 128, 96), (2, 1, 2, 128, 8)]),
        (((16, 125), (125, 500)), [(16, 500)]),
    ],
)
def test_a_thin_product_is_two_calls_of_many_tiles(shapes, written, products):
    rows, columns = (numbers(*shape) for shape in shapes)
    expected = rows @ columns
    out = np.full(expected.shape, np.nan, np.float32)
    matmul(rows, columns, out)
    assert np.array_equal(out, expected)
    assert [sorted(shape) for shape in products] == [sorted(shape) for shape in written]


def test_tiles_are_for_single_precision(products):
    rows, columns = numbers(48, 24, dtype=float), numbers(24, 700, dtype=float)
    matmul(rows, columns, np.empty((48, 700)))
    assert products == [(48, 700)]


@pytest.mark.parametrize(
    ("depth", "parts"),
    [
        (1, [1]),
        (128, [128]),
        (129, [64, 65]),
        (257, [85, 86, 86]),
        (2176, [128] * 17),
        (2177, [2177]),  # more than 17 pieces are left to BLAS
    ],
)
def test_chains_have_128_terms(depth, parts, chains):
    rows, columns = numbers(3, depth), numbers(2, depth, 5)
    out = np.full((2, 3, 5), np.nan, np.float32)
    multiply(rows, columns, out, Workspace())
    assert chains == parts
    assert np.array_equal(out, rows @ columns)
    chains.clear()
    multiply(rows, columns, out, Workspace(), add=True)
    assert chains == parts
    assert np.array_equal(out, 2 * (rows @ columns))


@pytest.mark.parametrize(
    ("dtype", "cut", "pieces"),
    [
        ("float32", True, 3),
        ("complex64", True, 3),
        ("float32", False, 1),
        ("float64", True, 1),
        ("complex128", True, 1),
        ("int32", True, 1),
        ("longdouble", True, 1),
    ],
)
def test_chains_are_for_single_precision(dtype, cut, pieces, chains):
    rows, columns = numbers(3, 300, dtype=dtype), numbers(300, 5, dtype=dtype)
    out = np.zeros((3, 5), dtype)
    space = Workspace()
    multiply(rows, columns, out, space, cut=cut)
    assert len(chains) == pieces
    assert np.array_equal(out, rows @ columns)
    assert space.used == 0


def test_a_sum_without_terms_is_zero():
    out = np.ones((3, 5), np.float32)
    multiply(numbers(3, 0), numbers(0, 5), out, Workspace())
    assert not out.any()


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.zeros((2, 3, 4, 5, 6)), (2, 3, 4, 30)),
        (np.zeros((4, 3, 2, 5, 6)).transpose(2, 1, 0, 3, 4), (2, 3, 4, 30)),
        (np.zeros((2, 3, 4, 5, 6))[:, :, ::2], (2, 3, 2, 30)),
        (np.zeros((2, 3, 4, 5, 6))[:, :, :, ::2], None),
        (np.zeros((2, 3, 4, 5, 6))[..., 1:], None),
        (np.zeros((2, 3, 4, 5, 6))[..., ::-1], None),
        (np.zeros((2, 3, 4, 6, 5)).swapaxes(3, 4), None),
        # Of an axis with one cell the step does not matter.
        (np.zeros((2, 3, 4, 5, 6))[..., :1, :], (2, 3, 4, 6)),
        (np.zeros((2, 3, 4, 5, 1))[..., ::-1], (2, 3, 4, 5)),
        (np.zeros((2, 3, 4, 5, 6))[..., :1], None),
    ],
)
def test_results_that_blas_can_write_to(array, shape):
    got = as_matrices(array)
    assert (None if got is None else got.shape) == shape
    assert got is None or np.shares_memory(got, array)


def test_results_that_it_cannot_are_computed_elsewhere():
    out = np.zeros((2, 3, 4, 5, 6))
    for array, folded, shape, in_place in (
        (out, False, (2, 3, 4, 30), True),
        (out, True, (1, 3, 4, 60), False),
        (out[..., ::2], False, (2, 3, 4, 15), False),
        (out[..., ::2], True, (1, 3, 4, 30), False),
    ):
        got, own = matrices_for(array, Workspace(), folded=folded)
        assert got.shape == shape
        assert own == in_place
        assert np.shares_memory(got, out) == in_place


@pytest.mark.parametrize("folded", [False, True])
def test_what_was_computed_elsewhere_is_stored(folded):
    items = np.arange(120.0).reshape(2, 3, 2, 10)  # (b, g, c, cells)
    result = np.concatenate(list(items), axis=-1)[None] if folded else items
    out = np.zeros((2, 3, 2, 5, 4))[..., ::2]
    products_of.store(result, out)
    assert np.array_equal(out, items.reshape(out.shape))


def test_an_axis_of_one_cell_may_have_any_step():
    room = np.zeros((2, 1, 3, 4, 8), np.float32)
    out = room[..., :1, :5]
    matrices = as_matrices(out)
    assert matrices.shape == (2, 1, 3, 5)
    assert np.shares_memory(matrices, room)
    assert as_matrices(room[..., :2, :5]) is None


@pytest.mark.parametrize(
    ("count", "depth", "shapes"),
    [
        (64, 16, [(64, 5000)]),  # too few terms
        (64, 100, [(2, 138, 32, 36), (2, 1, 32, 32)]),  # 1200 elements, in fours
        (4, 128, [(1, 16, 4, 300), (1, 1, 4, 200)]),
        (3, 128, [(3, 5000)]),
        (67, 128, [(67, 5000)]),  # a prime
    ],
)
def test_tiles_of_columns_that_are_no_rows_in_memory(count, depth, shapes, products):
    rows, columns = numbers(count, depth), numbers(5000, depth).T
    out = np.empty((count, 5000), np.float32)
    matmul(rows, columns, out)
    assert products == shapes
    assert np.array_equal(out, rows @ np.ascontiguousarray(columns))


@pytest.mark.parametrize(
    ("count", "depth", "cells"),
    [(16, 125, 700), (256, 64, 2600), (8, 200, 5000), (7, 16, 64), (64, 300, 64)],
)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_thin_products_are_exact(count, depth, cells, lead):
    """Whole numbers, so that every order of summation gives the same."""
    rng = np.random.default_rng(depth)
    rows, cells_of = (
        rng.integers(-4, 5, shape).astype(np.float32)
        for shape in ((depth, count), (*lead, depth, cells))
    )
    out = np.full((*lead, count, cells), np.nan, np.float32)
    matmul(rows.T, cells_of, out)
    assert np.array_equal(out, np.matmul(rows.T, cells_of))


def test_a_view_for_blas_shares_its_memory_or_is_none():
    out = np.zeros((2, 1, 3, 4, 5))
    view = as_matrices(out)
    view[...] = 7
    assert (out == 7).all()
    assert as_matrices(out[..., :4]) is None  # rows with gaps
    assert as_matrices(np.zeros((2, 1, 4, 5, 3)).transpose(0, 1, 4, 2, 3)) is None
