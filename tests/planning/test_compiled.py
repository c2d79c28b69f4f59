"""What compiled kernels do, counted by hand, and how they are ranked.

Two samples of 2 groups of 3 channels, 5 by 7 elements, become 2 groups of 20 channels, 11
by 22 elements, with 3 by 4 taps and strides of 2 and 3. A vector has 16 elements of
float32. Twenty channels are a whole vector and a quarter; 3 are a narrow one.

    images          2 * 2 = 4        strides of the result   6 * 8 = 48
    x of an image   35 elements      y of an image           242 elements
    taps            12, in 6 phases  small elements          35
"""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.planning.compiled import KERNELS, count, rank_kernels, seconds
from mtconv.planning.rates import MachineRates

SPEC = ConvSpec.from_shapes((2, 6, 5, 7), (6, 20, 3, 4), stride=(2, 3), groups=2)
# Only these rates matter to kernels.
RATES = MachineRates(product=1, element=1, strided=1, call=1, tile=1e-9, move=0)
NARROW = 0.62  # of a vector, with the loads beside it


@pytest.mark.parametrize(
    ("kernel", "form", "counts"),
    [
        (
            # 48 strides are 6 whole tiles of 8.
            "lanes",
            "conv_transpose",
            (
                4 * 48 * 12 * 3 * (1 + NARROW),
                4 * 48 * 6 * 2,
                4 * 3 * 35,
                4 * 32 * 242,
                3 * 12 * 32,
            ),
        ),
        (
            # Six rows of 8 with a gap of 1 are 53 elements, 4 vectors; 3 tiles of 8. Each
            # image has 3 times 5 rows of x, and 20 times 11 of y.
            "rows",
            "conv_transpose",
            (
                16 * 12 * 3 * 24,
                16 * 6 * 24,
                4 * 3 * 35,
                4 * 20 * 242,
                3 * 12 * 24,
                4 * (3 * 5 + 20 * 11),
            ),
        ),
        (
            # The 4 images are in one vector.
            "planes",
            "conv_transpose",
            (48 * 12 * 3 * 20, 48 * 6 * 20, 16 * 3 * 35, 16 * 20 * 242, 16 * 60 * 12),
        ),
        (
            # 35 elements are 5 tiles; sums of 240 terms are 1.875 chains of 128.
            "lanes",
            "conv",
            (
                4 * 40 * 12 * 20 * NARROW,
                4 * 40 * 240 / 128,
                4 * 20 * 242,
                4 * 16 * 35,
                20 * 12 * 16,
            ),
        ),
        (
            # Five rows of 7 with a gap of 1 are 39 elements, 3 vectors. Rows of y are
            # sorted into three, by vectors.
            "rows",
            "conv",
            (
                12 * 12 * 20 * 3,
                12 * 3 * 240 / 128,
                1.2 * 4 * 20 * 242,
                4 * 3 * 35,
                20 * 12 * 3,
                4 * (3 * 20 * 11 + 3 * 5),
            ),
        ),
        (
            # 140 small elements are two chains, 240 taps and channels 30 tiles.
            "gradient",
            "kernel_grad",
            (140 * 240 * NARROW, 2 * 240, 4 * 20 * 242, 4 * 16 * 35, 20 * 3 * 12),
        ),
        (
            # The groups of a sample are in one vector; 12 taps are two tiles.
            "gradient_planes",
            "kernel_grad",
            (
                2 * 35 * 16 * 60,
                2 * 16 * 60,
                2 * 16 * 60 * 242,
                2 * 16 * 3 * 35,
                20 * 3 * 12 * 16,
            ),
        ),
    ],
)
def test_what_a_kernel_does(kernel, form, counts):
    lines = () if kernel == "rows" else (0,)
    assert count(kernel, SPEC, form, 2, 4) == pytest.approx((*counts, *lines))


def test_blocks_of_lanes_share_units_out_evenly():
    # A block has 131072 bytes, 2048 vectors: 2049 units are two blocks of 1025, not two of
    # 2048.
    spec = ConvSpec.from_shapes((1, 1, 2049), (1, 16, 1))
    assert count("lanes", spec, "conv_transpose", 1, 4).products == 2 * 1032


def row_counts(channels, stride):
    """What `rows` does for one channel of 9 elements, and taps of a stride."""
    spec = ConvSpec.from_shapes((1, 1, 9), (1, channels, stride), stride=stride)
    return count("rows", spec, "conv_transpose", 1, 4)


