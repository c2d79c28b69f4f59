"""How problems are cut into blocks: exact pieces, worked out by hand.

Every cell of a result belongs to one block, the arrays of a block fit the caches, threads
find something to share, and neighbours read few cells twice. All of it is integer
arithmetic on the problem alone.
"""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from mtconv import ConvSpec
from mtconv.backends._numpy.blocks import cut
from mtconv.geometry import Axis
from mtconv.planning import tuning


@pytest.fixture
def worth_threads(monkeypatch, cut_anew):
    """Share problems of any size, so that those here can be small."""
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    cut_anew()


def spec_of(x_shape, kernel_shape, **options):
    return ConvSpec.from_shapes(x_shape, kernel_shape, **options)


def edges_of(tasks, form):
    """List the edges of batch, groups, channels and space; all combinations are pieces.

    Channels are those of the result's side, and of y for a gradient.
    """
    pieces = [piece for task in tasks for piece in task]
    side = {"conv_transpose": "y", "conv": "x"}.get(form)
    slices = [
        getattr(piece, side) if side else (*piece.x[:2], piece.y[2], *piece.x[3:])
        for piece in pieces
    ]
    every = []
    for number in range(len(slices[0])):
        cuts = sorted({(index[number].start, index[number].stop) for index in slices})
        assert all(a[1] == b[0] for a, b in pairwise(cuts))
        every.append([cuts[0][0], *(stop for _, stop in cuts)])
    combined = product(*(pairwise(edges) for edges in every))
    assert sorted(combined) == sorted(
        tuple((part.start, part.stop) for part in index) for index in slices
    )
    return every


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_a_small_problem_whose_columns_fit_is_one_block(form):
    """The columns of four items of 16 groups take 4.6 MB; a block may have 16."""
    spec = spec_of((4, 48, 30, 40), (48, 1, 3, 5), stride=(2, 3), groups=16)
    ((piece,),) = cut(spec, form, "gemm", 4, 4)
    batch, groups, small, share = (slice(0, n) for n in (4, 16, 3, 1))
    assert piece.x == (batch, groups, small, slice(0, 30), slice(0, 40))
    assert piece.w == (groups, small, share, slice(0, 3), slice(0, 5))
    assert piece.y == (batch, groups, share, slice(0, 61), slice(0, 122))
    assert piece.axes == spec.axes


# ------------------------------------------------------------------------- whole problems


LAYER = ((1, 64, 56, 56), (64, 32, 4, 4), {"stride": 2, "padding": 1})
DEEP = ((64, 512, 4, 4), (512, 256, 4, 4), {"stride": 2, "padding": 1})
IMAGES = ((2, 1, 3000, 3000), (1, 1, 3, 3), {})
GROUPED = ((6, 24, 40, 50), (24, 10, 3, 3), {"groups": 12})
DEPTHWISE = ((6, 240, 40, 50), (240, 1, 5, 7), {"groups": 120, "stride": (2, 3)})
WIDE = ((40, 30, 9), (30, 70, 64), {"groups": 10, "stride": 8})
LONG = ((1, 2, 10**6), (2, 1, 3), {})


