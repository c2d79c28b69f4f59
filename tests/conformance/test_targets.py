"""Converted kernels and options, run in the real target from every source."""

import numpy as np
import pytest

import mtconv
from mtconv import compat
from mtconv.compat.registry import FRAMEWORKS as ROWS
from tests.compat.calls import CALLS, channels_first, drawn
from tests.compat.real import run
from tests.conformance.conftest import FRAMEWORKS

TARGETS = [name for name in CALLS if name.split("_")[0] in FRAMEWORKS]


def geometries():
    """Geometries that all can say, and random ones that some can."""
    yield {"stride": 2, "padding": 1}, (4, 4)
    yield {"stride": (1, 2), "padding": "same"}, (3, 5)
    rng = np.random.default_rng(3)
    for _ in range(12):
        stride, dilation, taps = (tuple(map(int, rng.integers(1, 4, 2))) for _ in "sdk")
        pads = tuple(tuple(map(int, pair)) for pair in rng.integers(0, 2, (2, 2)))
        yield {"stride": stride, "dilation": dilation, "padding": pads}, taps


@pytest.mark.parametrize("dst", TARGETS)
@pytest.mark.parametrize("src", ["mtconv", *CALLS])
@pytest.mark.filterwarnings("ignore")
def test_the_real_target_gives_what_the_source_meant(src, dst, same, record_property):
    if src == dst:
        return
    rng = np.random.default_rng(4)
    words = 0
    for options, taps in geometries():
        both = ROWS[src].kernel.divided and ROWS[dst].kernel.divided
        # TensorFlow's groups are in its output_shape, so its options do not tell them.
        groups = 2 if both and "tensorflow" not in (src, dst) else 1
        x = rng.integers(-4, 5, (1, 2 * groups, 4, 3)).astype(float)
        kernel = rng.integers(-4, 5, (2 * groups, 3, *taps)).astype(float)
        size = {"kernel_size": taps, "input_size": (4, 3)}
        passed = options | {"groups": groups}
        try:
            in_src = compat.convert(passed, "mtconv", src, **size)
            in_dst = compat.convert(in_src, src, dst, **size)
            expected = mtconv.conv_transpose(x, kernel, **passed)
        except mtconv.GeometryError:
            continue
        words += 1
        there = compat.convert_kernel(kernel, "mtconv", src, groups)
        there = compat.convert_kernel(there, src, dst, groups)
        result = run(dst.split("_")[0], drawn(dst, x, there, in_dst))
        same(channels_first(dst, result), expected)
    assert words >= 1
    record_property("cases", words)
