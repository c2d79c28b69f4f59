"""Bounds of memory, worked out by hand for one small piece.

Three samples of two groups are 6 leading items. Each has 5 channels of the other side and
4 of the result's. The axis relates 7 small elements to 13 big ones by 3 taps, with a stride
of 2 and ``lo`` of 1; elements have 8 bytes.

    products of a channel   6 * 3 taps * 7 = 126      results    6 * 7 = 42 or 6 * 13 = 78
    elements of the kernel  2 * 5 * 4 * 3 = 120       a phase    7 + 1 = 8, at most 2 taps
"""

import pytest

from mtconv.backends._numpy import direct, fft, gemm, polyphase, subpixel, windows
from mtconv.backends._numpy.footprint import NO_COPIES, Copies, Extent, footprint
from mtconv.backends.host.counts import Counts
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.spec import ConvSpec

AXIS = Axis(7, 13, 3, 2, 1, 1)
PIECE = Counts(6, 2, 5, 4, (AXIS,), 8)


def test_products_of_direct_are_parts_of_the_result():
    # All four channels at once, and products of the smaller side, twice.
    assert direct.footprint("conv", PIECE) == 8 * (4 * 42 + 2 * 4 * 42)
    assert direct.footprint("conv_transpose", PIECE) == 8 * (4 * 78 + 2 * 4 * 42)
    assert direct.footprint("kernel_grad", PIECE) == 8 * 2 * 42


def test_planes_of_gemm_are_added_up_axis_by_axis():
    planes = 6 * 8  # elements of a phase
    assert gemm.footprint("conv_transpose", PIECE) == 8 * 4 * (126 + planes)
    # The first of two axes is added while the second has all of its planes.
    piece = PIECE._replace(axes=(AXIS, Axis(2, 9, 4, 4)))
    planes = 6 * 8 * (4 * 2) + 6 * 8 * 4
    assert gemm.footprint("conv_transpose", piece) == 8 * 4 * (6 * 21 * 8 + planes)


def test_planes_of_an_odd_number_of_channels_are_made_at_once():
    piece = PIECE._replace(channels=5)
    assert gemm.footprint("conv_transpose", piece) == 8 * 5 * (126 + 48)


def test_spectra_of_gradients_have_the_kernel_beside_them():
    others = fft.footprint("conv", PIECE)
    assert fft.footprint("kernel_grad", PIECE) == others + 8 * 120


def test_spectra_of_blocks_and_of_the_kernel():
    """Seven elements and one more for the taps of a phase are one block of eight.

    Its spectrum is bounded by 8 * 8 * 3 / 2 + 64 = 160 bytes. Both phases have 2 * 5 * 4 of
    the kernel, 12,800 bytes; data and results at most 6 * (5 + 4), 17,280 bytes.
    """
    assert fft.footprint("conv", PIECE) == 2 * 12_800 + 5 * 17_280
    # More samples are transformed after one another, 4 MiB of them at a time.
    many = PIECE._replace(lead=10**6)
    assert fft.footprint("conv", many) == 2 * 12_800 + 5 * 2**22
    # Of many channels 6 MiB at a time.
    wide = PIECE._replace(others=1200, channels=1200)
    assert fft.footprint("conv", wide) == 2 * 6 * 2**20 + 5 * 2**22


def test_subpixel_has_blocks_of_whole_strides():
    # 13 big elements are 6 whole strides; a block has two more.
    strides, depth = 6 * (6 + 2), 5 * 2
    result, packed = 8 * 4 * strides * 2, 120
    expected = 8 * (2 * depth * strides + packed) + 2 * result
    assert subpixel.footprint("conv_transpose", PIECE) == expected


# Two axes: 7 * 2 small elements and 13 * 9 big ones by 3 * 4 taps, extended to 15 * 8.
PLANE = PIECE._replace(axes=(AXIS, Axis(2, 9, 4, 4)))


def test_columns_of_gemm_stand_beside_y_extended():
    # Of five channels; results and kernels, and y by phases, which is twice its size.
    columns, kept = 5 * 126, 2 * 6 * 4 * 7 + 120
    assert gemm.footprint("conv", PIECE) == 8 * (columns + kept + 5 * 6 * 26)
    columns, kept = 5 * 6 * 12 * 14, 2 * 6 * 4 * 14 + 2 * 4 * 5 * 12
    assert gemm.footprint("conv", PLANE) == 8 * (columns + kept + 5 * 6 * 2 * 117)


