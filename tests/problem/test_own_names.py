"""Errors name the function that was called, and one of its own arguments.

Every public function gets bad values of every kind in place of each of its arguments.
"""

import inspect

import numpy as np
import pytest

import mtconv
from mtconv import BackendError, GeometryError, streaming

BAD = {
    "nothing": None,
    "a fraction": 1.5,
    "a word": "abc",
    "a list of both": [1, "a"],
    "a negative": -1,
    "zero": 0,
    "three": 3,
    "a truth value": True,
    "an object": object(),
    "an empty tuple": (),
    "nested tuples": ((1, 2, 3),),
    "a long tuple": (1, 2, 3, 4, 5),
    "a dict": {},
    "no number": float("nan"),
    "a huge number": 10**30,
    "an array of objects": np.array([object()]),
    "an array of four axes": np.ones((2, 2, 2, 2)),
    "an array of words": np.array(["a"]),
    "an array of truth values": np.ones((2, 3, 3), bool),
}

X, KERNEL = np.ones((1, 2, 5)), np.ones((2, 3, 3))
SHAPES = {"x_shape": (1, 2, 5), "kernel_shape": (2, 3, 3)}
GEOMETRY = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "padding_mode": "zeros",
    "layout": None,
    "kernel_layout": None,
}
SIZES = {"output_padding": 0, "output_size": None}
COMPUTING = {"algorithm": "auto", "backend": None}
OPTIONS = {**GEOMETRY, **COMPUTING}
STFT = {
    "n_fft": 8,
    "hop_length": 2,
    "win_length": 8,
    "window": np.hanning(9)[:-1],
    "center": True,
    "normalized": False,
    "dtype": "float64",
}

OPERATOR = mtconv.Conv(KERNEL, input_size=5)
CIRCLE = mtconv.Conv(np.ones((1, 1, 3)), input_size=6, padding_mode="circular", padding=1)
START = {"batch": 1, "dtype": "float64", "size": None, "steady": False}
SAME = streaming.ConvStream(np.ones((2, 2, 3)), padding=1)
UP = streaming.ConvTransposeStream(KERNEL, stride=2)
SYNTHESIS = streaming.InverseSTFTStream(8, 2)
CHUNK = np.ones((1, 2, 4))
SPECTRA = np.ones((1, 5, 4), "complex64")

