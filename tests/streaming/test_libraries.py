"""Streams of arrays of other libraries, and on other backends."""

import numpy as np
import pytest

import mtconv
from mtconv.backends.dispatch import missing_packages
from mtconv.streaming import ConvStream, ConvTransposeStream, chain, residual

KERNEL = np.random.default_rng(0).integers(-4, 5, (2, 3, 4)).astype("float64")
X = np.random.default_rng(1).integers(-4, 5, (1, 2, 9)).astype("float64")
OPTIONS = {"stride": 2, "padding": 2, "output_padding": 1}


def outputs(stream, chunks, **start):
    state = stream.start(1, **start)
    for chunk in chunks:
        state, output = stream.step(state, chunk)
        yield output
    yield stream.flush(state)


@pytest.mark.parametrize("name", ["array_api_strict", "dask.array"])
@pytest.mark.parametrize("steady", [False, True])
@pytest.mark.parametrize("neutral", [False, True])
def test_chunks_of_another_library(name, steady, neutral):
    xp = pytest.importorskip(name)
    kernel = KERNEL if neutral else xp.asarray(KERNEL)
    layers = chain(
        ConvTransposeStream(kernel, **OPTIONS),
        residual(ConvStream(np.ones((3, 3, 3)), padding="same")),
    )
    chunks = [xp.asarray(X[..., a:b]) for a, b in ((0, 1), (1, 1), (1, 4), (4, 9))]
    got = list(outputs(layers, chunks, steady=steady))
    assert {type(output) for output in got} == {type(chunks[0])}
    joined = np.concatenate([np.asarray(output) for output in got], -1)
    inner = mtconv.conv_transpose(X, KERNEL, **OPTIONS)
    expected = inner + mtconv.conv(inner, np.ones((3, 3, 3)), padding="same")
    skipped = layers.latency if steady else 0
    np.testing.assert_array_equal(joined[..., skipped:], expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numba", "sparse", "jax", "torch"])
def test_a_backend_by_name(backend, dtype):
    absent = missing_packages(backend)
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    kernel, bias = KERNEL.astype(dtype), np.arange(3, dtype=dtype)
    stream = ConvTransposeStream(kernel, bias, backend=backend, **OPTIONS)
    chunks = np.split(X.astype(dtype), [2, 2, 5], -1)
    got = np.concatenate(list(map(np.asarray, outputs(stream, chunks))), -1)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, mtconv.conv_transpose(X, KERNEL, bias, **OPTIONS))


def test_chunks_of_two_libraries_are_refused():
    xp = pytest.importorskip("array_api_strict")
    jnp = pytest.importorskip("jax.numpy")
    stream = ConvTransposeStream(xp.asarray(KERNEL), **OPTIONS)
    with pytest.raises(mtconv.BackendError) as error:
        stream.step(stream.start(1), jnp.asarray(X))
    assert str(error.value) == (
        "ConvTransposeStream.step: `chunk` must be of the same array library as the "
        "others; got chunk of jax, state of array_api_strict, kernel of array_api_strict. "
        "Convert one of them; NumPy arrays follow the other library by themselves."
    )


@pytest.mark.parametrize("started", [">f4", "<f4"])
@pytest.mark.parametrize("steady", [False, True])
def test_chunks_of_either_byte_order(started, steady):
    kernel = np.array([1, 10, 100], "float32")
    layer = residual(np.negative, ConvStream(kernel, padding=1))
    state, outputs = layer.start(dtype=started, steady=steady), []
    for chunk in ([1, 2], [], [3, 4, 5]):
        state, output = layer.step(state, np.array(chunk, ">f4"))
        outputs.append(output)
    result = np.concatenate([*outputs, layer.flush(state)])[layer.latency * steady :]
    # Each element less 1, 10 and 100 times the ones before it, at it, and after it.
    assert result.tolist() == [1 - 210, 2 - 321, 3 - 432, 4 - 543, 5 - 54]
    assert result.dtype == np.float32
