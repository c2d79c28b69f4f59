"""Bands of the matrix of an axis: what they hold and share, and which are joined."""

import numpy as np
import pytest

from mtconv.geometry import Axis
from mtconv.operators.separable.bands import BandRun, axis_bands, runs_of


def bands_of(form, axis, taps, mode="zeros", *, last=False):
    return axis_bands(form, axis, mode, np.array(taps), np.dtype(float), last=last)


def dense(bands, columns, *, last=False):
    """The matrix that bands make up, which follow one another."""
    rows = []
    for band in bands:
        assert band.start == len(rows)
        block = np.zeros((band.stop - band.start, columns))
        for start, stop, matrix in band.parts:
            block[:, start:stop] = matrix.T if last else matrix
        rows += [*block]
    return np.array(rows)


def matrix_of(axis, taps, mode="zeros"):
    """The matrix of a convolution by its definition."""
    matrix = np.zeros((axis.small, axis.big))
    for row in range(axis.small):
        for number, tap in enumerate(taps):
            column = row * axis.stride + number * axis.dilation - axis.lo
            if mode == "circular":
                column %= axis.big
            if mode == "replicate":
                column = min(max(column, 0), axis.big - 1)
            if 0 <= column < axis.big:
                matrix[row, column] += tap
    return matrix


TAPS = [1.0, -2.0, 4.0]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("axis", "mode"),
    [
        (Axis(40, 40, 3, 1, 1, 1), "zeros"),
        (Axis(43, 43, 3, 1, 1, 1), "zeros"),
        (Axis(5, 5, 3, 1, 1, 1), "zeros"),
        (Axis(16, 50, 3, 3, 2, 1), "zeros"),
        # First eleven or twelve bands without entries, and as many in the end.
        (Axis(238, 40, 3, 1, 1, 100), "zeros"),
        (Axis(254, 40, 3, 1, 1, 108), "zeros"),
        # No entries at all.
        (Axis(30, 40, 3, 1, 1, 90), "zeros"),
        (Axis(40, 40, 3, 1, 1, 1), "circular"),
        (Axis(120, 20, 3, 1, 1, 50), "circular"),
        (Axis(120, 20, 3, 1, 1, 50), "replicate"),
    ],
)
def test_bands_make_up_the_matrix(axis, mode, last):
    matrix = matrix_of(axis, TAPS, mode)
    bands = bands_of("conv", axis, TAPS, mode, last=last).bands
    assert (dense(bands, axis.big, last=last) == matrix).all()
    # Those of the transposed map have whole strides of rows.
    bands = bands_of("conv_transpose", axis, TAPS, mode, last=last).bands
    assert (dense(bands, axis.small, last=last) == matrix.T).all()


@pytest.mark.parametrize(
    ("axis", "mode", "taps"),
    [
        # Around a circle of 6 each row has all taps, from another place on.
        (Axis(16, 6, 6, 1, 1, 9), "circular", [1.0, 2, 3, 4, 5, 6]),
        # The columns have sums of taps, all of which move away from zero or towards it.
        (Axis(16, 2, 18, 1, 1, 16), "replicate", [*17 * [1.0], -100.0]),
        (Axis(16, 2, 18, 1, 1, 16), "replicate", [30.0, *16 * [-1.0], -15.0]),
        # All entries are equal and in a row; the first row is shorter, and the last one.
        (Axis(16, 46, 3, 3, 1, 1), "zeros", [1.0, 1, 1]),
    ],
)
def test_bands_that_differ_in_little(axis, mode, taps):
    bands = bands_of("conv", axis, taps, mode).bands
    assert (dense(bands, axis.big) == matrix_of(axis, taps, mode)).all()


def test_equal_bands_share_a_matrix():
    bands = bands_of("conv", Axis(43, 43, 3, 1, 1, 1), TAPS).bands
    assert [(band.start, band.stop) for band in bands] == [
        *((8 * n, 8 * n + 8) for n in range(5)),
        (40, 43),
    ]
    first, *inner, last = (band.parts[0] for band in bands)
    # Rows read a column on either side, where there is one.
    assert [(part.start, part.stop) for part in (first, *inner, last)] == [
        (0, 9),
        *((8 * n - 1, 8 * n + 9) for n in range(1, 5)),
        (39, 43),
    ]
    assert all(part.matrix is inner[0].matrix for part in inner)
    assert first.matrix is not inner[0].matrix


