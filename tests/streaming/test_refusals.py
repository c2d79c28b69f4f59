"""What streams refuse, when, and with which words."""

import numpy as np
import pytest

import mtconv
from mtconv import BackendError, GeometryError
from mtconv.streaming import (
    ConvStream,
    ConvTransposeStream,
    InverseSTFTStream,
    RunningStream,
    chain,
    map_state,
    residual,
)

KERNEL = np.ones((2, 3, 4))
IMAGES = np.ones((2, 3, 4, 4))
UP = ConvTransposeStream(KERNEL, stride=2)
DOWN = ConvStream(KERNEL)
BACK = ConvStream(np.ones((3, 3, 3)), padding=1)
BOTH = chain(UP, abs, BACK)

REFUSED = {
    "same with a stride": (
        lambda: ConvStream(KERNEL, padding="same", stride=2),
        "ConvStream: `padding` must be integers with stride 2, since 'same' depends on the "
        "length of the whole; got 'same' on axis 'W'. Write (1, 1) for this axis: that is "
        "'same' for lengths that are multiples of the stride.",
    ),
    "padding mode": (
        lambda: ConvStream(KERNEL, padding_mode="circular"),
        "ConvStream: `padding_mode` must be 'zeros': a stream does not know what lies "
        "beyond its ends; got 'circular'. Pad the signal before it is cut into chunks, and "
        "leave `padding` out.",
    ),
    "output padding": (
        lambda: ConvTransposeStream(KERNEL, output_padding=2, stride=2),
        "ConvTransposeStream: `output_padding` must be less than the stride, 2; got 2 on "
        "axis 'W'. For a larger result give a smaller hi in padding=((lo, hi), ...).",
    ),
    "bias": (
        lambda: ConvTransposeStream(IMAGES, np.ones(2)),
        "ConvTransposeStream: `bias` must have one value per output channel, shape (3,); "
        "got shape (2,) on axis 'C'.",
    ),
    "number of an axis": (
        lambda: ConvTransposeStream(KERNEL, axis=1),
        "ConvTransposeStream: `axis` must be the number of a spatial axis, from -1 to 0, "
        "or its letter ('W'); got 1. Batch and channels are not counted; leave it out for "
        "the last spatial axis.",
    ),
    "letter of an axis": (
        lambda: ConvTransposeStream(IMAGES, axis="D"),
        "ConvTransposeStream: `axis` must be the number of a spatial axis, from -2 to 1, "
        "or its letter ('H', 'W'); got 'D'. Batch and channels are not counted; leave it "
        "out for the last spatial axis.",
    ),
    "sizes left out": (
        lambda: ConvTransposeStream(IMAGES).start(2),
        "ConvTransposeStream.start: `size` must have the sizes of the other spatial axes, "
        "'H'; got nothing. Write, for example, size=(64,).",
    ),
    "a size that does not fit": (
        lambda: ConvStream(IMAGES).start(2, size=2),
        "ConvStream.start: `kernel` must not span more than the padded input; got a span "
        "of dilation*(k - 1) + 1 = 4 and an input of 2 + 0 + 0 = 2 on axis 'H'. Pad more "
        "or use a smaller kernel or dilation.",
    ),
    "a batch of bare signals": (
        lambda: ConvTransposeStream([1, 2]).start(2),
        "ConvTransposeStream.start: `batch` must be left out where chunks have no batch "
        "axis; got 2. Name a batch axis by `layout`, or give the kernel its channel axes.",
    ),
    "a layout with a batch": (
        lambda: ConvTransposeStream(KERNEL, layout="NLC").start(),
        "ConvTransposeStream.start: `batch` must be the batch size of the chunks; got "
        "None. Write, for example, batch=1.",
    ),
    "a negative batch": (
        lambda: UP.start(-1),
        "ConvTransposeStream.start: `batch` must be an integer, at least 0, or None; got "
        "-1.",
    ),
    "another batch": (
        lambda: UP.step(UP.start(2), np.ones((3, 2, 5))),
        "ConvTransposeStream.step: `chunk` must have the shape that the stream was started "
        "for, (2, 2, any); got shape (3, 2, 5). Start another stream for chunks of another "
        "shape.",
    ),
    "no batch": (
        lambda: UP.step(UP.start(2), np.ones((2, 5))),
        "ConvTransposeStream.step: `chunk` must have the shape that the stream was started "
        "for, (2, 2, any); got shape (2, 5). Start another stream for chunks of another "
        "shape.",
    ),
    "another stream's state": (
        lambda: UP.step(DOWN.start(2), np.ones((2, 2, 5))),
        "ConvTransposeStream.step: `state` must be a state of this stream; got an array of "
        "shape (2, 3, 3). Take the one that `start` or the last `step` returned.",
    ),
    "no state": (
        lambda: UP.flush(None),
        "ConvTransposeStream.flush: `state` must be a state of this stream; got an object "
        "of type NoneType. Take the one that `start` or the last `step` returned.",
    ),
    "a chain without a state": (
        lambda: BOTH.step(None, np.ones((2, 2, 5))),
        "chain.step: `state` must be a state of this stream; got an object of type "
        "NoneType. Take the one that `start` or the last `step` returned.",
    ),
    "the state of a longer chain": (
        lambda: BOTH.flush(chain(UP, abs, BACK, abs).start(2)),
        "chain.flush: `state` must be a state of this stream; got 4 states in place of 3. "
        "Take the one that `start` or the last `step` returned.",
    ),
    "the states of a chain the other way round": (
        lambda: BOTH.step(BOTH.start(2)[::-1], np.ones((2, 2, 5))),
        "chain.step: `state` must be a state of this stream; got an array of shape "
        "(2, 3, 2). Take the one that `start` or the last `step` returned.",
    ),
    "a state of a residual branch that is none": (
        lambda: residual(BACK).step(3, np.ones((2, 3, 5))),
        "residual.step: `state` must be a state of this stream; got an object of type int. "
        "Take the one that `start` or the last `step` returned.",
    ),
    "channels that the next layer does not take": (
        lambda: chain(UP, abs, UP).start(2),
        "chain.start, layer 2: `chunk` must have as many channels as the kernel's I axis; "
        "got 3 channels in x and 2 in the kernel on axis 'C'. Kernels are (C_in, "
        "C_out/groups, *k) unless `kernel_layout` says otherwise. Three axes include "
        'channels here; layout="DHW", kernel_layout="DHW" reads a bare volume.',
    ),
    "a chunk of a chain with other channels": (
        lambda: BOTH.step(BOTH.start(2), np.ones((2, 3, 5))),
        "chain.step: `chunk` must have the shape that the stream was started for, (2, 2, "
        "any); got shape (2, 3, 5). Start another stream for chunks of another shape.",
    ),
    "a number": (
        lambda: UP.step(UP.start(2), 3.0),
        "ConvTransposeStream.step: `chunk` must have 3 dimensions (N, C, *space) or 2 (C, "
        "*space); got 0 dimensions. The kernel has channels; a bare signal or image takes "
        "a kernel of its rank.",
    ),
    "a fraction as batch": (
        lambda: UP.start(1.5),
        "ConvTransposeStream.start: `batch` must be an integer or one per axis; got 1.5 of "
        "type float. Nothing is rounded or converted; write, for example, 2.",
    ),
    "a batch that no array has": (
        lambda: UP.start(2**48),
        "ConvTransposeStream.start: `batch` must be at most 2**47; got 281474976710656.",
    ),
    "steady as an array": (
        lambda: BOTH.start(2, steady=np.ones(2)),
        "chain.start: `steady` must be True or False; got array([1., 1.]).",
    ),
    "a running stream that was not started": (
        lambda: RunningStream(UP).step(np.ones((2, 2, 5))),
        "RunningStream.step: `stream` must have been started; got no state. Call `start` "
        "first, for each signal.",
    ),
    "a second flush": (
        lambda: [running.flush() for running in [RunningStream(UP).start(2)] * 2],
        "RunningStream.flush: `stream` must have been started; got no state. Call `start` "
        "first, for each signal.",
    ),
    "a chunk of a running stream": (
        lambda: RunningStream(UP).start(2).step(np.ones((2, 5))),
        "RunningStream.step: `chunk` must have the shape that the stream was started for, "
        "(2, 2, any); got shape (2, 5). Start another stream for chunks of another shape.",
    ),
    "no stream that could run": (
        lambda: RunningStream(abs),
        "RunningStream: `stream` must be a stream; got an object of type "
        "builtin_function_or_method.",
    ),
    "no states to map": (
        lambda: map_state(np.negative),
        "map_state: `states` must be states of a stream; got ().",
    ),
    "states of two streams": (
        lambda: map_state(lambda *a: a, BOTH.start(2)[:2], BOTH.start(2))[:0],
        None,
    ),
    "a window of words": (
        lambda: InverseSTFTStream(8, 2, window="hann"),
        "InverseSTFTStream: `window` must be an array of real numbers; got 'hann'.",
    ),
    "no layer": (
        lambda: chain(3),
        "chain: `layers` must be streams and functions; got 3 as number 0.",
    ),
    "functions alone": (
        lambda: chain(abs),
        "chain: `layers` must have a stream among them; got (<built-in function abs>,).",
    ),
    "a branch that shortens": (
        lambda: residual(DOWN),
        "residual: `layers` must keep the number of elements; got 0 from 1. Pad by "
        "dilation*(k - 1) in all, for example padding='same'.",
    ),
    "a branch with other channels": (
        lambda: residual(ConvStream(np.ones((2, 3, 3)), padding=1)).start(1),
        "residual: `layers` must keep the shape; got (1, 2, 0) from (1, 3, 0). The last "
        "layer needs as many output channels as come in.",
    ),
    "windows with holes": (
        lambda: InverseSTFTStream(4, 2, window=[0, 1, 1, 0], center=False),
        "InverseSTFTStream: `window` must reach every sample of the result; got squared "
        "windows that add up to 0.0 for 1 frames. Use a shorter hop or another window, or "
        "center=True.",
    ),
    "a window of another length": (
        lambda: InverseSTFTStream(8, 2, window=np.ones(7)),
        "InverseSTFTStream: `window` must have win_length = 8 elements, at most n_fft = 8; "
        "got shape (7,).",
    ),
    "a window with NaN": (
        lambda: InverseSTFTStream(4, 1, window=[1, 1, np.nan, 1]),
        "InverseSTFTStream: `window` must have finite elements; got array([ 1.,  1., nan,  "
        "1.]).",
    ),
    "an infinite window": (
        lambda: InverseSTFTStream(4, 1, window=[1, 1, np.inf, 1]),
        "InverseSTFTStream: `window` must have finite elements; got array([ 1.,  1., inf,  "
        "1.]).",
    ),
    "a window of zeros": (
        lambda: InverseSTFTStream(8, 2, window=np.zeros(8)),
        "InverseSTFTStream: `window` must reach every sample of the result; got squared "
        "windows that add up to 0.0 for 2 frames. Use a shorter hop or another window, or "
        "center=True.",
    ),
    "a complex window": (
        lambda: InverseSTFTStream(2, 1, window=[1 + 1j, 1]),
        "InverseSTFTStream: `window` must be an array of real numbers; got [(1+1j), 1].",
    ),
    "a window of one element": (
        lambda: InverseSTFTStream(8, 2, window=[1.0]),
        "InverseSTFTStream: `window` must have win_length = 8 elements, at most n_fft = 8; "
        "got shape (1,).",
    ),
    "a window of one element with a long hop": (
        lambda: InverseSTFTStream(8, 2, 1, window=[1.0]),
        "InverseSTFTStream: `window` must reach every sample of the result; got squared "
        "windows that add up to 0.0 for 2 frames. Use a shorter hop or another window, or "
        "center=True.",
    ),
    "a window of large numbers": (
        lambda: InverseSTFTStream(4, 1, window=[1e20] * 4),
        "InverseSTFTStream: `window` must have squares that add up to what float32 can "
        "hold; got squares up to 1e+40 in 4 frames that overlap. Scale the window, of the "
        "analysis too.",
    ),
    "real spectra": (
        lambda: InverseSTFTStream(8).step(None, np.ones((5, 2))),
        "InverseSTFTStream.step: `chunk` must be complex with 5 frequencies in the axis "
        "before the last; got shape (5, 2) of float64. A frame of n_fft samples has n_fft "
        "// 2 + 1 frequencies.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_these_words(name):
    call, text = REFUSED[name]
    with pytest.raises(GeometryError) as error:
        call()
    if text is None:  # it shows the arrays
        assert str(error.value).startswith("map_state: `states` must be states of one")
    else:
        assert str(error.value) == text


@pytest.mark.parametrize(
    ("stream", "name"),
    [(UP, "ConvTransposeStream"), (BOTH, "chain"), (residual(BACK), "residual")],
    ids=["stream", "chain", "residual"],
)
def test_a_step_on_nothing_names_the_chunk_and_the_flush(stream, name):
    with pytest.raises(BackendError) as error:
        stream.step(stream.start(2), None)
    assert str(error.value) == (
        f"{name}.step: `chunk` must be an array, a list or a number; got None. At the end "
        "call `flush`."
    )


def test_a_function_of_a_chain_that_returns_nothing_is_refused():
    layers = chain(UP, lambda _: None)
    with pytest.raises(GeometryError) as error:
        layers.start(2)
    assert str(error.value) == (
        "chain: `layers` must be streams, or functions that keep the shape of a chunk; got "
        "NoneType from (2, 3, 0) by number 1. Functions act on every element by itself; "
        "the rest is a layer."
    )


def test_chunks_of_another_dtype_are_refused():
    with pytest.raises(BackendError) as error:
        UP.step(UP.start(2), np.ones((2, 2, 5), "float32"))
    assert str(error.value) == (
        "ConvTransposeStream.step: `chunk` must have the dtype that the stream was started "
        "for, float64; got dtype float32. Name the dtype in `start`, or convert the chunks."
    )


@pytest.mark.parametrize("dtype", ["bool", "floaty", "object", 3])
def test_dtypes_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(BackendError, match=r"^ConvTransposeStream\.start: `dtype` must"):
        UP.start(2, dtype)


def test_an_inexact_algorithm_for_integers_is_refused_by_name():
    stream = ConvStream([1, 2], algorithm="fft")
    with pytest.raises(BackendError, match=r"^ConvStream\.step: `algorithm` must be exact"):
        stream.step(stream.start(), [1, 2, 3])


def test_a_function_of_a_chain_that_shortens_is_refused():
    layers = chain(UP, lambda chunk: chunk[..., :1])
    state = layers.start(2)
    with pytest.raises(GeometryError) as error:
        layers.step(state, np.ones((2, 2, 5)))
    assert str(error.value) == (
        "chain: `layers` must be streams, or functions that keep the shape of a chunk; got "
        "shape (2, 3, 1) from (2, 3, 10) by number 1. Functions act on every element by "
        "itself; the rest is a layer."
    )


@pytest.mark.parametrize("kernel", [[1, 10, 100, 1000], [1]])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("word", ["same", "same_lower"])
def test_the_fix_for_same_is_same(kernel, stride, word, streamed):
    with pytest.raises(GeometryError) as error:
        ConvStream(kernel, padding=word, stride=stride)
    pair = eval(str(error.value).split("Write ")[1].split(" for")[0])
    x = np.arange(1, 3 * stride + 1)
    stream = ConvStream(kernel, padding=(pair,), stride=stride)
    expected = mtconv.conv(x, kernel, padding=word, stride=stride)
    assert streamed(stream, x, [2]).tolist() == expected.tolist()
