"""Dask: one task per block of the result, each reading its chunk and the halo around it.

Arrays may be chunked in any way along batch, channels and space. Spatial axes of the
result are cut where those of the input are; channels of the result are in one chunk.
The kernel is one chunk too. Chunks hold NumPy arrays, or those of any other backend; that
they are what the array says of them is checked when they are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from math import isnan
from typing import Any

import dask.array as da
import numpy as np

from mtconv.backends._dask.blocks import FoldTask, MapTask
from mtconv.backends._dask.checks import check_meta, checked
from mtconv.backends._dask.chunks import (
    Need,
    ResultBlock,
    big_bounds,
    bounds,
    forward_blocks,
    locate,
    sizes,
    small_bounds,
    sources,
    transposed_blocks,
    unfolded,
    unfolded_bounds,
    within,
)
from mtconv.backends._dask.layer import GraphLayer
from mtconv.backends._dask.library import library
from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.host import inputs
from mtconv.backends.host.inputs import dtype_of
from mtconv.errors import BackendError, message
from mtconv.geometry import Axis
from mtconv.planning.candidate import computing_dtype
from mtconv.planning.plan import Plan
from mtconv.spec import ConvSpec

__all__ = ["NAME", "asarray", "library", "result_dtype", "run"]

NAME = "dask"


def asarray(function: str, argument: str, array: Any) -> Any:
    """Take Dask arrays of known chunks; neutral arrays stay with NumPy."""
    if not isinstance(array, da.Array):
        return inputs.asarray(function, argument, array)
    if any(isnan(size) for size in array.shape):
        msg = message(
            function,
            argument,
            "must have chunks of known sizes",
            f"chunks {array.chunks}",
            fix="Call .compute_chunk_sizes() first.",
        )
        raise BackendError(msg)
    inputs.asarray(function, argument, np.empty((), array.dtype))
    check_meta(function, argument, array)
    return array


def result_dtype(*arrays: Any) -> str:
    """Name the dtype that NumPy promotes these arrays to."""
    present = (array.dtype for array in arrays if array is not None)
    return np.result_type(*present).name


def run(
    plan: Plan, first: Any, second: Any, bias: Any = None, precision: Any = None
) -> da.Array:
    """Build the graph of a plan; `precision` is for the blocks' library to know."""
    del precision
    dtype = dtype_of(plan.dtype)
    compute = dtype_of(computing_dtype(plan.dtype))  # each block has a plan of its own
    data = canonical(_lazy(plan.form, "x", first, "auto"), plan.data).astype(compute)
    if plan.form == "kernel_grad":
        y = canonical(_lazy(plan.form, "y", second, "auto"), plan.data).astype(compute)
        w = _kernel_grad(plan, data, y).astype(dtype)
        # A bare kernel has one channel on each side, and the first is as good as a batch.
        return arranged(w[None] if plan.kernel.channels else w, plan.kernel)
    spec = plan.spec
    kernel = _whole(_lazy(plan.form, "kernel", second, -1)).astype(compute)
    kernel = canonical(kernel, plan.kernel).reshape(spec.kernel_shape)
    if bias is not None:
        bias = _whole(_lazy(plan.form, "bias", bias, -1)).astype(compute)
    if plan.form == "conv":
        result = _conv(plan, data, kernel, bias)
    elif spec.padding_mode == "zeros":
        result = _conv_transpose(plan, data, kernel, bias)
    else:
        result = _folded(spec, _conv_transpose(plan, data, kernel, None))
        if bias is not None:
            result = _without_empty_chunks(result)
            result = result + bias.reshape(-1, *(1,) * spec.rank)
    return arranged(result.astype(dtype), plan.data)


def _without_empty_chunks(array: da.Array) -> da.Array:
    """Drop chunks of no element: dask takes an axis of chunks (0, 1) for a single one."""
    return array.rechunk(
        tuple(tuple(c for c in axis if c) or (0,) for axis in array.chunks)
    )


def _whole(array: da.Array) -> da.Array:
    """Make one chunk of all; dask leaves chunks such as (0, 1) apart."""
    return _without_empty_chunks(array).rechunk(-1)


def _lazy(form: str, argument: str, array: Any, chunks: Any) -> da.Array:
    if isinstance(array, da.Array):
        return checked(form, argument, array)
    return da.from_array(array, chunks=chunks)


def _conv_transpose(plan: Plan, x: da.Array, w: da.Array, bias: Any) -> da.Array:
    """Transpose the zero-padded convolution inside the plan's spec."""
    spec = plan.spec
    inner = [unfolded(axis, spec.padding_mode) for axis in spec.axes]
    edges = [bounds(chunks) for chunks in x.chunks[2:]]
    cuts = list(map(unfolded_bounds, spec.axes, inner, map(big_bounds, spec.axes, edges)))
    axes = list(map(transposed_blocks, inner, edges, cuts))
    channels = w.shape[1] * spec.groups
    return _mapped(plan, x, w, bias, axes, ((channels,), *map(sizes, cuts)))


def _conv(plan: Plan, y: da.Array, w: da.Array, bias: Any) -> da.Array:
    spec = plan.spec
    edges = [bounds(chunks) for chunks in y.chunks[2:]]
    cuts = [small_bounds(a, edge) for a, edge in zip(spec.axes, edges, strict=True)]
    axes = [
        forward_blocks(axis, spec.padding_mode, edge, cut)
        for axis, edge, cut in zip(spec.axes, edges, cuts, strict=True)
    ]
    return _mapped(plan, y, w, bias, axes, ((w.shape[0],), *map(sizes, cuts)))