@pytest.mark.parametrize("size", [800, 1600])
@pytest.mark.parametrize("form", ["conv", "conv_transpose"])
@pytest.mark.parametrize(
    ("mode", "taps", "first", "looked"),
    [
        # The first band, the next one, which all others are like, and the last.
        ("zeros", 3, -1, 3),
        ("circular", 3, -1, 3),
        ("reflect", 3, -1, 3),
        ("zeros", 1, 0, 1),
        # Some bands in the end or the beginning have no columns, or all have none.
        ("zeros", 1, 400, 1),
        ("zeros", 1, -400, 1),
        ("zeros", 1, 2000, 0),
    ],
)
def test_few_bands_are_looked_at_one_by_one(
    mode, taps, first, looked, form, size, monkeypatch
):
    split, calls = np.split, []  # which cuts the columns of a band
    axis = Axis(size, size, taps, 1, 1, -first)
    monkeypatch.setattr(np, "split", lambda *a: calls.append(1) or split(*a))
    assert len(bands_of(form, axis, TAPS[:taps], mode).bands) == size // 8
    assert len(calls) == looked


@pytest.mark.parametrize(
    ("dilation", "parts"),
    [
        # The first tap of eight rows reads columns 0 to 7, the second one from there on.
        (23, [(0, 31)]),
        (24, [(0, 8), (24, 32)]),
    ],
)
def test_wide_gaps_between_columns_are_left_out(dilation, parts):
    axis = Axis(8, 8 + dilation, 2, 1, dilation, 0)
    (band,) = bands_of("conv", axis, [1.0, 2.0]).bands
    assert [(part.start, part.stop) for part in band.parts] == parts


@pytest.mark.parametrize(
    ("form", "axis", "mode", "most"),
    [
        ("conv", Axis(40, 40, 3, 1, 1, 1), "zeros", 7.0),
        # Even elements get the outer taps, odd ones the middle one.
        ("conv_transpose", Axis(20, 41, 3, 2, 1, 0), "zeros", 5.0),
        # Taps that meet in an element are added up: to 3, -1 and 1 in the first one, and to
        # 4, 2 and 3 in the last.
        ("conv", Axis(10, 8, 3, 1, 1, 2), "replicate", 7.0),
        ("conv_transpose", Axis(10, 8, 3, 1, 1, 2), "replicate", 9.0),
        ("conv", Axis(30, 40, 3, 1, 1, 90), "zeros", 0.0),
        ("conv", Axis(0, 2, 3, 1, 1, 0), "zeros", 0.0),
    ],
)
def test_the_largest_sum_of_magnitudes_of_a_row(form, axis, mode, most):
    assert bands_of(form, axis, TAPS, mode).most == most


@pytest.mark.parametrize(
    ("axis", "mode", "runs"),
    [
        # The first band, four alike, and three rows that are left.
        (Axis(43, 43, 3, 1, 1, 1), "zeros", [(0, 1, 0), (8, 4, 8), (40, 1, 0)]),
        # With a stride of two, bands are 16 columns apart.
        (Axis(32, 64, 1, 2, 1, 0), "zeros", [(0, 4, 16)]),
        # Around a circle the first and the last band have two parts.
        (Axis(40, 40, 3, 1, 1, 1), "circular", [(0, 1, 0), (8, 3, 8), (32, 1, 0)]),
        # Bands that read columns apart have two parts each.
        (Axis(16, 40, 2, 1, 24, 0), "zeros", [(0, 1, 0), (8, 1, 0)]),
        # The second one has the first part of the other alone.
        (Axis(16, 32, 2, 1, 24, 0), "zeros", [(0, 1, 0), (8, 1, 0)]),
        # Two bands with nothing to read, two that do, and two again.
        (
            Axis(46, 16, 3, 1, 1, 16),
            "zeros",
            [(n, 1, 0) for n in range(0, 46, 8)],
        ),
        # Bands that read one element are not moved, and not joined.
        (
            Axis(40, 3, 1, 1, 1, 16),
            "replicate",
            [(n, 1, 0) for n in range(0, 40, 8)],
        ),
    ],
)
def test_bands_that_are_alike_are_joined(axis, mode, runs):
    taps = TAPS[: axis.kernel]
    got = runs_of(bands_of("conv", axis, taps, mode).bands)
    assert [(run.first.start, run.repeats, run.shift) for run in got] == runs


def test_bands_that_are_moved_by_other_steps_are_not_joined():
    first, *_ = bands_of("conv", Axis(8, 8, 1, 1, 1, 0), [1.0]).bands
    (part,) = first.parts

    def moved(number, column):
        there = part._replace(start=column, stop=column + 8)
        return first._replace(start=8 * number, stop=8 * number + 8, parts=(there,))

    bands = [moved(n, column) for n, column in enumerate([0, 8, 16, 26, 36, 30])]
    assert runs_of(bands) == (
        BandRun(bands[0], 3, 8),
        BandRun(bands[3], 2, 10),
        BandRun(bands[5], 1, 0),
    )
    back = [moved(n, column) for n, column in enumerate([8, 0])]
    assert runs_of(back) == tuple(BandRun(band, 1, 0) for band in back)
    assert [run.rows for run in runs_of(bands)] == [
        slice(0, 24),
        slice(24, 40),
        slice(40, 48),
    ]
