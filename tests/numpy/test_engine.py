"""What the engine hands to algorithms: copies only where BLAS needs them, kernels once."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import blocks, engine, gemm, polyphase
from mtconv.backends._numpy.algorithms import ALGORITHMS
from mtconv.backends._numpy.blocks import FormPiece
from mtconv.backends._numpy.footprint import NO_COPIES, Copies
from mtconv.backends.host import memory as loading
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis
from mtconv.planning import tuning

FLOAT = np.dtype(np.float32)


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def unaligned(*shape):
    buffer = np.zeros(4 * int(np.prod(shape)) + 1, np.uint8)
    return buffer[1:].view(np.float32).reshape(shape)


# A piece that is the whole problem.
WHOLE = FormPiece((...,), (...,), (...,), ())


def call_on(dtype=FLOAT, **arrays):
    """Make a call on some arrays whose padding is zeros."""
    named = {"x": zeros(0), "w": zeros(0), "y": zeros(0), "tables": {}, **arrays}
    return engine.Computation(gemm, mtconv.ConvSpec((Axis(1, 1, 1),)), dtype, **named)


@pytest.mark.parametrize(
    ("array", "fine"),
    [
        (zeros(2, 3, 4, 5, 6), True),
        (zeros(2, 3, 4, 5, 6).transpose(2, 1, 0, 3, 4), True),
        (zeros(2, 3, 4, 5, 6)[:, :, ::2], True),
        (zeros(2, 3, 4, 5, 6)[:, ::2, 1:3], True),
        (zeros(2, 3, 4, 5, 6)[:, :, ::-1], False),  # BLAS knows no negative steps
        (zeros(2, 3, 4, 5, 6)[:, :, :, ::2], False),
        (zeros(2, 3, 4, 5, 6)[..., ::2], False),
        (zeros(2, 3, 4, 5, 6)[..., 1:], False),
        (zeros(2, 3, 4, 6, 5).swapaxes(3, 4), False),
        (zeros(2, 3, 4, 5, 6)[..., :1, :], True),  # one row: its step does not matter
        (zeros(2, 3, 4, 5, 6)[..., :1], False),
        (zeros(2, 3, 4, 5, 1), True),
        (
            zeros(2, 3, 4, 5, 6)[:, :, :, ::2][..., :1, :],
            True,
        ),  # nor is it the expected one
        (np.broadcast_to(zeros(3, 4, 5, 6), (2, 3, 4, 5, 6)), True),  # one item, twice
        (unaligned(2, 3, 4, 5), False),
        (unaligned(2, 3, 4, 5)[:, :, ::2], False),
    ],
)
def test_arrays_whose_rows_blas_can_take_are_taken_as_they_are(array, fine):
    assert loading.rows_contiguous(array) == fine
    loaded = loading.loaded(array, FLOAT, Workspace())
    assert (loaded is array) == fine
    assert loaded.flags.c_contiguous or fine


@pytest.mark.parametrize("dtype", ["float64", "float16", "int8"])
def test_arrays_of_another_dtype_are_converted(dtype):
    array = np.arange(24).reshape(1, 2, 3, 4).astype(dtype)
    loaded = loading.loaded(array, FLOAT, Workspace())
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, array)


@pytest.mark.parametrize(
    ("shape", "copied"),
    [
        # Items of fewer than 512 cells are put side by side, but not one alone.
        ((2, 3, 4, 511), True),
        ((2, 3, 4, 512), False),
        ((1, 3, 4, 511), False),
        ((2, 3, 4, 16, 31), True),
        ((2, 3, 4, 16, 32), False),
    ],
)
def test_small_items_of_x_are_copied_side_by_side(shape, copied):
    array = np.random.default_rng(0).standard_normal(shape, np.float32)
    loaded = call_on(x=array).block_of_x(WHOLE, Workspace(), tuning.FOLDED_ELEMENTS)
    assert loaded.shape == (*shape[1:3], shape[0], *shape[3:])
    assert np.array_equal(np.moveaxis(loaded, 2, 0), array)
    assert np.shares_memory(loaded, array) != copied
    assert loaded.flags.c_contiguous or not copied


def test_x_is_copied_where_blas_cannot_take_it():
    array = zeros(2, 3, 4, 600)
    for odd, dtype in (
        (array, np.dtype(np.float64)),
        (array[..., ::2][..., :300], FLOAT),
        (zeros(2, 3, 4, 600, dtype=np.float64), FLOAT),
    ):
        loaded = call_on(x=odd, dtype=dtype).block_of_x(WHOLE, Workspace(), 0)
        assert not np.shares_memory(loaded, odd)
        assert loaded.dtype == dtype


def test_y_is_copied_where_its_rows_have_gaps_or_another_dtype():
    array = zeros(2, 1, 3, 10, 10)
    piece = WHOLE._replace(y=(..., slice(5), slice(4)))
    for odd, dtype, copied in (
        (array, FLOAT, False),
        (array[:, :, :, ::-1], FLOAT, False),
        (array.swapaxes(3, 4), FLOAT, True),
        (array[..., ::-1], FLOAT, True),
        (array, np.dtype(np.float64), True),
        (array.astype(np.float64), FLOAT, True),
    ):
        loaded = call_on(y=odd, dtype=dtype).block_of_y(piece, Workspace())
        assert loaded.shape == (2, 1, 3, 5, 4)
        assert loaded.dtype == dtype
        assert np.shares_memory(loaded, odd) != copied


@pytest.mark.parametrize(
    ("form", "copied"),
    [
        ("conv_transpose", {"x": "data", "w": "kernel", "y": "result"}),
        ("conv", {"x": "result", "w": "kernel", "y": "data"}),
        ("kernel_grad", {"x": "x", "y": "data"}),
    ],
)
def test_arrays_are_copied_that_blas_cannot_take(form, copied):
    arrays = {"x": zeros(2, 1, 3, 5), "w": zeros(1, 3, 2, 4), "y": zeros(2, 1, 2, 8)}
    assert call_on(**arrays).copies(form) == NO_COPIES
    for name, role in copied.items():
        array = arrays[name]
        for odd in (array.astype(np.float16), array.astype(np.float64), array[..., ::-1]):
            expected = Copies(**{role: True})
            assert call_on(**{**arrays, name: odd}).copies(form) == expected
    if copied["y"] == "data":
        spec = mtconv.ConvSpec((Axis(1, 1, 1),), padding_mode="circular")
        assert call_on(**arrays)._replace(spec=spec).copies(form) == Copies(data=True)


@pytest.mark.parametrize(
    ("result", "dtype", "in_place"),
    [
        (zeros(2, 1, 3, 6), FLOAT, True),
        (zeros(2, 1, 3, 9)[..., :6], FLOAT, True),
        (zeros(2, 1, 6, 3).swapaxes(2, 3), FLOAT, False),
        (zeros(2, 1, 3, 12)[..., ::2], FLOAT, False),
        (zeros(2, 1, 3, 6), np.dtype(np.float64), False),
        (zeros(2, 1, 3, 6, dtype=np.int64), FLOAT, False),
    ],
)
def test_a_part_of_the_result_is_computed_in_place_where_it_can_be(result, dtype, in_place):
    written = []

    class Noted:
        NAME, TRANSFORMS = "direct", False

        @staticmethod
        def conv_transpose(axes, x, weights, out, space):
            del axes, x, weights, space
            out[...] = 7
            written.append(out)

    spec = mtconv.ConvSpec((Axis(5, 6, 2),), 1, 4, 3)
    x, w = zeros(2, 1, 4, 5), zeros(1, 4, 3, 2)
    engine.conv_transpose(engine.Computation(Noted, spec, dtype, x, w, result, {}))
    assert [np.shares_memory(out, result) for out in written] == [in_place]
    assert written[0].dtype == dtype
    assert (result == 7).all()


def test_whole_floats_become_integers_and_wrap():
    target = zeros(4, dtype=np.int8)
    loading.store(np.array([127.0, 128.0, -129.0, 2.0**40 + 3]), target)
    assert target.tolist() == [127, -128, 127, 3]
    kept = zeros(2)
    loading.store(np.array([0.5, -1.25]), kept)
    assert kept.tolist() == [0.5, -1.25]


# ------------------------------------------------------------------ kernels packed once


@pytest.fixture
def four_blocks(monkeypatch, cut_anew):
    """Cut every problem into blocks of the batch, as only large ones are."""

    def cut(*args):
        ((whole,),) = real(*args)
        samples = [slice(n, n + 1) for n in range(args[3])]
        return tuple(
            (whole._replace(x=(n, *whole.x[1:]), y=(n, *whole.y[1:])),) for n in samples
        )

    real = blocks.cut
    monkeypatch.setattr(engine, "cut", cut)
    cut_anew()


@pytest.fixture
def packings(monkeypatch):
    """List the kernels that are packed."""
    got = []

    def packed(self, form, shape, dtype, space, fill):
        def noted(array):
            got.append((self._part, shape))
            fill(array)

        return real(self, form, shape, dtype, space, noted)

    real = Weights.packed
    monkeypatch.setattr(Weights, "packed", packed)
    return got


@pytest.mark.usefixtures("four_blocks")
@pytest.mark.parametrize(
    ("algorithm", "channels", "dtype", "times"),
    [
        ("polyphase", (3, 2), np.float32, 1),
        ("fft", (3, 2), np.float32, 1),
        # Two frequencies of each pair are 16 bytes: 2**22 of them are kept.
        ("fft", (700, 370), np.float32, 1),
        # 2**22 bytes are packed once, more for each block.
        ("polyphase", (1024, 512), np.float32, 1),
        ("polyphase", (1025, 512), np.float32, 4),
        ("polyphase", (1024, 256), np.float64, 1),
        ("polyphase", (1024, 257), np.float64, 4),
    ],
)
def test_a_kernel_is_packed_once_for_all_blocks(
    algorithm, channels, dtype, times, packings
):
    x, kernel = zeros(4, channels[0], 1, dtype=dtype), zeros(*channels, 2, dtype=dtype)
    mtconv.conv_transpose(x, kernel, algorithm=algorithm)
    assert len(packings) == times


@pytest.mark.usefixtures("four_blocks")
@pytest.mark.parametrize("algorithm", ["polyphase", "fft"])
def test_packs_of_a_prepared_kernel_are_those_of_the_caller(algorithm, packings):
    spec = mtconv.ConvSpec.from_shapes((4, 3, 5), (3, 2, 2))
    packs = {}
    for _ in range(2):
        arrays = zeros(4, 1, 3, 5), zeros(1, 3, 2, 2), zeros(4, 1, 2, 6)
        call = engine.Computation(
            ALGORITHMS[algorithm], spec, FLOAT, *arrays, {}, packs=packs
        )
        engine.conv_transpose(call)
    assert len(packings) == len(packs) == 1


def test_packs_of_one_call_are_forgotten(packings):
    for _ in range(2):
        mtconv.conv_transpose(zeros(1, 3, 5), zeros(3, 2, 2), algorithm="polyphase")
    assert len(packings) == 2


def test_groups_and_channels_have_packs_of_their_own(monkeypatch, packings, cut_anew):
    monkeypatch.setattr(tuning, "MOST_BYTES", 1)  # so that groups, then channels are cut
    cut_anew()
    rng = np.random.default_rng(0)
    x, kernel = rng.integers(-4, 5, (2, 4, 5)), rng.integers(-4, 5, (4, 3, 3))
    got = mtconv.conv_transpose(x, kernel, groups=2, algorithm="polyphase")
    ranges = (range(2), range(2), range(3), range(3))  # g, ci, co, taps
    parts = {("polyphase", starts) for starts in product(*ranges)}
    assert {part for part, _ in packings} == parts
    assert len(packings) == len(parts)
    expected = mtconv.conv_transpose(x, kernel, groups=2, algorithm="direct")
    assert np.array_equal(got, expected)


# ------------------------------------------------------------------------------- threads


@pytest.mark.parametrize(
    ("batch", "pooled"),
    [
        (127, []),  # 2**24 multiply-adds are worth threads, or 2**25 for a convolution
        (128, ["conv_transpose", "kernel_grad"]),
        (255, ["conv_transpose", "kernel_grad"]),
        (256, ["conv_transpose", "conv", "kernel_grad"]),
    ],
)
def test_small_problems_stay_on_their_thread(batch, pooled, monkeypatch):
    asked = []

    def run_all(function, tasks, workers, *, shared):
        if shared and workers > 1:
            asked.append(len(tasks))
        for task in tasks:
            function(task)

    monkeypatch.setattr(engine, "run_all", run_all)
    x, kernel = zeros(batch, 2**8, 2**6), zeros(2**8, 2**3, 1)
    y = zeros(batch, 2**3, 2**6)
    calls = {
        "conv_transpose": lambda: mtconv.conv_transpose(x, kernel),
        "conv": lambda: mtconv.conv(y, kernel),
        "kernel_grad": lambda: mtconv.kernel_grad(x, y, kernel_size=(1,)),
    }
    shared = []
    for form, call in calls.items():
        call()
        shared += [form] * len(asked)
        assert all(count > 1 for count in asked)
        asked.clear()
    assert shared == pooled


def test_blocks_of_one_part_of_a_gradient_are_one_task():
    """They are added to the same elements; every task writes to elements of its own."""
    spec = mtconv.ConvSpec.from_shapes((64, 512, 4, 4), (512, 256, 4, 4), stride=2)
    tasks = blocks.cut(spec, "kernel_grad", "gemm", 64, 4)
    assert [len(task) for task in tasks] == [4, 4, 4, 4]
    assert [[piece.w[2].start for piece in task] for task in tasks] == [
        [64 * n] * 4 for n in range(4)
    ]


@pytest.mark.parametrize("module", [gemm, polyphase])
def test_items_of_x_are_not_copied_for_a_gradient(module, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "kernel_grad", lambda _, x, *__: seen.append(x))
    x, y = zeros(2, 3, 600), zeros(2, 2, 601)
    algorithm = module.__name__.rsplit(".", 1)[-1]
    mtconv.kernel_grad(x, y, kernel_size=(2,), algorithm=algorithm)
    assert seen[0].shape == (1, 3, 2, 600)
    assert np.shares_memory(seen[0], x)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_blas_says_of_invalid_values_is_not_passed_on(workers):
    """It says so now and then of garbage; infinities of x are NaN without a warning."""
    x = np.full((1, 64, 5000), np.inf, np.float32)
    x[:, ::2] = -np.inf
    with mtconv.workers(workers):
        result = mtconv.conv_transpose(x, np.ones((64, 8, 4), np.float32), stride=2)
    assert np.isnan(result).all()