# Functions by what errors call them, with arguments that are right.
CALLS = {
    "conv": (mtconv.conv, {"x": X, "kernel": np.ones((3, 2, 3)), "bias": None, **OPTIONS}),
    "conv_transpose": (
        mtconv.conv_transpose,
        {"x": X, "kernel": KERNEL, "bias": None, **OPTIONS, **SIZES},
    ),
    "kernel_grad": (
        mtconv.kernel_grad,
        {"x": X, "y": np.ones((1, 3, 7)), "kernel_size": (3,), **OPTIONS},
    ),
    "conv_shape": (
        mtconv.conv_shape,
        {"x_shape": (1, 2, 5), "kernel_shape": (3, 2, 3), **GEOMETRY},
    ),
    "conv_transpose_shape": (mtconv.conv_transpose_shape, {**SHAPES, **GEOMETRY, **SIZES}),
    "input_sizes": (
        mtconv.input_sizes,
        {"size": 5, "kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1},
    ),
    "overlap_count": (mtconv.overlap_count, {**SHAPES, **GEOMETRY, **SIZES}),
    "ConvSpec.from_shapes": (mtconv.ConvSpec.from_shapes, {**SHAPES, **GEOMETRY, **SIZES}),
    "explain": (
        mtconv.explain,
        {**SHAPES, **GEOMETRY, "dtype": "float32", "backend": "numpy", "form": "conv"}
        | {"kernel_shape": (3, 2, 3), "algorithm": "auto"},
    ),
    "Conv": (mtconv.Conv, {"kernel": KERNEL, "input_size": 5, **OPTIONS}),
    "ConvTranspose": (
        mtconv.ConvTranspose,
        {"kernel": KERNEL, "input_size": 5, **OPTIONS, **SIZES},
    ),
    "KernelConv": (mtconv.KernelConv, {"y": X, "kernel_size": 3, "channels": 2, **OPTIONS}),
    "KernelConvTranspose": (
        mtconv.KernelConvTranspose,
        {"x": X, "kernel_size": 3, "channels": 2, **OPTIONS, **SIZES},
    ),
    "Conv.norm": (OPERATOR.norm, {"tol": 1e-3}),
    "Conv.rmatvec": (OPERATOR.rmatvec, {"v": np.ones(6)}),
    "Conv.rmatmat": (OPERATOR.rmatmat, {"vs": np.ones((6, 2))}),
    "Conv.regularized_inverse": (CIRCLE.regularized_inverse, {"weight": 1.0}),
    "Conv.regularized_solve": (
        CIRCLE.regularized_solve,
        {"y": np.ones((1, 6)), "weight": 1.0, "z": 0.0},
    ),
    "workers": (mtconv.workers, {"number": 2}),
    "ConvStream": (streaming.ConvStream, {"kernel": KERNEL, "axis": -1, **OPTIONS}),
    "ConvTransposeStream": (
        streaming.ConvTransposeStream,
        {"kernel": KERNEL, "bias": None, "axis": -1, "output_padding": 0, **OPTIONS},
    ),
    "InverseSTFTStream": (streaming.InverseSTFTStream, STFT),
    "RunningStream": (streaming.RunningStream, {"stream": UP}),
    "RunningStream.step": (
        streaming.RunningStream(SAME).start(1).step,
        {"chunk": CHUNK},
    ),
    "map_state": (
        lambda function, states: streaming.map_state(function, states),
        {"function": np.negative, "states": UP.start(1)},
    ),
}

STREAMS = {
    "ConvStream": (SAME, CHUNK),
    "ConvTransposeStream": (UP, CHUNK),
    "chain": (streaming.chain(SAME, abs, UP), CHUNK),
    "residual": (streaming.residual(SAME, abs), CHUNK),
    "InverseSTFTStream": (SYNTHESIS, SPECTRA),
}
for title, (stream, chunk) in STREAMS.items():
    dtype = chunk.dtype.name
    state = stream.start(1, dtype)
    CALLS |= {
        f"{title}.start": (stream.start, {**START, "dtype": dtype}),
        f"{title}.step": (stream.step, {"state": state, "chunk": chunk}),
        f"{title}.flush": (stream.flush, {"state": state}),
    }


def refusals(name):
    """Errors of a function, each with the argument that was bad."""
    function, right = CALLS[name]
    positional = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    for argument in right:
        for kind, value in BAD.items():
            arguments = {**right, argument: value}
            given = [arguments.pop(own) for own in right if own in positional]
            try:
                function(*given, **arguments)
            except Exception as error:
                yield argument, kind, error


@pytest.mark.parametrize("name", CALLS)
def test_errors_name_the_function_and_an_argument_of_its_own(name):
    function, right = CALLS[name]
    function(**right)
    seen = list(refusals(name))
    assert seen
    for argument, kind, error in seen:
        text = str(error)
        case = f"{kind} as {argument}: {type(error).__name__}: {text}"
        assert isinstance(error, (GeometryError, BackendError, ValueError, TypeError)), case
        if text.startswith(f"{name}() missing"):  # as Python says it
            continue
        assert text.startswith(f"{name}: `"), case
        assert text.split("`")[1] in right, case


@pytest.mark.parametrize("name", CALLS)
def test_advice_about_volumes_is_given_about_shapes_only(name):
    for argument, kind, error in refusals(name):
        if " reads a bare volume" in str(error) or " reads bare volumes" in str(error):
            about = str(error).split("`")[1]
            shapes = about in ("x", "y", "v", "vs", "bias", "x_shape")
            numbers = "per spatial axis" in str(error) or about == "output_size"
            assert shapes or about.startswith("kernel") or numbers, (argument, kind)


ADVICE = (
    ' Three axes include channels here; layout="DHW", kernel_layout="DHW" reads a bare '
)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: mtconv.conv_shape((1, 2, 5), (3, 2, 3), stride=0),
            "conv_shape: `stride` must be at least 1; got 0 on axis 'W'.",
        ),
        (
            lambda: mtconv.conv_transpose_shape((1, 2, 5), (3, 3, 3)),
            "conv_transpose_shape: `x_shape` must have as many channels as the kernel's I "
            "axis; got 2 channels in x and 3 in the kernel on axis 'C'. Kernels are (C_in, "
            "C_out/groups, *k) unless `kernel_layout` says otherwise."
            f"{ADVICE}volume.",
        ),
        (
            lambda: mtconv.Conv([1, 2], input_size=(1,)),
            "Conv: `kernel` must not span more than the padded input; got a span of "
            "dilation*(k - 1) + 1 = 2 and an input of 1 + 0 + 0 = 1 on axis 'W'. Pad more "
            "or use a smaller kernel or dilation.",
        ),
        (
            lambda: mtconv.Conv(KERNEL, input_size=5, stride=0),
            "Conv: `stride` must be at least 1; got 0 on axis 'W'.",
        ),
        (
            lambda: mtconv.KernelConv(X, kernel_size=(7,), channels=2),
            "KernelConv: `kernel_size` must not span more than the padded input; got a "
            "span of dilation*(k - 1) + 1 = 7 and an input of 5 + 0 + 0 = 5 on axis 'W'. "
            "Pad more or use a smaller kernel or dilation."
            f"{ADVICE}volume.",
        ),
        (
            lambda: mtconv.KernelConv(np.ones(5), kernel_size=3),
            "KernelConv: `kernel_size` must be a tuple unless y has batch, channels and "
            "space; got 3 for y of shape (5,). Write one kernel size per spatial axis, for "
            "example (3,).",
        ),
        (
            lambda: OPERATOR.rmatvec(np.ones(5)),
            "Conv.rmatvec: `v` must have shape (2, 3), alone or behind a batch axis, or be "
            f"flat with 6 elements; got shape (5,).{ADVICE}volume.",
        ),
    ],
)
def test_the_words_are_those_of_the_call(call, text):
    with pytest.raises(GeometryError) as error:
        call()
    assert str(error.value) == text
