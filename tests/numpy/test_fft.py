"""`fft`: all three maps, however kernels, channels, phases, samples and blocks are cut."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv import ConvSpec
from mtconv.backends._numpy import fft
from mtconv.backends._numpy.blocks import cut
from mtconv.backends.host.fft_parts import Layout, layout_of
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad


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


@pytest.fixture(params=["whole", "cut", "matrices"])
def cut_or_whole(request, monkeypatch, cut_anew):
    """Also cut small problems as large ones are cut, and multiply them as matrices."""
    if request.param != "whole":
        monkeypatch.setattr(tuning, "PART_TAPS", 3)
        monkeypatch.setattr(tuning, "SPECTRUM_BYTES", 2**8)
        monkeypatch.setattr(tuning, "LEAST_BLOCK", 8)
        monkeypatch.setattr(tuning, "BLOCKS_BYTES", 2**9)
        most = 1 if request.param == "cut" else 2**12
        monkeypatch.setattr(tuning, "SPECTRA_BYTES", most)
        monkeypatch.setattr(tuning, "UNIT_BYTES", most)
    if request.param == "matrices":
        monkeypatch.setattr(tuning, "JOINED_CHANNELS", 1)
    cut_anew()
    layout_of.cache_clear()
    yield request.param
    layout_of.cache_clear()


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
    """Within 16 roundings of the norms of both arrays."""
    rng = np.random.default_rng(len(cut_or_whole + dtype))
    checked = 0

    def check(result, expected, first, second):
        norms = np.linalg.norm(first) * np.linalg.norm(second)
        assert abs(result - expected).max() <= 16 * np.finfo(dtype).eps * norms

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
        check(mtconv.conv_transpose(x, kernel, **named), y, x, kernel)
        back = reference_conv(y, kernel, **options)
        check(mtconv.conv(y, kernel, **named), back, y, kernel)
        named["kernel_size"] = kernel_shape[2:]
        grad = reference_kernel_grad(x, y, kernel_size=kernel_shape[2:], **options)
        check(mtconv.kernel_grad(x, y, **named), grad, x, y)
    assert checked > 20


# One of many channels takes a few parts; long signals and images take many blocks.
LARGE = {
    "signal": ((1, 1, 40_001), (1, 1, 701), {"padding": 13}),
    "two strides": ((1, 1, 9_001), (1, 1, 702), {"stride": 2, "padding": ((5, 8),)}),
    "image": ((1, 1, 203, 330), (1, 1, 24, 31), {"padding": [(2, 3), (0, 9)]}),
    "dilated": ((1, 1, 150, 220), (1, 1, 9, 11), {"stride": (2, 3), "dilation": (3, 2)}),
    "volume": ((1, 1, 40, 33, 36), (1, 1, 7, 9, 8), {"stride": (1, 2, 1)}),
    "channels": ((1, 12, 500), (12, 10, 65), {}),
    "groups": ((3, 30, 700), (30, 2, 33), {"groups": 15, "stride": 3}),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("workers", [1, 2])
def test_large_problems_are_those_of_the_exact_algorithms(name, workers):
    """Whole numbers so small that rounding the result gives each of them exactly."""
    x_shape, kernel_shape, options = LARGE[name]
    rng = np.random.default_rng(3)
    x, kernel = (rng.integers(-3, 4, shape) * 1.0 for shape in (x_shape, kernel_shape))
    with mtconv.workers(workers):
        y = mtconv.conv_transpose(x, kernel, algorithm="exact", **options)
        calls = {
            "conv_transpose": (x, kernel),
            "conv": (y, kernel),
            "kernel_grad": (x, y),
        }
        for form, arrays in calls.items():
            named = dict(options)
            if form == "kernel_grad":
                named["kernel_size"] = kernel_shape[2:]
            by_fft = getattr(mtconv, form)(*arrays, algorithm="fft", **named)
            exact = getattr(mtconv, form)(*arrays, algorithm="exact", **named)
            assert (np.rint(by_fft) == exact).all(), form
            norms = np.linalg.norm(arrays[0]) * np.linalg.norm(arrays[1])
            assert abs(by_fft - exact).max() < 2.0**-48 * norms, form


def test_elements_that_no_tap_reaches_are_zero_and_not_noise():
    """Five elements before, four behind, and every fourth phase."""
    x, kernel = np.full((1, 1, 300), 1 / 3), np.full((1, 1, 90), 0.7)
    options = {"stride": 4, "dilation": 2, "padding": ((-5, -4),), "algorithm": "fft"}
    y = mtconv.conv_transpose(x, kernel, **options)[0, 0]
    assert y.shape == (4 * 299 + 2 * 89 + 1 + 9,)
    reached = np.zeros(len(y), bool)
    reached[5 : len(y) - 4 : 2] = True
    assert (y[~reached] == 0).all()
    assert (y[reached] > 0.2).all()


def parts_of(axes, sides, itemsize=8):
    """List what is joined at a time: counts of groups, channels and phases."""
    layout = layout_of(axes, sides, itemsize, transposed=True)
    return [
        (*(cut.stop - cut.start for cut in part.kernel), len(part.phases))
        for part in layout.parts
    ]


def test_spectra_of_a_kernel_are_cut_until_they_fit():
    """6 MiB of them, 4 MiB of a block; a spectrum has two numbers more than its block."""
    axes = (Axis(4032, 4096, 65),)
    assert parts_of(axes, (1, 1, 1, 1)) == [(1, 1, 1, 1)]
    for channels in (64, 200):
        sides = (1, 1, channels, channels)
        spectrum = 8 * (2 + layout_of(axes, sides, 8, True).lengths[0])
        products = [small * big for _, small, big, _ in parts_of(axes, sides)]
        assert sum(products) == channels**2
        assert max(products) * spectrum <= 6 * 2**20 < 3 * max(products) * spectrum
    # Groups are cut first: two spectra of each.
    sides = (1, 3000, 1, 1)
    spectrum = 8 * (2 + layout_of(axes, sides, 8, True).lengths[0])
    groups = [part[0] for part in parts_of(axes, sides)]
    assert sum(groups) == 3000
    assert 2 * max(groups) * spectrum <= 4 * 2**20 < 5 * max(groups) * spectrum


@pytest.mark.parametrize(
    ("products", "parts"),
    [
        (24, [(2, 3, 2, 2)]),
        (23, [(1, 3, 2, 2)] * 2),
        (11, [(1, 1, 2, 2), (1, 2, 2, 2)] * 2),
        (7, [(1, 1, 2, 2)] * 6),
        (3, [(1, 1, 1, 2)] * 12),
        (1, [(1, 1, 1, 1)] * 24),
    ],
)
def test_groups_are_cut_first_and_then_the_most(products, parts, monkeypatch):
    """Two groups, three channels and two, and two phases: so many spectra may be kept."""
    axes = (Axis(4, 9, 3, 2),)
    size = layout_of(axes, (1, 2, 3, 2), 8, True).lengths[0]
    monkeypatch.setattr(tuning, "SPECTRA_BYTES", products * 8 * (size + 2))
    layout_of.cache_clear()
    assert parts_of(axes, (1, 2, 3, 2)) == parts
    layout_of.cache_clear()


@pytest.mark.parametrize(
    ("transposed", "adds"),
    [
        # Two phases of each of two big channels, for each of three small ones.
        (True, [False] * 4 + [True] * 8),
        (False, [False, True, True, True] * 3),
    ],
)
def test_what_was_written_by_an_earlier_part_is_added_to(transposed, adds, monkeypatch):
    monkeypatch.setattr(tuning, "SPECTRA_BYTES", 1)
    layout_of.cache_clear()
    layout = layout_of((Axis(4, 9, 3, 2),), (1, 1, 3, 2), 8, transposed)
    layout_of.cache_clear()
    assert [part.adds for part in layout.parts] == adds


@pytest.mark.parametrize(
    ("axis", "sides"),
    [(Axis(3, 2, 1, 1, 1, -9), (1, 1, 1, 1)), (Axis(4, 6, 3), (1, 1, 0, 1))],
)
def test_where_nothing_meets_there_is_nothing_to_lay_out(axis, sides):
    assert layout_of((axis,), sides, 8, True) == Layout((), (), (), (), False)


def test_blocks_come_together_as_long_as_they_stay_in_the_cache():
    layout = layout_of((Axis(10**6, 10**6, 1000),), (1, 1, 1, 1), 8, False)
    (part,) = layout.parts
    counts = [chunk.blocks[0].stop - chunk.blocks[0].start for chunk in part.chunks]
    assert sum(counts) == layout.blocks[0].number
    two_spectra = 16 * (2 + layout.lengths[0])
    assert max(counts) * two_spectra <= 2 * 2**20
    assert len(counts) == -(-sum(counts) // (2 * 2**20 // two_spectra)) > 3


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_the_kernel_is_transformed_once_for_all_pieces(form, watch):
    x, kernel = np.ones((1, 1, 2**18)), np.ones((1, 1, 513))
    forward = watch(fft, "forward")
    with mtconv.workers(1):
        getattr(mtconv, form)(x, kernel, algorithm="fft")
    kernels = [call for call in forward if call.args[0].shape[-1] == 513]
    assert len(kernels) == 1
    assert len(forward) > 2


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({"padding": ((-3, -5),)}, (3, 5)),
        ({"padding": ((-4, -7),), "stride": 3}, (4, 7)),
        ({"padding": ((0, -6),), "stride": 2, "dilation": 2}, (0, 6)),
        ({"padding": ((-2, -9),), "stride": 2, "dilation": 3}, (2, 9)),
    ],
)
def test_elements_out_of_reach_are_zero(options, ends):
    """They have no noise of a transform."""
    rng = np.random.default_rng(0)
    x, kernel = rng.random((2, 3, 20)), rng.random((3, 2, 7))
    result = mtconv.conv_transpose(x, kernel, algorithm="fft", **options)
    first, last = ends
    assert not result[..., :first].any()
    assert not result[..., result.shape[-1] - last :].any()
    expected = reference_conv_transpose(x, kernel, **options)
    assert abs(result - expected).max() <= 1e-13