@pytest.mark.parametrize(
    ("channels", "taken", "busy"),
    [(1, 1, 1.9), (2, 2, 2.2), (3, 3, 3), (4, 4, 4), (5, 6, 6)],
)
def test_rows_take_as_many_channels_as_they_have_programs_for(channels, taken, busy):
    counts = row_counts(channels, stride=2)
    assert counts.products == pytest.approx(2 * busy)
    assert counts.packs == 2 * taken


def test_elements_of_more_than_four_phases_are_written_one_by_one():
    assert row_counts(2, stride=4).stores == 2 * 36
    assert row_counts(2, stride=5).stores == 2 * 45 * 2.5


@pytest.mark.parametrize(("stride", "factor"), [(1, 1), (2, 1.2), (8, 1.2), (9, 3)])
def test_elements_of_large_strides_are_read_one_by_one(stride, factor):
    spec = ConvSpec.from_shapes((1, 3, 20), (3, 2, 9), stride=stride)
    loads = count("rows", spec, "conv", 1, 4).loads
    assert loads == pytest.approx(factor * 2 * (19 * stride + 9))


def test_wide_channels_fill_the_last_vector():
    # 9 of 16 lanes are more than half: a vector like any other.
    spec = ConvSpec.from_shapes((1, 1, 8), (1, 9, 1))
    assert count("lanes", spec, "conv_transpose", 1, 4).products == 8
    spec = ConvSpec.from_shapes((1, 1, 8), (1, 8, 1))
    assert count("lanes", spec, "conv_transpose", 1, 4).products == pytest.approx(8 * 0.62)


def test_a_kernel_below_the_stride_reaches_nothing_else():
    # Runs of rows have no gap between them: 2 * 8 elements are one vector.
    spec = ConvSpec.from_shapes((1, 1, 2, 8), (1, 1, 1, 1), stride=1)
    assert count("rows", spec, "conv_transpose", 1, 4).sums == 1


@pytest.mark.parametrize("form", KERNELS)
def test_seconds_are_tiles_and_moves(form):
    for kernel in KERNELS[form]:
        tiles, moves, both = (
            seconds(kernel, SPEC, form, 2, 4, RATES._replace(tile=tile, move=move))
            for tile, move in ((1, 0), (0, 1), (2, 3))
        )
        assert both == pytest.approx(2 * tiles + 3 * moves)
        assert min(tiles, moves) > 0


def ranked(shape, kernel_shape, form="conv_transpose", **options):
    """Kernels by name with their seconds, where moves cost nothing."""
    spec = ConvSpec.from_shapes(shape, kernel_shape, **options)
    return spec, dict(rank_kernels(spec, form, shape[0], 4, RATES))


def test_depthwise_layers_have_their_groups_in_the_lanes():
    spec = ConvSpec.from_shapes((1, 32, 9, 9), (32, 1, 3, 3), groups=32)
    rates = RATES._replace(move=2e-10)
    ranking = rank_kernels(spec, "conv_transpose", 1, 4, rates)
    assert ranking[0][0] == "planes"
    for kernel, estimate in ranking:
        assert estimate == seconds(kernel, spec, "conv_transpose", 1, 4, rates)
    assert sorted(ranking, key=lambda pair: pair[1]) == list(ranking)


@pytest.mark.parametrize(
    ("shape", "kernel_shape", "options"),
    [
        ((16, 1, 9, 9), (1, 1, 3, 3), {}),  # no groups, though 16 samples fill the lanes
        ((1, 32, 9, 9), (32, 1, 65, 64), {"groups": 32}),  # 64 bytes times 65 * 64 taps
    ],
)
def test_planes_come_last_where_they_lose_what_they_gain(shape, kernel_shape, options):
    spec, estimates = ranked(shape, kernel_shape, **options)
    assert list(estimates)[-1] == "planes"
    estimate = seconds("planes", spec, "conv_transpose", shape[0], 4, RATES)
    assert estimates["planes"] == 1000 * estimate


def test_windows_that_fit_are_no_reason_against_planes():
    spec, estimates = ranked((1, 32, 9, 9), (32, 1, 64, 64), groups=32)
    estimate = seconds("planes", spec, "conv_transpose", 1, 4, RATES)
    assert estimates["planes"] == estimate
