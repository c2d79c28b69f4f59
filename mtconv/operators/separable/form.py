"""A prepared map of the NumPy backend whose kernel is applied axis by axis."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import LARGEST_WHOLE, all_finite, dtype_of, largest
from mtconv.backends.host.memory import lend
from mtconv.backends.host.threads import run_all, workers_at_most
from mtconv.operators.separable.bands import AxisBands, BandRun, axis_bands, runs_of
from mtconv.operators.separable.factors import factors_of
from mtconv.operators.separable.tiles import Tile, tiles_of
from mtconv.planning.candidate import computing_dtype
from mtconv.planning.plan import Plan
from mtconv.planning.separable import inner_elements

__all__ = ["SeparableForm", "separated"]

Array = NDArray[Any]

# Elements from which on threads are worth their start.
_THREADED = 2**16


def separated(plan: Plan, kernel: Array, dtype: str) -> list[tuple[Array, ...]] | None:
    """Return the factors of the kernel of each group for results of a dtype, if any.

    The kernel has one channel in a group on both sides.
    """
    spec = plan.spec
    small, share = spec.kernel_shape[:2]
    if spec.rank < 2 or small != spec.groups or share != 1 or not kernel.size:
        return None
    computing = _computing(dtype)
    if kernel.dtype.kind in "iu" and largest(kernel) >= LARGEST_WHOLE:
        return None
    double = np.complex128 if computing.kind == "c" else np.float64
    w = canonical(kernel, plan.kernel).reshape(spec.kernel_shape).astype(double)
    factors = []
    for group in w[:, 0]:
        # Integers are whole, so that they have exact factors or none.
        parts = factors_of(group, float(np.finfo(computing).eps))
        if parts is None:
            return None
        factors.append(parts)
    return factors


def _computing(dtype: str) -> np.dtype[Any]:
    """Return the dtype of the products; integers are multiplied in double precision."""
    return dtype_of("float64" if "int" in dtype else computing_dtype(dtype))


class _Map(NamedTuple):
    """The axes of each group, those after the second as runs, and the tiles of each."""

    groups: tuple[tuple[AxisBands, ...], ...]
    later: tuple[list[tuple[BandRun, ...]], ...]
    tiles: tuple[list[Tile], ...]
    computing: np.dtype[Any]


class SeparableForm:
    """A map that applies one vector of the kernel for each axis."""

    NAME = "separable"

    def __init__(self, plan: Plan, kernel: Array) -> None:
        self._plan = plan
        self._kernel = kernel
        self._maps: dict[str, _Map] = {}

    def run(self, data: Array, *, single: bool) -> Array | None:
        """Apply the map to a batch, or return None where values need another algorithm.

        That puts NaN and infinity where they belong, and keeps integers exact whose sums
        are too large for double precision.
        """
        plan, spec = self._plan, self._plan.spec
        dtype = np.result_type(data, self._kernel).newbyteorder("=")
        parts = self._map(dtype.name)
        if parts is None or (dtype.kind in "iu" and not _are_exact(parts, data)):
            return None
        result = results.empty((len(data), *plan.shape[1:]), dtype)
        source, out = canonical(data, plan.data), canonical(result, plan.data)
        tasks = [
            (item, group, tile)
            for item in range(len(source))
            for group in range(spec.groups)
            for tile in parts.tiles[group]
        ]
        large = out.size + source.size >= _THREADED
        with np.errstate(over="ignore", under="ignore"):
            task = partial(_apply, parts, source, out)
            run_all(task, tasks, workers_at_most(), shared=large)
        if dtype.kind not in "iu" and not all_finite(result):
            return None
        return result[0] if single else result

    def _map(self, dtype: str) -> _Map | None:
        """Return what results of a dtype are computed with, made by the first of them."""
        if dtype not in self._maps:
            factors = separated(self._plan, self._kernel, dtype)
            if factors is None:
                return None
            self._maps[dtype] = _made(self._plan, factors, _computing(dtype))
        return self._maps[dtype]


def _made(plan: Plan, factors: list[tuple[Array, ...]], computing: np.dtype[Any]) -> _Map:
    """Cut the axes of all groups into bands; equal factors share theirs."""
    spec = plan.spec
    bands: dict[tuple[int, bytes], AxisBands] = {}
    groups, tiles = [], []
    behind = inner_elements(plan.form, spec) * computing.itemsize
    for parts in factors:
        axes = []
        for number, (axis, factor) in enumerate(zip(spec.axes, parts, strict=True)):
            key = (number, factor.tobytes())
            if key not in bands:
                mode = spec.padding_mode
                last = number == spec.rank - 1
                bands[key] = axis_bands(plan.form, axis, mode, factor, computing, last=last)
            axes.append(bands[key])
        groups.append(tuple(axes))
        tiles.append(tiles_of(axes, behind))
    later = tuple([runs_of(axis.bands) for axis in axes[2:]] for axes in groups)
    return _Map(tuple(groups), later, tuple(tiles), computing)


def _are_exact(parts: _Map, data: Array) -> bool:
    """Return whether no sum of integers can round: they are below 2**53 in magnitude."""
    most = max(prod(axis.most for axis in axes) for axes in parts.groups)
    return largest(data) * most < LARGEST_WHOLE


def _apply(parts: _Map, source: Array, out: Array, task: tuple[int, int, Tile]) -> None:
    """Work out one tile of the channel of a group."""
    item, group, tile = task
    with lend() as space:
        arrays = source[item, group], out[item, group]
        tile.apply(parts.later[group], *arrays, parts.computing, space)
