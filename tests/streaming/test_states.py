"""States that were damaged: each is refused by name, or was what it should be after all."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtconv import BackendError, GeometryError
from mtconv.streaming import (
    ConvStream,
    ConvTransposeStream,
    InverseSTFTStream,
    StreamState,
    base,
    chain,
    residual,
)

DOWN = ConvStream(np.ones((2, 1, 3)), stride=2, padding=1)
UP = ConvTransposeStream(np.ones((1, 2, 4)), stride=3, padding=1, output_padding=1)
SAME = residual(np.negative, ConvStream(np.ones((1, 1, 5)), padding=2))
STREAMS = {
    "conv": (DOWN, {"batch": 2}, (2, 1, 5)),
    "conv_transpose": (UP, {"batch": 2}, (2, 1, 5)),
    "no batch": (UP, {}, (1, 5)),
    "bare": (ConvStream([1.0, 10.0, 100.0]), {}, (5,)),
    "image": (
        ConvStream(np.ones((1, 2, 3, 2)), axis=0, layout="NHWC"),
        {"batch": 2, "size": 4},
        (2, 5, 4, 2),
    ),
    "steady": (UP, {"batch": 2, "steady": True}, (2, 1, 5)),
    "chain": (chain(SAME, np.abs, UP), {"batch": 2}, (2, 1, 5)),
    "residual": (residual(SAME, np.abs), {"batch": 2}, (2, 1, 5)),
    "steady residual": (SAME, {"batch": 2, "steady": True}, (2, 1, 5)),
    "spectra": (InverseSTFTStream(8, window=np.hanning(8)), {"batch": 2}, (2, 5, 5)),
}

NUMBERS = [
    *(-1, -100, 10**9, 10**30, 2.5, float("nan"), np.float64(2), True, "3", "", None),
    *([2], [], (1,), {}, object(), 2j, np.array(2.0), np.array([2]), np.array([[1, 2]])),
]
LEADS = [
    *(-2, 2**31, 2.5, float("nan"), True, "x", [0], (), {}, object(), 1j, np.array(0.0)),
    *(np.array([0]), np.array([3, 4]), np.array("x"), np.array(True), np.array(-2)),
    *(np.array(None), np.array(1j), np.ma.array(3), np.array(2**40)),
]


def bad_arrays(array):
    """Arrays and others that cannot take the place of this one; none if it is bad."""
    if type(array) is not np.ndarray or array.dtype.kind not in "fc" or not array.ndim:
        return []
    # Another batch is that of another state, and so is another width of images.
    may_vary = {3: (0,), 4: (0, 2)}.get(array.ndim, ())
    wider = [
        (*array.shape[:axis], size + 1, *array.shape[axis + 1 :])
        for axis, size in enumerate(array.shape)
        if axis not in may_vary
    ]
    return [
        *(None, 3, "abc", [], [[1], [2, 3]], object(), {}, {1: 2}, np.array(0.0), float),
        *map(np.ones, wider),
        *(
            array[..., None, None],
            array[None, None],
            array.ravel()[:0][:, None, None, None],
        ),
        *(array.astype(object), array.astype(bool), array.astype("M8[s]")),
        *(np.ma.array(array), array.astype(str), array.tolist().__iter__()),
    ]


BAD = {"cells": bad_arrays, "position": lambda _: NUMBERS, "held": lambda _: NUMBERS}


def damages(state):
    """All states that differ from this one at one place, with the place in words."""
    if isinstance(state, StreamState):
        for field in fields(state):
            value = getattr(state, field.name)
            bad = LEADS if field.name == "lead" else BAD[field.name](value)
            for other in bad:
                if not (other is value or (field.name == "position" and other is True)):
                    yield f"{field.name}: {other!r}", replace(state, **{field.name: other})
    elif isinstance(state, tuple):
        for other in (None, 3, (), "ab", state[:-1], (*state, None), object(), []):
            yield f"parts: {other!r}", other
        for number, part in enumerate(state):
            for place, other in damages(part):
                changed = (*state[:number], other, *state[number + 1 :])
                yield f"{number}, {place}", changed
    elif state is None:
        for other in (3, (), "ab", np.ones(3)):
            yield f"function: {other!r}", other
    else:
        for other in (a for a in bad_arrays(state) if a is not None):
            yield f"waiting: {other!r}", other


def begun(name):
    """A stream, its state after a chunk, and the next chunk."""
    stream, start, shape = STREAMS[name]
    chunk = np.ones(shape, "complex64" if name == "spectra" else "float64")
    state, _ = stream.step(stream.start(**start), chunk)
    return stream, state, chunk


@pytest.mark.parametrize("name", STREAMS)
def test_a_state_that_is_damaged_at_one_place_is_refused(name):
    stream, state, chunk = begun(name)
    count = 0
    for place, other in damages(state):
        for method, arguments in (("step", (chunk,)), ("flush", ())):
            with pytest.raises((GeometryError, BackendError)) as error:  # noqa: PT012
                getattr(stream, method)(other, *arguments)
                pytest.fail(f"{method} took {place}")
            name_of = re.match(
                r"(\w+)\.(\w+)(, layer \d)?: `(state|chunk)` ", str(error.value)
            )
            assert name_of, error.value
            assert name_of[1] in (type(stream).__name__, "chain", "residual")
            assert name_of[2] == method
            count += 1
    assert count >= 160


def outcome(stream, state, chunk):
    """The outputs of a step and of the flush; None for what is refused."""
    outputs = []
    for call in (lambda: stream.step(state, chunk)[1], lambda: stream.flush(state)):
        try:
            outputs.append(call())
        except (GeometryError, BackendError):
            outputs.append(None)
    return outputs


@settings(max_examples=300)
@given(st.sampled_from(sorted(STREAMS)), st.data())
def test_a_state_that_is_damaged_at_several_places_makes_no_other_error(name, data):
    stream, state, chunk = begun(name)
    expected = outcome(stream, state, chunk)
    other = state
    for _ in range(data.draw(st.integers(1, 3))):
        ways = list(damages(other))
        if ways:
            other = data.draw(st.sampled_from(ways))[1]
    for right, output in zip(expected, outcome(stream, other, chunk), strict=True):
        if output is not None:
            assert type(output) is np.ndarray
            assert output.ndim == right.ndim
            assert output.dtype == right.dtype


@pytest.mark.parametrize("name", STREAMS)
def test_numbers_of_other_integer_types_are_numbers(name):
    stream, state, chunk = begun(name)

    def written(part):
        if isinstance(part, StreamState):
            lead = None if part.lead is None else int(part.lead)
            position, held = np.int64(part.position), np.uint8(part.held)
            return replace(part, position=position, held=held, lead=lead)
        return tuple(map(written, part)) if isinstance(part, tuple) else part

    expected = outcome(stream, state, chunk)
    for right, output in zip(expected, outcome(stream, written(state), chunk), strict=True):
        assert output.dtype == right.dtype
        assert output.tolist() == right.tolist()


WORDS = {
    "position": (
        lambda: DOWN.step(replace(DOWN.start(2), position=-1), np.ones((2, 1, 5))),
        "ConvStream.step: `state` must be a state of this stream; got position=-1. Take "
        "the one that `start` or the last `step` returned.",
    ),
    "position of a word": (
        lambda: DOWN.flush(replace(DOWN.start(2), position="3")),
        "ConvStream.flush: `state` must be a state of this stream; got position='3'. Take "
        "the one that `start` or the last `step` returned.",
    ),
    "held": (
        lambda: chain(UP, DOWN).flush((UP.start(2), replace(DOWN.start(2), held=1))),
        "chain.flush, layer 1: `state` must be a state of this stream; got held=1. Take "
        "the one that `start` or the last `step` returned.",
    ),
    "lead": (
        lambda: UP.step(replace(UP.start(2), lead=np.array([3, 4])), np.ones((2, 1, 5))),
        "ConvTransposeStream.step: `state` must be a state of this stream; got "
        "lead=array([3, 4]). Take the one that `start` or the last `step` returned.",
    ),
    "state of a function": (
        lambda: chain(DOWN, np.abs).flush((DOWN.start(2), 3)),
        "chain.flush: `state` must be a state of this stream; got 3 in place of None for "
        "number 1, a function. Take the one that `start` or the last `step` returned.",
    ),
    "waiting inputs of another length": (
        lambda: SAME.flush((SAME.start(2)[0], np.ones((2, 1, 4)))),
        "residual.flush: `state` must be a state of this stream; got inputs that wait of "
        "shape (2, 1, 4), not (2, 1, 0). Take the one that `start` or the last `step` "
        "returned.",
    ),
    "waiting inputs of another dtype": (
        lambda: SAME.step(
            (SAME.start(2)[0], np.ones((2, 1, 0), "int8")), np.ones((2, 1, 5))
        ),
        "residual.step: `state` must be a state of this stream; got inputs that wait of "
        "dtype int8. Take the one that `start` or the last `step` returned.",
    ),
    "a batch for a state without one": (
        lambda: UP.step(UP.start(), np.ones((1, 1, 3))),
        "ConvTransposeStream.step: `chunk` must have the shape that the stream was started "
        "for, (1, any); got shape (1, 1, 3). Start another stream for chunks of another "
        "shape.",
    ),
    "no batch for a state with one": (
        lambda: DOWN.step(DOWN.start(1), np.ones((1, 3))),
        "ConvStream.step: `chunk` must have the shape that the stream was started for, (1, "
        "1, any); got shape (1, 3). Start another stream for chunks of another shape.",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_it_is_refused_in_these_words(name):
    call, text = WORDS[name]
    with pytest.raises(GeometryError) as error:
        call()
    assert str(error.value) == text


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("taps", [1, 2])
@pytest.mark.parametrize("cls", [ConvStream, ConvTransposeStream])
def test_chunks_have_a_batch_where_the_state_has_one(
    cls, taps, size, channels, monkeypatch
):
    stream = cls(np.ones((channels, channels, taps)))
    monkeypatch.setattr(base, "apply_spec", lambda *_, **__: pytest.fail("it computes"))
    for batch, shape in ((None, (1, channels, size)), (channels, (channels, size))):
        with pytest.raises(GeometryError, match=r"`chunk` must have the shape that"):
            stream.step(stream.start(batch), np.ones(shape))
