"""A decoder in the shape of DAC's: the stream does the work of the whole, in its memory."""

import gc
import tracemalloc

import numpy as np
import pytest

from mtconv.streaming import ConvStream, base
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


@pytest.mark.parametrize("chunk", [1, 7])
def test_overlaps_multiply_more_than_twice_as_often(layers, chunk):
    x, side = spectra(24), -(-layers.latency // HOP)
    with counting() as counts:
        whole(CHANNELS)(x)
    with counting() as overlapped:
        by_overlaps(whole(CHANNELS), x, chunk, side)
    assert sum(overlapped) > 2 * sum(counts)


def test_a_step_like_one_before_works_out_no_geometry(layers, monkeypatch):
    x = spectra(4)
    state, _ = layers.step(layers.start(1, "float32"), x)
    for _ in range(24):  # until every layer has what it waits for
        state, _ = layers.step(state, x)
    expected = layers.step(state, x)[1]

    def refuse(*_):
        pytest.fail("geometry is worked out again")

    for name in ("problem", "piece_between", "check_cells", "with_axis"):
        monkeypatch.setattr(base, name, refuse)
    got = layers.step(state, x)[1]
    np.testing.assert_array_equal(got, expected)


def test_many_lengths_of_chunks_are_right_and_kept_no_longer_than_they_are_few():
    stream = ConvStream([1, 10], padding=1)
    state, chunks, outputs = stream.start(), [], []
    for length in range(1100):
        chunks.append(np.arange(length))
        state, output = stream.step(state, chunks[-1])
        outputs.append(output)
    padded = np.pad(np.concatenate(chunks), 1)
    got = np.concatenate([*outputs, stream.flush(state)])
    np.testing.assert_array_equal(got, padded[:-1] + 10 * padded[1:])
    assert len(stream._works) <= 1024


def test_the_latency_is_the_context_that_overlaps_need(layers):
    x, side = spectra(24), -(-layers.latency // HOP)
    expected = whole(CHANNELS)(x)
    enough = by_overlaps(whole(CHANNELS), x, 4, side)
    np.testing.assert_allclose(enough, expected, atol=1e-5)
    short = by_overlaps(whole(CHANNELS), x, 4, side - 2)
    assert abs(short - expected).max() > 1e-3


@pytest.fixture
def only_new_garbage():
    """Leave out of collections what other tests have made, which takes long to look at."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_new_garbage")
def test_memory_does_not_grow_with_the_signal():
    layers = decoder(16)
    steps, peaks = (30, 30, 300), []
    for count in steps:  # the first makes what is kept between calls
        tracemalloc.start()
        state = layers.start(1, "float32")
        for number in range(count):
            state, output = layers.step(state, spectra(2))
            if number % 10 == 0:  # how late that is otherwise depends on all else
                gc.collect()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The outputs would take as much if something kept them.
    assert peaks[2] - peaks[1] < output.nbytes * (steps[2] - steps[1]) / 10
