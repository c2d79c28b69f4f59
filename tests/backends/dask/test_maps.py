"""Dask arrays in any chunks, judged by NumPy; graphs judged by what their tasks read."""

from __future__ import annotations

import importlib.util
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import Case, problems

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

CASES = problems(
    layouts=True,
    padding_modes=("zeros", "circular", "reflect", "replicate", "symmetric"),
    dtypes=("int64", "int16", "float32", "complex128", "float16"),
)


@st.composite
def chunked(draw: st.DrawFn, array: np.ndarray) -> da.Array:
    """Cut an array anywhere; shrinks towards one chunk. Some chunks are empty."""
    chunks = []
    for size in array.shape:
        cuts = draw(st.lists(st.integers(0, size), max_size=3).map(sorted))
        edges = [0, *cuts, size]
        chunks.append(tuple(b - a for a, b in pairwise(edges)))
    return da.from_array(array, chunks=tuple(chunks))


def same(got: da.Array, expected: np.ndarray) -> None:
    """Compare values, and what the lazy array says of itself with what its blocks are."""
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert type(got._meta) is np.ndarray
    assert got._meta.dtype == expected.dtype
    blocks = np.empty(got.numblocks, dtype=object)
    blocks.ravel()[:] = got.to_delayed().ravel()
    computed = dask.compute(*blocks.ravel(), scheduler="sync")
    edges = [np.cumsum([0, *sizes]) for sizes in got.chunks]
    for index, block in zip(np.ndindex(got.numblocks), computed, strict=True):
        place = tuple(slice(*e[i : i + 2]) for e, i in zip(edges, index, strict=True))
        assert block.shape == expected[place].shape
        assert block.dtype == expected.dtype
        assert (block == expected[place]).all()


@settings(max_examples=300, deadline=None)
@given(st.data(), CASES)
def test_all_three_maps_on_any_chunks(data: st.DataObject, case: Case) -> None:
    x, y = data.draw(chunked(case.x)), data.draw(chunked(case.y))
    kernel, bias = data.draw(chunked(case.kernel)), case.bias
    bias = None if bias is None else data.draw(chunked(bias))
    same(
        mtconv.conv_transpose(x, kernel, bias, **case.options),
        mtconv.conv_transpose(
            case.x, case.kernel, case.bias, algorithm="direct", **case.options
        ),
    )
    same(
        mtconv.conv(y, kernel, **case.conv_options),
        mtconv.conv(case.y, case.kernel, algorithm="direct", **case.conv_options),
    )
    same(
        mtconv.kernel_grad(x, y, **case.grad_options),
        mtconv.kernel_grad(case.x, case.y, algorithm="direct", **case.grad_options),
    )


def test_four_spatial_axes_with_a_chunked_kernel() -> None:
    x = np.arange(2 * 4 * 3 * 2 * 5).reshape(1, 2, 4, 3, 2, 5)
    w = np.arange(2 * 3 * 2 * 1 * 2 * 3).reshape(2, 3, 2, 1, 2, 3)
    options = {"stride": (2, 1, 3, 2), "padding": (1, 0, 1, 0)}
    lazy = da.from_array(x, chunks=(1, 1, 2, 2, 1, 2))
    kernel = da.from_array(w, chunks=2)
    expected = mtconv.conv_transpose(x, w, algorithm="direct", **options)
    same(mtconv.conv_transpose(lazy, kernel, **options), expected)


def test_regular_chunks_lead_to_regular_chunks() -> None:
    x = da.zeros((3, 40, 40), chunks=(3, 10, 20))
    y = mtconv.conv_transpose(x, np.ones((3, 2, 4, 4)), stride=2, padding=1)
    assert y.chunks == ((2,), (20, 20, 20, 20), (40, 40))
    back = mtconv.conv(y, np.ones((3, 2, 4, 4)), stride=2, padding=1)
    assert back.chunks == x.chunks


def test_cuts_are_shifted_where_lo_leaves_the_kernel() -> None:
    """Of the uncropped result from cell 10 on: half of chunk 1, and halos of one cell."""
    x = da.from_array(np.arange(24), chunks=6)
    y = mtconv.conv_transpose(x, np.array([1, 10]), padding=((10, 0),))
    assert parts(y) == Counter({3: 1, 1: 2})
    same(y, np.convolve(np.arange(24), [1, 10])[10:])


def parts(array: da.Array) -> Counter[int]:
    """Count the parts of chunks of a one-dimensional graph by their widths."""
    keys = array.__dask_graph__().to_dict()
    names = [k for k in keys if isinstance(k, tuple) and "part-of" in k[0]]
    return Counter(stop - start for *_, start, stop in names)


