"""Margins of padding modes come in few parts, however wide they are beside their axis."""

import numpy as np
import pytest

import mtconv
from mtconv import ConvSpec
from mtconv.backends.host import padding
from mtconv.backends.host.padding import folded_parts
from mtconv.geometry import Axis
from mtconv.planning import tuning

# The same of `numpy.pad`.
MODES = {
    "circular": "wrap",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
}
PADDING = 30_000


def folded(x, kernel, size, mode):
    """The transposed convolution without padding, folded by the sources of `numpy.pad`."""
    result = np.zeros(size, int)
    sources = np.pad(np.arange(size), PADDING, MODES[mode])
    np.add.at(result, sources, np.convolve(x, kernel))
    return result


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_padding_that_is_many_times_as_wide_as_its_axis(size, mode):
    x, kernel = np.arange(size + 2 * PADDING - 2) % 7, np.array([1, 2, -4])
    options = {"padding": PADDING, "padding_mode": mode, "output_size": size}
    got = mtconv.conv_transpose(x, kernel, **options)
    np.testing.assert_array_equal(got, folded(x, kernel, size, mode))


def parts_of(size, padding, nbytes):
    shape = (1, 1, size + 2 * padding - 2)
    options = {"padding": padding, "padding_mode": "circular", "output_size": size}
    spec = ConvSpec.from_shapes(shape, (1, 1, 3), **options)
    return list(folded_parts(spec, (slice(0, size),), (slice(0, 3),), nbytes))


def test_small_blocks_have_few_parts():
    # An element takes 8 bytes and has the columns of three taps, and of x.
    elements = tuning.FOLDED_BYTES // (8 * 4)
    parts = parts_of(size=2, padding=PADDING, nbytes=2 * 8)
    assert len(parts) == -(-(2 + 2 * PADDING) // elements)


def test_parts_of_large_blocks_are_twice_as_long_as_they():
    parts = parts_of(size=100, padding=1000, nbytes=2**24)
    assert [part.axis.big for (part,) in parts] == [200] * 10 + [100]


def test_axes_share_the_elements_of_small_blocks():
    """6 elements of 8 bytes, one tap and x: 2**18 bytes are those of 16384 elements."""
    options = {"padding": (3000, 6), "padding_mode": "circular"}
    spec = ConvSpec.from_shapes((1, 1, 6000, 15), (1, 1, 3, 1), **options)
    taps = (slice(1, 2), slice(0, 1))
    parts = folded_parts(spec, (slice(0, 2), slice(0, 3)), taps, 6 * 8)
    sizes = [tuple(part.axis.big for part in pair) for pair in parts]
    # The first axis is cut where the other has twice the 3 elements of the block.
    assert sizes == [(n, m) for n in (2730, 2730, 542) for m in (6, 6, 3)]


@pytest.mark.parametrize(
    ("ranges", "longest", "joined"),
    [
        ([(3, 5), (5, 6)], 9, [(3, 6)]),
        ([(3, 6), (8, 9), (10, 11), (11, 12)], 9, [(3, 6), (8, 9), (10, 12)]),
        ([(0, 5)], 2, [(0, 2), (2, 4), (4, 5)]),
        ([(0, 1), (1, 4)], 2, [(0, 2), (2, 4)]),
        ([(0, 601)], 300, [(0, 300), (300, 600), (600, 601)]),
        ([], 4, []),
    ],
)
def test_neighbouring_ranges_are_one_up_to_a_length(ranges, longest, joined):
    assert list(padding.neighbours(ranges, longest)) == joined


def test_margins_wider_than_a_block_come_in_parts():
    """Parts have a largest length, so that memory is bounded."""
    axis = Axis(19, 3, 1, 1, 1, 8)
    parts = padding.parts_of(axis, "circular", (1, 3), (0, 1), 4)
    assert [(part.small.start, part.small.stop) for part in parts] == [
        *((n, n + 2) for n in range(0, 18, 3)),
        (18, 19),
    ]
    parts = padding.parts_of(axis, "replicate", (2, 3), (0, 1), 2)
    assert [(part.small.start, part.small.stop) for part in parts] == [
        *((n, n + 2) for n in range(10, 18, 2)),
        (18, 19),
    ]


def test_parts_are_as_long_as_they_may_be_wherever_they_are():
    parts = padding.parts_of(Axis(25, 5, 1, 1, 1, 10), "symmetric", (3, 5), (0, 1), 4)
    assert max(part.axis.big for part in parts) == 4
    assert (
        padding.parts_of(Axis(1, 4, 1, 1, 1, 2), "replicate", (1, 2), (0, 1), 2) == ()
    )  # not reached


def test_a_repeated_cell_keeps_its_axis():
    runs = ((slice(0, 3), 1), (slice(3, 5), slice(4, 2, -1)))
    target, source = padding.indices(runs)
    assert target == (..., slice(0, 3), slice(3, 5))
    assert source == (..., slice(1, 2), slice(4, 2, -1))


@pytest.mark.parametrize(
    ("stretch", "index"),
    [
        ((2, 3, 1), slice(2, 5, 1)),
        ((4, 3, -1), slice(4, 1, -1)),
        ((2, 3, -1), slice(2, None, -1)),  # down to cell 0
        ((3, 3, -1), slice(3, 0, -1)),
        ((0, 3, 0), 0),
        ((0, 1, 1), slice(0, 1, 1)),
    ],
)
def test_stretches_become_indices(stretch, index):
    assert padding.source_of(*stretch) == index
