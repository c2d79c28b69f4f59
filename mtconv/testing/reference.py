"""The three maps as plain loops over the index relation: slow, short, and easy to trust.

Everything here comes from one line, ``o = stride*i + dilation*j - lo``, which is tried for
all i and j of an axis, and from `numpy.pad` for what the padding modes read outside. Terms
of the same kernel element are added together, all others one after another. Floating
results are accumulated in float64 or complex128 and rounded once; integers wrap as NumPy's
do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis
from mtconv.problem.build import Problem, problem
from mtconv.problem.layout import Arrangement
from mtconv.problem.options import freeze, freeze_sizes
from mtconv.spec import ConvSpec

__all__ = [
    "Term",
    "reference_conv",
    "reference_conv_transpose",
    "reference_kernel_grad",
    "taps",
]

_PAD_MODES = {
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
    "symmetric": "symmetric",
}


class Term(NamedTuple):
    """One term: small element i, kernel element j and big element o, an index per axis."""

    small: tuple[int, ...]
    kernel: tuple[int, ...]
    big: tuple[int, ...]


def taps(spec: ConvSpec) -> list[Term]:
    """List every term of a spec, by trying all pairs of i and j on each axis.

    Examples
    --------
    >>> from mtconv import ConvSpec
    >>> for tap in taps(ConvSpec.from_shapes((2,), (2,), stride=2, padding=1)):
    ...     print(tap)
    Term(small=(0,), kernel=(1,), big=(0,))
    Term(small=(1,), kernel=(0,), big=(1,))
    """
    axes = [_axis_taps(axis, spec.padding_mode) for axis in spec.axes]
    return [Term(*zip(*term, strict=True)) for term in product(*axes)]


def reference_conv_transpose(
    x: Any, kernel: Any, bias: Any = None, **options: Any
) -> NDArray[Any]:
    """Do what `mtconv.conv_transpose` does, by plain loops.

    Parameters
    ----------
    x, kernel, bias : array_like
        As in `mtconv.conv_transpose`; converted to NumPy.
    **options
        Its geometric options.

    Returns
    -------
    numpy.ndarray
        The result, dtype by NumPy's promotion.

    Notes
    -----
    Python loops turn for every i and j of an axis, and for every element of the kernel:
    keep the sizes small.

    Examples
    --------
    >>> reference_conv_transpose([1, 2], [1, 10, 100], stride=2)
    array([  1,  10, 102,  20, 200])
    """
    return _map("conv_transpose", x, kernel, bias, options)


def reference_conv(x: Any, kernel: Any, bias: Any = None, **options: Any) -> NDArray[Any]:
    """Do what `mtconv.conv` does, by plain loops.

    Parameters
    ----------
    x, kernel, bias : array_like
        As in `mtconv.conv`; converted to NumPy.
    **options
        Its geometric options.

    Returns
    -------
    numpy.ndarray
        The result, dtype by NumPy's promotion.

    Examples
    --------
    >>> reference_conv([1, 2, 3, 4], [1, 10], stride=2)
    array([21, 43])
    """
    return _map("conv", x, kernel, bias, options)


def reference_kernel_grad(
    x: Any, y: Any, *, kernel_size: Any, **options: Any
) -> NDArray[Any]:
    """Do what `mtconv.kernel_grad` does, by plain loops.

    Parameters
    ----------
    x, y : array_like
        As in `mtconv.kernel_grad`; converted to NumPy.
    kernel_size : int or tuple of int
        Number of taps.
    **options
        The geometric options of `mtconv.kernel_grad`.

    Returns
    -------
    numpy.ndarray
        The result, dtype by NumPy's promotion.

    Examples
    --------
    >>> reference_kernel_grad([1, 10], [1, 2, 3, 4], kernel_size=(2,), stride=2)
    array([31, 42])
    """
    first, second = np.asarray(x), np.asarray(y)
    size = freeze_sizes("kernel_grad", "kernel_size", kernel_size)
    frozen = freeze("kernel_grad", **options)
    solved = problem("kernel_grad", first.shape, second.shape, frozen, size)
    dtype, wide = _dtypes(first, second)
    data, cotangent = _split(solved, first, "small"), _split(solved, second, "big")
    spec = solved.spec
    w = _correlated(spec, data.astype(wide), cotangent.astype(wide))
    shape = spec.kernel_shape if solved.kernel.channels else spec.kernel_size
    return _arranged(w, shape, solved.kernel).astype(dtype)


def _correlated(spec: ConvSpec, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Add up the terms of the kernel gradient of (batch, groups, channels, *space)."""
    w = np.zeros(_kernel_shape(spec), x.dtype)
    for i, j, o in _by_tap(spec):
        sides = (array[_at(cells)] for array, cells in ((x, i), (y, o)))
        flat = (side.reshape(*side.shape[:3], prod(side.shape[3:])) for side in sides)
        w[_at(j)] = np.einsum("bgsn,bgcn->gsc", *flat)
    return w