def equal(size, pieces):
    return [size * n // pieces for n in range(pieces + 1)]


@pytest.mark.parametrize(
    ("form", "algorithm", "problem", "expected"),
    [
        # 2**22 bytes are columns of 16 taps and 32 channels for 2048 cells, which are 8192
        # of the result: its 112 rows are halved once, to 56. Edges move down to where
        # phases begin: row o is small row (o + 1) / 2.
        (
            "conv_transpose",
            "gemm",
            LAYER,
            ([0, 1], [0, 1], [0, 32], [0, 55, 112], [0, 112]),
        ),
        # 2**22 bytes are columns for 2048 cells: 56 rows of 56, halved once.
        ("conv", "gemm", LAYER, ([0, 1], [0, 1], [0, 64], [0, 28, 56], [0, 56])),
        # Gradients are cut so too; blocks of space share their result, so that two
        # threads get half of the channels each.
        ("kernel_grad", "gemm", LAYER, ([0, 1], [0, 1], [0, 16, 32], [0, 28, 56], [0, 56])),
        # 2**22 bytes are four copies of 64 channels for 4096 cells, more than there are.
        # Two threads get half of the channels each.
        (
            "conv_transpose",
            "polyphase",
            LAYER,
            ([0, 1], [0, 1], [0, 16, 32], [0, 112], [0, 112]),
        ),
        # 2**20 bytes are 32 channels of four phases for 2048 cells; blocks have 4096.
        (
            "conv_transpose",
            "direct",
            LAYER,
            ([0, 1], [0, 1], [0, 16, 32], [0, 112], [0, 112]),
        ),
        # No columns, 4096 cells again; a convolution is cut along space, for two threads.
        ("conv", "direct", LAYER, ([0, 1], [0, 1], [0, 64], [0, 28, 56], [0, 56])),
        # 64 items of 16 cells are the 1024 that a block has at least; as many
        # multiply-adds are worth four blocks.
        (
            "conv_transpose",
            "gemm",
            DEEP,
            ([0, 64], [0, 1], [0, 64, 128, 192, 256], [0, 8], [0, 8]),
        ),
        # 256 cells are 16 items: four blocks already.
        ("conv", "gemm", DEEP, ([0, 16, 32, 48, 64], [0, 1], [0, 512], [0, 4], [0, 4])),
        (
            "kernel_grad",
            "gemm",
            DEEP,
            ([0, 16, 32, 48, 64], [0, 1], [0, 64, 128, 192, 256], [0, 4], [0, 4]),
        ),
        # 2**22 bytes are columns of nine taps for 116508 cells, 38 rows: 3002 are halved
        # seven times, to 24.
        (
            "conv_transpose",
            "gemm",
            IMAGES,
            ([0, 1, 2], [0, 1], [0, 1], equal(3002, 126), [0, 3002]),
        ),
        # So are the 3000 of the other side.
        ("conv", "gemm", IMAGES, ([0, 1, 2], [0, 1], [0, 1], equal(3000, 125), [0, 3000])),
        # 2**18 cells, but 24 MiB are 2**18 * 8 / 9 where each has nine taps three times.
        (
            "conv_transpose",
            "direct",
            IMAGES,
            ([0, 1, 2], [0, 1], [0, 1], equal(3002, 64), [0, 3002]),
        ),
        # 2**22 bytes are columns of 3 taps for 349525 cells; 1000002 are halved twice.
        (
            "conv_transpose",
            "gemm",
            LONG,
            ([0, 1], [0, 1], [0, 1], equal(10**6 + 2, 4), None),
        ),
    ],
)
def test_layers_are_cut_so(form, algorithm, problem, expected):
    x_shape, kernel_shape, options = problem
    spec = spec_of(x_shape, kernel_shape, **options)
    tasks = cut(spec, form, algorithm, x_shape[0], 4)
    assert edges_of(tasks, form) == [edges for edges in expected if edges is not None]


@pytest.mark.usefixtures("worth_threads")
@pytest.mark.parametrize(
    ("batch", "channels", "items", "shares"),
    [
        (16, 3, [0, 8, 16], [0, 3]),  # 2 channels and 1 are no even shares
        (16, 7, [0, 8, 16], [0, 7]),
        (16, 8, [0, 16], [0, 4, 8]),
        (16, 9, [0, 16], [0, 4, 9]),  # 5 channels and 4 are
        (16, 2, [0, 16], [0, 1, 2]),
        (1, 3, [0, 1], [0, 1, 3]),  # but there is nothing else to share
    ],
)
def test_channels_are_shared_between_threads_where_they_are_even(
    batch, channels, items, shares
):
    cells = 20_000 // batch  # as much work for all of them
    spec = spec_of((batch, 64, cells), (64, channels, 4), stride=2)
    tasks = cut(spec, "conv_transpose", "gemm", batch, 4)
    assert edges_of(tasks, "conv_transpose")[:3] == [items, [0, 1], shares]


# --------------------------------------------------------------------------------- bounds


def counts(found, form):
    return [len(edges) - 1 for edges in edges_of(found, form)]


@pytest.mark.parametrize(
    ("cells", "channels", "batch", "blocks_wanted"),
    [
        (2**10, (2**10, 2**8), 1, 4),
        (2**9, (2**10, 2**8), 1, 2),
        (2**9, (2**10, 2**8), 2, 4),
        (565, (1247, 381), 1, 2),  # 2**28 - 1
    ],
)
def test_work_of_2_28_multiply_adds_is_worth_four_blocks(
    cells, channels, batch, blocks_wanted
):
    spec = ConvSpec((Axis(cells, cells, 1),), 1, *channels)
    tasks = cut(spec, "conv_transpose", "gemm", batch, 4)
    assert counts(tasks, "conv_transpose") == [1, 1, blocks_wanted, 1]


@pytest.mark.parametrize(
    ("form", "problem", "itemsize", "expected"),
    [
        # 2**22 bytes are columns of 9 taps and 10 channels for 11650 cells: five items of
        # 42 * 52, so that six are halved. 3.9 MB are the columns of a group, four of which
        # there are in a block.
        ("conv_transpose", GROUPED, 4, ([0, 3, 6], [0, 4, 8, 12], [0, 10])),
        # 2**22 bytes are 11650 cells, five items of 2000: six, halved. 3.6 MB are the
        # columns of one group, so that there are four in a block.
        ("conv", GROUPED, 4, ([0, 3, 6], [0, 4, 8, 12], [0, 2])),
        ("kernel_grad", GROUPED, 4, ([0, 3, 6], [0, 4, 8, 12], [0, 10])),
        # 2**22 bytes are 35 taps for 14979 cells, all six items of 2130: 3.6 MB are the
        # columns of a group.
        ("conv_transpose", DEPTHWISE, 8, ([0, 6], equal(120, 30), [0, 1])),
        # 14979 cells, all six items of 2000: 3.4 MB are the columns of a group.
        ("conv", DEPTHWISE, 8, ([0, 6], equal(120, 30), [0, 2])),
        # 2 items of 9 cells, 40 in a block: 1024 cells. One group takes 16 MiB at least.
        ("conv_transpose", WIDE, 8, ([0, 40], equal(10, 10), [0, 70])),
        # 256 cells are 28 items, 20 after slices are made equal.
        ("conv", WIDE, 8, ([0, 20, 40], equal(10, 10), [0, 3])),
    ],
)
def test_columns_of_the_groups_of_a_block_take_16_mib(form, problem, itemsize, expected):
    x_shape, kernel_shape, options = problem
    spec = spec_of(x_shape, kernel_shape, **options)
    tasks = cut(spec, form, "gemm", x_shape[0], itemsize)
    assert edges_of(tasks, form)[:3] == list(expected)


@pytest.mark.usefixtures("worth_threads")
def test_items_that_fit_one_block_are_cut_for_threads():
    """Those of a gradient are added up: a block of each would be no share."""
    spec = spec_of((2, 14, 60, 60), (14, 1, 9, 13))
    for form, items in (("conv_transpose", 2), ("kernel_grad", 1)):
        tasks = cut(spec, form, "direct", 2, 4)
        assert counts(tasks, form) == [items, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("form", "rows", "pieces"),
    [
        # Strides of 2 leave a halo of 3 rows: blocks of 4 * 3 + 2 are the least.
        ("conv_transpose", Axis(55, 112, 5, 2, 1, 1), 8),  # of 14
        ("conv_transpose", Axis(53, 108, 5, 2, 1, 1), 4),  # 27 are not 14 and 14
        ("conv_transpose", Axis(32, 128, 4, 4), 32),  # no halo: of one stride
        ("conv_transpose", Axis(29, 144, 6, 5, 1, 2), 16),  # a halo of one: of 9
        # 7 rows are 3 strides: blocks of 12 are the least.
        ("conv", Axis(96, 197, 7, 2), 8),  # of 12
        ("conv", Axis(92, 189, 7, 2), 4),  # 23 are not 12 and 12
        ("conv", Axis(128, 256, 2, 2), 32),  # of 4
        ("conv", Axis(128, 256, 1, 2), 32),  # a halo of at least one row
    ],
)
def test_blocks_are_four_times_as_long_as_their_halo(form, rows, pieces):
    """With rows so long, a block of one row would be enough."""
    spec = ConvSpec((rows, Axis(4300, 4300, 1)), 1, 16, 1024)
    tasks = cut(spec, form, "gemm", 1, 4)
    assert counts(tasks, form)[3:] == [pieces, 1]


def test_rows_beyond_the_hard_limit_are_cut():
    """2**21 // 3 cells of x are the most: 2097150 cells of the result, not 3 million."""
    spec = ConvSpec((Axis(2, 2, 1), Axis(10**6, 3 * 10**6, 3, 3)), 1, 1, 1)
    tasks = cut(spec, "conv_transpose", "gemm", 1, 4)
    assert counts(tasks, "conv_transpose") == [1, 1, 1, 2, 2]


@pytest.mark.usefixtures("worth_threads")
def test_an_odd_number_of_cells_is_two_halves():
    spec = ConvSpec((Axis(4001, 4001, 1),), 1, 30, 70)
    assert edges_of(cut(spec, "conv", "direct", 1, 4), "conv")[3] == [0, 2000, 4001]


@pytest.mark.usefixtures("worth_threads")
@pytest.mark.parametrize(
    ("form", "algorithm", "x_shape", "kernel_shape", "groups", "pieces"),
    [
        # Two channels or groups for two threads. Two items of two groups are four shares,
        # though not four blocks yet.
        ("conv_transpose", "direct", (1, 40, 60, 60), (40, 2, 9, 9), 1, [1, 1, 2, 1, 1]),
        ("conv_transpose", "direct", (1, 40, 60, 60), (40, 1, 9, 9), 2, [1, 2, 1, 1, 1]),
        ("conv", "gemm", (2, 400, 30, 30), (400, 84, 3, 3), 2, [2, 1, 2, 1, 1]),
        # Three items for four threads: three quarters of the cells at most.
        ("conv", "direct", (3, 64, 60, 60), (64, 64, 3, 3), 1, [3, 1, 1, 2, 1]),
        # Two halves of two items are four.
        ("conv", "direct", (2, 66, 60, 60), (66, 64, 3, 3), 1, [2, 1, 1, 2, 1]),
    ],
)
def test_shares_of_threads(form, algorithm, x_shape, kernel_shape, groups, pieces):
    spec = spec_of(x_shape, kernel_shape, groups=groups)
    assert counts(cut(spec, form, algorithm, x_shape[0], 4), form) == pieces


def test_a_result_of_less_than_a_stride_is_a_cell():
    """1024 cells are 1024 items: two thousand, halved."""
    spec = ConvSpec((Axis(1, 5, 3, 7),), 1, 1, 500)
    tasks = cut(spec, "conv_transpose", "gemm", 2000, 4)
    assert counts(tasks, "conv_transpose") == [2, 1, 1, 1]


def test_pieces_that_join_no_elements_are_left_out(monkeypatch):
    """Elements 0, 1, 3 and 4 have one tap each, and 2 and 5 none: those have one piece."""
    monkeypatch.setattr(tuning, "MOST_BYTES", 1)
    monkeypatch.setattr(tuning, "SHORT_STRIDE", 0)
    spec = ConvSpec((Axis(2, 6, 2, 3),))
    tasks = cut.__wrapped__(spec, "conv_transpose", "direct", 1, 8)
    pieces = [[(p.y[3].start, p.w[3].start, p.x[3]) for p in task] for task in tasks]
    assert pieces == [
        [(0, 0, slice(0, 1))],
        [(1, 1, slice(0, 1))],
        [(2, 0, slice(1, 1))],
        [(3, 0, slice(1, 2))],
        [(4, 1, slice(1, 2))],
        [(5, 0, slice(2, 2))],
    ]
    assert [piece.key for task in tasks for piece in task] == [
        (0, 0, 0, tap) for tap in (0, 1, 0, 0, 1, 0)
    ]


def test_taps_are_cut_where_halos_are_longer_than_blocks():
    """1440 taps, 199 apart, reach from everywhere to everywhere.

    Cut in space alone, every block would multiply all of x by all taps. Cut by taps, each
    product is computed at most a few times: pieces hold small elements times taps.
    """
    spec = ConvSpec((Axis(4942, 291303, 1440, 1, 199),), 1, 1, 1)
    tasks = cut(spec, "conv_transpose", "gemm", 1, 8)
    products = sum(
        piece.axes[0].small * piece.axes[0].kernel for task in tasks for piece in task
    )
    assert spec.multiply_adds <= products <= 3 * spec.multiply_adds
    assert len(tasks) <= 64
    for task in tasks:  # of a part of the result, all taps that reach it, and none twice
        assert all(piece.y == task[0].y for piece in task)
        taps = [(piece.w[3].start, piece.w[3].stop) for piece in task]
        assert len(set(taps)) == len(taps)
