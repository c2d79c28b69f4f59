"""The estimates, term by term: each rate alone, with counts worked out by hand.

Two samples of 2 groups of 3 channels, 5 by 7 elements, become 2 groups of 4 channels, 11 by
22 elements, with 3 by 4 taps and strides of 2 and 3:

    small elements 2 * 35 = 70      x        70 * 6 = 420
    planes         70 * 12 * 8 = 6720        y        2 * 8 * 242 = 3872
    products       6720 * 3 = 20160          kernel   6 * 4 * 12 = 288

Phases have 2 and 1 taps on the first axis, and 2, 1 and 1 on the second.
"""

from __future__ import annotations

from math import log2

import pytest

from mtconv import ConvSpec
from mtconv.planning import tuning
from mtconv.planning.cost import estimate
from mtconv.planning.work import Rates

SPEC = ConvSpec.from_shapes((2, 6, 5, 7), (6, 4, 3, 4), stride=(2, 3), groups=2)
NOTHING = Rates(gemm=float("inf"), element=0, strided=0, call=0, block=10**12, run=0)
PLANES, X, Y, KERNEL = 6720, 420, 3872, 288

# Moves to gather columns in rows of 7, each element with a stride of 3; and those of one of
# two residues of the first axis, six rows for one tap.
STRIDED = tuning.STRIDED_MOVES + 3 * tuning.WIDE_MOVES
DIRECT = PLANES * (STRIDED + tuning.RUN_MOVES / 7)
ROWS = 16 * 6 * 7 * 4 * (STRIDED + tuning.RUN_MOVES / 7)


def seconds(algorithm, form="conv_transpose", spec=SPEC, batch=2, itemsize=4, **rates):
    """Estimate seconds at some rates, with everything else for nothing."""
    return estimate(
        algorithm, spec, batch, itemsize, NOTHING._replace(**rates), form
    ).seconds


def spec_of(x_shape, kernel_shape, **options):
    return ConvSpec.from_shapes(x_shape, kernel_shape, **options)


# ------------------------------------------------------------------------------- products


@pytest.mark.parametrize(
    ("algorithm", "form", "depth", "rows"),
    [
        # Terms of a sum, and rows of the result, of one matrix product.
        ("gemm", "conv_transpose", 3, 4 * 12),
        # Four taps of the phases that have most; six phases.
        ("polyphase", "conv_transpose", 3 * 4, 4 * 6),
        ("subpixel", "conv_transpose", 3 * 4, 4 * 6),
        ("subpixel", "conv", 3 * 4, 3),
    ],
)
def test_a_thin_product_takes_longer(algorithm, form, depth, rows):
    thin = 1 + tuning.THIN / depth + tuning.FEW_ROWS / rows
    assert seconds(algorithm, form, gemm=2.0) == pytest.approx(20160 / 2 * thin)


@pytest.mark.parametrize(
    ("algorithm", "form", "depth"),
    [
        ("gemm", "conv", 4 * 12),
        # The three taps of the first axis are two runs.
        ("polyphase", "conv", 4 * 12 / 2),
    ],
)
def test_a_product_of_gathered_columns_takes_longer(algorithm, form, depth):
    thin = 1 + tuning.THIN_COLUMNS / depth + tuning.FEW_COLUMN_ROWS / 3
    expected = tuning.COLUMN_PRODUCT * 20160 / 2 * thin
    assert seconds(algorithm, form, gemm=2.0) == pytest.approx(expected)


def test_a_product_of_one_term_or_of_one_row_is_the_thinnest():
    """Of nine elements and one tap, with a single channel on both sides."""
    spec = spec_of((1, 1, 9), (1, 1, 1))
    thin = 1 + tuning.THIN + tuning.FEW_ROWS
    for algorithm in ("gemm", "polyphase", "subpixel"):
        passed = seconds(algorithm, spec=spec, batch=1, gemm=1.0)
        assert passed == pytest.approx(9 * thin)
    thin = tuning.COLUMN_PRODUCT * (1 + tuning.THIN_COLUMNS + tuning.FEW_COLUMN_ROWS)
    for algorithm in ("gemm", "polyphase"):
        passed = seconds(algorithm, "conv", spec=spec, batch=1, gemm=1.0)
        assert passed == pytest.approx(9 * thin)


def test_direct_and_fft_multiply_no_matrices():
    assert seconds("direct", gemm=1.0) == seconds("fft", gemm=1.0) == 0


