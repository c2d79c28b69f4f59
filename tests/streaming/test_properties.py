"""Streams of any problem, cut anywhere, against the whole by plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import problems
from mtconv.streaming import ConvStream, ConvTransposeStream
from mtconv.testing import reference_conv, reference_conv_transpose

OPTIONS = ("stride", "padding", "output_padding", "dilation", "groups")
DTYPES = ("int64", "int8", "uint16", "float16", "float32", "float64", "complex64")


def spatial_axes(case, array):
    """Numbers of the spatial axes of an array, in the order of the options."""
    rank = case.spec.rank
    layout = case.options.get("layout")
    if layout is None:
        return list(range(array.ndim - rank, array.ndim))
    return [layout.index(letter) for letter in layout if letter not in "NC"]


def start_of(case, array, axes, number):
    """Arguments of `start` for chunks of this array."""
    layout = case.options.get("layout")
    sizes = [array.shape[axis] for axis in axes]
    del sizes[number]
    batch = None
    if layout is not None:
        batch = array.shape[layout.index("N")] if "N" in layout else None
    elif array.ndim == case.spec.rank + 2:
        batch = array.shape[0]
    return {"batch": batch, "dtype": array.dtype, "size": sizes or None}


def cases(**limits):
    return problems(options=OPTIONS, dtypes=DTYPES, layouts=True, **limits)


@st.composite
def cut_cases(draw, form, **limits):
    case = draw(cases(**limits))
    array = case.x if form == "conv_transpose" else case.y
    axes = spatial_axes(case, array)
    number = draw(st.integers(0, len(axes) - 1))
    size = array.shape[axes[number]]
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    return case, array, axes, number, cuts


def needs_length(case, number):
    word = case.options.get("padding") in ("same", "same_lower")
    return word and case.spec.axes[number].stride > 1


def check(form, drawn, streamed):
    case, array, axes, number, cuts = drawn
    if form == "conv":
        options, bias, cls, by_loops = case.conv_options, None, ConvStream, reference_conv
    else:
        options, bias, cls = case.options, case.bias, ConvTransposeStream
        by_loops = reference_conv_transpose
    expected = by_loops(array, case.kernel, bias, **options)
    if form == "conv" and needs_length(case, number):
        with pytest.raises(mtconv.GeometryError, match="on the length of the whole"):
            cls(case.kernel, bias, axis=number, **options)
        return
    stream = cls(case.kernel, bias, axis=number, **options)
    start = start_of(case, array, axes, number)
    got = streamed(stream, array, cuts, axes[number], **start)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ranks", [(1,), (2,), (3,)])
@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_chunks_joined_are_the_whole(form, ranks, streamed):
    @settings(max_examples=80)
    @given(cut_cases(form, ranks=ranks))
    def joined(drawn):
        check(form, drawn, streamed)

    joined()


@settings(max_examples=40)
@given(cut_cases("conv_transpose", kinds=("batched",), bias=True))
def test_a_steady_stream_gives_the_whole_after_its_latency(drawn):
    case, array, axes, number, cuts = drawn
    stream = ConvTransposeStream(case.kernel, case.bias, axis=number, **case.options)
    axis = axes[number]
    state = stream.start(**start_of(case, array, axes, number), steady=True)
    outputs = []
    for chunk in np.split(array, cuts, axis):
        state, output = stream.step(state, chunk)
        stride = case.spec.axes[number].stride
        assert output.shape[axis] == stride * chunk.shape[axis]
        outputs.append(output)
    joined = np.concatenate([*outputs, stream.flush(state)], axis)
    result = np.delete(joined, range(stream.latency), axis)
    expected = reference_conv_transpose(array, case.kernel, case.bias, **case.options)
    np.testing.assert_array_equal(result, expected)