def _map(
    form: str, x: Any, kernel: Any, bias: Any, options: dict[str, Any]
) -> NDArray[Any]:
    first, second = np.asarray(x), np.asarray(kernel)
    third = None if bias is None else np.asarray(bias)
    solved = problem(form, first.shape, second.shape, freeze(form, **options))
    dtype, wide = _dtypes(first, second, third)
    side = "small" if form == "conv_transpose" else "big"
    data = _split(solved, first, side).astype(wide)
    w = _moved(second, solved.kernel).reshape(_kernel_shape(solved.spec)).astype(wide)
    result = _summed(form, solved.spec, data, w)
    if third is not None:
        ones = (1,) * solved.spec.rank
        result += third.astype(wide).reshape(*result.shape[1:3], *ones)
    batch = result.shape[:1] if solved.data.batch else ()
    channels = (result.shape[1] * result.shape[2],) if solved.data.channels else ()
    shape = (*batch, *channels, *result.shape[3:])
    return _arranged(result, shape, solved.data).astype(dtype)


def _summed(form: str, spec: ConvSpec, data: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Add up the terms of a map of data (batch, groups, channels, *space)."""
    transposed = form == "conv_transpose"
    if not transposed:
        w = w.swapaxes(1, 2)
    space = spec.big if transposed else spec.small
    result = np.zeros((*data.shape[:2], w.shape[2], *space), w.dtype)
    for i, j, o in _by_tap(spec):
        source, target = (i, o) if transposed else (o, i)
        terms = np.einsum("bgs...,gsc->bgc...", data[_at(source)], w[_at(j)])
        np.add.at(result, _at(target), terms)  # padding repeats elements
    return result


def _by_tap(spec: ConvSpec) -> Iterator[tuple[Any, ...]]:
    """Yield each kernel element, between all small and all big ones that it joins."""
    axes = []
    for place, axis in enumerate(spec.axes):
        shape = [1] * spec.rank
        shape[place] = -1
        joined: dict[int, list[tuple[int, int]]] = {}
        for i, j, o in _axis_taps(axis, spec.padding_mode):
            joined.setdefault(j, []).append((i, o))
        axes.append(
            [
                (*(np.reshape(cells, shape) for cells in zip(*pairs, strict=True)), j)
                for j, pairs in joined.items()
            ]
        )
    for term in product(*axes):
        small, big, kernel = zip(*term, strict=True)
        yield small, kernel, big


def _at(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    return (..., *cells)


def _axis_taps(axis: Axis, mode: str) -> list[tuple[int, int, int]]:
    cells = np.arange(axis.big)
    if mode != "zeros":
        cells = np.pad(cells, (axis.lo, max(axis.hi, 0)), _PAD_MODES[mode])  # type: ignore[call-overload]
    start = 0 if mode == "zeros" else axis.lo
    triples = []
    for i in range(axis.small):
        for j in range(axis.kernel):
            o = axis.stride * i + axis.dilation * j - axis.lo + start
            if 0 <= o < len(cells):
                triples.append((i, j, int(cells[o])))
    return triples


def _dtypes(*arrays: NDArray[Any] | None) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the dtype of the result and the one to accumulate in."""
    dtype = np.result_type(*(array for array in arrays if array is not None))
    dtype = dtype.newbyteorder("=")
    if dtype.kind in "iu":
        return dtype, dtype
    return dtype, np.result_type(dtype, np.float64)


def _kernel_shape(spec: ConvSpec) -> tuple[int, ...]:
    channels, share, *cells = spec.kernel_shape
    return (spec.groups, channels // spec.groups, share, *cells)


def _split(solved: Problem, array: NDArray[Any], side: str) -> NDArray[Any]:
    """Arrange x ("small") or y ("big") as (batch, groups, channels / groups, *space)."""
    spec, moved = solved.spec, _moved(array, solved.data)
    batch = moved.shape[0] if solved.data.batch else 1
    channels, share = spec.kernel_shape[:2]
    each = channels // spec.groups if side == "small" else share
    space = spec.small if side == "small" else spec.big
    return moved.reshape(batch, spec.groups, each, *space)


def _moved(array: NDArray[Any], arrangement: Arrangement) -> NDArray[Any]:
    return array if arrangement.order is None else array.transpose(arrangement.order)


def _arranged(
    array: NDArray[Any], shape: tuple[int, ...], arrangement: Arrangement
) -> NDArray[Any]:
    """Reshape to the canonical axes that the caller's array has, and order them."""
    array = array.reshape(shape)
    inverse = arrangement.inverse
    return array if inverse is None else array.transpose(inverse)