def test_sums_without_terms_cost_nothing():
    empty = ConvSpec.from_shapes((2, 0, 5), (0, 3, 2))
    for algorithm in ("gemm", "polyphase", "subpixel"):
        assert seconds(algorithm, spec=empty, gemm=1.0) == 0


# -------------------------------------------------------------------- moves on long runs


@pytest.mark.parametrize(
    ("algorithm", "form", "moves"),
    [
        # Planes are written, and those that meet others are read and added.
        ("gemm", "conv_transpose", PLANES + 2 * (PLANES - Y)),
        ("gemm", "conv", tuning.GATHERED * DIRECT),
        # Nine copies of x, three moves each, and the result.
        ("polyphase", "conv_transpose", 9 * X * 3 + Y),
        ("subpixel", "conv_transpose", KERNEL * tuning.SUBPIXEL_PACK_MOVES),
        ("subpixel", "conv", PLANES * 2),
        ("polyphase", "conv", tuning.GATHERED * 2 * ROWS + KERNEL * tuning.PACK_ROWS),
        ("direct", "conv_transpose", 3.75 * 20160),
        ("direct", "conv", 2.5 * 20160),
        ("direct", "kernel_grad", 2.5 * 20160),
    ],
)
def test_elements_that_are_moved_on_long_runs(algorithm, form, moves):
    assert seconds(algorithm, form, element=1.0) == pytest.approx(moves)
    assert seconds(algorithm, form, element=0.5) == pytest.approx(moves / 2)


@pytest.mark.parametrize(
    ("algorithm", "form", "moves"),
    [
        ("gemm", "conv_transpose", Y),
        ("gemm", "conv", 0),
        ("polyphase", "conv_transpose", KERNEL * tuning.PACK_MOVES + Y),
        ("subpixel", "conv_transpose", Y),
        ("subpixel", "conv", 0),
        ("polyphase", "conv", 0),
        ("direct", "conv_transpose", 3.75 * 20160),
        ("direct", "conv", 2.5 * 20160),
        ("fft", "conv_transpose", X + Y),
    ],
)
def test_elements_that_are_moved_with_a_stride(algorithm, form, moves):
    assert seconds(algorithm, form, strided=1.0) == pytest.approx(moves)


@pytest.mark.parametrize(
    ("algorithm", "form", "element", "strided"),
    [
        # A row has 7 elements: to move it costs as much as 14.
        ("gemm", "conv_transpose", PLANES + 2 * (PLANES - Y), 2 * Y),
        (
            "polyphase",
            "conv_transpose",
            9 * X * 3 + 2 * Y,
            KERNEL * tuning.PACK_MOVES + 2 * Y,
        ),
        # Runs are a stride of 3, and 4 taps.
        (
            "subpixel",
            "conv_transpose",
            KERNEL * tuning.SUBPIXEL_PACK_MOVES,
            Y * (1 + 7 / 3),
        ),
        ("subpixel", "conv", PLANES * 2 * (1 + 7 / 4), 0),
        ("direct", "conv", 2.5 * 20160 * 2, 2.5 * 20160 * 2),
    ],
)
def test_short_runs_cost_as_much_as_longer_ones(algorithm, form, element, strided):
    assert seconds(algorithm, form, element=1.0, run=7) == pytest.approx(element)
    assert seconds(algorithm, form, strided=1.0, run=7) == pytest.approx(strided)


def test_outer_products_are_moved_once_more():
    single = spec_of((1, 1, 5), (1, 2, 2), stride=3)  # no planes meet
    assert seconds("gemm", spec=single, batch=1, element=1.0) == 2 * (5 * 2 * 2)


