"""The three maps, piece by piece: load, multiply, add the bias, convert, store.

Arrays come with batch, channels and space; every conversion of dtype or layout happens
piece by piece. `mtconv.backends._numpy.algorithm` has the shapes of pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mtconv.backends._numpy.algorithm import Algorithm, Array
from mtconv.backends._numpy.blocks import FormPiece, cut
from mtconv.backends._numpy.footprint import Copies
from mtconv.backends.host.memory import (
    LimitedPacks,
    Packs,
    Weights,
    Workspace,
    copied,
    gapless,
    lend,
    loaded,
    rows_contiguous,
    store,
)
from mtconv.backends.host.padding import fold_into, folded_parts, pad_block
from mtconv.backends.host.threads import run_all, workers_at_most
from mtconv.planning import tuning
from mtconv.planning.scale import Scale, scale_of
from mtconv.spec import ConvSpec

__all__ = ["Computation", "conv", "conv_transpose", "kernel_grad"]

Task = tuple[FormPiece, ...]
Add = Callable[[FormPiece, Array, Workspace], None]


class Computation(NamedTuple):
    """What pieces are made of: arrays with their channels cut into groups.

    ``x`` is (b, g, ci, *small), ``w`` (g, ci, co, *taps), ``y`` (b, g, co, *big), and
    ``bias`` (g, channels). One of the first three is the result. ``tables`` are those of
    the plan.
    """

    algorithm: Algorithm
    spec: ConvSpec
    dtype: np.dtype[Any]
    x: Array
    w: Array
    y: Array
    tables: dict[Any, Any]
    bias: Array | None = None
    packs: Packs | None = None

    def copies(self, form: str) -> Copies:
        """Return which arrays have to be copied piece by piece."""
        dtype = self.dtype
        x = self.x.dtype != dtype or not rows_contiguous(self.x)
        y = self.spec.padding_mode != "zeros" or not gapless(self.y, dtype)
        kernel = self.w.dtype != dtype or not self.w.flags.c_contiguous
        if form == "kernel_grad":
            return Copies(data=y, x=x)
        if form == "conv":
            return Copies(data=y, kernel=kernel, result=not gapless(self.x, dtype))
        return Copies(data=x, kernel=kernel, result=not gapless(self.y, dtype))

    def tasks(self, form: str) -> tuple[tuple[Task, ...], Scale]:
        """Cut the problem, padding included; also return how much work it is."""
        copies = self.copies(form)
        name, batch, item = self.algorithm.NAME, len(self.x), self.dtype.itemsize
        key = (name, batch, item, copies)
        tasks = self.tables.get(key)
        if tasks is None:
            spec = self.spec if form == "conv_transpose" else self.inner
            parts = cut(spec, form, name, batch, item, copies)
            tasks = self.tables[key] = (parts, scale_of(self.inner, batch, form))
        return tasks

    @property
    def inner(self) -> ConvSpec:
        """The geometry with its padding made part of y."""
        return self.spec if self.spec.padding_mode == "zeros" else self.spec.padded

    def weights(self, piece: FormPiece, space: Workspace) -> Weights:
        """Load a part of the kernel."""
        array = self.w[piece.w]
        if not self.algorithm.TRANSFORMS:
            array = loaded(array, self.dtype, space)
        if self.packs is None:
            return Weights(array)
        return Weights(array, self.packs, (self.algorithm.NAME, piece.key))

    def block_of_x(self, piece: FormPiece, space: Workspace, folded: int) -> Array:
        """Load a part of x as (g, ci, b, *small), contiguous after the batch.

        Samples of fewer than ``folded`` elements are copied side by side, so that BLAS
        multiplies many at once.
        """
        array = self.x[piece.x]
        sizes = array.shape[3:]
        array = array.transpose(1, 2, 0, *range(3, array.ndim))
        if array.shape[2] > 1 and prod(sizes) < folded:
            return copied(array, self.dtype, space)
        return loaded(array, self.dtype, space)

    def block_of_y(self, piece: FormPiece, space: Workspace) -> Array:
        """Load a part of y (b, g, co, *big), padded as the padding mode says."""
        if self.spec.padding_mode != "zeros":
            lead, big = piece.y[:3], piece.y[3:]
            return pad_block(self.spec, self.y[lead], big, self.dtype, space)
        array = self.y[piece.y]
        return array if gapless(array, self.dtype) else copied(array, self.dtype, space)

    def finish(self, result: Array, target: Array, channels: tuple[Any, ...]) -> None:
        """Add the bias and store a block where it was not computed in place."""
        if self.bias is not None:
            bias = self.bias[channels]
            result += bias.reshape(*bias.shape, *(1,) * (result.ndim - 3))
        if result is not target:
            store(result, target)


def conv_transpose(call: Computation) -> None:
    """Write the transposed convolution of x to y."""
    call = _sharing(call)
    multiply = call.algorithm.conv_transpose

    def add(piece: FormPiece, result: Array, space: Workspace) -> None:
        x = call.block_of_x(piece, space, tuning.FOLDED_ELEMENTS)
        multiply(piece.axes, x, call.weights(piece, space), result, space)

    def run(task: Task) -> None:
        with lend() as space:
            target = call.y[task[0].y]
            result = _result(target, call.dtype, space)
            if call.spec.padding_mode == "zeros":
                _sum(task, result, add, space)
            else:
                result[...] = 0
                for piece in task:
                    _add_folded(call.spec, piece, result, add, space)
            call.finish(result, target, task[0].y[1:3])

    _run(run, *call.tasks("conv_transpose"))


def _sharing(call: Computation) -> Computation:
    """Have the pieces of a call share what is made of the kernel, unless it is large."""
    if call.packs is not None:
        return call
    if call.algorithm.TRANSFORMS:
        return call._replace(packs=LimitedPacks(tuning.SHARED_BYTES))
    if call.w.size * call.dtype.itemsize <= tuning.SHARED_BYTES:
        return call._replace(packs={})
    return call


def _sum(task: Task, result: Array, add: Add, space: Workspace) -> None:
    """Write the sum of all pieces of a task; most have one."""
    if len(task) == 1:
        add(task[0], result, space)
        return
    result[...] = 0
    for piece in task:
        with space.frame():
            term = space.take(result.shape, result.dtype)
            add(piece, term, space)
            result += term


def _add_folded(
    spec: ConvSpec, piece: FormPiece, result: Array, add: Add, space: Workspace
) -> None:
    """Add to a part of the result what padding folds onto it from one piece's taps."""
    for parts in folded_parts(spec, piece.y[3:], piece.w[3:], result.nbytes):
        axes = tuple(part.axis for part in parts)
        x = (*piece.x[:3], *(part.small for part in parts))
        with space.frame():
            shape = (*result.shape[:3], *(axis.big for axis in axes))
            term = space.take(shape, result.dtype)
            add(piece._replace(x=x, axes=axes), term, space)
            fold_into(result, term, parts)


