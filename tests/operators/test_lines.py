"""Solves line by line: what transforms read and write, memory that is kept, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np
import pytest

import mtconv
from mtconv.operators.circular import by_lines, inverse
from mtconv.operators.circular.lines import Lines


def spread(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape)


def conv(size, stride, *, share=2, groups=1, taps=4):
    """A convolution with one channel on the small side of a group."""
    rank = len(size)
    kernel = spread(1, (groups, share, *(taps,) * rank))
    padding = tuple((1, taps - step - 1) for step in stride)
    options = {"stride": stride, "padding": padding, "groups": groups}
    return mtconv.Conv(kernel, size, padding_mode="circular", **options)


def expected(A, y, weight, z):
    """Solve by dense matrices, item by item."""
    dense = A.to_dense()
    gram = dense @ dense.T + weight * np.eye(A.shape[0])
    solutions = []
    for data, start in zip(y, z, strict=True):
        rest = data.ravel() - dense @ start.ravel()
        solutions.append(start.ravel() + dense.T @ np.linalg.solve(gram, rest))
    return np.array(solutions).reshape(z.shape)


@pytest.mark.parametrize("cells", [1, 2, 5, 6])
def test_pairs_of_residues_are_complex_numbers(cells):
    y = spread(2, (1, 1, 2 * cells))
    even, odd = (np.fft.fft(y[0, 0, n::2]) for n in (0, 1))
    lines = Lines((cells,), (2,), real=True)
    view = lines.big.view(y, 1)
    spectra = lines.big.room((1, 1, 1))
    lines.big.forward(view, spectra)
    np.testing.assert_allclose(spectra[0, 0, 0, 0, :-1], even + 1j * odd, atol=1e-14)
    count = cells // 2 + 1
    blocks = np.empty((1, 1, 2, 1, count), complex)
    for step in lines.big.loading(
        spectra[:, :, 0], slice(0, count), blocks, blocks[:, :, 0]
    ):
        step()
    # The frequencies of real arrays, and those of the opposite sign.
    both = np.array([(even + 1j * odd)[:count], (even - 1j * odd).conj()[:count]])
    np.testing.assert_allclose(blocks[0, 0, :, 0], both, atol=1e-14)
    result = np.zeros_like(y)
    lines.big.back(spectra, lines.big.view(result, 1))
    np.testing.assert_allclose(result, y, atol=1e-15)


@pytest.mark.parametrize(
    ("strides", "real", "paired", "columns"),
    [((2,), True, True, 7), ((3,), True, False, 4), ((2,), False, False, 6)],
)
def test_columns_of_a_line(strides, real, paired, columns):
    side = Lines((6,), strides, real).big
    assert (side.paired, side.columns) == (paired, columns)


@pytest.mark.parametrize(("cells", "gap"), [(255, 260), (259, 260), (260, 268), (1, 4)])
def test_elements_of_a_column_lie_in_different_sets_of_the_caches(cells, gap):
    # A cache line has 4 elements, and lines are an odd number of them apart.
    room = Lines((5, cells), (1, 2), real=True).big.room((2, 1, 3))
    assert room.shape == (2, 1, 3, 1, 1, 5, cells + 1)
    assert room.strides[-2:] == (16 * gap, 16)


@pytest.mark.parametrize(
    ("share", "cells", "strides", "wanted"),
    [
        (1, (2**14, 3), (2, 9), False),
        (1, (2**14, 3), (2, 1), True),
        (2, (2**13, 3), (2, 1), True),
        (3, (2**13, 3), (2, 1), False),
        (1, (2**20,), (2,), True),
        (0, (2, 3), (2, 1), False),
    ],
)
def test_where_frequencies_make_blocks(share, cells, strides, wanted):
    assert by_lines.suits(Lines(cells, strides, real=True), share) == wanted


def solver_of(lines, share, groups=1, batch=1):
    """A solver with a symbol of ones, of one channel on the small side of a group."""
    residues, count = prod(lines.strides), prod(lines.frequencies)
    symbol = np.ones((groups, 1, share, residues, count), complex)
    return by_lines.LineSolver(lines, by_lines.symbols_of(lines, symbol), batch)


@pytest.mark.parametrize(
    ("cells", "strides", "share", "elements"),
    [
        # Pairs of residues: lines of 8 and one element in 12 places, for 2 channels with 6
        # rows each; y has lines of 5 in 12. The spectrum of y has 6 by 5 elements, and a
        # block three times 2 halves of 2 channels of them.
        ((6, 8), (1, 2), 2, 2 * 6 * 12 + 6 * 12 + 30 + 3 * 4 * 30),
        # No pairs: 3 residues with lines of 5 in 12 places, and as much of y as before.
        ((6, 8), (1, 3), 1, 3 * 6 * 12 + 6 * 12 + 30 + 3 * 3 * 30),
        # One axis, 33 elements in 36 places; and 17 in 20.
        ((32,), (2,), 1, 36 + 20 + 17 + 3 * 2 * 17),
    ],
)
@pytest.mark.parametrize(("groups", "batch"), [(1, 1), (2, 3)])
def test_all_memory_that_a_solver_keeps_is_counted(
    cells, strides, share, elements, groups, batch, monkeypatch
):
    used = 16 * groups * batch * elements
    for most, keeps in ((used, True), (used - 1, False)):
        monkeypatch.setattr(by_lines, "KEPT_BYTES", most)
        solver = solver_of(Lines(cells, strides, real=True), share, groups, batch)
        assert solver.keeps == keeps


@pytest.mark.parametrize(("keeps", "made"), [(True, 2), (False, 4)])
def test_only_solvers_of_little_memory_are_used_again(keeps, made, monkeypatch):
    monkeypatch.setattr(by_lines, "KEPT_BYTES", 2**24 if keeps else 0)
    batches = []

    def solver(lines, symbols, batch):
        batches.append(batch)
        return by_lines.LineSolver(lines, symbols, batch)

    monkeypatch.setattr(inverse, "LineSolver", solver)
    A = conv((6, 8), (1, 2))
    for batch in (1, 1, 2, 2):
        A.regularized_solve(np.ones((batch, *A.output_shape)), 0.5)
    assert len(batches) == made


@pytest.mark.parametrize("start", [True, False])
def test_pieces_have_enough_elements_for_their_calls(start, monkeypatch):
    # At least 3 * 2**15, so up to 191 of 384 lines of 513 elements for x; 382 lines of 257
    # for y; and up to 128 of 257 columns in blocks of two halves with 384 rows.
    passes = []

    def note(stages, **options):
        passes.append(([(len(stage.tasks), stage.total) for stage in stages], options))

    monkeypatch.setattr(by_lines, "run_passes", note)
    A = conv((384, 1024), (1, 2), share=1)
    z = np.ones(A.input_shape) if start else None
    A.regularized_solve(np.ones(A.output_shape), 0.5, z)
    total = 384 * 513
    (got,) = passes
    first = 2 + 3 * start  # a start has to be transformed too
    assert got == ([(first, total), (3, total), (3, total)], {"multiplies": False})


@pytest.mark.parametrize("kept", [0, 2**24])
@pytest.mark.parametrize(
    ("size", "stride"),
    [((12,), (2,)), ((6, 8), (1, 2)), ((6, 12), (2, 3)), ((4, 6, 4), (2, 3, 2))],
)
def test_blocks_that_are_kept_and_others(size, stride, kept, monkeypatch):
    monkeypatch.setattr(by_lines, "KEPT_BYTES", kept)
    A = conv(size, stride, groups=2)
    for batch in (3, 1, 3, 0):  # memory is made for another size
        y, z = spread(batch, (batch, *A.output_shape)), spread(9, (batch, *A.input_shape))
        for weight in (0.5, 2.0):
            got = A.regularized_solve(y, weight, z)
            np.testing.assert_allclose(got, expected(A, y, weight, z), atol=1e-12)
            got = A.regularized_solve(y, weight)
            np.testing.assert_allclose(got, expected(A, y, weight, 0 * z), atol=1e-12)


def test_results_have_memory_of_their_own(same):
    A = conv((6, 8), (1, 2))
    y, z = spread(2, A.output_shape), spread(3, (4, *A.input_shape))
    results = [A.regularized_solve(y, 0.5, start) for start in z]
    fresh = [conv((6, 8), (1, 2)).regularized_solve(y, 0.5, start) for start in z]
    for got, due in zip(results, fresh, strict=True):
        same(got, due)


def test_calls_at_the_same_time(same):
    A = conv((64, 96), (2, 2))
    y, starts = spread(2, A.output_shape), spread(3, (4, *A.input_shape))
    due = [A.regularized_solve(y, 0.5, start) for start in starts]
    together = threading.Barrier(4, timeout=60)

    def repeat(number):
        together.wait()
        return [A.regularized_solve(y, 0.5, starts[number]) for _ in range(20)]

    with ThreadPoolExecutor(4) as threads:
        for number, results in enumerate(threads.map(repeat, range(4))):
            for result in results:
                same(result, due[number])


def test_a_call_that_was_broken_off_leaves_nothing(monkeypatch, same):
    A = conv((6, 8), (1, 2))
    y, z = spread(2, A.output_shape), spread(3, A.input_shape)
    due = A.regularized_solve(y, 0.5, z)

    class Broken(Exception):
        pass

    def fail(*_):
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(by_lines.LineSolver, "_filter", fail)
        with pytest.raises(Broken):
            A.regularized_solve(y, 0.5, 2 * z)
    same(A.regularized_solve(y, 0.5, z), due)


@pytest.mark.parametrize("kept", [0, 2**26], ids=["not-kept", "kept"])
@pytest.mark.parametrize("stride", [(2, 2), (1, 3)])
def test_numbers_of_threads_make_no_difference(stride, kept, same, monkeypatch):
    monkeypatch.setattr(by_lines, "KEPT_BYTES", kept)
    A = conv((384, 768), stride, share=1)
    y, z = spread(2, A.output_shape), spread(3, A.input_shape)
    results = []
    for number in (1, 2, 3):
        with mtconv.workers(number):
            results.append(A.regularized_solve(y, 0.5, z))
    same(results[0], results[1])
    same(results[1], results[2])
