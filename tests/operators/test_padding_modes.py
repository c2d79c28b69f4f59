"""Padding modes against `numpy.pad` and loops: the convolution is that of padded arrays.

The transposed convolution is the adjoint of that whole map, so its reference is made of
nothing but the convolution's: element ``o`` of the result is the inner product of x with
the convolution of the unit array at ``o``.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtconv.strategies import Case

NUMPY_NAME = {
    "zeros": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
    "symmetric": "symmetric",
}


def padded(y, padding, mode):
    return np.pad(y, padding, mode=NUMPY_NAME[mode])


def conv_by_loops(y, w, stride, padding, dilation, mode):
    y = padded(y, padding, mode)
    steps = tuple(zip(y.shape, w.shape, stride, dilation, strict=True))
    size = [(N - d * (k - 1) - 1) // s + 1 for N, k, s, d in steps]
    x = np.zeros(size, y.dtype)
    for i in np.ndindex(*x.shape):
        for j in np.ndindex(*w.shape):
            x[i] += w[j] * y[place(i, j, stride, dilation)]
    return x


def conv_transpose_by_units(x, w, size, *geometry):
    y = np.zeros(size, x.dtype)
    for o in np.ndindex(*size):
        unit = np.zeros(size, x.dtype)
        unit[o] = 1
        y[o] = (x * conv_by_loops(unit, w, *geometry)).sum()
    return y


def kernel_grad_by_loops(x, y, kernel_size, stride, padding, dilation, mode):
    y = padded(y, padding, mode)
    w = np.zeros(kernel_size, x.dtype)
    for j in np.ndindex(*w.shape):
        for i in np.ndindex(*x.shape):
            w[j] += x[i] * y[place(i, j, stride, dilation)]
    return w


def place(i, j, stride, dilation):
    steps = zip(i, j, stride, dilation, strict=True)
    return tuple(s * a + d * b for a, b, s, d in steps)


@st.composite
def geometries(draw):
    """Sizes, kernel size and the options of a convolution that exists."""
    mode = draw(st.sampled_from(list(NUMPY_NAME)))
    sizes, taps, stride, padding, dilation = [], [], [], [], []
    for _ in range(draw(st.integers(1, 2))):
        N = draw(st.integers(1, 5))
        lo, hi = draw(st.integers(0, 2 * N + 1)), draw(st.integers(0, 2 * N + 1))
        d = draw(st.integers(1, 3))
        k = draw(st.integers(1, min((N + lo + hi - 1) // d + 1, 4)))
        sizes.append(N)
        taps.append(k)
        stride.append(draw(st.integers(1, 4)))
        padding.append((lo, hi))
        dilation.append(d)
    options = {
        "stride": tuple(stride),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
        "padding_mode": mode,
    }
    return tuple(sizes), tuple(taps), options


def check(engine, same, sizes, taps, options, seed):
    rng = np.random.default_rng(seed)
    geometry = tuple(options.values())
    y, w = rng.integers(-9, 10, sizes), rng.integers(-9, 10, taps)
    dx = conv_by_loops(y, w, *geometry)
    x = rng.integers(-9, 10, dx.shape)
    expected = (
        conv_transpose_by_units(x, w, sizes, *geometry),
        dx,
        kernel_grad_by_loops(x, y, taps, *geometry),
    )
    case = Case(x, w, y, None, {**options, "output_size": sizes})
    for got, wanted in zip(engine.maps(case), expected, strict=True):
        same(got, wanted)


@given(geometry=geometries(), seed=st.integers(0, 2**32))
def test_all_three_maps(quick_engine, same, geometry, seed):
    check(quick_engine, same, *geometry, seed)


# Each compiles: an even kernel, and a stride that leaves cells over.
POOL = [
    ((5,), (4,), {"stride": (1,), "padding": ((3, 2),), "dilation": (1,)}),
    ((4, 5), (3, 2), {"stride": (2, 3), "padding": ((1, 3), (2, 0)), "dilation": (1, 2)}),
]


@pytest.mark.parametrize("mode", NUMPY_NAME)
@pytest.mark.parametrize("geometry", POOL, ids=["1-D", "2-D"])
def test_all_three_maps_of_the_pool(engine, same, geometry, mode):
    sizes, taps, options = geometry
    check(engine, same, sizes, taps, {**options, "padding_mode": mode}, seed=1)


@pytest.mark.parametrize("mode", list(NUMPY_NAME)[1:])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_padding_beyond_the_array(engine, same, mode, size):
    # Three elements are repeated once or twice, two of them up to seven times.
    options = {"stride": (2,), "padding": ((7, 4),), "dilation": (1,)}
    check(engine, same, (size,), (3,), {**options, "padding_mode": mode}, seed=2)


def test_what_is_read_far_beyond_the_array():
    import mtconv

    read = {
        "circular": [2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1],
        "reflect": [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3],
        "replicate": [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3],
        "symmetric": [2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1],
    }
    for mode, expected in read.items():
        options = {"padding": ((5, 4),), "padding_mode": mode}
        assert mtconv.conv([1, 2, 3], [1], **options).tolist() == expected


@pytest.mark.parametrize("mode", NUMPY_NAME)
def test_taps_further_apart_than_two_strides(quick_engine, same, mode):
    # Neighbouring results read the padding through the same taps, and other cells of it.
    options = {"stride": (2,), "padding": ((9, 9),), "dilation": (5,), "padding_mode": mode}
    check(quick_engine, same, (20,), (3,), options, seed=3)


def test_the_references_tell_modes_apart():
    # The first element of the convolution of 1, 2, 3 with a pair of ones reads 1 and
    # whatever the mode puts before it.
    options = ((1,), [(1, 0)], (1,))
    y, w = np.array([1, 2, 3]), np.array([1, 1])
    first = {mode: conv_by_loops(y, w, *options, mode)[0] for mode in NUMPY_NAME}
    assert first == {
        "zeros": 1,
        "circular": 4,
        "reflect": 3,
        "replicate": 2,
        "symmetric": 2,
    }


def test_groups_channels_and_batch_are_padded_alike(backend, same):
    import mtconv

    rng = np.random.default_rng(3)
    y, w = rng.integers(-9, 10, (2, 4, 5, 6)), rng.integers(-9, 10, (6, 2, 3, 3))
    choices = {"stride": 2, "groups": 2, "backend": backend}
    for mode in ("circular", "reflect", "replicate", "symmetric"):
        wrapped = np.pad(y, ((0, 0), (0, 0), (2, 1), (1, 3)), mode=NUMPY_NAME[mode])
        x = mtconv.conv(y, w, padding=((2, 1), (1, 3)), padding_mode=mode, **choices)
        same(np.asarray(x), np.asarray(mtconv.conv(wrapped, w, **choices)))
