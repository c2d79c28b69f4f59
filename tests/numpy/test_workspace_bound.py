"""At most 64 MiB beside the result for one thread, whatever the geometry."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

import mtconv
from tests.numpy.memory_draws import LIMIT, draw, extra_memory


@pytest.mark.parametrize("algorithm", ["auto", "gemm"])
def test_small_integers_with_a_stride_far_larger_than_the_kernel(algorithm):
    x, kernel = np.ones((16, 8, 2, 27), np.int8), np.ones((8, 239, 1, 29), np.int8)
    used = extra_memory(mtconv.conv_transpose, x, kernel, stride=35, algorithm=algorithm)
    assert used <= LIMIT


@pytest.mark.parametrize("algorithm", ["auto", "gemm", "polyphase", "direct", "fft"])
def test_half_precision_depthwise_with_a_stride_of_four_kernels(algorithm):
    x, kernel = np.ones((4, 256, 32, 32), np.float16), np.ones((256, 1, 2, 2), np.float16)
    options = {"stride": 8, "groups": 256, "algorithm": algorithm}
    assert extra_memory(mtconv.conv_transpose, x, kernel, **options) <= LIMIT


@pytest.mark.parametrize("algorithm", ["auto", "gemm", "polyphase", "direct"])
def test_small_integers_depthwise_on_volumes(algorithm):
    y, kernel = np.ones((35, 363, 25, 55, 5), np.int8), np.ones((363, 1, 1, 3, 1), np.int8)
    options = {"stride": 4, "groups": 363, "algorithm": algorithm}
    assert extra_memory(mtconv.conv, y, kernel, **options) <= LIMIT


@pytest.mark.parametrize("algorithm", ["auto", "gemm", "polyphase", "fft"])
def test_many_taps_far_apart(algorithm):
    """Every element of the result reaches all of x: 1036 taps of 8209 elements."""
    x, kernel = np.ones((1, 3, 8209), np.float32), np.ones((3, 3, 1036), np.float32)
    options = {"dilation": 159, "algorithm": algorithm}
    assert extra_memory(mtconv.conv_transpose, x, kernel, **options) <= LIMIT


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_thousands_of_channels_that_have_to_be_converted(form):
    """One element of a result needs 96 MiB of the other side in float64."""
    x, kernel = np.ones((1, 3072, 4096), np.int8), np.ones((3072, 1, 2), np.int8)
    if form == "conv":
        kernel = kernel.swapaxes(0, 1)
    options = {"dilation": 4094, "algorithm": "gemm"}
    used = extra_memory(getattr(mtconv, form), x, kernel, **options)
    assert used <= LIMIT


@pytest.mark.parametrize("seed", range(24))
def test_any_geometry(seed):
    drawn = draw(Random(seed))
    used = extra_memory(getattr(mtconv, drawn.form), *drawn.arrays(), **drawn.options)
    assert used <= LIMIT, f"{used / 2**20:.0f} MiB: {drawn}"


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
def test_long_axes_with_padding_modes(mode):
    y, kernel = np.ones((1, 1, 2**21 + 5), np.float32), np.ones((1, 1, 3), np.float32)
    used = extra_memory(mtconv.conv, y, kernel, padding=1, padding_mode=mode, stride=16)
    assert used <= LIMIT


def test_kernel_gradient_whose_look_up_table_is_made_beside_a_large_block():
    x, y = np.ones((1, 53, 4, 18, 3), np.uint8), np.ones((1, 106, 51, 281, 36), np.uint8)
    options = {"stride": 16, "padding": ((0, 0), (0, 0), (5, 0)), "groups": 53}
    options |= {"kernel_size": (3, 9, 9), "padding_mode": "symmetric"}
    options |= {"algorithm": "polyphase"}
    assert extra_memory(mtconv.kernel_grad, x, y, **options) <= LIMIT


def test_kernel_gradient_of_padded_half_precision_with_a_wide_stride():
    x, y = np.ones((4, 185, 12, 9), np.float16), np.ones((4, 185, 2201, 18), np.float16)
    options = {"stride": (200, 2), "padding": ((0, 0), (7, 0)), "groups": 185}
    options |= {"kernel_size": (1, 9), "padding_mode": "replicate"}
    assert extra_memory(mtconv.kernel_grad, x, y, **options) <= LIMIT


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_a_long_bias_is_not_copied(dtype):
    x, kernel = np.ones((1, 1, 1), dtype), np.ones((1, 20_000_000, 1), dtype)
    bias = np.ones(20_000_000, dtype)
    assert extra_memory(mtconv.conv_transpose, x, kernel, bias) <= LIMIT
