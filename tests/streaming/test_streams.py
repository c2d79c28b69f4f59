"""One stream at a time: what each step gives, with values that can be checked by hand."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import mtconv
from mtconv.streaming import ConvStream, ConvTransposeStream, RunningStream, map_state


def lists(outputs):
    return [output.tolist() for output in outputs]


def test_a_step_gives_all_that_no_later_input_changes(outputs_of):
    stream = ConvTransposeStream([1, 10, 100], stride=2)
    outputs = outputs_of(stream, np.array([1, 2, 3]), [1, 2])
    assert lists(outputs) == [[1, 10], [102, 20], [203, 30], [300]]


def test_a_convolution_waits_for_what_it_reads(outputs_of):
    stream = ConvStream([1, 10, 100], padding=1)
    outputs = outputs_of(stream, np.array([1, 2, 3]), [1, 2])
    assert lists(outputs) == [[], [210], [321], [32]]


def test_causal_padding_gives_each_output_at_once(outputs_of):
    stream = ConvStream([1, 10, 100], padding=((2, 0),))
    assert stream.latency == 0
    outputs = outputs_of(stream, np.array([1, 2, 3]), [1, 2])
    assert lists(outputs) == [[100], [210], [321], []]


def test_what_is_cropped_at_the_end_is_held_back(outputs_of):
    # The whole is [1, 11, 111, 110, 100] without its last three elements.
    stream = ConvTransposeStream([1, 10, 100], padding=((0, 3),))
    outputs = outputs_of(stream, np.array([1, 1, 1]), [1, 2])
    assert lists(outputs) == [[], [1], [11], []]


def test_output_padding_comes_with_the_flush(outputs_of):
    stream = ConvTransposeStream([5], stride=3, output_padding=2)
    outputs = outputs_of(stream, np.array([1, 2]), [1])
    assert lists(outputs) == [[5, 0, 0], [10, 0, 0], []]
    stream = ConvTransposeStream([5, 6, 7], stride=2, output_padding=1)
    outputs = outputs_of(stream, np.array([1, 2]), [1])
    assert lists(outputs) == [[5, 6], [17, 12], [14, 0]]


def test_padding_beyond_the_kernel_waits_until_it_has_passed(outputs_of):
    # lo = 4 is more than k - 1 = 1: four elements of the full result are dropped.
    stream = ConvTransposeStream([1, 10], padding=((4, 0),))
    outputs = outputs_of(stream, np.array([1, 2, 3, 4, 5, 6]), [2, 4])
    assert lists(outputs) == [[], [], [45, 56], [60]]


def test_extension_at_the_start_comes_with_the_first_element(outputs_of):
    stream = ConvTransposeStream([1, 10], padding=((-2, -1),))
    outputs = outputs_of(stream, np.array([3, 4]), [0, 1])
    assert lists(outputs) == [[], [0, 0, 3], [34], [40, 0]]


def test_a_stride_beyond_the_kernel_skips_input(outputs_of):
    stream = ConvStream([1, 10], stride=4)
    outputs = outputs_of(stream, np.arange(1, 10), [1, 2, 3, 5, 7])
    assert lists(outputs) == [[], [21], [], [], [65], [], []]


def test_zeros_between_elements_come_when_the_next_element_does(outputs_of):
    # The whole is [6, 1, 1, 11]: zeros of the stride, and the bias on each element once.
    stream = ConvTransposeStream(np.full((1, 1, 1), 5), [1], stride=3)
    outputs = outputs_of(stream, np.array([[1, 2]]), [1], dtype="int64")
    assert lists(outputs) == [[[6]], [[1, 1, 11]], [[]]]


def test_the_bias_is_added_once_also_where_no_tap_reaches(outputs_of):
    kernel, bias = np.array([[[1, 10, 100]]]), np.array([1000])
    stream = ConvTransposeStream(kernel, bias, padding=((-1, -2),))
    outputs = outputs_of(stream, np.array([[[1, 2]]]), [1], batch=1)
    assert lists(outputs) == [[[[1000, 1001]]], [[[1012]]], [[[1120, 1200, 1000, 1000]]]]


def test_flush_on_nothing_gives_nothing():
    for stream in (
        ConvTransposeStream([1, 2, 3], padding=((-4, -4),)),
        ConvStream([1, 2, 3], padding=5),
    ):
        state = stream.start()
        assert stream.flush(state).tolist() == []
        state, output = stream.step(state, np.zeros(0, "int64"))
        assert output.tolist() == []
        assert stream.flush(state).tolist() == []


def test_a_signal_that_the_whole_map_refuses_gives_nothing(outputs_of):
    assert lists(outputs_of(ConvStream([1, 2, 3, 4]), np.array([1, 2]), [])) == [[], []]
    with pytest.raises(mtconv.GeometryError):
        mtconv.conv([1, 2], [1, 2, 3, 4])


def test_outputs_of_no_elements_have_the_dtype_of_the_others():
    stream = ConvStream(np.ones((2, 1, 3), "float32"), np.ones(2, "float64"))
    state = stream.start(batch=3, dtype="float32")
    state, output = stream.step(state, np.ones((3, 1, 1), "float32"))
    assert (output.shape, output.dtype) == ((3, 2, 0), np.dtype("float64"))
    state, output = stream.step(state, np.ones((3, 1, 2), "float32"))
    assert (output.shape, output.dtype) == ((3, 2, 1), np.dtype("float64"))


@pytest.mark.parametrize("algorithm", ["auto", "exact", "gemm", "polyphase", "direct"])
def test_nan_at_a_seam_stays_where_the_kernel_takes_it(algorithm, outputs_of):
    x = np.array([1.0, np.nan, 3.0, 4.0])
    up = ConvTransposeStream([1.0, 10.0, 100.0], stride=2, algorithm=algorithm)
    got = np.concatenate(outputs_of(up, x, [1, 2]))
    assert np.isnan(got).tolist() == [False, False] + 3 * [True] + 4 * [False]
    down = ConvStream([1.0, 10.0], algorithm=algorithm)
    got = np.concatenate(outputs_of(down, x, [1, 2]))
    assert np.isnan(got).tolist() == [True, True, False]


def test_an_infinite_kernel_makes_no_nan_at_the_start(outputs_of):
    stream = ConvTransposeStream([np.inf, 1.0])
    outputs = outputs_of(stream, np.array([2.0, 3.0]), [1])
    assert lists(outputs) == [[np.inf], [np.inf], [3.0]]


def test_an_infinite_kernel_makes_no_nan_where_no_input_reaches(outputs_of):
    # The last outputs lie beyond the signal; nothing of the kernel is multiplied there.
    up = ConvTransposeStream([np.inf, 1.0], padding=((0, -2),))
    outputs = outputs_of(up, np.array([2.0, 3.0]), [1])
    assert lists(outputs) == [[np.inf], [np.inf], [3.0, 0.0, 0.0]]
    down = ConvStream([np.inf], stride=2, padding=((0, 5),))
    outputs = outputs_of(down, np.array([2.0]), [])
    assert lists(outputs) == [[np.inf], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("cls", [ConvStream, ConvTransposeStream])
def test_floats_round_as_in_the_whole(cls, dtype, streamed):
    # Every element is computed in one piece, by the same sum: no second rounding.
    rng = np.random.default_rng(3)
    x, kernel = rng.normal(size=(2, 3, 40)).astype(dtype), rng.normal(size=(3, 3, 5))
    options = {"stride": 2, "algorithm": "direct"}
    stream = cls(kernel.astype(dtype), **options)
    whole = {ConvStream: mtconv.conv, ConvTransposeStream: mtconv.conv_transpose}[cls]
    expected = whole(x, kernel.astype(dtype), **options)
    got = streamed(stream, x, [1, 2, 9, 30], batch=2, dtype=dtype)
    np.testing.assert_array_equal(got, expected)


def test_small_integers_wrap_as_in_the_whole(streamed):
    stream = ConvTransposeStream(np.array([100, 100], "int8"))
    got = streamed(stream, np.array([1, 1, 1], "int8"), [1, 2])
    assert got.dtype == np.int8
    assert got.tolist() == [100, -56, -56, 100]


def test_any_spatial_axis_can_be_the_axis_of_time(streamed):
    rng = np.random.default_rng(5)
    x, kernel = rng.integers(-9, 9, (2, 3, 5, 6)), rng.integers(-9, 9, (3, 2, 3, 2))
    options = {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "output_padding": (1, 2)}
    expected = mtconv.conv_transpose(x, kernel, **options)
    for axis, size in ((0, 6), (-2, 6), ("H", 6), (1, 5), (-1, 5), ("W", 5)):
        stream = ConvTransposeStream(kernel, axis=axis, **options)
        number = 2 if size == 6 else 3
        got = streamed(stream, x, [1, 2, 4], number, batch=2, dtype="int64", size=size)
        np.testing.assert_array_equal(got, expected)


def test_layouts_say_where_time_is(streamed):
    rng = np.random.default_rng(6)
    x, kernel = rng.integers(-9, 9, (2, 7, 3)), rng.integers(-9, 9, (4, 3, 5))
    options = {"layout": "NLC", "kernel_layout": "LIO", "stride": 2, "padding": 1}
    stream = ConvTransposeStream(kernel, axis="L", **options)
    got = streamed(stream, x, [2, 3], 1, batch=2)
    np.testing.assert_array_equal(got, mtconv.conv_transpose(x, kernel, **options))


def test_same_padding_of_both_maps(streamed):
    x = np.arange(1, 8)
    for word in ("same", "same_lower"):
        up = ConvTransposeStream([1, 10, 100, 1000], stride=3, padding=word)
        expected = mtconv.conv_transpose(x, [1, 10, 100, 1000], stride=3, padding=word)
        assert streamed(up, x, [1, 4]).tolist() == expected.tolist()
        down = ConvStream([1, 10, 100, 1000], padding=word, dilation=2)
        expected = mtconv.conv(x, [1, 10, 100, 1000], padding=word, dilation=2)
        assert streamed(down, x, [1, 4]).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("stream", "latency", "state_shape"),
    [
        (ConvTransposeStream(np.ones((2, 3, 16)), stride=8, padding=4), 4, (5, 2, 1)),
        (ConvTransposeStream(np.ones((2, 3, 16)), stride=8), 0, (5, 2, 1)),
        (ConvTransposeStream(np.ones((2, 3, 4)), stride=2, padding=3), 4, (5, 2, 2)),
        (ConvTransposeStream(np.ones((2, 3, 1)), stride=5), 4, (5, 2, 0)),
        (ConvStream(np.ones((2, 3, 7)), dilation=9, padding=27), 27, (5, 3, 54)),
        (ConvStream(np.ones((2, 3, 7)), padding=((6, 0),)), 0, (5, 3, 6)),
        (ConvStream(np.ones((2, 3, 4)), stride=2), 1, (5, 3, 3)),
        (ConvStream(np.ones((2, 3, 1))), 0, (5, 3, 0)),
    ],
)
def test_latency_and_state_are_integers_of_the_geometry(stream, latency, state_shape):
    assert stream.latency == latency
    assert stream.state_shape(batch=5) == state_shape
    assert stream.start(batch=5).cells.shape == state_shape


def test_the_state_does_not_grow():
    stream = ConvTransposeStream(np.ones((1, 1, 4)), stride=2)
    state = stream.start(batch=1)
    for _ in range(3):
        state, _ = stream.step(state, np.ones((1, 1, 1000)))
        assert len(pickle.dumps(state)) < 1000


def test_neither_state_nor_chunk_is_changed_or_kept():
    stream = ConvStream([1, 10, 100])
    chunk = np.array([1, 2, 3])
    before, _ = stream.step(stream.start(), chunk)
    chunk[:] = 7
    assert before.cells.tolist() == [2, 3]
    after, output = stream.step(before, np.array([4, 5]))
    assert output.tolist() == [432, 543]
    assert before.cells.tolist() == [2, 3]
    assert stream.step(before, np.array([4, 5]))[1].tolist() == [432, 543]
    assert after.cells.tolist() == [4, 5]


RESUME = """
import pickle, sys
stream, state, chunk = pickle.loads(sys.stdin.buffer.read())
state, output = stream.step(state, chunk)
sys.stdout.buffer.write(pickle.dumps((output, stream.flush(state))))
"""


@pytest.mark.parametrize("cls", [ConvStream, ConvTransposeStream])
def test_a_stream_saved_in_the_middle_goes_on_in_another_process_with_equal_bits(cls):
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(2, 2, 5)).astype("float32")
    stream = cls(kernel, stride=2, dilation=2, padding=((4, 4),))
    x = rng.normal(size=(1, 2, 50)).astype("float32")
    state, _ = stream.step(stream.start(batch=1), x[..., :23])
    saved = pickle.dumps((stream, state, x[..., 23:]))
    done = subprocess.run(
        [sys.executable, "-c", RESUME], input=saved, capture_output=True, check=True
    )
    elsewhere = pickle.loads(done.stdout)
    state, output = stream.step(state, x[..., 23:])
    for here, there in zip((output, stream.flush(state)), elsewhere, strict=True):
        assert here.size
        assert here.tobytes() == there.tobytes()


def test_states_at_one_position_join_as_a_batch():
    stream = ConvStream(np.array([[[1, 10]]]))
    states = [
        stream.step(stream.start(batch=1), np.array([[[value]]]))[0] for value in (3, 4)
    ]
    both = map_state(lambda *arrays: np.concatenate(arrays), *states)
    _, output = stream.step(both, np.array([[[5]], [[6]]]))
    assert output.tolist() == [[[53]], [[64]]]


def test_states_at_different_positions_do_not_join():
    stream = ConvTransposeStream([1, 10], padding=3)
    state = stream.start()
    with pytest.raises(mtconv.GeometryError) as error:
        map_state(np.add, state, stream.step(state, [1])[0])
    assert str(error.value) == (
        "map_state: `states` must be at the same position; got (position, held, lead) of "
        "(0, 0, None), (1, 0, None)."
    )


def test_a_running_stream_keeps_its_state():
    decoder = RunningStream(ConvTransposeStream([1, 10, 100], stride=2))
    for _ in range(2):  # a new start forgets the signal before
        decoder.start()
        assert decoder.step([1]).tolist() == [1, 10]
        assert decoder.step([2]).tolist() == [102, 20]
        assert decoder.flush().tolist() == [200]


def test_positions_stay_small_however_long_a_stream_runs():
    stream = ConvStream(np.ones(5, "int64"), stride=3, padding=((4, 0),))
    state = stream.start()
    for _ in range(200):
        state, _ = stream.step(state, np.ones(7, "int64"))
        assert state.position < 20


def test_a_stream_shows_its_geometry():
    stream = ConvTransposeStream(np.ones((2, 3, 4)), stride=2, padding=1)
    assert repr(stream) == (
        "ConvTransposeStream(kernel of shape (2, 3, 4), axis 'W', stride=2, halo=1, "
        "latency=1)"
    )
