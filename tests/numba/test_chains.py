"""Chains leave out taps that meet only zeros, and no others: compared with plain loops."""

from itertools import product

import numpy as np
import pytest

from mtconv.backends._numba.chains import (
    check_chains,
    leaves_out_taps,
    sort_cells,
    tile_chains,
    whole_chains,
)
from mtconv.backends._numba.layout import make_case
from mtconv.spec import ConvSpec

NO_STEPS = ((0,) * 5,) * 3
TILE = 8


def case_of(form, shape, kernel_shape, **options):
    """A case of float32; its arrays do not matter here."""
    spec = ConvSpec.from_shapes(shape, kernel_shape, **options)
    return make_case(form, spec, shape[0], NO_STEPS, 4, 4)


CASES = {
    f"{form} {shape} {kernel_shape} {options}": case_of(
        form, shape, kernel_shape, **options
    )
    for form, (shape, kernel_shape, options) in product(
        ("conv", "conv_transpose"),
        [
            ((2, 3, 4), (3, 2, 5), {"padding": 2}),
            ((1, 4, 3, 5), (4, 7, 3, 4), {"padding": (1, 2), "stride": 2}),
            ((3, 9, 2, 3, 4), (9, 5, 3, 3, 3), {"padding": 1, "stride": (1, 2, 2)}),
            (
                (2, 5, 3, 3, 3),
                (5, 6, 2, 4, 3),
                {"padding": (1, 5, 3), "dilation": (1, 3, 2)},
            ),
            ((2, 5, 6), (5, 4, 2), {"stride": 3, "padding": 1, "output_padding": 1}),
        ],
    )
}


def needed(case, phase, units):
    """Places of the taps of a phase that meet the input, for one unit of every axis."""
    along = []
    for axis, number, unit in zip(case.axes, phase, units, strict=True):
        cells = [
            axis.in_step * unit + axis.start + tap.offset for tap in axis.phases[number]
        ]
        along.append([n for n, cell in enumerate(cells) if 0 <= cell < axis.in_size])
    counts = [
        len(axis.phases[number]) for axis, number in zip(case.axes, phase, strict=True)
    ]
    return {(a * counts[1] + b) * counts[2] + c for a, b, c in product(*along)}


def blocks(case, size=2):
    """The first units and the sizes of blocks of some units and two samples."""
    starts = product(*(range(0, axis.number, size) for axis in case.axes))
    for first in starts:
        sizes = [
            min(size, axis.number - n) for axis, n in zip(case.axes, first, strict=True)
        ]
        yield first, (min(2, case.batch), *sizes)


@pytest.mark.parametrize("channels", [1, 30])
@pytest.mark.parametrize("name", CASES)
def test_every_cell_adds_up_all_taps_that_it_needs(name, channels):
    case = CASES[name]
    for first, sizes in blocks(case):
        cells = sort_cells(case, first, sizes)
        phases = list(product(*(range(axis.out_step) for axis in case.axes)))
        tables = list(tile_chains(case, cells, TILE, channels))
        assert len(tables) == len(phases)
        for phase, table in zip(phases, tables, strict=True):
            taps = 1
            for axis, number in zip(case.axes, phase, strict=True):
                taps *= len(axis.phases[number])
            if not taps:
                continue  # nothing is computed for such a phase
            for place in range(len(cells.order)):
                units = tuple(int(along[place]) for along in cells.units)
                done = [
                    number
                    for begin, count in table[:, place // TILE].tolist()
                    for number in range(begin, begin + count)
                ]
                assert len(done) == len(set(done))
                assert set(done) <= set(range(taps * channels))
                wanted = {
                    tap * channels + channel
                    for tap in needed(case, phase, units)
                    for channel in range(channels)
                }
                assert wanted <= set(done)


@pytest.mark.parametrize("name", CASES)
def test_sorted_cells_are_those_of_the_block(name):
    case = CASES[name]
    for first, sizes in blocks(case):
        cells = sort_cells(case, first, sizes)
        assert sorted(cells.order) == list(range(np.prod(sizes)))
        for place, number in enumerate(cells.order):
            _, *local = np.unravel_index(number, sizes)
            units = [int(n) + start for n, start in zip(local, first, strict=True)]
            assert [int(along[place]) for along in cells.units] == units


@pytest.mark.parametrize("name", CASES)
def test_chains_are_short_and_the_first_of_a_tile_is_never_empty(name):
    case = CASES[name]
    for first, sizes in blocks(case):
        for table in tile_chains(case, sort_cells(case, first, sizes), TILE, 130):
            assert table[..., 1].max() <= 128
            assert table[0, :, 1].min() >= 1


def test_corners_of_a_small_volume_need_eight_of_27_taps():
    # Three by three by three elements, padded by one: 8 samples of one corner are a tile.
    case = case_of("conv", (8, 16, 3, 3, 3), (16, 16, 3, 3, 3), padding=1)
    cells = sort_cells(case, (0, 0, 0), (8, 3, 3, 3))
    (table,) = tile_chains(case, cells, TILE, 16)
    products = table[..., 1].sum(axis=0)
    assert sorted(set((products // 16).tolist())) == [8, 12, 18, 27]
    assert products[0] == 8 * 16
    # All 27 elements need 7 * 7 * 7 of their 27 taps each, one axis after another.
    assert products.sum() == 7**3 * 16


def test_long_sums_are_cut_into_chains_of_equal_length():
    assert whole_chains(0) == []
    assert whole_chains(128) == [(0, 128)]
    assert whole_chains(300) == [(0, 100), (100, 100), (200, 100)]


def test_taps_are_left_out_where_many_products_are_with_zeros():
    small = case_of("conv", (1, 4, 3, 3), (4, 4, 3, 3), padding=1)  # 7/9 of 7/9 are left
    assert leaves_out_taps(small, 1)
    assert not leaves_out_taps(small, 65)
    # 38 of 39 along each axis, and no padding at all.
    assert not leaves_out_taps(case_of("conv", (1, 4, 13, 13), (4, 4, 3, 3)), 1)
    large = case_of("conv", (1, 4, 3, 3000), (4, 4, 3, 3), padding=1)
    assert not leaves_out_taps(large, 1)


def test_chains_beyond_the_products_of_their_phase_are_refused():
    check_chains([], 1)
    check_chains([(0, 128), (128, 44)], 172)
    check_chains(np.array([[(0, 100), (72, 100)], [(100, 72), (0, 0)]]), 172)
    for chains in ([(0, 128), (128, 45)], [(-1, 3)], [(2, -1)]):
        with pytest.raises(RuntimeError, match="a phase that has 172; please report"):
            check_chains(chains, 172)
