"""Cuts of an axis and what its blocks need, worked out by hand.

One tap links small element i and big element o where o = stride*i + dilation*j - lo.
"""

from __future__ import annotations

import pytest

pytest.importorskip("dask.array")

from mtconv.backends._dask.chunks import (
    Need,
    ResultBlock,
    big_bounds,
    bounds,
    forward_blocks,
    locate,
    sizes,
    small_bounds,
    sources,
    transposed_blocks,
    unfolded,
    unfolded_bounds,
    within,
)
from mtconv.geometry import Axis

# Small element i reaches the big elements 2i - 1 .. 2i + 2.
STEPS = Axis(small=6, big=12, kernel=4, stride=2, lo=1)
# No tap reaches the first two elements of the big side.
LATE = Axis(small=3, big=9, kernel=3, stride=2, lo=-2)
# Of the big side, the first ten elements are cropped.
CROPPED = Axis(small=24, big=15, kernel=2, lo=10)
# One element of padding at each end.
RING = Axis(small=6, big=6, kernel=3, lo=1)


def test_bounds_and_sizes() -> None:
    assert bounds((2, 0, 3)) == (0, 2, 2, 5)
    assert sizes((0, 2, 2, 5)) == (2, 0, 3)


def test_cuts_are_strictly_inside_in_order_and_once() -> None:
    assert within([7, 3, -1, 0, 6, 3, 1, 8], 7) == (0, 1, 3, 6, 7)
    assert within([], 4) == (0, 4)


@pytest.mark.parametrize(
    ("axis", "small", "big"),
    [
        (STEPS, (0, 2, 5, 6), (0, 4, 10, 12)),
        (STEPS, (0, 6), (0, 12)),
        # An empty chunk cuts nothing.
        (STEPS, (0, 0, 2, 2, 6, 6), (0, 4, 12)),
        # Element 1 reaches nothing before 2*1 + 2, and nothing cuts where element 0 begins.
        (LATE, (0, 1, 3), (0, 4, 9)),
        # Element i reaches i - 10 and i - 9: the cut is before the latter.
        (CROPPED, (0, 6, 12, 18, 24), (0, 3, 9, 15)),
    ],
)
def test_the_big_side_is_cut_where_the_small_side_is(
    axis: Axis, small: tuple[int, ...], big: tuple[int, ...]
) -> None:
    assert big_bounds(axis, small) == big


@pytest.mark.parametrize(
    ("axis", "big", "small"),
    [
        (STEPS, (0, 4, 10, 12), (0, 2, 5, 6)),
        # Odd cuts go to the next element.
        (STEPS, (0, 3, 9, 12), (0, 2, 5, 6)),
        (STEPS, (0, 0, 1, 12, 12), (0, 1, 6)),
        (LATE, (0, 4, 9), (0, 1, 3)),
        (LATE, (0, 1, 5, 9), (0, 2, 3)),
        (CROPPED, (0, 3, 9, 15), (0, 12, 18, 24)),
    ],
)
def test_the_small_side_is_cut_where_the_big_side_is(
    axis: Axis, big: tuple[int, ...], small: tuple[int, ...]
) -> None:
    assert small_bounds(axis, big) == small


def test_the_axis_inside_of_a_padded_one() -> None:
    assert unfolded(STEPS, "zeros") is STEPS
    inner = unfolded(RING, "circular")
    assert inner == Axis(small=6, big=8, kernel=3)
    assert unfolded_bounds(RING, inner, (0, 3, 5, 6)) == (0, 1, 4, 6, 7, 8)
    assert unfolded_bounds(RING, RING, (0, 3, 5, 6)) == (0, 3, 5, 6)
    # Two of the big side are in no window: nothing is padded at the high end.
    short = Axis(small=2, big=6, kernel=2, stride=2, lo=1)
    assert unfolded(short, "reflect") == Axis(small=2, big=7, kernel=2, stride=2)
    assert sources(short, "reflect") == (1, 0, 1, 2, 3, 4, 5)
    wide = Axis(small=5, big=4, kernel=4, lo=3)
    assert sources(wide, "circular") == (1, 2, 3, 0, 1, 2, 3, 0)


def test_blocks_of_a_transposed_convolution() -> None:
    first, second, third = transposed_blocks(STEPS, (0, 2, 5, 6), (0, 4, 10, 12))
    assert first == ResultBlock(
        Need(((0, 0, 2), (1, 0, 1)), None), Axis(3, 4, 4, stride=2, lo=1)
    )
    assert second == ResultBlock(
        Need(((0, 1, 2), (1, 0, 3), (2, 0, 1)), None), Axis(5, 6, 4, stride=2, lo=3)
    )
    assert third == ResultBlock(
        Need(((1, 2, 3), (2, 0, 1)), None), Axis(2, 2, 4, stride=2, lo=3)
    )


