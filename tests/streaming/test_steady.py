"""Steady streams give the result after their latency, for signals of any length."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtconv.streaming import (
    ConvStream,
    ConvTransposeStream,
    InverseSTFTStream,
    chain,
    map_state,
    residual,
)

UP = ConvTransposeStream([1, 10, 100], stride=2)
WIDE = ConvStream([1, 10], padding=((4, 5),))
CROPPED = ConvTransposeStream([1, 10, 100], padding=((1, 4),))
NOTHING = {
    "stream": UP,
    "padding beyond the kernel": WIDE,
    "cropped at the end": CROPPED,
    "chain": chain(UP, WIDE, CROPPED),
    "padding late in a chain": chain(ConvStream([1, 1, 1]), WIDE, abs, WIDE),
    "residual branch": residual(ConvStream([1, 10, 100], padding=1)),
    "bias": ConvTransposeStream(np.ones((1, 1, 3)), np.array([7.0])),
    "spectra": InverseSTFTStream(8, 2),
}


def chunk_of(stream, size):
    if isinstance(stream, InverseSTFTStream):
        return np.ones((5, size), "complex64")
    wide = stream is NOTHING["bias"]
    return np.ones((1, size)) if wide else np.ones(size, "int64")


def joined(stream, chunks, *, steady):
    state, outputs = stream.start(steady=steady), []
    for chunk in chunks:
        state, output = stream.step(state, chunk)
        outputs.append(output)
    result = np.concatenate([*outputs, stream.flush(state)], -1)
    return result[..., stream.latency if steady else 0 :]


@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_signal_of_no_elements_gives_none(name, steps):
    stream = NOTHING[name]
    chunks = [chunk_of(stream, 0)] * steps
    for steady in (False, True):
        assert joined(stream, chunks, steady=steady).shape[-1] == 0


@pytest.mark.parametrize("name", NOTHING)
def test_a_signal_of_one_element_gives_as_much_as_the_whole(name):
    stream = NOTHING[name]
    chunks = [chunk_of(stream, size) for size in (0, 1, 0)]
    late, plain = (joined(stream, chunks, steady=steady) for steady in (True, False))
    assert late.tolist() == plain.tolist()


def test_a_signal_that_is_too_short_for_the_first_layer_gives_none_of_the_second():
    layers = chain(ConvStream([1, 1]), ConvTransposeStream([1, 10, 100]))
    assert joined(layers, [[5]], steady=True).tolist() == []
    # 5 + 7 times the taps.
    assert joined(layers, [[5], [7]], steady=True).tolist() == [12, 120, 1200]


@st.composite
def layers(draw):
    """A stream of one small layer, with any padding."""
    kernel = draw(st.lists(st.integers(-3, 3), min_size=1, max_size=4))
    options = {
        "stride": draw(st.integers(1, 3)),
        "dilation": draw(st.integers(1, 2)),
        "padding": ((draw(st.integers(-2, 6)), draw(st.integers(-2, 6))),),
    }
    return draw(st.sampled_from([ConvStream, ConvTransposeStream]))(kernel, **options)


@settings(max_examples=150)
@given(st.lists(layers(), min_size=1, max_size=4), st.data())
def test_a_steady_chain_gives_what_the_plain_one_gives(stack, data):
    stream = chain(*stack)
    sizes = data.draw(st.lists(st.integers(0, 5), max_size=4))
    chunks = [np.arange(1, size + 1) for size in sizes]
    late, plain = (joined(stream, chunks, steady=steady) for steady in (True, False))
    assert late.tolist() == plain.tolist()


def test_nothing_comes_early_whatever_the_padding():
    for lo, hi, stride, cls in product(
        range(-2, 6), range(-2, 6), (1, 2, 3), (ConvStream, ConvTransposeStream)
    ):
        stream = cls([1, 10, 100], stride=stride, padding=((lo, hi),))
        state = stream.start(steady=True)
        for before in range(4):
            size = stream.flush(stream._open(np.zeros(0, "int64"), before)).size
            assert size <= stream._lead(before)
        state, first = stream.step(state, np.arange(stride))
        _, second = stream.step(state, np.arange(stride))
        assert first.size == second.size


def test_compiled_steps_count_what_has_come(jax_numpy):
    import jax

    layers = chain(UP, WIDE)
    step = jax.jit(layers.step)
    state = layers.start(steady=True)
    outputs = []
    for size in (0, 2, 3):
        state, output = step(state, jax_numpy.arange(1, size + 1))
        outputs.append(output)
    result = jax_numpy.concatenate([*outputs, layers.flush(state)])[layers.latency :]
    chunks = [np.arange(1, size + 1) for size in (0, 2, 3)]
    assert result.tolist() == joined(layers, chunks, steady=False).tolist()
    nothing, _ = step(layers.start(steady=True), jax_numpy.arange(0))
    assert layers.flush(nothing).size == 0


def test_the_states_of_steady_streams_are_mapped_as_others_are():
    stream = ConvTransposeStream(np.array([[[1.0, 10.0, 100.0]]]), stride=2)
    layers = chain(stream, stream)
    for each in (stream, layers):
        state, _ = each.step(each.start(4, steady=True), np.arange(8.0).reshape(4, 1, 2))
        few = map_state(lambda cells: 2 * cells[1:3], state)
        assert each.flush(few).tolist() == (2 * each.flush(state)[1:3]).tolist()
        both = map_state(lambda *cells: np.concatenate(cells), few, few)
        assert each.flush(both).shape[0] == 4


def test_states_of_steady_streams_are_stacked_for_vmap(jax_numpy):
    import jax

    layers = chain(UP, WIDE)
    state = layers.start(steady=True)
    empty, _ = layers.step(state, jax_numpy.arange(0))
    first, _ = layers.step(state, jax_numpy.arange(2))
    chunks = jax_numpy.asarray([[1, 2, 3], [4, 5, 6]])
    stacked = jax.tree.map(lambda *leaves: jax_numpy.stack(leaves), first, first)
    after, outputs = jax.vmap(layers.step)(stacked, chunks)
    rest = jax.vmap(layers.flush)(after)
    for number, chunk in enumerate(chunks):
        alone, output = layers.step(first, chunk)
        assert outputs[number].tolist() == output.tolist()
        assert rest[number].tolist() == layers.flush(alone).tolist()
    assert layers.flush(empty).size == 0
