"""What compiled kernels do on volumes, counted by hand and by loops, and how it is weighed.

Three samples of 5 groups of 5 channels, 2 by 3 by 5 elements, become 5 groups of 7
channels, 5 by 7 by 8 elements, with 2 by 3 by 4 taps and strides of 3, 2 and 1. Elements
have 16 bytes, so that a vector has four.

    images          3 * 5 = 15            strides of the result   2 * 4 * 8 = 64
    x of an image   30 elements           y of an image           280 elements
    taps            24, in 6 phases       terms of a convolution  7 * 24 = 168

Seven channels take two vectors, five a whole and a narrow one.
"""

from __future__ import annotations

import itertools
import random

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning import compiled
from mtconv.planning.compiled import (
    KERNELS,
    KernelCounts,
    count,
    rank_kernels,
    seconds,
    tiles_and_moves,
)
from mtconv.planning.rates import MachineRates

SPEC = ConvSpec.from_shapes((3, 25, 2, 3, 5), (25, 7, 2, 3, 4), stride=(3, 2, 1), groups=5)
RATES = MachineRates(product=1, element=1, strided=1, call=1, tile=1e-9, move=1e-9)
CHAINS = 168 / 128  # of the terms of a convolution
NARROW = 1.62  # vectors for five channels


@pytest.mark.parametrize(
    ("kernel", "form", "products", "sums", "loads", "stores", "packs"),
    [
        (
            "lanes",
            "conv_transpose",
            15 * 64 * 24 * 5 * 2,
            15 * 64 * 6 * 2,
            15 * 5 * 30,
            15 * 8 * 280,
            5 * 24 * 8,
        ),
        (
            # 30 elements are four tiles of 8.
            "lanes",
            "conv",
            15 * 32 * 24 * 7 * NARROW,
            15 * 32 * CHAINS * 2,
            15 * 7 * 280,
            15 * 8 * 30,
            7 * 24 * 8,
        ),
        (
            # Eight rows of 8 elements, two vectors each; the tile has 8 channels.
            "rows",
            "conv_transpose",
            15 * 16 * 24 * 5 * 8,
            15 * 16 * 6 * 8,
            15 * 5 * 30,
            15 * 7 * 280,
            5 * 24 * 8,
        ),
        (
            # Six rows of 5 elements, two vectors each; the tile has 6 channels.
            "rows",
            "conv",
            15 * 12 * 24 * 7 * 6,
            15 * 12 * CHAINS * 6,
            15 * 7 * 280,
            15 * 5 * 30,
            7 * 24 * 6,
        ),
        (
            # 15 images are four vectors.
            "planes",
            "conv_transpose",
            4 * 64 * 24 * 35,
            4 * 64 * 6 * 7,
            16 * 5 * 30,
            16 * 7 * 280,
            16 * 35 * 24,
        ),
        (
            "planes",
            "conv",
            4 * 32 * 24 * 35,
            4 * 32 * 5 * CHAINS,
            16 * 7 * 280,
            16 * 5 * 30,
            16 * 35 * 24,
        ),
        (
            # 30 elements of x are 8 vectors. Each of the six rows of an image is added for
            # every tap and channel: two vectors, and four that it takes to begin.
            "columns",
            "conv_transpose",
            15 * 8 * 168 * 5,
            15 * 6 * 168 * (2 + 4),
            15 * 5 * 30,
            15 * 7 * 280,
            5 * 168,
        ),
        (
            # 450 small elements are four chains; 168 rows of the result are whole tiles.
            "gradient",
            "kernel_grad",
            450 * 168 * NARROW,
            4 * 168 * 2,
            15 * 7 * 280,
            15 * 8 * 30,
            35 * 24,
        ),
        (
            # Five groups of a sample are two vectors.
            "gradient_planes",
            "kernel_grad",
            6 * 30 * 24 * 35,
            6 * 24 * 35,
            6 * 4 * 35 * 280,
            6 * 4 * 5 * 30,
            35 * 24 * 4,
        ),
    ],
)
def test_what_a_kernel_does(kernel, form, products, sums, loads, stores, packs):
    expected = (products, sums, loads, stores, packs)
    assert count(kernel, SPEC, form, 3, 16)[:5] == pytest.approx(expected)


