"""Streams of tensors, and the inverse STFT against torch's own."""

import pickle

import numpy as np
import pytest

from mtconv.streaming import (
    ConvStream,
    ConvTransposeStream,
    InverseSTFTStream,
    chain,
    map_state,
    residual,
)

torch = pytest.importorskip("torch")
F = torch.nn.functional


def integers(seed, *shape, dtype=torch.float32):
    values = np.random.default_rng(seed).integers(-4, 5, shape)
    return torch.asarray(values).to(dtype)


def joined(stream, x, sizes, **start):
    state = stream.start(**start)
    outputs = []
    for chunk in torch.split(x, sizes, dim=-1):
        state, output = stream.step(state, chunk)
        outputs.append(output)
    return torch.cat([*outputs, stream.flush(state)], -1)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64, torch.complex64]
)
def test_chunks_joined_are_what_torch_makes_of_the_whole(dtype):
    kernel, bias = integers(0, 4, 2, 5, dtype=dtype), integers(1, 4, dtype=dtype)
    x = integers(2, 2, 4, 9, dtype=dtype)
    options = {"stride": 3, "dilation": 2, "groups": 2}
    stream = ConvTransposeStream(kernel, bias, padding=3, output_padding=1, **options)
    got = joined(stream, x, [1, 0, 3, 5], batch=2)
    exact = torch.complex128 if dtype.is_complex else torch.float64
    wide = [array.to(exact) for array in (x, kernel, bias)]
    expected = F.conv_transpose1d(*wide, padding=3, output_padding=1, **options)
    assert got.dtype == dtype
    assert torch.equal(got, expected.to(dtype))


def test_a_convolution_of_tensors():
    kernel, x = integers(0, 3, 2, 4), integers(1, 1, 2, 11)
    stream = ConvStream(kernel, stride=2, padding=3)
    got = joined(stream, x, [2, 2, 7], batch=1)
    assert torch.equal(got, F.conv1d(x, kernel, stride=2, padding=3))


def test_gradients_through_the_steps_are_those_of_the_whole():
    kernel, x = integers(0, 2, 3, 4), integers(1, 1, 2, 8)
    weight = integers(2, 1, 3, 16)
    gradients = []
    for by_chunks in (True, False):
        leaves = [array.clone().requires_grad_() for array in (x, kernel)]
        if by_chunks:
            stream = ConvTransposeStream(leaves[1], stride=2, padding=1)
            result = joined(stream, leaves[0], [3, 1, 4], batch=1)
        else:
            result = F.conv_transpose1d(*leaves, stride=2, padding=1)
        gradients.append(torch.autograd.grad((result * weight).sum(), leaves))
    for got, expected in zip(*gradients, strict=True):
        assert torch.equal(got, expected)


def test_outputs_of_no_elements_have_the_dtype_of_autocast():
    layers = chain(
        ConvStream(integers(0, 2, 2, 3)), residual(ConvStream(torch.ones(2, 2, 1)))
    )
    with torch.autocast("cpu", torch.bfloat16):
        state = layers.start(1)
        state, output = layers.step(state, integers(1, 1, 2, 1))
        assert (output.dtype, tuple(output.shape)) == (torch.bfloat16, (1, 2, 0))
        state, output = layers.step(state, integers(1, 1, 2, 5))
        assert (output.dtype, tuple(output.shape)) == (torch.bfloat16, (1, 2, 4))


def test_states_move_and_are_saved():
    stream = ConvTransposeStream(integers(0, 2, 3, 4), stride=2)
    state, _ = stream.step(stream.start(1), integers(1, 1, 2, 1000))
    assert len(pickle.dumps(state)) < 2000
    moved = map_state(lambda array: array.to("cpu", copy=True), state)
    again = pickle.loads(pickle.dumps((stream, moved)))
    assert torch.equal(again[0].flush(again[1]), stream.flush(state))


