"""The three maps, block by block: load, multiply, add the bias, convert, store.

The algorithms see blocks of one computing dtype: x (g, ci, b, *small), y (b, g, co,
*big), w (g, ci, co, *taps). Every conversion of dtype or layout happens block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from sys import maxsize
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import direct, fft, gemm, polyphase
from mtconv.backends._numpy.blocks import Block, cut, is_small
from mtconv.backends._numpy.columns import FOLDED_CELLS
from mtconv.backends._numpy.footprint import Copies
from mtconv.backends._numpy.weights import Packs, Weights
from mtconv.backends.host.padding import fold_into, folded_parts, pad_block
from mtconv.backends.host.quiet import quiet_context
from mtconv.backends.host.threads import run_all, workers_at_most
from mtconv.backends.host.workspace import Workspace, lend
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]
_Task = TypeVar("_Task")

# Kernels up to this size are packed once for all blocks of a call.
SHARED_BYTES = 2**22


class Algorithm(Protocol):
    """The three maps of one block: a module of this package, or an object like one."""

    NAME: str

    def conv_transpose(
        self, axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Write the transposed convolution of x to out."""

    def conv(
        self, axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Write the convolution of y to out."""

    def kernel_grad(
        self, axes: Axes, x: Array, y: Array, out: Array, space: Workspace
    ) -> None:
        """Add the kernel gradient of x and y to out."""


_MODULES = (gemm, polyphase, direct, fft)
ALGORITHMS: dict[str, Algorithm] = {
    module.NAME: cast("Algorithm", module) for module in _MODULES
}


def conv_transpose(
    algorithm: Algorithm,
    spec: ConvSpec,
    x: Array,
    w: Array,
    out: Array,
    bias: Array | None,
    dtype: np.dtype[Any],
    packs: Packs | None = None,
) -> None:
    """Write the transposed convolution of x (N, C, *small) to out (N, C, *big)."""
    xg, wg, yg = _grouped(x, spec), _grouped_kernel(w, spec), _grouped(out, spec)
    bg = None if bias is None else bias.reshape(spec.groups, -1)
    # Spectra are much larger than kernels.
    few = w.size * dtype.itemsize <= SHARED_BYTES and algorithm.NAME != "fft"
    if packs is None and few:
        packs = {}  # blocks of one call pack the kernel once

    def multiply(block: Block, target: Array | None, space: Workspace) -> Array:
        block_x = _load_x(xg[(block.batch, block.groups, ..., *block.small)], dtype, space)
        block_w = _load_w(algorithm, wg[block.groups, :, block.channels], dtype, space)
        lead = yg[block.batch, block.groups, block.channels].shape[:3]
        result = _result(target, block, lead, dtype, space)
        part = (algorithm.NAME, block.groups.start, block.channels.start)
        weights = Weights(block_w, packs, part)
        algorithm.conv_transpose(block.axes, block_x, weights, result, space)
        return result

    def run(block: Block) -> None:
        with lend() as space:
            target = yg[(block.batch, block.groups, block.channels, *block.big)]
            _finish(multiply(block, target, space), target, bg, block)

    def run_folded(block: Block) -> None:
        with lend() as space:
            target = yg[(block.batch, block.groups, block.channels, *block.big)]
            total = _result(target, block, target.shape[:3], dtype, space)
            total[...] = 0
            for parts in folded_parts(spec, block.big):
                part = block._replace(
                    small=tuple(one.small for one in parts),
                    axes=tuple(one.axis for one in parts),
                )
                with space.frame():
                    fold_into(total, multiply(part, None, space), parts)
            _finish(total, target, bg, block)

    copies = _copies(wg, out, dtype)._replace(data=_x_is_copied(xg, dtype))
    blocks = cut(spec, "conv_transpose", algorithm.NAME, x.shape[0], dtype.itemsize, copies)
    folds = spec.padding_mode != "zeros"
    _run(run_folded if folds else run, blocks, serial=is_small(spec, x.shape[0]))


def conv(
    algorithm: Algorithm,
    spec: ConvSpec,
    y: Array,
    w: Array,
    out: Array,
    bias: Array | None,
    dtype: np.dtype[Any],
) -> None:
    """Write the convolution of y (N, C, *big) to out (N, C, *small)."""
    inner = spec if spec.padding_mode == "zeros" else spec.padded
    yg, wg, xg = _grouped(y, spec), _grouped_kernel(w, spec), _grouped(out, spec)
    bg = None if bias is None else bias.reshape(spec.groups, -1)

    def run(block: Block) -> None:
        with lend() as space:
            block_y = _load_y(
                spec, inner, yg[block.batch, block.groups], block, dtype, space
            )
            block_w = _load_w(algorithm, wg[block.groups, block.channels], dtype, space)
            target = xg[(block.batch, block.groups, block.channels, *block.small)]
            result = _result(target, block, target.shape[:3], dtype, space)
            algorithm.conv(block.axes, block_y, Weights(block_w), result, space)
            _finish(result, target, bg, block)

    copies = _copies(wg, out, dtype, pads=inner is not spec, y=y)
    blocks = cut(inner, "conv", algorithm.NAME, y.shape[0], dtype.itemsize, copies)
    _run(run, blocks, serial=is_small(inner, y.shape[0]))


def kernel_grad(
    algorithm: Algorithm,
    spec: ConvSpec,
    x: Array,
    y: Array,
    out: Array,
    dtype: np.dtype[Any],
) -> None:
    """Write the kernel gradient of x (N, C, *small) and y (N, C, *big) to out."""
    inner = spec if spec.padding_mode == "zeros" else spec.padded
    xg, yg, wg = _grouped(x, spec), _grouped(y, spec), _grouped_kernel(out, spec)
    sums: dict[tuple[int, int], list[Block]] = {}
    copies = Copies(
        data=inner is not spec or not _gapless(y, dtype), x=_x_is_copied(xg, dtype)
    )
    blocks = cut(inner, "kernel_grad", algorithm.NAME, x.shape[0], dtype.itemsize, copies)
    for block in blocks:
        sums.setdefault((block.groups.start, block.channels.start), []).append(block)
    out[...] = 0

    def add(block: Block, total: Array, space: Workspace) -> None:
        # A function of its own, so that a block's arrays are gone before the next one's.
        with space.frame():
            part = xg[(block.batch, block.groups, ..., *block.small)]
            block_x = _load_x(part, dtype, space, maxsize)
            part = yg[block.batch, block.groups, block.channels]
            block_y = _load_y(spec, inner, part, block, dtype, space)
            algorithm.kernel_grad(block.axes, block_x, block_y, total, space)

    def run(blocks: list[Block]) -> None:
        with lend() as space:
            target = wg[blocks[0].groups, :, blocks[0].channels]
            total = space.take(target.shape, dtype)
            total[...] = 0
            for block in blocks:
                add(block, total, space)
            store(total, target)

    _run(run, list(sums.values()), serial=is_small(inner, x.shape[0]))


def _run(
    function: Callable[[_Task], None], tasks: Iterable[_Task], *, serial: bool
) -> None:
    """Call a function on every task, on this thread alone or shared with others."""
    workers = 1 if serial else workers_at_most()
    quiet_context().run(run_all, function, tasks, workers)


def _copies(
    w: Array,
    out: Array,
    dtype: np.dtype[Any],
    y: Array | None = None,
    *,
    pads: bool = False,
) -> Copies:
    """Return which arrays `_load`, `_load_y` and `_result` will have to copy."""
    return Copies(
        data=y is not None and (pads or not _gapless(y, dtype)),
        kernel=w.dtype != dtype or not w.flags.c_contiguous,
        result=not _gapless(out, dtype),
    )


def _x_is_copied(xg: Array, dtype: np.dtype[Any]) -> bool:
    """Return whether `_load_x` copies blocks whatever their size."""
    return xg.dtype != dtype or not _rows_contiguous(xg)


def _grouped(array: Array, spec: ConvSpec) -> Array:
    """View (batch, channels, *space) as (batch, groups, channels / groups, *space)."""
    channels = array.shape[1] // spec.groups
    # To split an axis never copies.
    return array.reshape(array.shape[0], spec.groups, channels, *array.shape[2:])


def _grouped_kernel(w: Array, spec: ConvSpec) -> Array:
    return w.reshape(spec.groups, w.shape[0] // spec.groups, *w.shape[1:])


def _load(array: Array, dtype: np.dtype[Any], space: Workspace) -> Array:
    """Return an array itself where BLAS can take it, or a contiguous copy."""
    if array.dtype == dtype and _rows_contiguous(array):
        return array
    copy = space.take(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def _load_w(
    algorithm: Algorithm, array: Array, dtype: np.dtype[Any], space: Workspace
) -> Array:
    """Load a block of the kernel; `fft` converts the taps that it transforms itself."""
    return array if algorithm.NAME == "fft" else _load(array, dtype, space)


def _rows_contiguous(array: Array) -> bool:
    """Return whether all axes after the third lie in C order without gaps."""
    flags = array.flags
    if flags.c_contiguous:
        return flags.aligned
    expected = array.itemsize
    for size, stride in zip(array.shape[:2:-1], array.strides[:2:-1], strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return flags.aligned and all(stride >= 0 for stride in array.strides)


def _gapless(array: Array, dtype: np.dtype[Any]) -> bool:
    """Return whether an array has this dtype and rows without gaps."""
    return array.dtype == dtype and array.strides[-1] == array.itemsize


def _load_x(
    array: Array, dtype: np.dtype[Any], space: Workspace, folded: int = FOLDED_CELLS
) -> Array:
    """Load a block of x as (g, ci, b, *small), contiguous after the batch.

    Items of fewer than ``folded`` cells are copied side by side, so that BLAS multiplies
    many at once.
    """
    cells = prod(array.shape[3:])
    array = array.transpose(1, 2, 0, *range(3, array.ndim))
    fold = array.shape[2] > 1 and cells < folded
    if not fold and array.dtype == dtype and _rows_contiguous(array):
        return array
    copy = space.take(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def _load_y(
    spec: ConvSpec,
    inner: ConvSpec,
    array: Array,
    block: Block,
    dtype: np.dtype[Any],
    space: Workspace,
) -> Array:
    """Load a block of y (b, g, co, *big), padded as the padding mode says."""
    if inner is not spec:
        return pad_block(spec, array, block.big, dtype, space)
    array = array[(..., *block.big)]
    if _gapless(array, dtype):
        return array
    copy = space.take(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def _result(
    target: Array | None,
    block: Block,
    lead: tuple[int, ...],
    dtype: np.dtype[Any],
    space: Workspace,
) -> Array:
    """Return the target itself where a block can be computed in place."""
    if target is not None and _gapless(target, dtype):
        return target
    cells = target.shape[3:] if target is not None else tuple(a.big for a in block.axes)
    return space.take((*lead, *cells), dtype)


def _finish(result: Array, target: Array, bias: Array | None, block: Block) -> None:
    """Add the bias and store a block where it was not computed in place."""
    if bias is not None:
        mine = bias[block.groups, block.channels]
        result += mine.reshape(*mine.shape, *(1,) * (result.ndim - 3))
    if result is not target:
        store(result, target)


def store(result: Array, target: Array) -> None:
    """Convert a block to the dtype of the target; whole floats become integers exactly."""
    if target.dtype.kind in "iu" and result.dtype.kind == "f":
        # By way of int64, so that what does not fit wraps as integers do; the ufunc
        # converts a few elements at a time.
        np.positive(result, out=target, dtype=np.int64, casting="unsafe")
    else:
        np.copyto(target, result, casting="unsafe")