def conv(call: Computation) -> None:
    """Write the convolution of y to x."""
    call = _sharing(call)

    def add(piece: FormPiece, result: Array, space: Workspace) -> None:
        y = call.block_of_y(piece, space)
        call.algorithm.conv(piece.axes, y, call.weights(piece, space), result, space)

    def run(task: Task) -> None:
        with lend() as space:
            target = call.x[task[0].x]
            result = _result(target, call.dtype, space)
            _sum(task, result, add, space)
            call.finish(result, target, task[0].x[1:3])

    _run(run, *call.tasks("conv"))


def kernel_grad(call: Computation) -> None:
    """Write the kernel gradient of x and y to w."""
    call.w[...] = 0

    def add(piece: FormPiece, total: Array, space: Workspace) -> None:
        # A function of its own, so that a piece's arrays are gone before the next one's.
        with space.frame():
            x = call.block_of_x(piece, space, 0)
            y = call.block_of_y(piece, space)
            call.algorithm.kernel_grad(piece.axes, x, y, total, space)

    def run(task: Task) -> None:
        with lend() as space:
            target = call.w[task[0].w]
            total = space.take(target.shape, call.dtype)
            total[...] = 0
            for piece in task:
                add(piece, total, space)
            store(total, target)

    _run(run, *call.tasks("kernel_grad"))


def _run(function: Callable[[Task], None], tasks: tuple[Task, ...], scale: Scale) -> None:
    """Call a function on every task, on this thread alone or shared with others."""
    workers = 1 if scale is Scale.TINY else workers_at_most()
    run_all(function, tasks, workers, shared=scale is Scale.LARGE)


def _result(target: Array, dtype: np.dtype[Any], space: Workspace) -> Array:
    """Return the target itself where a part of the result can be computed in place."""
    return target if gapless(target, dtype) else space.take(target.shape, dtype)