def test_long_sums_of_a_single_phase_are_made_of_shorter_ones():
    """Of one phase, 3 * 100 terms are two sums more than one chain has."""
    spec = spec_of((1, 100, 9), (100, 2, 3))
    copies, y = 3 * 900 * 3, 2 * 11
    sums = y * tuning.SUM_MOVES * (300 // tuning.CHAIN)
    assert seconds("polyphase", spec=spec, batch=1, element=1.0) == copies + y + sums
    strided = spec_of((1, 100, 9), (100, 2, 6), stride=2)
    y = 2 * 22
    assert seconds("polyphase", spec=strided, batch=1, element=1.0) == copies + y


# ----------------------------------------------------------------------------- operations


@pytest.fixture
def nothing_looked_up(monkeypatch):
    monkeypatch.setattr(tuning, "FEW_COLUMNS", 0)


@pytest.mark.parametrize(
    ("algorithm", "form", "operations", "in_blocks"),
    [
        # Phases of the first axis, then of both; the arrays that are made in blocks.
        ("gemm", "conv_transpose", 3 * 2 + 3 * 6, PLANES),
        ("gemm", "conv", tuning.COLUMN_CALLS, PLANES),
        ("polyphase", "conv_transpose", 4 * 6 + 2 * 9, Y),
        ("subpixel", "conv_transpose", 8 * 9, Y),
        ("subpixel", "conv", 8, PLANES),
        # Two residues of six rows each, where columns have three taps of five.
        ("polyphase", "conv", tuning.ROW_CALLS * (6 * 2 + 3 * 2), PLANES * 12 // 15),
        ("direct", "conv_transpose", 2 * 12 * 3, Y),
        ("direct", "conv", 2 * 12 * 4, Y),
        ("direct", "kernel_grad", 2 * 12 * 3 * 4, Y),
    ],
)
@pytest.mark.usefixtures("nothing_looked_up")
def test_operations_are_made_for_every_block(algorithm, form, operations, in_blocks):
    assert seconds(algorithm, form, call=1.0) == pytest.approx(operations, rel=1e-6)
    passed = seconds(algorithm, form, call=1.0, block=in_blocks * 4)
    assert passed == pytest.approx(2 * operations)
    passed = seconds(algorithm, form, call=1.0, block=in_blocks * 8)
    assert passed == pytest.approx(1.5 * operations)
    rates = NOTHING._replace(block=in_blocks * 4)
    assert estimate(algorithm, SPEC, 2, 4, rates, form).operations == 2 * operations
    assert seconds(algorithm, form, call=1.0, block=in_blocks * 4, itemsize=8) == (
        pytest.approx(3 * operations)
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "runs"),
    [(4, 2, 0, 2), (4, 2, 1, 2), (5, 2, 1, 3), (3, 1, 1, 3), (4, 3, 2, 2), (6, 3, 1, 2)],
)
def test_runs_of_taps_are_counted_without_padding(kernel, stride, padding, runs):
    """A run has as many taps as the stride; phases of the first axis and runs are calls."""
    spec = spec_of((1, 1, 9), (1, 1, kernel), stride=stride, padding=padding)
    operations = tuning.ROW_CALLS * (6 * min(kernel, stride) + 3 * runs)
    passed = seconds("polyphase", "conv", spec=spec, batch=1, call=1.0)
    assert passed == pytest.approx(operations)


@pytest.mark.parametrize(
    ("few", "operations"),
    [(2**12, tuning.LOOKUP_CALLS), (2**12 - 1, tuning.COLUMN_CALLS)],
)
@pytest.mark.parametrize(
    "spec",
    [
        spec_of((1, 2, 2**9), (2, 2, 4)),  # columns of 4 taps and 2 channels
        spec_of((1, 1, 2), (1, 1, 4), stride=2**12 - 4),  # so many elements of y
    ],
)
def test_few_columns_are_looked_up(spec, few, operations, monkeypatch):
    monkeypatch.setattr(tuning, "FEW_COLUMNS", few)
    passed = seconds("gemm", "conv", spec=spec, batch=1, call=1.0)
    assert passed == pytest.approx(operations)


@pytest.mark.parametrize(
    ("columns", "elements", "looked_up"),
    [(600, 202, True), (599, 202, False), (600, 201, False)],
)
def test_few_elements_are_sums_that_are_looked_up(
    columns, elements, looked_up, monkeypatch
):
    """200 elements of x with three taps are 600 columns, and 202 elements of y."""
    monkeypatch.setattr(tuning, "FEW_COLUMNS", columns)
    monkeypatch.setattr(tuning, "FEW_ELEMENTS", elements)
    spec = spec_of((1, 1, 200), (1, 1, 3))
    expected = tuning.LOOKUP_SUM_CALLS if looked_up else 3
    assert seconds("gemm", spec=spec, batch=1, call=1.0) == pytest.approx(expected)


@pytest.mark.usefixtures("nothing_looked_up")
def test_long_kernels_are_added_up_stretch_by_stretch():
    """With 100 taps in a phase there are 100 stretches at either end, of 1 to 99 terms."""
    spec = spec_of((1, 1, 500), (1, 1, 200), stride=2)
    rates = NOTHING._replace(call=1.0)
    # Three operations of both phases, and those of additions that they do not stand for.
    operations = 2 * (3 + 100**2 - tuning.FEW_STRETCHES)
    assert estimate("gemm", spec, 1, 4, rates).operations == operations
    # Of four small elements no more than four meet.
    few = spec_of((1, 1, 4), (1, 1, 200), stride=2)
    assert estimate("gemm", few, 1, 4, rates).operations == 6


# -------------------------------------------------------------------------------- spectra


def test_spectra_cost_their_passes_products_and_ends():
    """Blocks of 8 by 9 for 6 by 8 cells of six phases, of which taps span 2 by 2.

    27 spectra of both groups and samples are 108, and 72 of a group's taps 144. Nine is
    three times three. Products are made as matrices.
    """
    transforms, products = 108 + 144, 2 * 144
    butterflies = int(2.5 * 72 * log2(72) * transforms)
    cost = estimate("fft", SPEC, 2, 4, NOTHING._replace(element=1.0))
    passes = 1 + 1 + 2 * tuning.ODD_FACTOR
    moves = transforms * passes
    moves += (108 + products * tuning.JOINED_MATRICES) * tuning.JOIN
    expected = 72 * moves * tuning.TRANSFORM + 2 * (X + Y)
    assert cost.seconds == pytest.approx(expected)
    assert cost.multiply_adds == butterflies + 4 * 72 * products
    assert cost.bytes_moved == 2 * 4 * (72 * transforms + X + Y)
    chunks = 72 * 108 * 8 / tuning.BLOCKS_BYTES
    assert cost.operations == int(tuning.SPECTRUM_CALLS * (1 + 6 / 8 + chunks))
    assert seconds("fft", call=1.0) == cost.operations
    # Single precision is transformed in double, and looked at as it is.
    double = seconds("fft", element=1.0, itemsize=8) - 2 * (X + Y)
    assert double == pytest.approx((cost.seconds - 2 * (X + Y)) / 2)


def test_products_of_few_channels_are_made_one_by_one():
    spec = spec_of((1, 1, 5), (1, 1, 4))  # blocks of 12 for 8 cells and three more
    moves = 3 * (1 + tuning.ODD_FACTOR) + (2 + 1) * tuning.JOIN
    expected = 12 * moves * tuning.TRANSFORM + 2 * (5 + 8)
    assert seconds("fft", spec=spec, batch=1, element=1.0) == pytest.approx(expected)


def test_kernels_of_many_taps_are_transformed_in_parts():
    """Of 2**17 taps each half has its own spectra, and the data for each of them."""
    whole, half = (
        estimate("fft", spec_of((1, 1, 10**6), (1, 1, taps)), 1, 8, NOTHING).multiply_adds
        for taps in (2**17, 2**16)
    )
    assert 1.9 < whole / half < 2.3


# ---------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize(
    ("algorithm", "form", "elements"),
    [
        ("gemm", "conv_transpose", X + Y + 2 * PLANES),
        ("gemm", "conv", X + Y + 2 * PLANES),
        ("polyphase", "conv_transpose", 9 * 2 * X + 2 * Y),
        ("subpixel", "conv", 9 * 2 * X + 2 * Y),
        ("polyphase", "conv", 2 * PLANES * 12 // 15),
        ("direct", "conv_transpose", X + Y + 2 * 20160),
    ],
)
def test_bytes_that_are_moved(algorithm, form, elements):
    for itemsize in (4, 16):
        cost = estimate(algorithm, SPEC, 2, itemsize, NOTHING, form)
        assert cost.bytes_moved == elements * itemsize
        assert cost.multiply_adds == 20160


def test_a_batch_costs_in_proportion():
    for algorithm in ("gemm", "polyphase", "subpixel", "direct"):
        single, two = (estimate(algorithm, SPEC, n, 4, NOTHING) for n in (1, 2))
        assert two.multiply_adds == 2 * single.multiply_adds
        assert two.bytes_moved == 2 * single.bytes_moved


# ---------------------------------------------------------------------- rows of taps


def test_rows_of_taps_are_cheaper_than_short_rows_of_space():
    """Runs of 3 taps of 64 channels cost less than rows of 3 elements."""
    spec = spec_of((1, 8, 3, 3, 3), (8, 64, 3, 3, 3), stride=2)
    columns, y, kernel = 27 * 27 * 64, 7**3 * 64, 8 * 64 * 27
    moves = y * (1 + tuning.TURN_MOVES + tuning.RUN_MOVES / 64)
    moves += columns * (2 + tuning.RUN_MOVES / 192 + tuning.PACK_COLUMN)
    moves += kernel * tuning.KERNEL_MOVES
    passed = seconds("gemm", "conv", spec=spec, batch=1, element=1.0)
    assert passed == pytest.approx(tuning.GATHERED * moves)