@pytest.mark.parametrize(
    ("axis", "extended"),
    [
        (Axis(7, 3, 3, 2), 15),  # where y is short, zeros are what is large
        (Axis(2, 1, 1, 9), 4),  # but only so many for each element of the columns
        (Axis(2, 3, 1, 9), 6),
    ],
)
def test_columns_of_gemm_may_be_gathered_from_zeros(axis, extended):
    piece = PIECE._replace(axes=(axis,))
    small, taps = axis.small, axis.kernel
    columns, kept = 5 * 6 * taps * small, 2 * 6 * 4 * small + 2 * 4 * 5 * taps
    assert gemm.footprint("conv", piece) == 8 * (columns + kept + 5 * 6 * extended)


def test_columns_of_the_channels_that_a_limit_allows(monkeypatch):
    monkeypatch.setattr(tuning, "GATHER_BYTES", 3 * 8 * 126)  # three of five, twice
    kept = 2 * 6 * 4 * 7 + 2 * 4 * 3 * 3
    expected = 2 * 3 * 8 * 126 + 8 * (kept + 3 * 6 * 26)
    assert gemm.footprint("conv", PIECE) == expected


@pytest.fixture
def few_terms(monkeypatch):
    """Let 1000 elements of products be added up at a time."""
    monkeypatch.setattr(tuning, "TERM_BYTES", 8000)


@pytest.mark.usefixtures("few_terms")
def test_products_of_gradients_are_added_up():
    # Columns of four channels, the product and its terms, x side by side, y extended.
    columns, terms, x = 4 * 126, 120 + (120 + 1000), 6 * 5 * 7
    expected = 8 * (columns + terms + x + 4 * 6 * 26)
    assert gemm.footprint("kernel_grad", PIECE) == expected
    columns, terms, x = 4 * 6 * 12 * 14, 480 + (480 + 1000), 6 * 5 * 14
    expected = 8 * (columns + terms + x + 4 * 6 * 2 * 117)
    assert gemm.footprint("kernel_grad", PLANE) == expected


def test_planes_of_the_channels_that_a_limit_allows(monkeypatch):
    monkeypatch.setattr(tuning, "COLUMN_BYTES", 2 * 8 * 126)  # two of four, twice
    assert gemm.footprint("conv_transpose", PIECE) == 2 * 8 * 2 * (126 + 48)
    monkeypatch.setattr(tuning, "COLUMN_BYTES", 8 * 8 * 126)  # all of them
    assert gemm.footprint("conv_transpose", PIECE) == 8 * 4 * (126 + 48)


def test_polyphase_has_copies_of_x_and_phases():
    # Phases of two taps and of one; eight elements each, and x extended by one element.
    copies, packed, phases = 30 * (2 * 8 + 8), 2 * 5 * 4 * 4, 6 * 8 * 2
    expected = 8 * (copies + packed) + 2 * 8 * 4 * phases
    assert polyphase.footprint("conv_transpose", PIECE) == expected


def test_polyphase_copies_little_of_what_lies_between_taps(monkeypatch):
    """Taps 9 apart, three of them in one phase: 4 elements reach over 1 + 2 * 9."""
    monkeypatch.setattr(tuning, "FEW_ZEROS", 30 * 2)  # two for each channel of x
    piece = PIECE._replace(axes=(Axis(4, 2, 3, 1, 9, 9),))
    copies, packed, phases = 30 * (3 * (4 * 2 + 2) + 8), 2 * 5 * 4 * 3, 6 * 3
    expected = 8 * (copies + packed) + 2 * 8 * 4 * phases
    assert polyphase.footprint("conv_transpose", piece) == expected
    # Of 4 elements of the result x is extended to 4 times as many, at most.
    monkeypatch.setattr(tuning, "FEW_ZEROS", 30)
    # Or to twice its own.
    for small, extended in ((4, 4 * 4), (10, 2 * 10)):
        piece = PIECE._replace(axes=(Axis(small, 4, 3, 1, 9, 9),))
        copies, packed, phases = 30 * (3 * (4 * 4 + 1) + extended), 2 * 5 * 4 * 3, 6 * 5
        expected = 8 * (copies + packed) + 2 * 8 * 4 * phases
        assert polyphase.footprint("conv_transpose", piece) == expected


def test_rows_of_polyphase_serve_all_taps():
    # Both residues of rows 7 + 2 / 2 + 1, the kernel, y by residue extended, results.
    rows, extended, results = 30 * 2 * 9, 2 * 30 * 7, 2 * 6 * 4 * 7
    assert polyphase.footprint("conv", PIECE) == 8 * (rows + 120 + extended + results)
    piece = PIECE._replace(axes=(Axis(7, 14, 4, 2, 1, 1),))  # 7 + 3 // 2 + 1
    rows, extended, results = 30 * 2 * 9, 2 * 30 * 8, 2 * 6 * 4 * 7
    assert polyphase.footprint("conv", piece) == 8 * (rows + 160 + extended + results)
    rows, extended, results = 30 * 2 * 9 * 8, 2 * 30 * 59, 2 * 6 * 4 * 14
    assert polyphase.footprint("conv", PLANE) == 8 * (rows + 480 + extended + results)


