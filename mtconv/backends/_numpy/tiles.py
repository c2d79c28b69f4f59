"""Blocks of a problem whose workspace fits: each is a relation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import direct, fft, gemm, polyphase
from mtconv.geometry import Axis, restrict, touched_big, touched_small
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]

# Bytes that the arrays of one tile may take together.
TILE_BYTES = 24 * 2**20

_ALGORITHMS = {"gemm": gemm, "polyphase": polyphase, "direct": direct, "fft": fft}


class Tile(NamedTuple):
    """A block: batch items, cells on both sides, and the relation between them."""

    batch: Any
    small: tuple[Any, ...]
    big: tuple[Any, ...]
    axes: tuple[Axis, ...]


def conv_transpose(
    algorithm: str,
    spec: ConvSpec,
    x: NDArray[Any],
    w: NDArray[Any],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Run the transposed convolution block by block of its result."""
    module = _ALGORITHMS[algorithm]
    w = _grouped_kernel(spec, w, dtype)
    y = np.empty((x.shape[0], w.shape[0] * w.shape[2], *spec.big), dtype)
    xg, yg = _grouped(x, spec.groups), _grouped(y, spec.groups)
    for tile in _tiles(spec, x.shape[0], dtype.itemsize, by_big=True):
        block = _compute(xg[(tile.batch, ..., *tile.small)], dtype)
        yg[(tile.batch, ..., *tile.big)] = module.conv_transpose(tile.axes, block, w)
    return y


def conv(
    algorithm: str,
    spec: ConvSpec,
    y: NDArray[Any],
    w: NDArray[Any],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Run the convolution block by block of its result."""
    module = _ALGORITHMS[algorithm]
    w = _grouped_kernel(spec, w, dtype)
    x = np.empty((y.shape[0], w.shape[0] * w.shape[1], *spec.small), dtype)
    xg, yg = _grouped(x, spec.groups), _grouped(y, spec.groups)
    for tile in _tiles(spec, y.shape[0], dtype.itemsize, by_big=False):
        block = _compute(yg[(tile.batch, ..., *tile.big)], dtype)
        xg[(tile.batch, ..., *tile.small)] = module.conv(tile.axes, block, w)
    return x


def kernel_grad(
    algorithm: str,
    spec: ConvSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Sum the kernel gradients of all blocks."""
    module = _ALGORITHMS[algorithm]
    small, share, *taps = spec.kernel_shape
    w = np.zeros((spec.groups, small // spec.groups, share, *taps), dtype)
    xg, yg = _grouped(x, spec.groups), _grouped(y, spec.groups)
    for tile in _tiles(spec, x.shape[0], dtype.itemsize, by_big=False):
        x_block = _compute(xg[(tile.batch, ..., *tile.small)], dtype)
        y_block = _compute(yg[(tile.batch, ..., *tile.big)], dtype)
        w += module.kernel_grad(tile.axes, x_block, y_block)
    return w.reshape(1, *spec.kernel_shape)


def _tiles(spec: ConvSpec, batch: int, itemsize: int, *, by_big: bool) -> Iterator[Tile]:
    """Cut the result of a map (or the small side, for the gradient) into blocks."""
    sizes = [batch, *(spec.big if by_big else spec.small)]
    limit = _limit(spec, itemsize, by_big=by_big)
    while prod(sizes) > limit and max(sizes) > 1:
        # Batch items first, then the outermost long axis: rows stay whole.
        cut = next(number for number, size in enumerate(sizes) if size > 1)
        sizes[cut] = -(-sizes[cut] // 2)
    for index in np.ndindex(
        *(
            -(-whole // size) if size else 0
            for whole, size in zip(
                (batch, *(spec.big if by_big else spec.small)), sizes, strict=True
            )
        )
    ):
        start = index[0] * sizes[0]
        axes, small, big = [], [], []
        for axis, number, size in zip(spec.axes, index[1:], sizes[1:], strict=True):
            whole = axis.big if by_big else axis.small
            mine = (number * size, min((number + 1) * size, whole))
            if by_big:
                other = touched_small(axis, *mine)
                pair = (other, mine)
            else:
                other = touched_big(axis, *mine)
                pair = (mine, other)
            axes.append(restrict(axis, *pair))
            small.append(slice(*pair[0]))
            big.append(slice(*pair[1]))
        yield Tile(
            slice(start, min(start + sizes[0], batch)),
            tuple(small),
            tuple(big),
            tuple(axes),
        )


def _limit(spec: ConvSpec, itemsize: int, *, by_big: bool) -> int:
    """Cells of the result that one tile may have."""
    small, share = spec.kernel_shape[:2]
    columns = share * spec.groups * prod(spec.kernel_size) + small
    strides = prod(axis.stride for axis in spec.axes)
    cells = TILE_BYTES // (itemsize * max(columns, 1))
    return max(1, cells * (strides if by_big else 1))


def _grouped(array: NDArray[Any], groups: int) -> NDArray[Any]:
    """View (batch, channels, *space) as (batch, groups, channels / groups, *space)."""
    channels = array.shape[1] // groups
    return array.reshape(array.shape[0], groups, channels, *array.shape[2:])


def _grouped_kernel(spec: ConvSpec, w: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    small, share, *taps = spec.kernel_shape
    w = np.ascontiguousarray(w, dtype)
    return w.reshape(spec.groups, small // spec.groups, share, *taps)


def _compute(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(block, dtype)