def test_gradients_have_whole_tiles_and_chains():
    """Nine taps are two tiles of 8; 129 elements are two chains of 128."""
    spec = ConvSpec.from_shapes((1, 2, 129), (2, 3, 9), groups=2)
    counts = count("gradient_planes", spec, "kernel_grad", 1, 16)
    assert counts.products == 129 * 16 * 3
    assert counts.sums == 2 * 16 * 3
    counts = count("gradient", spec, "kernel_grad", 1, 16)
    assert counts.products == pytest.approx(2 * 129 * 32 * 0.62)
    assert counts.sums == 3 * 32


@pytest.mark.parametrize(
    ("kernel", "form", "counts"),
    [
        (
            "lanes",
            "conv_transpose",
            (128 * 8 * 8 * 2, 128 * 8 * 2, 4 * 8 * 32, 4 * 8 * 256, 512),
        ),
        (
            "rows",
            "conv_transpose",
            (32 * 8 * 8 * 8, 32 * 8 * 8, 4 * 8 * 32, 4 * 8 * 256 * 2.5, 512),
        ),
        (
            "planes",
            "conv_transpose",
            (32 * 8 * 64, 32 * 8 * 8, 4 * 8 * 32, 4 * 8 * 256, 4 * 512),
        ),
        (
            "columns",
            "conv_transpose",
            (32 * 64 * 8, 4 * 64 * (8 + 4), 4 * 8 * 32, 4 * 8 * 256, 512),
        ),
        ("gradient", "kernel_grad", (128 * 64 * 2, 64 * 2, 4 * 8 * 256, 4 * 8 * 32, 512)),
        (
            "gradient_planes",
            "kernel_grad",
            (32 * 8 * 64, 8 * 64, 4 * 64 * 256, 4 * 8 * 32, 512 * 4),
        ),
    ],
)
def test_whole_vectors_tiles_and_chains_are_not_rounded_up(kernel, form, counts):
    """Four groups of 8 channels, 32 elements, 8 taps and a stride of 8: nothing is left."""
    spec = ConvSpec.from_shapes((1, 32, 32), (32, 8, 8), stride=8, groups=4)
    assert count(kernel, spec, form, 1, 16)[:5] == counts


