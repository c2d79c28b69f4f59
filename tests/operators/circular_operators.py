"""Circular operators drawn at random, with data for them."""

import numpy as np
from hypothesis import strategies as st

import mtconv

CIRCULAR = {"padding_mode": "circular"}


def spread(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape)


@st.composite
def operators(draw):
    """A circular operator whose big side is the stride times the small one."""
    rank = draw(st.integers(1, 3))
    groups, small, share = (draw(st.integers(1, 3)) for _ in range(3))
    groups = min(groups, 2)
    stride, cells, taps, dilation, padding, size = [], [], [], [], [], []
    for _ in range(rank):
        stride.append(draw(st.integers(1, 4)))
        cells.append(draw(st.integers(1, 4 if rank < 3 else 2)))
        dilation.append(draw(st.integers(1, 2)))
        # No fewer taps than the stride, so that no padding is negative.
        taps.append(stride[-1] + draw(st.integers(0, 2)))
        size.append(stride[-1] * cells[-1])
        total = stride[-1] * (cells[-1] - 1) + dilation[-1] * (taps[-1] - 1) + 1 - size[-1]
        lo = draw(st.integers(0, total))
        padding.append((lo, total - lo))
    kernel = spread(draw(st.integers(0, 99)), (groups * small, share, *taps))
    if draw(st.booleans()):
        kernel = kernel + 1j * spread(7, kernel.shape)
    options = {
        "stride": tuple(stride),
        "dilation": tuple(dilation),
        "padding": tuple(padding),
        "groups": groups,
        **CIRCULAR,
    }
    A = mtconv.Conv(kernel, tuple(size), **options)
    return draw(st.sampled_from([A, A.T]))


def drawn(shape, operator, seed):
    """A vector of the kind of an operator."""
    vector = spread(seed, shape)
    return vector + 1j * spread(seed + 1, shape) if operator.dtype.kind == "c" else vector


def error(got, expected):
    """The relative error of a vector."""
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)
