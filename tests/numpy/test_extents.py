"""How much a piece covers: what is fast, and what fits, worked out by hand.

`test_blocks` has whole problems. Here limits are small numbers, so that what decides can be
seen: halos, taps, shares of threads and the side that is cut first.
"""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.backends._numpy.extents import Sizes, fast_extent, fitted, targets
from mtconv.backends._numpy.footprint import NO_COPIES, Extent
from mtconv.geometry import Axis
from mtconv.planning import tuning

# --------------------------------------------------------------------- what fits is taken

# A gradient of 8 samples, 6 channels of y and 4 of x, 100 elements and 5 taps. `direct`
# takes the kernel's 6 * 4 * 5 elements, and two for each sample and element of x.
GRADIENT = Sizes(ConvSpec((Axis(100, 104, 5),), 1, 4, 6), "kernel_grad", "direct", 8, 8)
WHOLE = Extent(8, 1, 6, 4, (100,), (5,))


@pytest.mark.parametrize(
    ("elements", "changes"),
    [
        (120 + 1600, {}),
        (120 + 1599, {"taps": (3,)}),  # three of five are more than half of a side
        # Of samples and space, whose halves take as much, samples come first.
        (120 + 800, {"samples": 4}),
        (120 + 799, {"samples": 2}),
        # One sample takes 120 + 200, and 13 elements 120 + 208; 7 elements 120 + 112.
        (120 + 199, {"space": (7,)}),
        # No side alone is enough: samples are halved three times, space once, channels
        # once, as each of them takes least at its turn. 13 of 50 elements are then few.
        (100, {"samples": 1, "space": (13,), "channels": 3}),
    ],
)
def test_a_piece_is_halved_along_one_side_until_it_fits(elements, changes, monkeypatch):
    monkeypatch.setattr(tuning, "MOST_BYTES", 8 * elements)
    assert fitted(GRADIENT, WHOLE, NO_COPIES) == WHOLE._replace(**changes)


def test_what_never_fits_is_one_of_everything(monkeypatch):
    monkeypatch.setattr(tuning, "MOST_BYTES", 1)
    assert fitted(GRADIENT, WHOLE, NO_COPIES) == Extent(1, 1, 1, 1, (1,), (1,))


def test_sides_are_cut_in_this_order():
    extent = Extent(2, 3, 5, 7, (11, 13), (17, 19))
    assert extent.sides() == (2, 3, 5, 11, 13, 7, 17, 19)
    assert Extent.from_sides(extent.sides()) == extent


# ------------------------------------------------------------------------ what is fast


@pytest.fixture
def one_block(monkeypatch):
    """Have no threads to share with."""
    monkeypatch.setattr(tuning, "LEAST_BLOCKS", 1)
    monkeypatch.setattr(tuning, "FEW_BLOCKS", 1)


def fast(axes, form, algorithm, batch=1, channels=(1, 1), groups=1):
    return fast_extent(Sizes(ConvSpec(axes, groups, *channels), form, algorithm, batch, 1))