@pytest.mark.parametrize(
    ("axis", "big", "parts", "lo"),
    [
        # Behind the last element: the last one is read, of the last chunk.
        (Axis(small=4, big=12, kernel=1), (0, 4, 12), ((1, 2, 3),), 1),
        # Before the first one.
        (Axis(small=4, big=8, kernel=1, lo=-5), (0, 3, 8), ((0, 0, 1),), -5),
        # Between the second and the third.
        (Axis(small=4, big=31, kernel=1, stride=10), (11, 14, 31), ((1, 1, 2),), -9),
    ],
)
def test_a_block_that_nothing_reaches_reads_one_element(
    axis: Axis, big: tuple[int, ...], parts: tuple[tuple[int, int, int], ...], lo: int
) -> None:
    blocks = transposed_blocks(axis, (0, 1, 4), big)
    untouched = blocks[1] if axis.big == 12 else blocks[0]
    assert untouched.need == Need(parts, None)
    assert untouched.axis.small == 1
    assert untouched.axis.lo == lo


def test_blocks_of_a_convolution() -> None:
    first, second, third = forward_blocks(STEPS, "zeros", (0, 4, 10, 12), (0, 2, 5, 6))
    assert first == ResultBlock(
        Need(((0, 0, 4), (1, 0, 1)), None), Axis(2, 5, 4, stride=2, lo=1)
    )
    assert second == ResultBlock(
        Need(((0, 3, 4), (1, 0, 6), (2, 0, 1)), None), Axis(3, 8, 4, stride=2, lo=0)
    )
    assert third == ResultBlock(
        Need(((1, 5, 6), (2, 0, 2)), None), Axis(1, 3, 4, stride=2, lo=0)
    )


def test_blocks_of_a_convolution_that_wraps_around() -> None:
    """Element i reads i - 1 .. i + 1: the first and the last block, both ends."""
    blocks = forward_blocks(RING, "circular", (0, 3, 6), (0, 2, 4, 6))
    assert [block.need for block in blocks] == [
        Need(((0, 0, 3), (1, 2, 3)), (3, 0, 1, 2)),
        Need(((0, 1, 3), (1, 0, 2)), None),
        Need(((0, 0, 1), (1, 0, 3)), (1, 2, 3, 0)),
    ]
    assert [block.axis for block in blocks] == [Axis(2, 4, 3)] * 3


@pytest.mark.parametrize("mode", ["zeros", "replicate"])
def test_small_elements_that_no_big_one_meets_read_one(mode: str) -> None:
    """A kernel of one tap at seven places, of which the first two are in the big side."""
    axis = Axis(small=7, big=2, kernel=1, lo=0)
    block = forward_blocks(axis, mode, (0, 1, 2), (0, 3, 7))[1]
    if mode == "zeros":
        assert block == ResultBlock(Need(((1, 0, 1),), None), Axis(4, 1, 1, lo=-2))
    else:  # each has an element of the padding
        assert block == ResultBlock(Need(((1, 0, 1),), (0, 0, 0, 0)), Axis(4, 4, 1))


EDGES = (0, 3, 3, 10, 14)


@pytest.mark.parametrize(
    ("cells", "need"),
    [
        (range(8, 10), Need(((2, 5, 7),), None)),
        (range(1, 12), Need(((0, 1, 3), (2, 0, 7), (3, 0, 2)), None)),
        (range(2, 3), Need(((0, 2, 3),), None)),
        (range(13, 14), Need(((3, 3, 4),), None)),
        # Elements that follow one another are as good as a range.
        ((8, 9), Need(((2, 5, 7),), None)),
        ((1, 2, 3), Need(((0, 1, 3), (2, 0, 1)), None)),
        # Gaps, also within one chunk, are not read.
        ((1, 5, 9), Need(((0, 1, 2), (2, 2, 3), (2, 6, 7)), None)),
        # What is repeated is read once.
        ((8, 4, 4, 0), Need(((0, 0, 1), (2, 1, 2), (2, 5, 6)), (2, 1, 1, 0))),
        ((9, 8, 8, 9), Need(((2, 5, 7),), (1, 0, 0, 1))),
        ((2, 2), Need(((0, 2, 3),), (0, 0))),
    ],
)
def test_elements_are_found_in_their_chunks(
    cells: range | tuple[int, ...], need: Need
) -> None:
    assert locate(EDGES, cells) == need


@pytest.mark.parametrize("cells", [range(0), range(2, 2), ()])
@pytest.mark.parametrize("edges", [(0, 3), (0, 0, 3), (0, 0)])
def test_no_elements_are_an_empty_part_of_the_first_chunk(
    edges: tuple[int, ...], cells: range | tuple[int, ...]
) -> None:
    assert locate(edges, cells) == Need(((0, 0, 0),), None)
