"""Graphs of Dask, looked at task by task."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dask.array")

import dask.array as da

from mtconv.backends._dask.blocks import cut
from mtconv.backends._dask.chunks import Need
from mtconv.backends._dask.layer import GraphLayer

IMAGE = np.arange(20).reshape(4, 5)


def image() -> da.Array:
    """Cut the image in chunks of two rows, of three columns and two."""
    return da.from_array(IMAGE, chunks=((2, 2), (3, 2)))


def test_whole_chunks_are_read_as_they_are() -> None:
    array = image()
    layer = GraphLayer("sum", "", array)
    rows, columns = Need(((1, 0, 2),), None), Need(((0, 0, 3), (1, 0, 2)), None)
    got = layer.region(array, [rows, columns])
    assert got == [[(array.name, 1, 0), (array.name, 1, 1)]]
    assert layer.tasks == {}


def test_parts_of_chunks_are_tasks_of_their_own() -> None:
    array = image()
    layer = GraphLayer("sum", "", array)
    rows = Need(((0, 1, 2), (1, 0, 2)), None)
    columns = Need(((0, 2, 3), (1, 0, 2)), None)
    part = f"part-of-{array.name}"
    corner, above = (part, 0, 1, 2, 0, 2, 3), (part, 0, 1, 2, 1, 0, 2)
    left = (part, 1, 0, 2, 0, 2, 3)
    got = layer.region(array, [rows, columns])
    assert got == [[corner, above], [left, (array.name, 1, 1)]]
    assert layer.tasks == {
        corner: (cut, (array.name, 0, 0), (slice(1, 2), slice(2, 3))),
        above: (cut, (array.name, 0, 1), (slice(1, 2), slice(0, 2))),
        left: (cut, (array.name, 1, 0), (slice(0, 2), slice(2, 3))),
    }


@pytest.mark.parametrize("start", [0, 1])
def test_a_part_at_either_end_is_no_whole_chunk(start: int) -> None:
    array = image()
    layer = GraphLayer("sum", "", array)
    name = layer.region(
        array, [Need(((0, start, start + 1),), None), Need(((1, 0, 2),), None)]
    )
    assert name == [[(f"part-of-{array.name}", 0, start, start + 1, 1, 0, 2)]]


def test_a_region_has_as_many_axes_as_its_array() -> None:
    layer = GraphLayer("sum", "", image())
    with pytest.raises(ValueError, match="zip"):
        layer.region(layer.arrays[0], [Need(((0, 0, 2),), None)])


def test_blocks_are_made_by_the_tasks() -> None:
    array = image()
    layer = GraphLayer("sum", "", array)
    for row, parts in enumerate([((0, 0, 2),), ((0, 1, 2), (1, 0, 1))]):
        needs = [Need(parts, None), Need(((1, 0, 2),), None)]
        layer.add(
            (row,),
            lambda p: np.array([sum(int(b.sum()) for (b,) in p)]),
            layer.region(array, needs),
        )
    got = layer.array((1, 1))
    assert got.chunks == ((1, 1),)
    assert got.dtype == IMAGE.dtype
    assert got._meta.shape == (0,)
    assert got.name.startswith("sum-")
    assert got.compute().tolist() == [3 + 4 + 8 + 9, 8 + 9 + 13 + 14]


def test_layers_of_one_name_do_the_same() -> None:
    first, second = image(), da.from_array(IMAGE + 1, chunks=2)
    name = GraphLayer("sum", 1, first, second).name
    assert GraphLayer("sum", 1, first, second).name == name
    others = {
        GraphLayer("product", 1, first, second).name,
        GraphLayer("sum", 2, first, second).name,
        GraphLayer("sum", 1, second, first).name,
        GraphLayer("sum", 1, first).name,
    }
    assert len(others | {name}) == 5
