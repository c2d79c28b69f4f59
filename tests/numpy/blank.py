"""Arrays of zeros in the shapes that algorithms take: what is looked at is not values."""

from __future__ import annotations

import numpy as np

from mtconv.backends.host.memory import Weights, Workspace


def zeros(*shape):
    return np.zeros(shape, np.float32)


def arrays(axes, batch, groups, small, share):
    """Empty x (g, ci, b, *small), w (g, ci, co, *taps) and y (b, g, co, *big)."""
    x = zeros(groups, small, batch, *(axis.small for axis in axes))
    w = zeros(groups, small, share, *(axis.kernel for axis in axes))
    return x, w, zeros(batch, groups, share, *(axis.big for axis in axes))


def run(module, axes, x, w, out):
    """Run the transposed convolution of an algorithm."""
    module.conv_transpose(axes, x, Weights(w), out, Workspace())
