"""Chains and residual branches against the whole, layer after layer."""

import pickle

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import mtconv
from mtconv.streaming import (
    ConvStream,
    ConvTransposeStream,
    chain,
    map_state,
    residual,
)


def shifted(chunk):
    """A pointwise function that does not keep zero, as few activations do."""
    return chunk * chunk + 1


def integers(rng, *shape):
    return rng.integers(-2, 3, shape)


@st.composite
def stacks(draw):
    """A chain of random layers, and the same as a function of the whole."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    layers, wholes = [], []
    channels = first = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "conv_transpose", "residual", "function"]))
        if kind == "function":
            layers.append(shifted)
            wholes.append(shifted)
            continue
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        options = {"dilation": dilation}
        if kind == "residual":
            array = integers(rng, channels, channels, kernel)
            options["padding"] = draw(st.sampled_from(["same", "same_lower"]))
            layers.append(residual(shifted, ConvStream(array, **options)))
            wholes.append(lambda x, a=array, o=options: x + mtconv.conv(shifted(x), a, **o))
            continue
        options["stride"] = draw(st.integers(1, 3))
        pads = st.integers(-1, dilation * (kernel - 1) + 1)
        options["padding"] = ((draw(pads), draw(pads)),)
        after = draw(st.integers(1, 2))
        bias = integers(rng, after)
        if kind == "conv":
            array = integers(rng, after, channels, kernel)
            layers.append(ConvStream(array, bias, **options))
        else:
            array = integers(rng, channels, after, kernel)
            layers.append(ConvTransposeStream(array, bias, **options))
        whole = getattr(mtconv, kind)
        wholes.append(lambda x, f=whole, a=array, b=bias, o=options: f(x, a, b, **o))
        channels = after
    if all(layer is shifted for layer in layers):
        layers.append(ConvStream(np.ones((1, channels, 1), "int64")))
        wholes.append(lambda x: x.sum(1, keepdims=True))
    x = integers(rng, 2, first, draw(st.integers(1, 12)))
    cuts = sorted(draw(st.lists(st.integers(0, x.shape[-1]), max_size=4)))
    return chain(*layers), wholes, x, cuts


def by_layers(wholes, x):
    """The whole after all layers; signals too short for one of them are no example."""
    try:
        for whole in wholes:
            x = whole(x)
    except mtconv.GeometryError:
        reject()
    return x


@settings(max_examples=150)
@given(stacks())
def test_a_chain_gives_what_its_layers_give_to_the_whole(streamed, stack):
    layers, wholes, x, cuts = stack
    expected = by_layers(wholes, x)
    got = streamed(layers, x, cuts, batch=2, dtype="int64")
    np.testing.assert_array_equal(got, expected)


@settings(max_examples=100)
@given(stacks(), st.integers(1, 3))
def test_a_steady_chain_gives_the_whole_after_its_latency(stack, periods):
    layers, wholes, x, _ = stack
    expected = by_layers(wholes, x)
    state = layers.start(2, "int64", steady=True)
    outputs = []
    for start in range(0, x.shape[-1], periods):
        state, output = layers.step(state, x[..., start : start + periods])
        outputs.append(output)
    outputs.append(layers.flush(state))
    result = np.concatenate(outputs, -1)[..., layers.latency :]
    np.testing.assert_array_equal(result, expected)


def test_steps_of_a_steady_chain_are_equally_long():
    rng = np.random.default_rng(2)
    layers = chain(
        ConvStream(integers(rng, 2, 1, 4), stride=2, padding=1),
        shifted,
        residual(ConvStream(integers(rng, 2, 2, 5), padding=2)),
        ConvTransposeStream(integers(rng, 2, 1, 6), stride=3, padding=1),
    )
    state = layers.start(1, "int64", steady=True)
    sizes = []
    for _ in range(5):
        state, output = layers.step(state, integers(rng, 1, 1, 4))
        sizes.append(output.shape[-1])
    assert sizes == [6] * 5


def test_the_latency_of_a_chain_is_counted_in_its_outputs():
    # 27 elements of the dilated layer, of which the next makes 2 each, less nothing.
    dilated = ConvStream(np.ones((1, 1, 7)), dilation=9, padding=27)
    doubled = ConvTransposeStream(np.ones((1, 1, 4)), stride=2, padding=1)
    assert dilated.latency == 27
    assert doubled.latency == 1
    assert chain(dilated, abs, doubled).latency == 2 * 27 + 1
    assert residual(dilated).latency == 27


def test_the_bias_of_a_layer_does_not_run_into_the_padding_of_the_next(streamed):
    # Before and after the signal the second layer reads zeros, not bias or activations.
    first = ConvStream(np.array([[[1]]]), np.array([100]))
    second = ConvStream(np.array([[[1, 10, 100]]]), padding=1)
    layers = chain(first, shifted, second)
    x = np.array([[1, 2, 3]])
    inner = shifted(x + 100)[0]
    expected = [
        10 * inner[0] + 100 * inner[1],
        inner[0] + 10 * inner[1] + 100 * inner[2],
        inner[1] + 10 * inner[2],
    ]
    assert streamed(layers, x, [1, 2]).tolist() == [expected]
    state = layers.start(dtype="int64", steady=True)
    state, output = layers.step(state, x)
    both = np.concatenate([output, layers.flush(state)], -1)
    assert both[:, layers.latency :].tolist() == [expected]


def test_chains_nest_and_begin_with_functions(streamed):
    inner = chain(shifted, ConvStream([1, 10]))
    layers = chain(shifted, inner, shifted)
    x = np.array([1, 2, 3])
    expected = shifted(mtconv.conv(shifted(shifted(x)), [1, 10]))
    assert streamed(layers, x, [1]).tolist() == expected.tolist()


def test_a_function_may_change_the_dtype(streamed):
    layers = chain(ConvStream([1, 10]), lambda chunk: chunk / 2, ConvTransposeStream([1.0]))
    got = streamed(layers, np.array([1, 2, 3]), [1])
    assert got.dtype == np.float64
    assert got.tolist() == [10.5, 16.0]


def test_images_whose_other_axis_changes_size(streamed):
    rng = np.random.default_rng(4)
    first, second = integers(rng, 2, 2, 3, 3), integers(rng, 2, 2, 2, 3)
    layers = chain(
        ConvTransposeStream(first, stride=2, padding=1),
        residual(ConvStream(np.array([[[[2]], [[1]]], [[[0]], [[3]]]]))),
        ConvStream(second, stride=(2, 1), padding=((0, 1), (1, 1))),
    )
    x = integers(rng, 1, 2, 4, 6)
    inner = mtconv.conv_transpose(x, first, stride=2, padding=1)
    inner = inner + mtconv.conv(inner, [[[[2]], [[1]]], [[[0]], [[3]]]])
    expected = mtconv.conv(inner, second, stride=(2, 1), padding=((0, 1), (1, 1)))
    got = streamed(layers, x, [1, 2, 4], batch=1, size=4)
    np.testing.assert_array_equal(got, expected)


def test_a_residual_branch_keeps_the_inputs_that_wait():
    layer = residual(ConvStream([1, 10, 100], padding=1))
    state, output = layer.step(layer.start(), [1, 2, 3])
    assert output.tolist() == [1 + 210, 2 + 321]
    assert state[1].tolist() == [3]
    assert layer.flush(state).tolist() == [3 + 32]


def test_a_chain_is_saved_and_goes_on():
    layers = chain(ConvTransposeStream([1.5, 10], stride=2), residual(ConvStream([2.0])))
    state, _ = layers.step(layers.start(), [1.0, 2.0])
    again, state_again = pickle.loads(pickle.dumps((layers, state)))
    expected = layers.step(state, [3.0])[1]
    assert again.step(state_again, [3.0])[1].tolist() == expected.tolist() == [13.5, 90.0]


def test_states_of_a_chain_join_as_a_batch():
    layers = chain(
        residual(ConvStream(np.array([[[1, 10, 100]]]), padding=1)),
        shifted,
        ConvStream(np.array([[[1, 10]]])),
    )
    chunks = [np.array([[[1, 2, 3]]]), np.array([[[4, 5, 6]]])]
    states = [layers.step(layers.start(1), chunk)[0] for chunk in chunks]
    both = map_state(lambda *arrays: np.concatenate(arrays), *states)
    expected = np.concatenate([layers.flush(state) for state in states])
    assert layers.flush(both).tolist() == expected.tolist()


@pytest.mark.parametrize("layer", [chain, residual])
def test_a_chain_shows_its_layers(layer):
    text = repr(layer(ConvStream([1]), shifted))
    assert text == (
        f"{layer.__name__}(ConvStream(kernel of shape (1,), axis 'W', stride=1, halo=0, "
        "latency=0), shifted)"
    )
