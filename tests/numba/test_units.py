"""Units and tables are the index relation: compared with plain loops, without numba."""

from itertools import product

import numpy as np
import pytest

from mtconv.backends._numba.layout import make_case
from mtconv.backends._numba.plan_planes import plan_planes
from mtconv.backends._numba.shapes import chunk_widths, chunks
from mtconv.backends._numba.tables import Table, cell_tables, check_cells
from mtconv.backends._numba.units import POINT, units
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec


def axes():
    sizes = product((1, 2, 4), (1, 3, 8), (1, 2, 4), (1, 2, 3), (1, 2), (-2, 0, 1, 3))
    return [Axis(*numbers) for numbers in sizes]


def taps(axis):
    """All triples of the relation, by its definition."""
    for i, j in product(range(axis.small), range(axis.kernel)):
        o = axis.stride * i + axis.dilation * j - axis.lo
        if 0 <= o < axis.big:
            yield i, j, o


def read_off(cut):
    """Triples (input cell, tap, output cell) that units and their offsets say."""
    for unit, (phase, phase_taps) in product(range(cut.number), enumerate(cut.phases)):
        out = cut.out_step * unit + phase
        for tap, offset in phase_taps if out < cut.out_size else ():
            assert 0 <= offset <= cut.reach
            cell = cut.in_step * unit + cut.start + offset
            if 0 <= cell < cut.in_size:
                yield cell, tap, out


@pytest.mark.parametrize("axis", axes(), ids=str)
def test_units_of_a_transposed_convolution_have_the_taps_of_the_relation(axis):
    got = sorted(read_off(units(axis, "conv_transpose")))
    assert got == sorted(taps(axis))


@pytest.mark.parametrize("axis", axes(), ids=str)
def test_units_of_a_convolution_have_the_taps_of_the_relation(axis):
    got = sorted((i, j, o) for o, j, i in read_off(units(axis, "conv")))
    assert got == sorted(taps(axis))


@pytest.mark.parametrize("form", ["conv", "conv_transpose"])
def test_units_are_as_many_as_cover_the_result(form):
    for axis in axes():
        cut, size = units(axis, form), axis.small if form == "conv" else axis.big
        covered = range(0, size, cut.out_step)
        assert (cut.out_size, cut.number) == (size, len(covered))


def test_an_axis_of_one_cell_reads_and_writes_it():
    assert list(read_off(POINT)) == [(0, 0, 0)]


def test_an_axis_whose_taps_meet_nothing_begins_where_the_first_one_would():
    # Cell 0 of the result is at 5 with its first tap, and the data ends at 1.
    cut = units(Axis(small=2, big=1, kernel=3, stride=4, dilation=2, lo=-5), "conv")
    assert (cut.start, cut.reach, cut.taps, cut.inside) == (5, 0, 0, False)


@pytest.mark.parametrize("vector", [16, 32, 64])
@pytest.mark.parametrize("size", [4, 8])
def test_chunks_cover_all_channels_with_tiles_that_there_are(vector, size):
    for channels in range(1, 300):
        pieces = chunks(channels, size, vector)
        ends = [first + 16 * grains for first, grains in pieces]
        assert [first for first, _ in pieces] == [0, *ends[:-1]]
        assert channels * size <= ends[-1] < channels * size + vector
        assert {grains for _, grains in pieces} <= set(chunk_widths(vector))


def test_parts_of_a_table_are_found_by_their_place():
    table = Table()
    places = [table.add([1, 2]), table.add([]), table.add(np.array([[3], [4]]))]
    assert places == [0, 16, 16]
    assert table.array().tolist() == [1, 2, 3, 4]
    assert not table.array().flags.writeable


@pytest.mark.parametrize(
    ("cells", "offsets", "end", "held"),
    [([0, 8], [0, 4], 16, True), ([0, 8], [0, 4], 15, False), ([-4, 0], [0, 2], 16, False)],
)
def test_a_table_that_leaves_its_block_is_refused(cells, offsets, end, held):
    call = (np.array(cells), np.array(offsets), 0, end, 4)
    if held:
        check_cells(*call)
    else:
        with pytest.raises(RuntimeError, match="a table of mtconv leads to bytes"):
            check_cells(*call)


def test_cells_of_cut_blocks_are_those_of_whole_ones_at_the_low_end():
    from mtconv.backends._numba.tables import Block

    spec = ConvSpec.from_shapes((3, 2, 5), (2, 4, 3), stride=2)
    case = make_case("conv_transpose", spec, 3, ((0,) * 3, (0,) * 3, (0,) * 3), 4, 4)
    block = Block(2, (1, 1, 4), (400, 40, 0, 0, 4), (1, 1, 8), 16)
    lists = cell_tables(case, block, 8)
    assert [count for count, _, _ in lists[:2]] == [8, 4]  # of 6 units: 4 and 2
    _, cells, places = lists[1]
    assert cells.tolist() == [0, 4, 400, 404, 404, 404, 404, 404]
    assert places.tolist() == [0, 32, 128, 160, 160, 160, 160, 160]


def test_strips_of_planes_have_every_unit_once():
    steps = ((0, 44000, 880, 4), (0, 0, 60, 12, 4), (0, 9000, 300, 4))
    spec = ConvSpec.from_shapes((1, 20, 30, 75), (20, 1, 5, 3), stride=3, groups=20)
    case = make_case("conv", spec, 1, steps, 4, 4)
    work = plan_planes(case, 64, 8)
    assert work is not None
    facts, table = work.facts[0], work.table
    rows, row = facts["block1"], facts["block2"]
    assert row > 16  # more than one strip
    count, cells, places, _ = table[facts["extents"] // 8 :][:4]
    pairs = zip(
        table[cells // 8 :][:count].tolist(),
        table[places // 8 :][:count].tolist(),
        strict=True,
    )
    box = facts["box2"]
    assert sorted(pairs) == [
        (64 * (3 * i * box + 3 * j), 64 * (i * row + j))
        for i, j in product(range(rows), range(row))
    ]
    first = table[cells // 8 :][:count].tolist()
    assert first != sorted(first)  # strips change the order