def _mapped(
    plan: Plan,
    first: da.Array,
    w: da.Array,
    bias: da.Array | None,
    axes: list[tuple[ResultBlock, ...]],
    chunks: tuple[Any, ...],
) -> da.Array:
    """Make every block of the result of a map by one task."""
    others = [w] if bias is None else [w, bias]
    layer = GraphLayer(plan.form, plan, first, *others)
    keys = [(array.name, *(0,) * array.ndim) for array in others]
    for (n, *index), (lead, *blocks) in _each([_lead(first), *axes]):
        needs = [*lead, *(block.need for block in blocks)]
        orders = tuple(need.order for need in needs), ()
        task = MapTask(plan.form, _block_spec(plan.spec, blocks), plan.requested, orders)
        layer.add((n, 0, *index), task, layer.region(first, needs), *keys)
    return layer.array(first.chunks[0], *chunks)


def _kernel_grad(plan: Plan, x: da.Array, y: da.Array) -> da.Array:
    """Sum the gradients of all blocks of x."""
    spec = plan.spec
    y = y.rechunk({0: x.chunks[0]})
    sides = zip(spec.axes, x.chunks[2:], y.chunks[2:], strict=True)
    axes = [_blocks_of_x(axis, spec.padding_mode, *chunks) for axis, *chunks in sides]
    layer = GraphLayer(plan.form, plan, x, y)
    leads = list(zip(_lead(x), _lead(y), strict=True))
    number = 0
    for _, ((x_lead, y_lead), *blocks_by_axis) in _each([leads, *axes]):
        of_x = [*x_lead, *(own for own, _ in blocks_by_axis)]
        of_y = [*y_lead, *(block.need for _, block in blocks_by_axis)]
        orders = tuple(tuple(need.order for need in needs) for needs in (of_x, of_y))
        block_spec = _block_spec(spec, [block for _, block in blocks_by_axis])
        task = MapTask(plan.form, block_spec, plan.requested, orders)
        index = (number, *(0,) * (spec.rank + 2))
        layer.add(index, task, layer.region(x, of_x), layer.region(y, of_y))
        number += 1
    partial = layer.array((1,) * number, *((size,) for size in spec.kernel_shape))
    return partial.sum(axis=0, dtype=x.dtype)


def _blocks_of_x(
    axis: Axis, mode: str, x_chunks: Sequence[int], y_chunks: Sequence[int]
) -> list[tuple[Need, ResultBlock]]:
    """Return the blocks of one axis of x, each with the part of y that it meets."""
    edges = bounds(x_chunks)
    cuts = sorted(set(edges))
    blocks = forward_blocks(axis, mode, bounds(y_chunks), cuts)
    own = [locate(edges, range(*pair)) for pair in pairwise(cuts)]
    return list(zip(own, blocks, strict=True))


def _folded(spec: ConvSpec, padded: da.Array) -> da.Array:
    """Add the padding's elements to the elements they were read from."""
    layer = GraphLayer("fold", spec, padded)
    axes = [
        _reads(axis, spec.padding_mode, bounds(padded_chunks))
        for axis, padded_chunks in zip(spec.axes, padded.chunks[2:], strict=True)
    ]
    chunks = [tuple(size for _, _, size in reads) for reads in axes]
    for (n, *index), (lead, *reads_by_axis) in _each([_lead(padded), *axes]):
        needs = [*lead, *(need for need, _, _ in reads_by_axis)]
        task = FoldTask(
            tuple(t for _, t, _ in reads_by_axis),
            tuple(size for _, _, size in reads_by_axis),
        )
        layer.add((n, 0, *index), task, layer.region(padded, needs))
    return layer.array(padded.chunks[0], padded.chunks[1], *chunks)


def _reads(
    axis: Axis, mode: str, edges: Sequence[int]
) -> list[tuple[Need, tuple[int, ...] | None, int]]:
    """Return what each block of one axis is folded from: elements, targets and size."""
    source = sources(axis, mode)
    reads = []
    for start, stop in pairwise(within((edge - axis.lo for edge in edges), axis.big)):
        cells = tuple(p for p, o in enumerate(source) if start <= o < stop)
        targets = tuple(source[p] - start for p in cells)
        plain = targets == tuple(range(stop - start))
        reads.append((locate(edges, cells), None if plain else targets, stop - start))
    return reads


def _lead(array: da.Array) -> list[tuple[Need, Need]]:
    """Return what a block needs of batch and channels, for each chunk of the batch."""
    channels = locate(bounds(array.chunks[1]), range(array.shape[1]))
    return [
        (Need(((n, 0, size),), None), channels) for n, size in enumerate(array.chunks[0])
    ]


def _each(axes: list[Any]) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Yield index and items of every combination of the axes' items."""
    for pairs in product(*map(enumerate, axes)):
        index, items = zip(*pairs, strict=True)
        yield index, items


def _block_spec(spec: ConvSpec, blocks: Sequence[ResultBlock]) -> ConvSpec:
    """Return the zero-padded relation of one block, in canonical order."""
    small, share = spec.kernel_shape[:2]
    axes = tuple(block.axis for block in blocks)
    return ConvSpec(axes, spec.groups, small, share * spec.groups)
