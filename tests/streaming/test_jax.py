"""Streams under `jit`, `scan`, `vmap` and `vjp`."""

import numpy as np
import pytest

import mtconv
from mtconv.streaming import ConvStream, ConvTransposeStream, chain, residual

jax = pytest.importorskip("jax")
jnp = jax.numpy
pytestmark = pytest.mark.usefixtures("jax_numpy")


def integers(seed, *shape):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype("float64")


UP = {"stride": 3, "padding": ((4, 2),), "output_padding": 1, "dilation": 2}
DOWN = {"stride": 2, "padding": ((3, 1),), "dilation": 2}
EXTENDED = {"stride": 2, "padding": ((-3, -2),)}
CASES = {
    "up": (ConvTransposeStream, mtconv.conv_transpose, UP),
    "down": (ConvStream, mtconv.conv, DOWN),
    "extended": (ConvTransposeStream, mtconv.conv_transpose, EXTENDED),
    "ahead": (ConvStream, mtconv.conv, {"padding": ((9, 0),)}),
}


def scanned(stream, x, length, axis=-1, **start):
    """Scan over chunks of equal length, and flush: one array after the latency."""
    axis %= x.ndim
    chunks = jnp.stack(jnp.split(x, x.shape[axis] // length, axis))
    state = stream.start(**start, steady=True)
    state, outputs = jax.lax.scan(stream.step, state, chunks)
    joined = jnp.concatenate([*outputs, stream.flush(state)], axis)
    return jax.lax.slice_in_dim(joined, stream.latency, joined.shape[axis], axis=axis)


@pytest.mark.parametrize(("name", "length"), [*((name, 2) for name in CASES), ("down", 6)])
def test_scan_under_jit_gives_the_whole(name, length):
    cls, whole, options = CASES[name]
    kernel, bias, x = integers(0, 2, 2, 4), integers(1, 2), integers(2, 3, 2, 12)
    stream = cls(kernel, bias, **options)
    call = jax.jit(lambda x: scanned(stream, x, length, batch=3, dtype="float64"))
    np.testing.assert_array_equal(call(x), whole(x, kernel, bias, **options))


@pytest.mark.parametrize("name", ["up", "down"])
def test_gradients_through_the_scan_are_those_of_the_whole(name):
    cls, whole, options = CASES[name]
    arrays = integers(2, 2, 2, 8), integers(0, 2, 2, 4), integers(1, 2)

    def by_chunks(x, kernel, bias):
        return scanned(cls(kernel, bias, **options), x, 2, batch=2, dtype="float64")

    def at_once(x, kernel, bias):
        return whole(x, kernel, bias, **options)

    result, pull = jax.vjp(jax.jit(by_chunks), *arrays)
    expected, pull_whole = jax.vjp(at_once, *map(jnp.asarray, arrays))
    np.testing.assert_array_equal(result, expected)
    cotangent = jnp.asarray(integers(5, *result.shape))
    for got, wanted in zip(pull(cotangent), pull_whole(cotangent), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_steady_step_is_compiled_once_for_each_chunk_length():
    traced = []
    stream = ConvTransposeStream(integers(0, 2, 3, 4), **UP)

    @jax.jit
    def step(state, chunk):
        traced.append(chunk.shape[-1])
        return stream.step(state, chunk)

    state = stream.start(1, "float64", steady=True)
    for length in (1, 5, 1, 1, 5, 2, 5, 1):
        state, _ = step(state, integers(length, 1, 2, length))
    assert traced == [1, 5, 2]


def test_a_stream_that_is_not_steady_is_compiled_once_after_its_start():
    traced = []
    stream = ConvStream(integers(0, 2, 2, 4), padding=((3, 0),))

    @jax.jit
    def step(state, chunk):
        traced.append(chunk.shape[-1])
        return stream.step(state, chunk)

    state = stream.start(1, "float64")
    outputs = []
    x = integers(3, 1, 2, 20)
    for start in range(0, 20, 4):
        state, output = step(state, x[..., start : start + 4])
        outputs.append(output)
    assert len(traced) == 2
    expected = mtconv.conv(x, stream.kernel, padding=((3, 0),))
    np.testing.assert_array_equal(jnp.concatenate(outputs, -1), expected)


def test_vmap_over_streams_states_and_kernels():
    kernels, x = integers(0, 4, 2, 3, 5), integers(1, 4, 2, 8)

    def one(kernel, x):
        return scanned(ConvTransposeStream(kernel, **UP), x, 4, dtype="float64")

    got = jax.jit(jax.vmap(one))(kernels, x)
    for number in range(4):
        expected = mtconv.conv_transpose(x[number], kernels[number], **UP)
        np.testing.assert_array_equal(got[number], expected)


def test_vmap_over_states():
    stream = ConvTransposeStream(integers(0, 2, 3, 5), stride=2)
    chunks = integers(1, 4, 2, 3)
    start = stream.start(dtype="float64")
    states = jax.vmap(lambda chunk: stream.step(start, chunk)[0])(chunks)
    assert states.cells.shape == (4, 2, 2)
    rest = jax.vmap(stream.flush)(states)
    for number in range(4):
        whole = mtconv.conv_transpose(chunks[number], stream.kernel, stride=2)
        np.testing.assert_array_equal(rest[number], whole[..., 6:])


def decoder(first, second, third):
    return chain(
        ConvTransposeStream(first, stride=2, padding=1),
        jnp.cos,
        residual(jnp.sin, ConvStream(second, padding="same", dilation=2)),
        ConvTransposeStream(third, stride=3),
    )


def whole_decoder(x, first, second, third):
    x = jnp.cos(mtconv.conv_transpose(x, first, stride=2, padding=1))
    x = x + mtconv.conv(jnp.sin(x), second, padding="same", dilation=2)
    return mtconv.conv_transpose(x, third, stride=3)


def test_a_chain_under_scan_and_its_gradients():
    kernels = integers(0, 2, 3, 4), integers(1, 3, 3, 3), integers(2, 3, 1, 5)
    x = jnp.asarray(integers(3, 1, 2, 12))

    def by_chunks(x, *kernels):
        return scanned(decoder(*kernels), x, 3, batch=1, dtype="float64")

    result, pull = jax.vjp(jax.jit(by_chunks), x, *kernels)
    expected, pull_whole = jax.vjp(whole_decoder, x, *map(jnp.asarray, kernels))
    np.testing.assert_allclose(result, expected, atol=1e-12)
    cotangent = jnp.asarray(integers(5, *result.shape))
    for got, wanted in zip(pull(cotangent), pull_whole(cotangent), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-10)


def test_streams_and_chains_are_arguments_of_compiled_functions():
    kernels = integers(0, 2, 3, 4), integers(1, 3, 3, 3), integers(2, 3, 1, 5)
    layers = decoder(*kernels)
    state = layers.start(1, "float64", steady=True)
    chunk = integers(4, 1, 2, 4)
    got = jax.jit(lambda layers, state: layers.step(state, chunk)[1])(layers, state)
    np.testing.assert_allclose(got, layers.step(state, chunk)[1], atol=1e-12)
    assert len(jax.tree.leaves(layers)) == 3


def test_time_along_another_axis_of_images():
    kernel, x = integers(0, 2, 2, 3, 3), integers(1, 1, 2, 8, 5)
    options = {"stride": (2, 1), "padding": ((1, 2), (0, 1))}
    stream = ConvTransposeStream(kernel, axis="H", **options)
    got = scanned(stream, jnp.asarray(x), 2, axis=2, batch=1, dtype="float64", size=5)
    np.testing.assert_array_equal(got, mtconv.conv_transpose(x, kernel, **options))


def test_a_numpy_kernel_follows_the_chunks():
    stream = ConvTransposeStream(np.array([1.0, 10, 100]), stride=2)
    state, output = stream.step(stream.start(), jnp.asarray([1.0, 2]))
    assert isinstance(output, jax.Array)
    assert output.tolist() == [1, 10, 102, 20]
    assert isinstance(state.cells, jax.Array)
    assert stream.flush(state).tolist() == [200]


def test_a_kernel_of_jax_takes_chunks_of_numpy():
    stream = ConvStream(jnp.asarray([1, 10]))
    state, output = stream.step(stream.start(), [1, 2])
    assert output.tolist() == [21]
    assert isinstance(stream.flush(state), jax.Array)


def test_nan_before_the_signal_and_in_it_stay_apart():
    # What a steady stream begins with is dropped, whatever it is.
    layers = chain(
        ConvTransposeStream(jnp.ones(3), padding=2),
        lambda chunk: chunk + jnp.nan * (chunk == 0),
        ConvStream(jnp.ones(3), padding=2),
    )
    state = layers.start(dtype="float64", steady=True)
    state, output = layers.step(state, jnp.asarray([1.0, 2, 4, 8, 16]))
    both = jnp.concatenate([output, layers.flush(state)])[layers.latency :]
    assert both.tolist() == [7, 21, 49, 42, 28]
