"""Blocks of whole strides: residues, strides that a result touches, and spans of both."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host.stride_blocks import (
    Span,
    blocks_of,
    residues_of,
    spans_of,
    strides_of,
)
from mtconv.geometry import Axis


def test_residues_with_as_many_taps_are_rows_of_one_product():
    """40 taps are two strides of 16, and 8 of a third."""
    assert residues_of(Axis(3, 60, 40, 16)) == [(3, 0, 8), (2, 8, 16)]
    assert residues_of(Axis(3, 60, 32, 16)) == [(2, 0, 16)]
    assert residues_of(Axis(3, 60, 5, 16)) == [(1, 0, 5), (0, 5, 16)]


@pytest.mark.parametrize(
    ("lo", "big", "strides"),
    [(0, 32, (0, 2)), (0, 33, (0, 3)), (5, 60, (0, 5)), (16, 16, (1, 2)), (-3, 4, (-1, 1))],
)
def test_strides_that_a_result_touches(lo, big, strides):
    assert strides_of(Axis(3, big, 40, 16, 1, lo)) == strides


def test_strides_that_the_ends_cut_are_spans_of_their_own():
    """60 elements from element 5 on: 11 of stride 0, strides 1 to 3, one of stride 4."""
    axis = Axis(3, 60, 40, 16, 1, 5)
    first, last = residues_of(axis)
    assert spans_of(axis, first) == [
        (slice(1, 4), 0, 8, 11),
        (slice(0, 1), 5, 8, -5),
        (slice(4, 5), 0, 1, 59),
    ]
    assert spans_of(axis, last) == [
        (slice(1, 4), 8, 16, 11),
        (slice(0, 1), 8, 16, -5),
    ]


def test_a_result_within_one_stride_is_one_span():
    axis = Axis(3, 4, 16, 16, 1, 21)
    assert strides_of(axis) == (1, 2)
    assert spans_of(axis, residues_of(axis)[0]) == [(slice(0, 1), 5, 9, -5)]
    axis = Axis(3, 10, 16, 16, 1, 11)  # two strides, and neither of them whole
    assert spans_of(axis, residues_of(axis)[0]) == [
        (slice(0, 1), 11, 16, -11),
        (slice(1, 2), 0, 5, 5),
    ]
    axis = Axis(3, 32, 16, 16, 1, 16)
    assert spans_of(axis, residues_of(axis)[0]) == [(slice(0, 2), 0, 16, 0)]


@pytest.mark.parametrize(
    ("span", "first"),
    [
        (Span(slice(1, 4), 2, 5, 11), 13),
        (Span(slice(0, 1), 6, 9, -5), 1),
        (Span(slice(4, 5), 0, 1, 59), 59),
        (Span(slice(1, 4), 4, 16, 16), 20),
    ],
)
def test_blocks_are_views_of_the_result(span, first):
    axis = Axis(3, 64, 40, 16, 1, 5)
    out = np.arange(64).reshape(1, 1, 1, 64)
    got = blocks_of((axis,), out, (span,))
    count, width = span.strides.stop - span.strides.start, span.high - span.low
    expected = [[first + 16 * q + n for n in range(width)] for q in range(count)]
    assert got[0, 0, 0].tolist() == expected
    assert np.shares_memory(got, out)
