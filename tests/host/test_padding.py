"""Margins of padding modes come in few parts, however wide they are beside their axis."""

import numpy as np
import pytest

import mtconv
from mtconv import ConvSpec
from mtconv.backends.host.padding import folded_parts
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
