"""Problems that random ones are too small for: wide strides, many columns, many channels.

Every algorithm of NumPy against the plain loops, by equality where it is exact.
"""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.testing import assert_backends_agree

PROBLEMS = {
    # Strides of 16 and more, where `polyphase` writes runs of a whole stride.
    "kernel of two strides": ((2, 3, 5), (3, 2, 32), {"stride": 16, "padding": 8}),
    "kernel between strides": ((2, 4, 4), (4, 3, 41), {"stride": 17, "groups": 2}),
    "kernel below the stride": ((1, 2, 4), (2, 2, 5), {"stride": 16, "padding": 2}),
    "one channel": ((1, 1, 4), (1, 1, 18), {"stride": 18}),
    "uneven ends": (
        (2, 2, 4),
        (2, 3, 35),
        {"stride": 16, "padding": ((7, 3),), "output_padding": 9},
    ),
    "extension": ((1, 2, 3), (2, 2, 20), {"stride": 16, "padding": ((-5, -20),)}),
    "less than a block is left": (
        (1, 2, 3),
        (2, 2, 33),
        {"stride": 16, "padding": ((30, 28),)},
    ),
    "image": ((2, 2, 3, 2), (2, 3, 19, 33), {"stride": (17, 16), "padding": (3, 8)}),
    "two strides apart": (
        (1, 2, 3, 2),
        (2, 2, 3, 20),
        {"stride": (2, 16), "padding": ((1, 0), (4, 0))},
    ),
    "folded": (
        (1, 2, 3),
        (2, 2, 24),
        {"stride": 16, "padding": 6, "padding_mode": "circular"},
    ),
    # More columns than a look-up takes.
    "items side by side": ((3, 4, 20, 21), (4, 5, 3, 3), {"stride": 2}),
    "items too large for that": ((2, 2, 25, 26), (2, 3, 3, 3), {"stride": 2}),
    "one input channel": ((3, 1, 20, 21), (1, 5, 3, 3), {"stride": 2, "padding": 1}),
    "stride of one": ((1, 4, 18, 17), (4, 3, 3, 3), {"padding": 1}),
    "holes in both axes": ((2, 2, 16, 15), (2, 3, 2, 3), {"stride": (3, 4), "dilation": 2}),
    # Fast forms of two and three taps, on odd and even numbers of cells.
    "fast forms": ((1, 3, 27, 30), (3, 2, 4, 6), {"stride": 2, "padding": (1, 2)}),
    "one output": ((1, 3, 24, 2), (3, 1, 3, 1), {"stride": 1, "padding": ((2, 1), (0, 0))}),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_all_three_maps(name):
    x_shape, kernel_shape, options = PROBLEMS[name]
    y_shape = mtconv.conv_transpose_shape(x_shape, kernel_shape, **options)
    rng = np.random.default_rng(len(name))
    x, kernel, y = (
        rng.integers(-4, 5, shape).astype(np.float64)
        for shape in (x_shape, kernel_shape, y_shape)
    )
    others = {k: v for k, v in options.items() if k != "output_padding"}
    assert_backends_agree(x, kernel, backends=["numpy"], **options)
    assert_backends_agree(y, kernel, form="conv", backends=["numpy"], **others)
    taps = kernel_shape[2:]
    assert_backends_agree(
        x, y, form="kernel_grad", kernel_size=taps, backends=["numpy"], **others
    )
