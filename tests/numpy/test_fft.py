"""`fft`: lengths of transforms, and all three maps however kernels and channels are cut."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv import ConvSpec
from mtconv.backends._numpy import fft
from mtconv.backends._numpy.blocks import cut
from mtconv.backends.host.counts import Counts
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad


@pytest.mark.parametrize(
    ("least", "length"),
    [
        (1, 1),
        (2, 2),
        (7, 8),
        (11, 12),
        (13, 15),
        (17, 18),
        (19, 20),
        (21, 24),
        (31, 32),
        (33, 36),
        (49, 50),
        (65, 72),
        (76, 80),
        (91, 96),
        (121, 125),
        (217, 225),
        (1025, 1080),
        (4097, 4320),
    ],
)
def test_lengths_are_products_of_2_3_and_5(least, length):
    assert fft.fast_length(least) == length


@pytest.mark.parametrize(
    ("axis", "length"),
    [
        (Axis(3, 9, 5, 2), 5),  # 3 elements and two taps more
        (Axis(4, 12, 6, 2), 6),
        (Axis(4, 12, 5, 2, 3), 10),  # two taps of a phase are three elements apart
        (Axis(9, 9, 1), 9),
        (Axis(3, 1, 2, 4, 1, -1), 3),  # no taps
    ],
)
def test_a_transform_is_as_long_as_no_phase_wraps(axis, length, monkeypatch):
    """The bound of memory follows from the lengths: one spectrum takes 12 of them."""
    monkeypatch.setattr(tuning, "SPECTRA_BYTES", 1)
    for axes, elements in (((axis,), length), ((axis, Axis(3, 9, 5, 2)), 5 * length)):
        counts = Counts(1, 1, 1, 1, axes, 8, transposed=True)
        assert fft.footprint("conv_transpose", counts) == 12 * 8 * elements


@pytest.mark.parametrize(
    ("axes", "kernels"),
    [
        ((Axis(9, 508, 500),), [(500,)]),
        ((Axis(9, 70_008, 70_000),), [(35_000,), (35_000,)]),
        ((Axis(9, 70_016, 70_000, 2),), [(70_000,)]),  # 35,000 taps of each phase
        ((Axis(1, 300, 300), Axis(1, 300, 300)), [(150, 300), (150, 300)]),
        ((Axis(1, 10**6 + 1, 2, 1, 10**6),), [(1,), (1,)]),  # taps far apart
    ],
)
def test_kernels_of_many_taps_are_cut(axes, kernels):
    for form in ("conv", "kernel_grad"):
        tasks = cut(ConvSpec(axes), form, "fft", 1, 8)
        pieces = [piece for task in tasks for piece in task]
        taps = sorted({tuple((j.start, j.stop) for j in piece.w[3:]) for piece in pieces})
        sizes = [tuple(stop - start for start, stop in piece) for piece in taps]
        assert sizes == kernels


@pytest.fixture(params=["whole", "cut"])
def cut_or_whole(request, monkeypatch, cut_anew):
    """Also cut small problems as large ones are cut."""
    if request.param == "cut":
        monkeypatch.setattr(tuning, "PART_TAPS", 3)
        monkeypatch.setattr(tuning, "SPECTRA_BYTES", 1)
    cut_anew()
    return request.param


def geometries(rng, count):
    """Draw shapes of x and kernel with options, for 1 to 3 axes."""
    for _ in range(count):
        rank, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        x = (int(rng.integers(1, 3)), groups * int(rng.integers(1, 3)))
        kernel = (x[1], int(rng.integers(1, 3)))
        yield (
            (*x, *map(int, rng.integers(1, 5, rank))),
            (*kernel, *map(int, rng.integers(1, 6, rank))),
            {
                "stride": [int(n) for n in rng.integers(1, 4, rank)],
                "dilation": [int(n) for n in rng.integers(1, 4, rank)],
                "padding": [tuple(map(int, rng.integers(-2, 2, 2))) for _ in range(rank)],
                "groups": groups,
            },
        )


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_all_maps_are_close_to_plain_loops(cut_or_whole, dtype):
    rng = np.random.default_rng(len(cut_or_whole + dtype))
    most = 1e-3 if dtype != "float64" else 1e-10
    checked = 0
    for x_shape, kernel_shape, options in geometries(rng, 60):
        x = rng.integers(-4, 5, x_shape).astype(dtype)
        kernel = rng.integers(-4, 5, kernel_shape).astype(dtype)
        try:
            y = reference_conv_transpose(x, kernel, **options)
            reference_conv(y, kernel, **options)
        except mtconv.GeometryError:
            continue
        checked += 1
        named = {**options, "algorithm": "fft"}
        assert abs(mtconv.conv_transpose(x, kernel, **named) - y).max() < most
        back = mtconv.conv(y, kernel, **named) - reference_conv(y, kernel, **options)
        assert abs(back).max() < most * max(abs(y).max(), 1)
        size = kernel_shape[2:]
        grad = mtconv.kernel_grad(x, y, kernel_size=size, **named)
        expected = reference_kernel_grad(x, y, kernel_size=size, **options)
        assert abs(grad - expected).max() < most * max(abs(y).max(), 1)
    assert checked > 20
