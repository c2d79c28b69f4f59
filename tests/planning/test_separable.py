"""The cost of kernels that are applied axis by axis, term by term, counted by hand.

Two samples of 3 groups of one channel each, 4 by 40 elements, become 9 by 121, with 3 by 4
taps and strides of 2 and 3. That makes 6 images. Axes are applied in their order:

    transposed   after the first axis 6 * 9 * 40 = 2160, after both 6 * 9 * 121 = 6534
    convolution  after the first axis 6 * 4 * 121 = 2904, after both 6 * 4 * 40 = 960
"""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.separable import (
    band_rows,
    fits_scratch,
    inner_elements,
    separable_cost,
)
from mtconv.planning.tuning import FEW_ROWS, THIN
from mtconv.planning.work import Rates

SPEC = ConvSpec.from_shapes((2, 3, 4, 40), (3, 1, 3, 4), stride=(2, 3), groups=3)
NOTHING = Rates(gemm=float("inf"), element=0, strided=0, call=0, block=10**12)
MAPS = ("conv_transpose", "conv")


def cost(form, spec=SPEC, batch=2, itemsize=4, **rates):
    """Estimate a cost at some rates, with everything else for nothing."""
    return separable_cost(form, spec, batch, itemsize, NOTHING._replace(**rates))


@pytest.mark.parametrize(
    ("stride", "rows"), [(1, 8), (2, 8), (3, 9), (4, 8), (5, 10), (8, 8), (9, 9), (16, 16)]
)
def test_bands_have_whole_strides_of_the_result(stride, rows):
    """Those of a convolution have eight rows, whatever the stride is."""
    axis = Axis(40, 400, 3, stride)
    assert band_rows("conv_transpose", axis) == rows
    assert band_rows("conv", axis) == 8


@pytest.mark.parametrize(
    ("form", "products"),
    [
        # A band of 8 rows meets all 4 elements of a column, one of 9 rows 4 of the 40.
        ("conv_transpose", ((2160, 4, 8), (6534, 4, 9))),
        # Eight elements meet 17 of the 9 that there are, and 3 * 7 + 4 of the 121.
        ("conv", ((2904, 9, 8), (960, 25, 8))),
    ],
)
def test_every_axis_is_a_product_with_a_band(form, products):
    passed = cost(form, gemm=2.0)
    assert passed.multiply_adds == sum(count * width for count, width, _ in products)
    assert passed.seconds == pytest.approx(
        sum(
            count * width / 2 * (1 + THIN / width + FEW_ROWS / rows)
            for count, width, rows in products
        )
    )


@pytest.mark.parametrize("form", MAPS)
@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 9])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_band_is_as_wide_as_its_rows_reach_wherever_it_begins(
    form, kernel, stride, dilation
):
    """Found by loops over the relation, with padding of every remainder."""
    extent = dilation * (kernel - 1) + 1
    small = 100
    axis = Axis(small, stride * (small - 1) + extent, kernel, stride, dilation)
    rows = band_rows(form, axis)
    widest = 0
    for first in range(stride):
        if form == "conv":
            reached = [stride * i + o for i in range(rows) for o in range(extent)]
        else:
            reached = [
                i
                for o in range(first, first + rows)
                for i in range(-extent, o + 1)
                if 0 <= o - stride * i < extent
            ]
        widest = max(widest, max(reached) - min(reached) + 1)
    spec = ConvSpec((axis,), 1, 1, 1)
    elements = spec.big[0] if form == "conv_transpose" else small
    assert cost(form, spec, 1).multiply_adds == elements * widest


@pytest.mark.parametrize(("form", "elements"), [("conv_transpose", 8694), ("conv", 3864)])
def test_results_of_an_axis_are_written_and_read(form, elements):
    assert cost(form, element=0.5).seconds == pytest.approx(2 * elements * 0.5)
    source = 6 * 4 * 40 if form == "conv_transpose" else 6 * 9 * 121
    for itemsize in (4, 8):
        passed = cost(form, itemsize=itemsize)
        assert passed.bytes_moved == (source + 2 * elements) * itemsize


@pytest.mark.parametrize(("rows", "tiles"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_tiles_of_32_rows_take_eight_operations_an_axis(rows, tiles):
    """Beside 90 of a call."""
    spec = ConvSpec((Axis(rows, rows, 1), Axis(5, 5, 1)), 3, 3, 3)
    operations = 2 * 3 * tiles * 2 * 8 + 90
    for form in MAPS:
        passed = cost(form, spec, call=0.25)
        assert passed.operations == operations
        assert passed.seconds == operations / 4


def test_a_batch_and_groups_cost_in_proportion():
    single = ConvSpec(SPEC.axes, 1, 1, 1)
    for form in MAPS:
        parts, whole = (
            cost(form, single, 1, element=1, gemm=1),
            cost(form, element=1, gemm=1),
        )
        assert whole.multiply_adds == 6 * parts.multiply_adds
        assert whole.bytes_moved == 6 * parts.bytes_moved
        assert whole.seconds == pytest.approx(6 * parts.seconds)


# --------------------------------------------------------------------------- scratch memory


def test_elements_behind_the_second_axis_are_those_of_the_largest_step():
    """Of 2 * 5 * 3 elements the axes make 9 * 5 * 3, and so on; the last two are behind."""
    small, big = (4, 2, 5, 3), (9, 4, 3, 8)  # the third axis is cropped
    axes = [Axis(n, m, 2, 2, lo=int(m < n)) for n, m in zip(small, big, strict=True)]
    spec = ConvSpec(tuple(axes))
    assert inner_elements("conv_transpose", spec) == max(5 * 3, 3 * 3, 3 * 8)
    assert inner_elements("conv", spec) == max(3 * 8, 5 * 8, 5 * 3)
    assert inner_elements("conv", ConvSpec(tuple(axes[:3]))) == max(3, 5)
    assert inner_elements("conv_transpose", ConvSpec(tuple(axes[:2]))) == 1


@pytest.mark.parametrize("form", MAPS)
def test_two_axes_of_a_band_take_32_mib_at_most(form):
    """A band has 8 by 8 results, of 8 rows by 8 columns, of 16 rows by 8 columns."""
    elements = 8 * (8 + 8) + 16 * 8
    for itemsize, most in ((4, 2**15), (8, 2**14)):
        assert elements * most * itemsize == 2**25
        fitting = [
            fits_scratch(
                form, ConvSpec((Axis(99, 107, 9), Axis(99, 99, 1), Axis(n, n, 1))), itemsize
            )
            for n in (most, most + 1)
        ]
        assert fitting == [True, False]


@pytest.mark.parametrize(
    ("form", "elements"),
    [
        # 8 by 9 results, of 8 rows by 4 columns, of 5 rows by 4 columns; 8 by 8 results, of
        # 8 rows by 25 columns, of 17 rows by 25 columns.
        ("conv_transpose", 8 * (9 + 4) + 5 * 4),
        ("conv", 8 * (8 + 25) + 17 * 25),
    ],
)
def test_the_first_two_axes_have_bands_of_their_own(form, elements):
    fitting = []
    for extra in (0, 1):
        last = 2**25 // (elements * 4) + extra
        axes = (Axis(40, 81, 3, 2), Axis(40, 121, 4, 3), Axis(last, last, 1))
        fitting.append(fits_scratch(form, ConvSpec(axes), 4))
    assert fitting == [True, False]