def test_rows_far_apart_are_gathered_for_each_tap():
    piece = PIECE._replace(axes=(Axis(2, 42, 2, 1, 40),))
    rows, kernel, extended, results = 30 * 2, 2 * 4 * 5 * 2, 2 * 30 * 43, 2 * 6 * 4 * 2
    assert polyphase.footprint("conv", piece) == 8 * (rows + kernel + extended + results)


@pytest.mark.usefixtures("few_terms")
def test_shifted_rows_go_on_past_their_ends():
    # Rows of 8, for a phase of two taps; one more of y, and one for its last shift.
    product = 2 * 5 * 4 * 2
    expected = 30 * 8 + 24 * (8 + 2) + product + (product + 1000)
    assert polyphase.footprint("kernel_grad", PIECE) == 8 * expected
    # Three taps in a phase: rows of 9, and one more of y.
    product = 2 * 5 * 4 * 3
    expected = 30 * 9 + 24 * (9 + 2) + product + (product + 1000)
    piece = PIECE._replace(axes=(Axis(7, 17, 5, 2, 1, 1),))
    assert polyphase.footprint("kernel_grad", piece) == 8 * expected
    # The second axis has one tap in each of four phases; taps 3 apart, it reaches over 8.
    piece = PIECE._replace(axes=(AXIS, Axis(2, 9, 4, 2, 3)))
    product = 2 * 5 * 4 * 2 * 2
    expected = 30 * 8 * 5 + 24 * (8 + 2) * 5 + product + (product + 1000)
    assert polyphase.footprint("kernel_grad", piece) == 8 * expected


def test_subpixel_gathers_columns_from_y_extended():
    columns, extended, kept = 5 * 126, 5 * 6 * 15, 2 * 6 * 4 * 7
    assert subpixel.footprint("conv", PIECE) == 8 * (columns + extended + kept)
    columns, extended, kept = 4 * 126, 4 * 6 * 15, 120 + 6 * 5 * 7
    assert subpixel.footprint("kernel_grad", PIECE) == 8 * (columns + extended + kept)
    columns, extended, kept = 5 * 6 * 12 * 14, 5 * 6 * 15 * 8, 2 * 6 * 4 * 14
    assert subpixel.footprint("conv", PLANE) == 8 * (columns + extended + kept)


def test_subpixel_gathers_the_channels_that_a_limit_allows(monkeypatch):
    monkeypatch.setattr(tuning, "SUBPIXEL_BYTES", 3 * 4 * 126)  # three of five, twice
    columns, extended, kept = 2 * 3 * 126, 3 * 6 * 15, 2 * 6 * 4 * 7
    assert subpixel.footprint("conv", PIECE) == 8 * (columns + extended + kept)
    monkeypatch.setattr(tuning, "SUBPIXEL_BYTES", 3 * 8 * 96)  # three of four, twice
    strides, packed = 6 * 8, 2 * 5 * 3 * 3
    expected = 8 * (2 * 10 * strides + packed) + 2 * 2 * 3 * 8 * 96
    assert subpixel.footprint("conv_transpose", PIECE) == expected


# ------------------------------------------------------------------------- loaded arrays


def spec_of(**options):
    return ConvSpec.from_shapes(
        (3, 10, 7), (10, 4, 3), stride=2, padding=1, groups=2, **options
    )


def by_direct(form, **parts):
    """Elements that `direct` takes for a part of three samples of two groups."""
    transposed = form == "conv_transpose"
    channels, others = (4, 5) if transposed else (5, 4)
    whole = Extent(3, 2, channels, others, (13 if transposed else 7,), (3,))
    spec = spec_of(padding_mode=parts.pop("padding_mode", "zeros"))
    size = footprint(spec, form, "direct", whole._replace(**parts), 8, NO_COPIES)
    assert size % 8 == 0
    return size // 8