@pytest.mark.parametrize(
    ("form", "algorithm", "stride", "channels", "kernel", "expected"),
    [
        # In two groups 5 and 4 channels, of 8 bytes. Three arrays of 7 taps fit 24 MiB.
        ("conv_transpose", "gemm", 3, (10, 8), 7, (18724, 149796)),  # 2**19 / 28 columns
        ("conv_transpose", "polyphase", 3, (10, 8), 7, (34952, 209715)),  # 3 copies of 5
        ("conv_transpose", "subpixel", 99, (10, 8), 7, (5295, 10591)),  # 99 residues
        ("conv_transpose", "direct", 3, (10, 8), 7, (10922, 149796)),  # 2**17 / 12
        ("conv_transpose", "fft", 3, (10, 8), 7, (61680, 61680)),  # three of 5 + 12
        ("conv", "gemm", 3, (10, 8), 7, (18724, 149796)),
        ("conv", "polyphase", 3, (10, 8), 7, (34952, 149796)),  # 12 rows of 3 residues
        ("conv", "polyphase", 3, (34, 8), 7, (18724, 61680)),  # not for 17 channels
        ("kernel_grad", "gemm", 3, (10, 8), 7, (18724, 149796)),
        # However many channels or residues there are, not fewer than these.
        ("conv_transpose", "gemm", 3, (10, 10**6), 7, (1024, 149796)),
        ("conv_transpose", "polyphase", 10**4, (10, 8), 7, (104, 104)),  # of so many
        # Of 900 taps, phases read 300 copies.
        ("conv_transpose", "polyphase", 3, (10, 8), 900, (349, 3495)),
        ("conv_transpose", "direct", 3, (10, 10**6), 7, (4096, 149796)),
        ("conv", "gemm", 3, (10, 10**6), 7, (256, 149796)),
        # Many channels of x: 24 MiB have a quarter for x, and a third at most.
        ("conv_transpose", "gemm", 3, (2 * 10**5, 4), 1, (7, 10)),
        ("conv_transpose", "gemm", 3, (2 * 10**8, 4), 1, (1, 1)),
        ("conv_transpose", "fft", 3, (2 * 10**8, 4), 1, (1, 1)),
        # No channels are as good as one.
        ("conv_transpose", "gemm", 3, (0, 0), 1, (524288, 1048576)),
        ("conv_transpose", "polyphase", 3, (0, 0), 1, (174762, 349525)),
        ("conv_transpose", "direct", 3, (0, 0), 1, (131072, 1048576)),
        ("conv_transpose", "fft", 3, (0, 0), 1, (1048576, 1048576)),
        ("conv", "gemm", 3, (0, 0), 1, (524288, 1048576)),
    ],
)
def test_elements_of_a_piece_are_those_whose_arrays_fit(
    form, algorithm, stride, channels, kernel, expected
):
    axis = Axis(10, 9 * stride + kernel, kernel, stride)
    sizes = Sizes(ConvSpec((axis,), 2, *channels), form, algorithm, 1, 8)
    assert targets(sizes, (kernel,)) == expected


@pytest.mark.usefixtures("one_block")
@pytest.mark.parametrize(
    ("axes", "block_bytes", "space", "taps"),
    [
        # Of 3 * 4 bytes for a tap: 1200 bytes are 100 elements of x with 4 taps. Halos are
        # 3 elements; blocks of 4 are the least, so that 512 are halved to 64.
        ((Axis(509, 512, 4),), 1200, (64,), (4,)),
        # 60 taps are 6 elements of x at most, but their halo is 59 elements: 250 cannot be
        # less than 60 but for fewer taps. 15 have 26 elements and a halo of 14.
        ((Axis(191, 250, 60),), 1200, (16,), (15,)),
        # The taps that span most strides are halved: 8 that are 5 apart to 2, then 9 to 5
        # since 8 strides are more than 5, then 2 to 1.
        (
            (Axis(30, 38, 9), Axis(30, 65, 8, 1, 5)),
            12 * 60,
            (5, 9),
            (5, 1),
        ),
    ],
)
def test_taps_are_cut_where_their_halos_are_longer_than_blocks(
    axes, block_bytes, space, taps, monkeypatch
):
    monkeypatch.setattr(tuning, "BLOCK_BYTES", block_bytes)
    got = fast(axes, "conv_transpose", "gemm")
    assert (got.space, got.taps) == (space, taps)


@pytest.mark.usefixtures("one_block")
@pytest.mark.parametrize(
    ("axes", "taps"),
    [
        ((Axis(9, 108, 100),), (50,)),
        ((Axis(9, 116, 100, 2),), (100,)),  # 50 taps in each of two phases
        ((Axis(9, 306, 100, 1, 3),), (13,)),  # 298 places: 100, 50, 25 taps are too many
        ((Axis(9, 19, 11), Axis(9, 17, 9)), (6, 9)),
        ((Axis(9, 17, 9), Axis(9, 19, 11)), (9, 6)),
        ((Axis(9, 61, 29, 4), Axis(9, 17, 9)), (29, 5)),  # 28 places are 7 strides
        # 11 times 21 places; 11 * 11 and 6 * 11 are still too many, 6 * 5 are not.
        ((Axis(9, 19, 11), Axis(9, 29, 11, 1, 2)), (6, 3)),
    ],
)
def test_spectra_have_as_many_taps_at_a_time_as_a_limit(axes, taps, monkeypatch):
    monkeypatch.setattr(tuning, "PART_TAPS", 55)
    assert fast(axes, "conv_transpose", "fft").taps == taps


