"""A prepared kernel gives what a plain call gives, from any thread, any number of times."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import prepare, run_prepared
from mtconv.planning.plan import plan_for
from mtconv.problem.options import freeze

OPTIONS = {"stride": 2, "padding": 1}


def plan(form, algorithm, dtype="float32"):
    first = (2, 3, 6, 7) if form == "conv_transpose" else (2, 4, 11, 13)
    options = freeze(form, **OPTIONS)
    return plan_for(form, first, (3, 4, 3, 3), options, dtype, algorithm, "numpy"), first


def integers(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).integers(-5, 6, shape).astype(dtype)


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "subpixel", "direct", "fft"])
@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_repeated_calls_equal_plain_ones(form, algorithm):
    made, shape = plan(form, algorithm)
    kernel = integers((3, 4, 3, 3), seed=1)
    prepared = prepare(made, kernel)
    for seed in range(3):
        data = integers(shape, seed=seed)
        expected = getattr(mtconv, form)(data, kernel, algorithm=algorithm, **OPTIONS)
        assert np.array_equal(run_prepared(made, prepared, data), expected)


def test_the_kernel_is_a_copy():
    made, shape = plan("conv_transpose", "polyphase")
    kernel, data = integers((3, 4, 3, 3), seed=1), integers(shape)
    expected = mtconv.conv_transpose(data, kernel, **OPTIONS)
    prepared = prepare(made, kernel)
    kernel[...] = 0
    assert np.array_equal(run_prepared(made, prepared, data), expected)


def test_data_of_another_dtype_packs_anew():
    made, shape = plan("conv_transpose", "polyphase")
    kernel = integers((3, 4, 3, 3), seed=1)
    prepared = prepare(made, kernel)
    for dtype in ("float32", "float64", "complex64", "float32"):
        data, (made, _) = integers(shape, dtype), plan("conv_transpose", "polyphase", dtype)
        expected = mtconv.conv_transpose(data, kernel, **OPTIONS)
        got = run_prepared(made, prepared, data)
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)


def test_integers_small_and_large_keep_their_own_packs():
    made, shape = plan("conv_transpose", "polyphase", "int64")
    kernel = integers((3, 4, 3, 3), "int64", seed=1)
    prepared = prepare(made, kernel)
    for factor in (1, 2**58, 1):  # float64 is exact for the first and the last only
        data = integers(shape, "int64") * factor
        expected = mtconv.conv_transpose(data, kernel, algorithm="direct", **OPTIONS)
        assert np.array_equal(run_prepared(made, prepared, data), expected)


def test_it_can_be_pickled_and_used_from_many_threads():
    made, shape = plan("conv_transpose", "polyphase")
    prepared = prepare(made, integers((3, 4, 3, 3), seed=1))
    data = [integers(shape, seed=seed) for seed in range(8)]
    expected = [run_prepared(made, prepared, single) for single in data]
    again = pickle.loads(pickle.dumps(prepared))
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda single: run_prepared(made, again, single), data))
    assert all(map(np.array_equal, got, expected))
