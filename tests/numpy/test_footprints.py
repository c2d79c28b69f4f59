"""Bounds of memory, worked out by hand for one small piece.

Three samples of two groups are 6 leading items. Each has 5 channels of the other side and
4 of the result's. The axis relates 7 small elements to 13 big ones by 3 taps, with a stride
of 2 and ``lo`` of 1; elements have 8 bytes.

    products of a channel   6 * 3 taps * 7 = 126      results    6 * 7 = 42 or 6 * 13 = 78
    elements of the kernel  2 * 5 * 4 * 3 = 120       a phase    7 + 1 = 8, at most 2 taps
"""

from mtconv.backends._numpy import direct, fft, gemm, subpixel
from mtconv.backends._numpy.footprint import Copies, Extent, footprint
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


def test_spectra_of_gradients_have_the_kernel_beside_them():
    others = fft.footprint("conv", PIECE)
    assert fft.footprint("kernel_grad", PIECE) == others + 8 * 120


def test_subpixel_has_blocks_of_whole_strides():
    # 13 big elements are 6 whole strides; a block has two more.
    strides, depth = 6 * (6 + 2), 5 * 2
    result, packed = 8 * 4 * strides * 2, 120
    expected = 8 * (2 * depth * strides + packed) + 2 * result
    assert subpixel.footprint("conv_transpose", PIECE) == expected


def loaded(form, **copies):
    """Bytes that a piece takes more where some arrays are copied."""
    spec = ConvSpec.from_shapes((3, 10, 7), (10, 4, 3), stride=2, padding=1, groups=2)
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