@pytest.mark.usefixtures("one_block")
def test_samples_of_a_block_are_those_that_reach_its_target(monkeypatch):
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    monkeypatch.setattr(tuning, "GATHER_BYTES", 4096)
    # 3 taps of 4 channels are 341 elements: 5 samples of 60, of 23.
    axes = (Axis(6, 8, 3), Axis(10, 10, 1))
    got = fast(axes, "conv", "gemm", 23, (2, 4))
    assert got == Extent(5, 1, 2, 4, (6, 10), (3, 1))
    # Groups have columns of 3 * 4 * 300 bytes; two fit.
    monkeypatch.setattr(tuning, "GROUP_BYTES", 2 * 3600)
    got = fast(axes, "conv", "gemm", 23, (14, 28), 7)
    assert got == Extent(5, 2, 2, 4, (6, 10), (3, 1))


@pytest.mark.parametrize(
    ("form", "small", "kernel", "batch", "space"),
    [
        # Blocks of four halos and more, of 11/8 of a share of two threads.
        ("conv_transpose", 100, 5, 1, 52),
        ("conv", 100, 5, 1, 50),
        # Halos as long as the blocks: two thirds of the elements are aimed at.
        ("conv_transpose", 100, 40, 1, 70),
        ("conv", 100, 40, 1, 50),
        ("conv_transpose", 161, 40, 1, 100),
        ("conv", 161, 40, 1, 81),
        ("conv_transpose", 101, 100, 1, 100),
        ("conv_transpose", 100, 100, 1, 199),  # halves would be shorter than halos
        ("conv_transpose", 100, 40, 2, 139),  # a sample for each thread
    ],
)
def test_transforms_are_shared_whatever_their_halos(
    form, small, kernel, batch, space, monkeypatch
):
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    spec = ConvSpec((Axis(small, small + kernel - 1, kernel),), 1, 1, 1)
    assert fast_extent(Sizes(spec, form, "fft", batch, 8)).space == (space,)


def test_uneven_shares_of_transforms_are_better_than_shorter_blocks(monkeypatch):
    """Quarters of 1004 elements are 251; shares are 11/8 of those of 1000, 344."""
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    monkeypatch.setattr(tuning, "FEW_BLOCKS_WORK", 0)
    spec = ConvSpec((Axis(1000, 1004, 5),), 1, 1, 1)
    got = fast_extent(Sizes(spec, "conv_transpose", "fft", 1, 8))
    assert got.space == (251,)


@pytest.mark.parametrize(
    ("form", "algorithm", "multiplied"),
    [
        ("conv_transpose", "gemm", True),
        ("conv_transpose", "fft", True),
        ("conv_transpose", "polyphase", False),
        ("conv_transpose", "direct", False),
        ("conv", "gemm", False),
        ("conv", "fft", True),
        ("kernel_grad", "gemm", False),
    ],
)
def test_products_of_halos_are_lost_where_results_overlap(form, algorithm, multiplied):
    sizes = Sizes(ConvSpec((Axis(5, 7, 3),)), form, algorithm, 1, 8)
    assert sizes.multiplies_halos == multiplied


@pytest.mark.usefixtures("one_block")
@pytest.mark.parametrize(("channels", "samples"), [(16, 107), (17, 60)])
def test_pieces_of_few_channels_have_as_many_samples_as_rows_allow(
    channels, samples, monkeypatch
):
    """Six taps of 10 elements share 11 rows of 3 residues: 33 elements, not 60.

    For 8 channels these are 27 columns an element, of which 29000 bytes hold 1074; of 48
    columns they hold 604.
    """
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    monkeypatch.setattr(tuning, "GATHER_BYTES", 29_000)
    got = fast((Axis(10, 33, 6, 3),), "conv", "polyphase", 1000, (channels, 8))
    assert got.samples == samples


@pytest.mark.parametrize(("work", "blocks"), [(383, 4), (384, 4), (385, 2)])
def test_large_problems_have_more_blocks(work, blocks, monkeypatch):
    """Two samples of 4 channels and 16 elements with 3 taps are 384 multiply-adds."""
    monkeypatch.setattr(tuning, "SMALL_WORK", 0)
    monkeypatch.setattr(tuning, "FEW_BLOCKS_WORK", work)
    spec = ConvSpec((Axis(16, 18, 3),), 1, 1, 4)
    got = fast_extent(Sizes(spec, "conv_transpose", "direct", 2, 1))
    assert got.channels == 4 // blocks
