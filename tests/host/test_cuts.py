"""The parts of `blocks.cut`: slices, halves, halos and how many elements fit.

`test_blocks` has whole problems.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from mtconv import ConvSpec
from mtconv.backends._numpy.extents import Sizes, targets
from mtconv.backends.host import cuts
from mtconv.geometry import Axis


@pytest.mark.parametrize(
    ("whole", "size", "edges"),
    [
        (10, 4, [0, 3, 6, 10]),  # equal, not 4, 4 and 2
        (11, 3, [0, 2, 5, 8, 11]),
        (9, 3, [0, 3, 6, 9]),
        (2, 5, [0, 2]),
        (1, 1, [0, 1]),
        (0, 5, [0]),
        (0, 0, [0]),
        (3, 0, [0]),  # nothing fits
    ],
)
def test_slices_are_equal_and_at_most_so_long(whole, size, edges):
    assert cuts.slices(whole, size) == [slice(*pair) for pair in pairwise(edges)]


@pytest.mark.parametrize(
    ("whole", "size", "count", "blocks_wanted", "expected"),
    [
        (64, 64, 1, 4, (16, 4)),  # one block becomes four
        (64, 16, 4, 4, (16, 4)),  # four are enough
        (64, 16, 8, 4, (16, 8)),
        (10, 4, 3, 4, (3, 4)),  # 4, 3, 3 become 3, 3, 2, 2
        (10, 4, 6, 8, (3, 8)),  # the same twice
        (7, 3, 6, 8, (2, 8)),
        (5, 5, 3, 4, (4, 6)),  # each of three blocks is cut in two
        (2, 2, 1, 4, (1, 2)),  # there are no more than two
        (3, 1, 3, 2, (1, 3)),
        (3, 1, 3, 4, (1, 3)),  # nothing left to cut
        (0, 0, 2, 4, (1, 2)),  # no channels: nothing to cut
        (0, 0, 4, 4, (0, 4)),
    ],
)
def test_slices_are_made_finer_until_there_are_enough_blocks(
    whole, size, count, blocks_wanted, expected
):
    assert cuts.finer(whole, size, count, blocks_wanted) == expected


@pytest.mark.parametrize(
    ("whole", "target", "hard", "least", "pieces"),
    [
        ((64, 64), 64 * 64, 10**9, [1, 1], [64, 64]),
        ((64, 64), 64 * 64 - 1, 10**9, [1, 1], [32, 64]),
        ((64, 64), 1024, 10**9, [1, 1], [16, 64]),
        ((65, 9), 300, 10**9, [1, 1], [33, 9]),  # halves are rounded up
        # The last axis is whole, whatever the target, and is cut for the limit alone.
        ((4, 100), 50, 100, [1, 1], [1, 100]),
        ((4, 100), 50, 99, [1, 1], [1, 50]),
        ((4, 101), 50, 50, [1, 1], [1, 26]),
        ((100,), 30, 10**9, [1], [25]),  # a lone axis is the first
        # Outer axes come first.
        ((8, 8, 8), 64, 10**9, [1, 1, 1], [1, 8, 8]),
        ((8, 8, 8), 16, 10**9, [1, 1, 1], [1, 2, 8]),
        # Halves of at least 20 cells: 39 would be one of 20 and one of 19.
        ((40,), 10, 10**9, [20], [20]),
        ((39,), 10, 10**9, [20], [39]),
        ((39, 12, 5), 400, 10**9, [20, 1, 1], [39, 2, 5]),
        # Smaller ones for the limit.
        ((39,), 10, 30, [20], [20]),
        ((39,), 10, 19, [20], [10]),
        ((3, 5), 1, 1, [9, 9], [1, 1]),
        ((3, 5), 0, 0, [9, 9], [1, 1]),  # a cell is the least
    ],
)
def test_axes_are_halved_down_to_a_number_of_cells(whole, target, hard, least, pieces):
    soft = cuts.halved(whole, target, least, max(len(whole) - 1, 1))
    assert list(cuts.halved(soft, hard, [1] * len(whole))) == pieces


def whole_taps(axis, size, *, transposed):
    """Cut an axis in space alone: small and big elements and relation of each part."""
    cut = cuts.axis_pieces(axis, size, axis.kernel, transposed)
    assert all(piece.taps == slice(0, axis.kernel) for (piece,) in cut)
    return [(piece.small, piece.big, piece.axis) for (piece,) in cut]


def test_blocks_of_a_convolution_read_their_halo():
    """Cells 3 to 5 of ten read 2*3 - 1 to 2*5 + 2*2 - 1, the ends less."""
    axis = Axis(10, 21, 3, 2, 2, 1)
    got = whole_taps(axis, 4, transposed=False)
    assert got == [
        (slice(0, 3), slice(0, 8), Axis(3, 8, 3, 2, 2, 1)),
        (slice(3, 6), slice(5, 14), Axis(3, 9, 3, 2, 2, 0)),
        (slice(6, 10), slice(11, 21), Axis(4, 10, 3, 2, 2, 0)),
    ]


def test_blocks_between_phases_share_no_cell():
    """A kernel as long as its stride of 3: cells 0, 1 and 2 of x meet three cells each."""
    axis = Axis(5, 15, 3, 3)
    got = whole_taps(axis, 4, transposed=True)
    assert got == [
        (slice(0, 1), slice(0, 3), Axis(1, 3, 3, 3)),
        (slice(1, 2), slice(3, 6), Axis(1, 3, 3, 3)),
        (slice(2, 3), slice(6, 9), Axis(1, 3, 3, 3)),
        (slice(3, 5), slice(9, 15), Axis(2, 6, 3, 3)),
    ]


@pytest.mark.parametrize(
    ("axis", "size", "edges"),
    [
        (Axis(5, 15, 3, 3), 5, [0, 3, 9, 15]),  # 5 goes down to 3, 10 to 9
        (Axis(5, 13, 3, 3, 1, 1), 5, [0, 2, 8, 13]),  # phases begin at 2, 5, 8
        (Axis(5, 11, 3, 3, 1, 4), 4, [0, 2, 5, 11]),  # padding of whole strides and 1
        (Axis(5, 19, 3, 3, 1, -4), 5, [0, 4, 7, 13, 19]),  # and of minus 4, at 1, 4, 7
        (Axis(3, 24, 8, 8), 6, [0, 8, 16, 24]),  # 6 goes down to 0, which is no edge
        (Axis(3, 24, 8, 8), 2, [0, 8, 16, 24]),  # edges within a stride are one
        (Axis(1, 8, 8, 8), 2, [0, 8]),
        (Axis(2, 7, 8, 8, 1, 5), 2, [0, 3, 7]),
        (Axis(9, 9, 1), 2, [0, 1, 3, 5, 7, 9]),
    ],
)
def test_edges_of_a_transposed_convolution_are_beginnings_of_strides(axis, size, edges):
    got = whole_taps(axis, size, transposed=True)
    assert [big for _, big, _ in got] == [slice(*pair) for pair in pairwise(edges)]


def test_a_halo_is_read_by_both_neighbours():
    """Four taps, stride 2: cell 6 meets cells 2 and 3, cell 7 meets cells 3 and 4."""
    axis = Axis(8, 16, 4, 2, 1, 1)
    got = whole_taps(axis, 8, transposed=True)
    assert got == [
        (slice(0, 4), slice(0, 7), Axis(4, 7, 4, 2, 1, 1)),
        (slice(3, 8), slice(7, 16), Axis(5, 9, 4, 2, 1, 2)),
    ]


# ``columns`` of 4 bytes: 2**18 in a second-level cache, 2**20 gathered, 6 * 2**20 at most.
@pytest.mark.parametrize(
    ("form", "algorithm", "channels", "kernel", "stride", "itemsize", "expected"),
    [
        # Columns of 5 channels and 7 taps; three arrays of 7 taps are the most.
        ("conv_transpose", "gemm", (3, 5), (7,), (1,), 4, (2**20 // 35, 2**21 // 7)),
        ("conv_transpose", "gemm", (3, 5), (7,), (1,), 8, (2**19 // 35, 2**20 // 7)),
        ("conv_transpose", "gemm", (3, 200), (7,), (1,), 4, (1024, 2**21 // 7)),
        # Four arrays of 100 channels are the most, then three.
        ("conv_transpose", "gemm", (100, 1), (1,), (1,), 4, (15728, 20971)),
        ("conv_transpose", "gemm", (1, 1), (10**4,), (1,), 4, (209, 209)),
        ("conv_transpose", "gemm", (10**8, 1), (1,), (1,), 4, (1, 1)),
        ("conv_transpose", "gemm", (0, 0), (1,), (1,), 4, (2**20, 2**21)),
        ("conv", "gemm", (3, 5), (7,), (1,), 4, (2**20 // 35, 2**21 // 7)),
        ("conv", "gemm", (3, 5), (7,), (1,), 8, (2**19 // 35, 2**20 // 7)),
        ("kernel_grad", "polyphase", (3, 5), (7,), (3,), 4, (2**20 // 35, 2**21 // 7)),
        ("conv", "gemm", (3, 900), (7,), (1,), 4, (256, 2**21 // 7)),
        ("conv", "gemm", (100, 1), (1,), (1,), 4, (15728, 20971)),
        ("conv", "gemm", (1, 1), (10**5,), (1,), 4, (20, 20)),
        ("conv", "gemm", (1, 1), (1,), (1,), 4, (2**20, 2**21)),
        ("conv", "gemm", (0, 0), (7,), (1,), 4, (2**21 // 7, 2**21 // 7)),
        # The result of all phases, or the channels of x.
        ("conv_transpose", "direct", (3, 5), (7, 1), (2, 3), 4, (2**18 // 30, 2**21 // 7)),
        ("conv", "direct", (31, 5), (7, 1), (2, 3), 4, (2**18 // 31, 2**21 // 31)),
        ("conv", "direct", (31, 50), (7, 1), (2, 3), 4, (4096, 2**21 // 31)),
        ("conv", "direct", (0, 0), (7,), (3,), 4, (2**18, 2**21 // 7)),
        # Three arrays of 3 channels and of 5 with six phases.
        ("conv_transpose", "fft", (3, 5), (7, 4), (2, 3), 4, (2**21 // 33, 2**21 // 33)),
        ("conv", "fft", (3, 5), (7, 4), (2, 3), 8, (2**20 // 33, 2**20 // 33)),
        ("conv_transpose", "fft", (0, 0), (7,), (2,), 4, (2**21, 2**21)),
        ("conv_transpose", "fft", (10**4, 10**4), (7,), (2,), 4, (69, 69)),
        # Copies of x, 4 * 2 of 3 channels; or all phases of the result.
        (
            "conv_transpose",
            "polyphase",
            (3, 5),
            (7, 4),
            (2, 3),
            4,
            (2**20 // 24, 2**21 // 8),
        ),
        (
            "conv_transpose",
            "polyphase",
            (3, 5),
            (2, 3),
            (5, 7),
            4,
            (2**20 // 35, 2**21 // 35),
        ),
        ("conv_transpose", "polyphase", (900, 5), (7,), (1,), 4, (256, 2330)),
        ("conv_transpose", "polyphase", (40, 5), (1,), (1,), 4, (2**20 // 40, 2**21 // 40)),
        ("conv_transpose", "polyphase", (0, 0), (1,), (1,), 4, (2**20, 2**21)),
    ],
)
def test_cells_that_a_block_should_have_and_may_have(
    form, algorithm, channels, kernel, stride, itemsize, expected
):
    pairs = zip(kernel, stride, strict=True)
    spec = ConvSpec(tuple(Axis(9, 99, k, s) for k, s in pairs), 1, *channels)
    sizes = Sizes(spec, form, algorithm, 2, itemsize)
    assert targets(sizes, kernel) == expected


def test_taps_are_cut_to_relations_of_their_own():
    """Taps 3 and 4 of a dilation of 2 begin 6 later, and read other elements."""
    ((first, last),) = cuts.axis_pieces(Axis(10, 21, 5, 2, 2, 1), 10, 3, False)
    assert first == (slice(0, 10), slice(0, 20), slice(0, 2), Axis(10, 20, 2, 2, 2, 1))
    assert last == (slice(0, 10), slice(3, 21), slice(2, 5), Axis(10, 18, 3, 2, 2, 0))
    ((first, last),) = cuts.axis_pieces(Axis(3, 9, 2, 1, 6), 9, 1, True)
    assert first == (slice(0, 3), slice(0, 9), slice(0, 1), Axis(3, 9, 1, 1, 6))
    assert last == (slice(0, 3), slice(0, 9), slice(1, 2), Axis(3, 9, 1, 1, 6, -6))
