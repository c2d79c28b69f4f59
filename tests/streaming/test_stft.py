"""The inverse short-time Fourier transform against overlap-add by plain loops."""

import numpy as np
import pytest

import mtconv
from mtconv.streaming import ConvStream, InverseSTFTStream, chain


def by_loops(spectra, hop, window, center):
    """Overlap-add of windowed frames, divided by the sum of squared windows."""
    frame = len(window)
    frames = spectra.shape[-1]
    size = frame + hop * (frames - 1)
    signal, weight = np.zeros(size), np.zeros(size)
    for number in range(frames):
        samples = np.fft.irfft(spectra[:, number], frame)
        for t in range(frame):
            signal[hop * number + t] += samples[t] * window[t]
            weight[hop * number + t] += window[t] ** 2
    cut = slice(frame // 2, size - frame // 2) if center else slice(None)
    return signal[cut] / weight[cut]


def spectra_of(frame, frames):
    rng = np.random.default_rng(frame)
    shape = (frame // 2 + 1, frames)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.parametrize(("frame", "hop"), [(8, 2), (9, 4), (8, 3), (6, 6), (1, 1)])
@pytest.mark.parametrize("center", [True, False])
def test_chunks_joined_are_overlap_add_of_the_whole(frame, hop, center, streamed):
    window = np.linspace(1, 2, frame)  # of no symmetry
    stream = InverseSTFTStream(frame, hop, window=window, center=center, dtype="float64")
    spectra = spectra_of(frame, 7)
    expected = by_loops(spectra, hop, window, center)
    for cuts in ([], [1, 2, 3], [0, 4]):
        got = streamed(stream, spectra, cuts)
        np.testing.assert_allclose(got, expected, atol=1e-13)


def test_a_window_of_one_element(streamed):
    stream = InverseSTFTStream(8, 1, 1, window=[2.0], dtype="float64")
    spectra = spectra_of(8, 7)
    whole = np.pad([2.0], (3, 4))
    weights = np.convolve(np.ones(7), whole**2)[4:-4]
    assert (weights == 4).all()
    frames = [np.fft.irfft(spectra[:, number], 8) for number in range(7)]
    # The sample 3 of each frame; the crop at the start is one longer than that.
    expected = [frame[3] / 2 for frame in frames[1:]]
    np.testing.assert_allclose(streamed(stream, spectra, [2, 3]), expected, atol=1e-13)


def test_parts_of_a_state_that_do_not_go_together_are_refused():
    stream = InverseSTFTStream(8, 2, window=np.ones(8))
    early = stream.start()
    late, _ = stream.step(early, spectra_of(8, 3).astype("complex64"))
    with pytest.raises(mtconv.GeometryError) as error:
        stream.flush((late[0], early[1]))
    assert str(error.value) == (
        "InverseSTFTStream.flush: `state` must be a state of this stream; got parts that "
        "do not go together, (position, held, lead, shape, dtype) = (3, 0, False, ('any', "
        "3), "
        "'float32') and (position, held, lead, shape, dtype) = (0, 0, False, ('any', 3), "
        "'float32'). Take the one that `start` or the last `step` returned."
    )


def test_a_frame_is_given_out_to_where_the_next_begins():
    stream = InverseSTFTStream(8, 2, window=np.ones(8), center=False, dtype="float64")
    state = stream.start()
    for number in range(3):
        state, output = stream.step(state, spectra_of(8, 3)[:, number : number + 1])
        assert output.shape == (2,)
    assert stream.flush(state).shape == (6,)


def test_under_scan_after_a_delayed_layer(jax_numpy):
    jax = pytest.importorskip("jax")
    delay = np.zeros((5, 1, 5))
    delay[:, 0, 2] = 1  # gives back what comes in, two frames later
    layers = chain(
        ConvStream(delay, groups=5, padding=2),
        InverseSTFTStream(8, 2, window=np.ones(8), dtype="float64"),
    )
    spectra = spectra_of(8, 12)
    expected = by_loops(spectra, 2, np.ones(8), True)
    chunks = jax_numpy.asarray(np.stack(np.split(spectra, 4, -1)))
    state = layers.start(dtype="complex128", steady=True)
    state, outputs = jax.lax.scan(layers.step, state, chunks)
    got = jax_numpy.concatenate([*outputs, layers.flush(state)])[layers.latency :]
    np.testing.assert_allclose(got, expected, atol=1e-12)