def test_a_chunk_is_read_once_and_of_its_neighbours_only_the_halo() -> None:
    made: Counter[int] = Counter()

    def block(values: np.ndarray, block_id: Any = None) -> np.ndarray:
        made[block_id[0]] += 1
        return values + block_id[0]

    x = da.zeros(40, chunks=10, dtype=int).map_blocks(
        block, dtype=int, meta=np.ones(0, int)
    )
    # lo = 2: a cut between chunks has two cells of its left in reach, one of its right.
    y = mtconv.conv_transpose(x, np.arange(1, 9), stride=2, padding=2)
    assert not made
    assert parts(y) == Counter({1: 3, 2: 3})
    same_x = np.repeat(np.arange(4), 10)
    expected = mtconv.conv_transpose(same_x, np.arange(1, 9), stride=2, padding=2)
    assert (y.compute(scheduler="sync") == expected).all()
    assert made == Counter({0: 1, 1: 1, 2: 1, 3: 1})


def tasks(array: da.Array) -> Counter[str]:
    """Count the tasks of a graph by the start of their names."""
    keys = array.__dask_graph__().to_dict()
    names = (key[0] if isinstance(key, tuple) else key for key in keys)
    return Counter(name.rpartition("-")[0] for name in names)


def test_gradients_read_each_block_of_x_once_and_of_y_what_it_meets() -> None:
    """Element i of x meets elements i, i + 1 and i + 2 of y: two of the next chunk."""
    x, y = np.arange(24), np.arange(26) % 7
    lazy = da.from_array(x, chunks=6), da.from_array(y, chunks=6)
    got = mtconv.kernel_grad(*lazy, kernel_size=(3,))
    assert parts(got) == Counter({2: 3})
    assert tasks(got)["kernel_grad"] == 4
    assert got.compute(scheduler="sync").tolist() == [
        sum(i * ((i + j) % 7) for i in range(24)) for j in range(3)
    ]


def test_gradients_of_images_are_sums_over_their_blocks() -> None:
    x = np.arange(2 * 2 * 4 * 3).reshape(2, 2, 4, 3)
    y = np.arange(2 * 3 * 5 * 5).reshape(2, 3, 5, 5) % 11
    lazy_x = da.from_array(x, chunks=(1, 1, 2, 2))
    lazy_y = da.from_array(y, chunks=(2, 2, 3, 2))
    got = mtconv.kernel_grad(lazy_x, lazy_y, kernel_size=(2, 3))
    assert tasks(got)["kernel_grad"] == 2 * 2 * 2
    same(got, mtconv.kernel_grad(x, y, kernel_size=(2, 3), algorithm="direct"))
    bare = mtconv.kernel_grad(lazy_x[0, 0], lazy_y[0, 0], kernel_size=(2, 3))
    expected = mtconv.kernel_grad(x[0, 0], y[0, 0], kernel_size=(2, 3), algorithm="direct")
    same(bare, expected)


def test_groups_and_channels_in_chunks_are_read_by_one_task_a_block() -> None:
    x = np.arange(3 * 4 * 6).reshape(3, 4, 6)
    w = np.arange(4 * 3 * 2).reshape(4, 3, 2) - 5
    lazy = da.from_array(x, chunks=(2, 3, 4))
    up = mtconv.conv_transpose(lazy, w, groups=2)
    assert up.chunks == ((2, 1), (6,), (4, 3))
    assert tasks(up)["conv_transpose"] == 2 * 2
    expected = mtconv.conv_transpose(x, w, groups=2, algorithm="direct")
    same(up, expected)
    back = mtconv.conv(da.from_array(expected, chunks=(2, 4, 4)), w, groups=2)
    assert back.chunks == ((2, 1), (4,), (4, 2))
    assert tasks(back)["conv"] == 2 * 2
    same(back, mtconv.conv(expected, w, groups=2, algorithm="direct"))


def test_kernel_and_bias_are_one_chunk() -> None:
    x = da.zeros((1, 2, 6), chunks=(1, 2, 3), dtype=int)
    kernel, bias = np.ones((2, 3, 2), int), np.array([1, 2, 3])
    got = mtconv.conv_transpose(x, kernel, bias)
    assert tasks(got)["array"] == 2
    assert (got.compute(scheduler="sync") == bias[:, None]).all()
    cut = mtconv.conv_transpose(
        x, da.from_array(kernel, chunks=1), da.from_array(bias, chunks=1)
    )
    assert tasks(cut)["array"] == kernel.size + bias.size
    assert tasks(cut)["conv_transpose"] == 2


# Sizes of the result's chunks, and for each axis what its blocks are folded from. Of nine
# elements padded by one, the first is read before the last once more, and the last after.
RING = ("circular", [(0, 1, 2, 0), None, (2, 0, 1, 2)])
# Element 1 is read before element 0, and element 7 after element 8.
MIRROR = ("reflect", [(1, 0, 1, 2), None, (0, 1, 2, 1)])
ENDS = ("replicate", [(0, 0, 1, 2), None, (0, 1, 2, 2)])


