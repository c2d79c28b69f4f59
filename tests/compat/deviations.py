"""Calls on which mtconv gives another answer than the framework, with the reason.

Every entry is a row of the list in docs/conventions.md. ``theirs`` is what the framework
gives, None where it refuses or returns nothing; ``ours`` likewise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tests.compat.sizes import Drawn


class Deviation(NamedTuple):
    """One call, what each side gives, and why."""

    framework: str
    why: str
    drawn: Drawn
    theirs: Any
    ours: Any

    def __repr__(self) -> str:
        return f"{self.framework}: {self.why}"


def first(*values: float) -> np.ndarray:
    """A signal or kernel with channels first."""
    return np.array(values, dtype=float)[None, None]


def last(*values: float) -> np.ndarray:
    """A signal or kernel with channels last."""
    return np.array(values, dtype=float)[None, :, None]


def taps(*values: float) -> np.ndarray:
    """A kernel with its channels last."""
    return np.array(values, dtype=float)[:, None, None]


DEVIATIONS = [
    Deviation(
        "onnx",
        "SAME_* is n*strides even for kernels smaller than the stride",
        Drawn(
            "onnx.ConvTranspose",
            {"X": first(1, 2), "W": first(3)},
            {"strides": [3], "auto_pad": "SAME_UPPER"},
        ),
        first(3, 0, 0, 6),
        first(3, 0, 0, 6, 0, 0),
    ),
    Deviation(
        "onnx",
        "output_padding of the stride and more is fine below the dilation",
        Drawn(
            "onnx.ConvTranspose",
            {"X": first(1, 2), "W": first(3, 4)},
            {"strides": [1], "dilations": [2], "output_padding": [1]},
        ),
        None,
        first(3, 6, 4, 8, 0),
    ),
    Deviation(
        "onnx",
        "output_shape may be larger than the natural size by a stride and more",
        Drawn(
            "onnx.ConvTranspose",
            {"X": first(1, 2), "W": first(3)},
            {"strides": [1], "output_shape": [4]},
        ),
        None,
        first(3, 6, 0, 0),
    ),
    Deviation(
        "mlx",
        "padding beyond the kernel crops the result, not the input before it is spread",
        Drawn(
            "mlx.conv_transpose1d",
            {"input": last(1, 2, 3), "weight": last(1)},
            {"stride": 2, "padding": 1},
        ),
        last(2),
        last(0, 2, 0),
    ),
    Deviation(
        "mlx",
        "groups in three dimensions",
        Drawn(
            "mlx.conv_transpose3d",
            {
                "input": np.array([1.0, 2]).reshape(1, 1, 1, 1, 2),
                "weight": np.array([3.0, 4]).reshape(2, 1, 1, 1, 1),
            },
            {"groups": 2},
        ),
        None,
        np.array([3.0, 8]).reshape(1, 1, 1, 1, 2),
    ),
    Deviation(
        "jax",
        "a result without an element is refused",
        Drawn(
            "jax.conv_transpose",
            {"lhs": last(1, 2), "rhs": taps(1, 2)},
            {"strides": [1], "padding": [[-1, 0]]},
        ),
        np.empty((1, 0, 1)),
        None,
    ),
    Deviation(
        "flax",
        "a result without an element is refused",
        Drawn(
            "flax.conv_transpose",
            {"inputs": last(1, 2), "kernel": taps(1, 2)},
            {"padding": [[-1, 0]], "transpose_kernel": False},
        ),
        np.empty((1, 0, 1)),
        None,
    ),
    Deviation(
        "haiku",
        "a result without an element is refused",
        Drawn(
            "haiku.conv_transpose",
            {"inputs": last(1, 2), "w": taps(1, 2)},
            {"padding": [[-1, 0]]},
        ),
        np.empty((1, 0, 1)),
        None,
    ),
]
