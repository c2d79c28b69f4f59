"""Rounding errors of float32 layers: at most twice those of torch's C++ kernels.

Sums of float32 are made of shorter sums, so that errors do not grow with their length.
"""

import numpy as np
import pytest

import mtconv
from tests.benchmarks.harness import load_layers

# Largest error of torch 2.13 on a CPU with AVX-512, divided by the largest element of the
# result: of conv_transpose, and of conv on the big side of the same layer.
TORCH = {
    "d2l_20_10_k5s3": (3.0e-7, 4.4e-7),
    "dcgan_64_3_k4s2": (2.9e-7, 2.9e-7),
    "fsrcnn_56_1_k9s3": (3.9e-7, 3.6e-7),
    "hifigan_512_256_k16s8": (6.3e-7, 3.3e-7),
    "istft_514_1_k1024s256": (3.4e-7, 6.1e-7),
    "hifigan_64_32_k4s2": (4.2e-7, 2.7e-7),
    "depthwise_256_k4s2": (9.8e-8, 2.3e-7),
    "grouped_128_128_k4s2_g8": (1.9e-7, 7.7e-7),
    "plain_64_64_k3s1": (3.1e-7, 3.2e-7),
    "dilated_64_64_k3s2d2": (2.0e-7, 3.9e-7),
}

CASES = [
    (name, algorithm)
    for name in TORCH
    for algorithm in ("gemm", "polyphase", "direct", "auto")
    if (name, algorithm) != ("istft_514_1_k1024s256", "direct")  # takes many seconds
]


def relative_error(function, data, kernel, algorithm, options):
    """Largest error against float64, divided by the largest element."""
    exact = function(data.astype(float), kernel.astype(float), **options)
    result = function(data, kernel, algorithm=algorithm, **options)
    assert result.dtype == np.float32
    return abs(result - exact).max() / abs(exact).max()


@pytest.mark.parametrize(("name", "algorithm"), CASES)
def test_errors_are_at_most_twice_those_of_torch(name, algorithm):
    (layer,) = load_layers(name)
    x, kernel, y = layer.arrays(seed=0)
    transposed = relative_error(
        mtconv.conv_transpose, x, kernel, algorithm, layer.transposed_options
    )
    forward = relative_error(mtconv.conv, y, kernel, algorithm, layer.options)
    assert transposed <= 2 * TORCH[name][0]
    assert forward <= 2 * TORCH[name][1]


def test_errors_of_direct_hardly_grow_with_the_number_of_terms():
    # 32768 equal terms: a single chain of additions is off by 2.6e-4.
    kernel = np.full((1, 512, 64), 0.1, np.float32)
    result = mtconv.conv(np.ones((1, 512, 64), np.float32), kernel, algorithm="direct")
    exact = 512 * 64 * float(np.float32(0.1))
    assert abs(float(result[0, 0, 0]) - exact) < 1e-5 * exact