@pytest.mark.parametrize(("mode", "targets"), [RING, MIRROR, ENDS])
def test_blocks_behind_padding_are_folded_from_what_they_were_read_by(
    mode: str, targets: list[tuple[int, ...] | None]
) -> None:
    x, w = np.arange(9) * 10, np.array([1, 2, 4])
    options = {"padding": 1, "padding_mode": mode}
    got = mtconv.conv_transpose(da.from_array(x, chunks=3), w, **options)
    assert got.chunks == ((3, 3, 3),)
    # The padding is on its own: chunks of 1, 3, 3, 3 and 1 elements.
    assert tasks(got)["conv_transpose"] == 5
    graph = got.__dask_graph__().to_dict()
    (name,) = {key[0] for key in graph if key[0].startswith("fold-")}
    folds = [graph[(name, 0, 0, block)][0] for block in range(3)]
    assert [task.targets for task in folds] == [(target,) for target in targets]
    assert [task.shape for task in folds] == [(3,)] * 3
    same(got, mtconv.conv_transpose(x, w, algorithm="direct", **options))


def test_axes_behind_padding_are_cut_where_the_input_is() -> None:
    """Rows are padded by two at the low end; columns have a stride and no padding."""
    x = np.arange(5 * 4).reshape(5, 4)
    w = np.arange(1, 7).reshape(3, 2)
    options = {"stride": (1, 2), "padding": ((2, 0), (0, 0)), "padding_mode": "symmetric"}
    got = mtconv.conv_transpose(da.from_array(x, chunks=((1, 4), (3, 1))), w, **options)
    assert got.chunks == ((1, 4), (6, 2))
    same(got, mtconv.conv_transpose(x, w, algorithm="direct", **options))
    y = np.arange(5 * 8).reshape(5, 8)
    back = mtconv.conv(da.from_array(y, chunks=((1, 4), (3, 5))), w, **options)
    assert back.chunks == ((1, 4), (2, 2))
    same(back, mtconv.conv(y, w, algorithm="direct", **options))


def test_names_depend_on_content_alone() -> None:
    def name(values: list[int], kernel: list[int], **options: Any) -> str:
        x = da.from_array(np.array(values), chunks=2)
        return mtconv.conv_transpose(x, np.array(kernel), **options).name

    first = name([1, 2, 3], [1, 2], stride=2, algorithm="gemm")
    assert first == name([1, 2, 3], [1, 2], stride=2, algorithm="gemm")
    others = {
        name([1, 2, 4], [1, 2], stride=2, algorithm="gemm"),
        name([1, 2, 3], [1, 3], stride=2, algorithm="gemm"),
        name([1, 2, 3], [1, 2], stride=1, algorithm="gemm"),
        name([1, 2, 3], [1, 2], stride=2, algorithm="direct"),
    }
    assert len(others | {first}) == 5


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_schedulers(scheduler: str) -> None:
    x = np.arange(2 * 12 * 10).reshape(2, 12, 10)
    w = np.arange(2 * 1 * 3 * 4).reshape(2, 1, 3, 4)
    y = mtconv.conv_transpose(da.from_array(x, chunks=(1, 5, 4)), w, stride=2)
    got = y.compute(scheduler=scheduler, num_workers=2)
    assert (got == mtconv.conv_transpose(x, w, stride=2)).all()


def test_the_backend_name_makes_lazy_arrays() -> None:
    got = mtconv.conv_transpose([1, 2], [1, 10], backend="dask")
    assert isinstance(got, da.Array)
    assert got.compute().tolist() == [1, 12, 20]


def test_unknown_chunks_are_refused() -> None:
    x = da.from_array(np.arange(6), chunks=2)
    with pytest.raises(mtconv.BackendError, match="must have chunks of known sizes"):
        mtconv.conv_transpose(x[x > 2], [1, 2])


def test_booleans_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(mtconv.BackendError, match="`x` must have integer"):
        mtconv.conv_transpose(da.ones(3, dtype=bool), [1, 2])


def test_a_small_copy_of_the_large_run() -> None:
    """The script enlarges 40,000 x 40,000; here 630 x 630 in chunks that do not fit."""
    path = Path(__file__).with_name("large_image.py")
    spec = importlib.util.spec_from_file_location("large_image", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.check(size=630, chunk=100, compute=dask.compute)


def test_bias_after_folding_where_a_chunk_of_the_batch_is_empty() -> None:
    x = da.from_array(np.full((1, 1, 1), 2), chunks=((0, 1), (1,), (1,)))
    got = mtconv.conv_transpose(x, [[[3]]], [4], padding_mode="circular")
    same(got, np.array([[[10]]]))