def test_a_whole_convolution_is_its_products():
    assert by_direct("conv") == 3 * 5 * 42


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        # Parts of a sum need a place for what is added; parts of the taps a copy of them.
        ({"taps": (2,)}, 5 * 42 + 2 * 5 * 4 * 2),
        ({"others": 3}, 5 * 42),
        ({"others": 3, "taps": (2,)}, 5 * 42 + 2 * 5 * 3 * 2),
        # Other parts are smaller, and that is all.
        ({"space": (4,)}, 3 * 5 * (24 - 42)),
        ({"samples": 2}, 3 * 5 * (28 - 42)),
        ({"groups": 1}, 3 * 5 * (21 - 42)),
        ({"channels": 2}, 3 * (2 - 5) * 42),
    ],
)
def test_parts_of_a_convolution(parts, more):
    assert by_direct("conv", **parts) - by_direct("conv") == more


def test_parts_of_a_transposed_convolution():
    # x side by side, results of 13, and products of the 7 small elements.
    assert by_direct("conv_transpose") == 30 * 7 + 24 * 13 + 2 * 24 * 7
    # A block of about 5 elements has up to 6, which 4 small ones reach.
    assert by_direct("conv_transpose", space=(5,)) == 30 * 4 + 24 * 6 + 2 * 24 * 4
    # One sample is not copied; of parts of the sums there is one result more.
    assert by_direct("conv_transpose", samples=1) == 8 * 13 + 2 * 8 * 7
    expected = 6 * 4 * 7 + 2 * 24 * 13 + 2 * 24 * 7
    assert by_direct("conv_transpose", others=4) == expected


def test_folded_results_are_computed_twice_as_long():
    """Up to 12 elements fold onto five; 7 small ones reach them. Two results are added."""
    got = by_direct("conv_transpose", space=(5,), padding_mode="circular")
    assert got == 30 * 7 + 3 * 24 * 12 + 2 * 24 * 7


def test_rows_of_x_are_copied_where_they_are_cut():
    spec = ConvSpec.from_shapes((1, 5, 2, 7), (5, 4, 1, 3), stride=(1, 2))
    whole = Extent(1, 1, 4, 5, (2, 15), (1, 3))
    part = whole._replace(space=(2, 5))
    sizes = [
        footprint(spec, "conv_transpose", "direct", e, 8, NO_COPIES) for e in (whole, part)
    ]
    assert sizes[0] == 8 * (4 * 30 + 2 * 4 * 14)
    assert sizes[1] == 8 * (5 * 2 * 4 + 4 * 12 + 2 * 4 * 8)


def loaded(form, **copies):
    """Bytes that a piece takes more where some arrays are copied."""
    spec = spec_of()
    others, channels = (5, 4) if form != "conv" else (4, 5)
    size = 13 if form == "conv_transpose" else 7
    extent = Extent(3, 2, channels, others, (size,), (3,))
    none = dict.fromkeys(Copies._fields, False)
    more, least = (
        footprint(spec, form, "gemm", extent, 8, Copies(**{**none, **names}))
        for names in (copies, {})
    )
    return more - least


def test_copies_are_added_one_by_one():
    assert loaded("conv", data=True) == 8 * 6 * 4 * 13
    assert loaded("conv", kernel=True) == 8 * 120
    assert loaded("conv", result=True) == 8 * 6 * 5 * 7
    assert loaded("conv_transpose", result=True) == 8 * 6 * 4 * 13
    assert loaded("kernel_grad", data=True) == 8 * 6 * 4 * 13
    assert loaded("kernel_grad", x=True) == 8 * 6 * 5 * 7


def test_the_piece_is_smaller_than_all_limits():
    limits = (tuning.PART_BYTES, tuning.COLUMN_BYTES, tuning.SUBPIXEL_BYTES)
    assert min(limits) > 100 * 8 * 4 * 126


def test_windows_of_gradients_are_those_of_the_phases_that_have_most():
    """The phase of taps 0 and 2 has 6 elements, and one more in other pieces.

    Windows of both taps and x, whose 7 elements may be one more too; this phase of all four
    channels of y; the products, and their terms.
    """
    window = 6 * 5 * (2 * 7 + 8)
    placed = 6 * 4 * 7
    product = 2 * 5 * 4 * 2
    terms = max(2 * product, product + tuning.TERM_BYTES // 8)
    expected = 8 * (window + placed + product + terms)
    assert windows.footprint("kernel_grad", PIECE) == expected


def test_windows_of_gradients_serve_both_phases():
    """Four taps and stride 2: two phases of 8 elements and two taps each, or 9."""
    piece = PIECE._replace(axes=(Axis(7, 16, 4, 2),))
    window = 6 * 5 * (2 * 9 + 10)
    placed = 6 * 4 * 2 * 9
    product = 2 * 5 * 4 * 2 * 2
    terms = max(2 * product, product + tuning.TERM_BYTES // 8)
    expected = 8 * (window + placed + product + terms)
    assert windows.footprint("kernel_grad", piece) == expected
