"""Memory beyond the result is bounded by 64 MiB per thread, whatever the input."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import shifted, tap_rows, windows
from mtconv.backends.host import results, threads
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis

MIB = 2**20


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setattr(threads, "default_workers", lambda: 1)


def extra_memory(call):
    """Peak of one call beyond its result, in bytes."""
    results.forget()  # a result in the memory of another would look like none
    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()


# 64 channels x 16 taps x 2**18 cells: a column matrix of 2**28 elements, 1 GiB.
SMALL, BIG, KERNEL = (1, 2, 512, 512), (1, 64, 1024, 1024), (2, 64, 4, 4)
OPTIONS = {"stride": 2, "padding": 1}


def ones(shape, dtype=np.float32):
    return np.ones(shape, dtype)


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "fft"])
@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_a_layer_with_columns_of_1_gib_stays_below_64_mib(form, algorithm):
    if form == "conv_transpose":
        first, second, extra = ones(SMALL), ones(KERNEL), {}
    elif form == "conv":
        first, second, extra = ones(BIG), ones(KERNEL), {}
    else:
        first, second, extra = ones(SMALL), ones(BIG), {"kernel_size": (4, 4)}
    function = getattr(mtconv, form)
    used = extra_memory(
        lambda: function(first, second, algorithm=algorithm, **OPTIONS, **extra)
    )
    assert used < 64 * MIB


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
def test_padding_modes_pad_and_fold_block_by_block(mode, dtype):
    options = {**OPTIONS, "padding_mode": mode}
    y = ones((1, 8, 2048, 2048), dtype)  # 128 MiB in float32
    kernel = ones((2, 8, 4, 4), dtype)
    assert extra_memory(lambda: mtconv.conv(y, kernel, **options)) < 64 * MIB
    x = ones((1, 2, 1024, 1024), dtype)
    assert extra_memory(lambda: mtconv.conv_transpose(x, kernel, **options)) < 64 * MIB


@pytest.mark.parametrize("dtype", ["float16", ">f4", "int32"])
def test_dtypes_are_converted_block_by_block(dtype):
    y = ones((1, 8, 2048, 2048), dtype)
    kernel = ones((2, 8, 4, 4), dtype)
    assert extra_memory(lambda: mtconv.conv(y, kernel, **OPTIONS)) < 64 * MIB


def test_layouts_are_converted_block_by_block():
    y = ones((1, 2048, 2048, 8))
    kernel = ones((2, 8, 4, 4))
    options = {**OPTIONS, "layout": "NHWC", "kernel_layout": "OIHW"}
    assert extra_memory(lambda: mtconv.conv(y, kernel, **options)) < 64 * MIB


# Each axis has a phase of two taps and one of one tap.
PHASES = (Axis(256, 512, 3, 2),) * 2
# Three taps so far apart that each is gathered for itself.
RUNS = (Axis(2**16, 9 * 2**16, 3, 1, 2**18),)


def gradient(module):
    x, y = np.ones((1, 1, 1, 256, 256)), np.ones((1, 1, 1, 512, 512))
    out = np.zeros((1, 1, 1, 3, 3))
    return lambda: module.kernel_grad(PHASES, x, y, out, Workspace(0)) or out


def convolution():
    y, weights = np.ones((1, 1, 4, 9 * 2**16)), Weights(np.ones((1, 1, 4, 3)))
    out = np.zeros((1, 1, 1, 2**16))
    return lambda: tap_rows.conv(RUNS, y, weights, out, Workspace(0)) or out


@pytest.mark.parametrize(
    ("call", "arrays"),
    [
        # Windows of four taps, and a phase of y.
        (gradient(windows), 4 + 1),
        # x with longer rows, and a phase of y.
        (gradient(shifted), 1 + 1),
        # Columns of four channels, and their product.
        (convolution(), 4 + 1),
    ],
)
def test_what_one_phase_or_run_takes_is_gone_before_the_next(call, arrays):
    """Arrays have 2**16 elements of 8 bytes, and do not fit what a thread keeps."""
    call()  # fills the tables of the geometry
    assert extra_memory(call) < (arrays + 0.1) * 2**19
