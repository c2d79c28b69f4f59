"""Compile the kernels, and measure the rates that the cost models use."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mtconv.backends import _numba
from mtconv.backends._numba.compiled import KERNELS, load_kernel
from mtconv.backends.host.blas import guard
from mtconv.planning.compiled import tiles_and_moves
from mtconv.planning.plan import plan_for_spec
from mtconv.planning.rates import SHIPPED, MachineRates
from mtconv.spec import ConvSpec

__all__ = ["compile_kernels", "measure_rates"]

ROUNDS = 50


def compile_kernels(dtype: str) -> None:
    """Compile every kernel for a dtype, or load what was compiled before."""
    for name in KERNELS:
        load_kernel(name, dtype)


def measure_rates() -> MachineRates:
    """Measure the rates of one thread, in a second or two."""
    size = 2**16
    left, right = np.ones(size, np.float32), np.ones(size, np.float32)
    thin = np.ones(2 * size, np.float32)[::2]
    few = np.ones(8, np.float32)
    square = np.ones((512, 512), np.float32)
    result = np.empty_like(square)
    square_s = guard.on_one_thread(_least, lambda: np.matmul(square, square, out=result))
    tile, move = _kernel_rates()
    return MachineRates(
        product=square_s / 512**3,
        element=_least(lambda: np.multiply(left, right, out=right)) / size,
        strided=_least(lambda: np.copyto(left, thin)) / size,
        call=_least(lambda: np.positive(few, out=few)),
        tile=tile,
        move=move,
    )


def _kernel_rates() -> tuple[float, float]:
    """Seconds of a product of vectors and of a move, from two convolutions."""
    deep = ConvSpec.from_shapes((1, 64, 20, 20), (64, 64, 3, 3))
    flat = ConvSpec.from_shapes((1, 4, 60, 60), (4, 64, 1, 1))
    seconds = [_conv_seconds(spec) for spec in (deep, flat)]
    weights = [tiles_and_moves("lanes", spec, "conv", 1, 4) for spec in (deep, flat)]
    return solve_rates(weights, seconds)


def solve_rates(
    weights: list[tuple[float, float]], seconds: list[float]
) -> tuple[float, float]:
    """Seconds of a tile's product and of a move, from the seconds of two problems.

    ``weights`` are the tiles and moves of each; the first has mostly tiles. What disturbs
    one measurement changes the ratio of the two rates most, so the ratio stays within a
    factor of two of the shipped one.

    Examples
    --------
    >>> tile, move = solve_rates([(10, 1), (1, 2)], [10e-9, 2e-9])
    >>> round(tile * 1e11), round(move * 1e11)
    (95, 53)
    """
    (tiles0, moves0), (tiles1, moves1) = weights
    tile = seconds[0] * moves1 - seconds[1] * moves0
    move = tiles0 * seconds[1] - tiles1 * seconds[0]
    shipped = SHIPPED.tile / SHIPPED.move
    ratio = min(max(tile / max(move, 1e-30), shipped / 2), 2 * shipped)
    move = seconds[0] / (tiles0 * ratio + moves0)
    return ratio * move, move


def _conv_seconds(spec: ConvSpec) -> float:
    y = np.ones((1, spec.kernel_shape[1], *spec.big), np.float32)
    kernel = np.ones(spec.kernel_shape, np.float32)
    shapes = (y.shape, kernel.shape)
    plan = plan_for_spec("conv", spec, *shapes, "float32", "native", "numba")
    return _least(lambda: _numba.run(plan, y, kernel))


def _least(function: Callable[[], object]) -> float:
    """Seconds of a call, where nobody else takes the processor meanwhile."""
    function()
    start = time.perf_counter()
    function()
    calls = max(1, int(2e-3 / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - start) / calls)
    return min(times)