@pytest.mark.parametrize("stride", [1, 4, 5])
def test_a_result_shorter_than_its_stride_has_as_many_phases_as_elements(stride):
    """Sums of one vector for each; the last axis decides how elements are written."""
    spec = ConvSpec((Axis(1, 3, 2, 7), Axis(2, 9, 2, stride)), 1, 1, 1)
    phases = 3 * stride
    units = -(-9 // stride)
    assert count("planes", spec, "conv_transpose", 1, 4).sums == -(-units // 8) * 8 * phases
    stores = count("rows", spec, "conv_transpose", 1, 4).stores
    assert stores == 27 * (1 if stride <= 4 else 2.5)


# ------------------------------------------------------------------------- runs of elements


def reached(axis, form):
    """How many elements lie between the first and the last that one result reads."""
    if form == "conv":
        reads = [o // axis.stride for o in range(axis.extent)]
    else:
        reads = [
            (o + axis.lo - axis.dilation * j) // axis.stride
            for o in range(min(axis.stride, axis.big))
            for j in range(axis.kernel)
            if (o + axis.lo - axis.dilation * j) % axis.stride == 0
        ]
    return max(reads, default=0) - min(reads, default=0)


def vectors_of_rows(spec, form, lanes):
    """Lay the results of an image out as their reads are, and cover them with vectors.

    One run goes over all results, or one over each plane, or one over each row; what lies
    between two rows is computed too, and thrown away.
    """
    sides = [
        -(-axis.big // axis.stride) if form == "conv_transpose" else axis.small
        for axis in spec.axes
    ]
    gaps = [reached(axis, form) for axis in spec.axes]
    sides, gaps = [1] * (3 - len(sides)) + sides, [0] * (3 - len(gaps)) + gaps
    runs = {level: {} for level in range(3)}
    for place in itertools.product(*map(range, sides)):
        offset = 0
        for number, size, gap in zip(place, sides, gaps, strict=True):
            offset = offset * (size + gap) + number
        for level, starts in runs.items():
            starts.setdefault(place[:level], []).append(offset)
    return min(
        sum(-(-(max(run) - min(run) + 1) // lanes) for run in starts.values())
        for starts in runs.values()
    )


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_rows_are_covered_with_as_few_vectors_as_can_be(form):
    """On two hundred volumes, images and signals drawn at random."""
    draw = random.Random(7)
    for _ in range(200):
        axes = []
        for _ in range(draw.randint(1, 3)):
            stride, dilation, taps = (draw.randint(1, 4) for _ in range(3))
            small, lo = draw.randint(1, 7), draw.randint(0, 2)
            reach = stride * (small - 1) + dilation * (taps - 1) + 1 - lo
            axes.append(Axis(small, max(reach, 1), taps, stride, dilation, lo))
        spec = ConvSpec(tuple(axes), 1, 1, 1)
        for itemsize in (4, 16, 32):
            vectors = vectors_of_rows(spec, form, 64 // itemsize)
            counts = count("rows", spec, form, 1, itemsize)
            taps = 1
            for axis in axes:
                taps *= axis.kernel
            assert counts.products == pytest.approx(vectors * taps * 1.9), spec


# --------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("kernel", [name for names in KERNELS.values() for name in names])
def test_what_is_done_is_weighed_and_added(monkeypatch, kernel):
    """Products and sums in tiles; everything else in moves of four bytes."""

    def weighed(itemsize=4, **counts):
        empty = dict.fromkeys(KernelCounts._fields, 0.0)
        done = KernelCounts(**{**empty, **counts})
        monkeypatch.setattr(compiled, "count", lambda *_: done)
        return tiles_and_moves(kernel, SPEC, "conv", 1, itemsize)

    assert weighed() == (0, 0)
    total = [0.0, 0.0]
    for number, field in enumerate(KernelCounts._fields):
        tiles, moves = weighed(**{field: 1.0})
        assert (moves if number < 2 else tiles) == 0
        assert weighed(**{field: 3.0}) == pytest.approx((3 * tiles, 3 * moves))
        assert weighed(itemsize=8, **{field: 1.0}) == pytest.approx((tiles, 2 * moves))
        total[0] += (number + 2) * tiles
        total[1] += (number + 2) * moves
    fields = enumerate(KernelCounts._fields, 2)
    assert weighed(**{field: number for number, field in fields}) == pytest.approx(total)


# ---------------------------------------------------------------------------------- ranking


@pytest.mark.parametrize(
    ("form", "small", "big"), [("conv_transpose", 8192, 1), ("conv", 1, 8192)]
)
def test_windows_are_those_of_the_channels_that_are_summed(form, small, big):
    """A window of 64 bytes fits every cache; one of 512 KiB is more than planes gain."""
    wide = ConvSpec((Axis(3, 3, 1),), 2, 2 * small, 2 * big)
    narrow = ConvSpec((Axis(3, 3, 1),), 2, 2 * big, 2 * small)
    for spec, factor in ((wide, 1000), (narrow, 1)):
        estimates = dict(rank_kernels(spec, form, 1, 4, RATES))
        estimate = seconds("planes", spec, form, 1, 4, RATES)
        assert estimates["planes"] == pytest.approx(factor * estimate)


def test_gradients_of_planes_are_ranked_by_the_same_rule():
    grouped = ConvSpec.from_shapes((1, 32, 9, 9), (32, 1, 3, 3), groups=32)
    single = ConvSpec.from_shapes((1, 1, 9, 9), (1, 1, 3, 3))
    for spec, factor in ((grouped, 1), (single, 1000)):
        estimates = dict(rank_kernels(spec, "kernel_grad", 1, 4, RATES))
        assert set(estimates) == set(KERNELS["kernel_grad"])
        estimate = seconds("gradient_planes", spec, "kernel_grad", 1, 4, RATES)
        assert estimates["gradient_planes"] == pytest.approx(factor * estimate)
        plain = seconds("gradient", spec, "kernel_grad", 1, 4, RATES)
        assert estimates["gradient"] == pytest.approx(plain)
