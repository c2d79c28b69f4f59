"""Spectra of blocks, and their products, beside NumPy's transforms of several axes."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host import spectra
from mtconv.backends.host.memory import Workspace

LENGTHS = [(12,), (6, 8), (3, 5, 4), (2, 3, 4, 6)]


def drawn(shape, dtype="float64"):
    rng = np.random.default_rng(len(shape))
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def space_axes(lengths):
    return tuple(range(-len(lengths), 0))


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("missing", [0, 1])
def test_spectra_there_and_back(lengths, dtype, missing):
    array = drawn((2, 3, *(length - missing for length in lengths)), dtype)
    real = array.dtype.kind != "c"
    axes = space_axes(lengths)
    expected = (np.fft.rfftn if real else np.fft.fftn)(array, lengths, axes=axes)
    sizes = spectra.frequencies(lengths, array.dtype)
    assert (2, 3, *sizes) == expected.shape
    got = np.full(expected.shape, np.nan, expected.dtype)
    tolerance = 30 * np.finfo(dtype).eps * abs(expected).max()
    spectra.forward(array, lengths, got, Workspace())
    assert abs(got - expected).max() < tolerance
    keep = tuple(slice(length // 3, length) for length in lengths)
    back = spectra.backward(got, lengths, keep, array.dtype, Workspace())
    whole = np.zeros((2, 3, *lengths), dtype)
    whole[(..., *map(slice, array.shape[2:]))] = array
    assert back.dtype == dtype
    assert abs(back - whole[(..., *keep)]).max() < 30 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_conjugate_spectra_correlate(dtype):
    """The product with a conjugate spectrum is what each shift of the other sums up."""
    data, taps = drawn((8,), dtype), drawn((3,), dtype)
    sizes = spectra.frequencies((8,), data.dtype)
    of_data, of_taps = np.empty(sizes, complex), np.empty(sizes, complex)
    spectra.forward(data, (8,), of_data, Workspace())
    spectra.forward(taps, (8,), of_taps, Workspace(), conjugate=True)
    product = (of_data * of_taps)[None]
    got = spectra.backward(product, (8,), (slice(0, 6),), data.dtype, Workspace())[0]
    expected = [sum(data[i + j] * taps[j] for j in range(3)) for i in range(6)]
    assert abs(got - expected).max() < 1e-14


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (4, 1), (3, 2)])
@pytest.mark.parametrize("matrices", [False, True])
def test_products_are_summed_over_channels(channels, matrices):
    summed, others = channels
    data = drawn((2, summed, 5, 3, 4), "complex128")
    taps = drawn((2, summed, others, 3, 4), "complex128")
    expected = np.einsum("gcnfh,gcofh->gonfh", data, taps)
    packed = taps.reshape(2, summed, others, 12).transpose(0, 3, 1, 2)
    args = (packed if matrices else taps, Workspace())
    got = spectra.joined(data.copy(), *args, matrices=matrices)
    assert got.shape == expected.shape
    assert abs(got - expected).max() < 1e-13


@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize("matrices", [False, True])
def test_gradients_are_summed_over_blocks(blocks, matrices):
    left = drawn((2, 3, blocks, 3, 4), "complex128")
    right = drawn((2, 2, blocks, 3, 4), "complex128")
    expected = 1 + np.einsum("ganfh,gbnfh->gabfh", left, right)
    total = np.ones((2, 12, 3, 2) if matrices else (2, 3, 2, 3, 4), complex)
    spectra.add_correlated(total, left, right, Workspace(), matrices=matrices)
    if matrices:
        total = total.transpose(0, 2, 3, 1).reshape(expected.shape)
    assert abs(total - expected).max() < 1e-13


def test_memory_is_given_back():
    space = Workspace()
    out = space.take((2, 6, 5), np.dtype(complex))
    used = space.used
    spectra.forward(drawn((2, 6, 8)), (6, 8), out, space)
    assert space.used == used