def test_a_numpy_kernel_follows_the_tensors():
    stream = ConvTransposeStream(np.array([1.0, 10, 100]), stride=2)
    state, output = stream.step(stream.start(), torch.tensor([1.0, 2]).double())
    assert output.tolist() == [1, 10, 102, 20]
    assert isinstance(state.cells, torch.Tensor)
    assert stream.flush(state).tolist() == [200]


def test_a_steady_stream_of_tensors():
    layers = chain(
        ConvTransposeStream(integers(0, 2, 2, 4), stride=2, padding=1),
        torch.cos,
        ConvStream(integers(1, 1, 2, 5), padding=2),
    )
    x = integers(2, 1, 2, 8)
    state = layers.start(1, steady=True)
    outputs = []
    for chunk in torch.split(x, 2, dim=-1):
        state, output = layers.step(state, chunk)
        outputs.append(output)
    assert [output.shape[-1] for output in outputs] == [4] * 4
    got = torch.cat([*outputs, layers.flush(state)], -1)[..., layers.latency :]
    inner = torch.cos(F.conv_transpose1d(x, integers(0, 2, 2, 4), stride=2, padding=1))
    torch.testing.assert_close(got, F.conv1d(inner, integers(1, 1, 2, 5), padding=2))


STFTS = [
    {"n_fft": 16, "hop_length": 4, "window": "hann"},
    {"n_fft": 16, "window": "hann", "normalized": True},
    {"n_fft": 15, "hop_length": 4, "window": "hamming"},
    {"n_fft": 16, "hop_length": 3, "win_length": 11, "window": "hamming"},
    {"n_fft": 12, "hop_length": 5, "center": False, "window": "hamming"},
    {"n_fft": 8, "hop_length": 8, "center": False},
]


@pytest.mark.parametrize(
    ("options", "library"),
    [
        *((options, "numpy") for options in STFTS),
        *((options, "torch") for options in STFTS),
        (STFTS[0], "jax"),
    ],
)
def test_the_inverse_stft_is_torch_istft_of_the_whole(options, library):
    options = dict(options)
    name = options.pop("window", None)
    window = None
    if name is not None:
        length = options.get("win_length", options["n_fft"])
        window = getattr(torch, f"{name}_window")(length, dtype=torch.float64)
    torch.manual_seed(3)
    frequencies, frames = options["n_fft"] // 2 + 1, 13
    spectra = torch.randn(2, frequencies, frames, dtype=torch.complex128)
    if window is None:
        window = torch.ones(options["n_fft"], dtype=torch.float64)
    expected = torch.istft(spectra, window=window, **options).numpy()
    n_fft = options.pop("n_fft")
    stream = InverseSTFTStream(n_fft, window=window, dtype="float64", **options)
    chunks = [spectra[..., a:b] for a, b in ((0, 1), (1, 1), (1, 6), (6, frames))]
    if library == "numpy":
        chunks = [chunk.numpy() for chunk in chunks]
    elif library == "jax":
        jnp = pytest.importorskip("jax.numpy")
        chunks = [jnp.asarray(chunk.numpy()) for chunk in chunks]
        if chunks[0].dtype != "complex128":
            pytest.skip("needs the 64 bits that MTCONV_TEST_BACKENDS leaves out")
    state = stream.start(2)
    outputs = []
    for chunk in chunks:
        state, output = stream.step(state, chunk)
        outputs.append(np.asarray(output))
    outputs.append(np.asarray(stream.flush(state)))
    got = np.concatenate(outputs, -1)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-13)


def test_single_precision_is_as_close_as_torch():
    torch.manual_seed(0)
    window = torch.hann_window(256)
    x = torch.randn(1, 4096)
    spectra = torch.stft(x, 256, 64, window=window, return_complex=True)
    stream = InverseSTFTStream(256, 64, window=window)
    got = joined(stream, spectra, [1, 7, 30, spectra.shape[-1] - 38], batch=1)
    assert got.dtype == torch.float32
    whole = torch.istft(spectra, 256, 64, window=window)
    assert got.shape == whole.shape
    assert (got - whole).abs().max() < 1e-5
