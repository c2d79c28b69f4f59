"""A decoder in the shape of DAC's: the stream does the work of the whole, in its memory."""

import tracemalloc

import numpy as np
import pytest

from tests.benchmarks.bench_streams import by_overlaps, by_stream, counting, spectra
from tests.benchmarks.decoder import HOP, decoder, whole

CHANNELS = 32


@pytest.fixture(scope="module")
def layers():
    return decoder(CHANNELS)


@pytest.mark.parametrize("chunk", [1, 5, 12])
def test_it_gives_the_whole_and_multiplies_as_often(layers, chunk):
    x = spectra(12)
    with counting() as counts:
        expected = whole(CHANNELS)(x)
    with counting() as chunked:
        got = by_stream(layers, x, chunk)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert sum(chunked) == sum(counts) > 10**6


def test_the_latency_is_the_context_that_overlaps_need(layers):
    x, side = spectra(24), -(-layers.latency // HOP)
    expected = whole(CHANNELS)(x)
    enough = by_overlaps(whole(CHANNELS), x, 4, side)
    np.testing.assert_allclose(enough, expected, atol=1e-5)
    short = by_overlaps(whole(CHANNELS), x, 4, side - 2)
    assert abs(short - expected).max() > 1e-3


def test_memory_does_not_grow_with_the_signal():
    layers = decoder(16)
    steps, peaks = (30, 30, 300), []
    for count in steps:  # the first makes what is kept between calls
        tracemalloc.start()
        state = layers.start(1, "float32")
        for _ in range(count):
            state, output = layers.step(state, spectra(2))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The outputs would take as much if something kept them.
    assert peaks[2] - peaks[1] < output.nbytes * (steps[2] - steps[1]) / 10
