"""NumPy: matrix products on BLAS, array operations in place, tile by tile.

`run` arranges the axes, picks the compute dtype and hands blocks to an algorithm. The
algorithms see canonical arrays only: x (batch, groups, channels, *small), y (batch,
groups, channels, *big), w (groups, small channels, big channels, *k), all of one dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import engine, promises, values
from mtconv.backends._numpy.prepared import Prepared, prepare
from mtconv.backends._numpy.weights import Packs
from mtconv.backends.arrange import canonical
from mtconv.backends.host import results
from mtconv.backends.host.inputs import asarray as asarray
from mtconv.backends.host.inputs import dtype_name, promoted
from mtconv.backends.host.inputs import result_dtype as result_dtype
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run", "run_prepared"]

NAME = "numpy"

_HALF = frozenset({"float16", "bfloat16"})


def run(
    plan: Plan,
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | None = None,
    precision: Any = None,
    packs: Packs | None = None,
) -> NDArray[Any]:
    """Execute a plan; every `precision` is what NumPy always does.

    ``packs`` keeps what algorithms make of the kernel for the next call with it.
    """
    del precision
    dtype = promoted(first, second, bias)
    spec = plan.spec
    compute, algorithm = _settle(plan, first, second, bias, dtype)
    if plan.form == "kernel_grad":
        taps = spec.kernel_shape if plan.kernel.channels else spec.kernel_size
        result = _empty(taps, plan.kernel, dtype)
        x, y = canonical(first, plan.data), canonical(second, plan.data)
        engine.kernel_grad(algorithm, spec, x, y, _kernel(result, plan.kernel), compute)
        return result
    w = _kernel(second, plan.kernel)
    data = canonical(first, plan.data)
    transposed = plan.form == "conv_transpose"
    shape = spec.big if transposed else spec.small
    if plan.data.channels:
        shape = (w.shape[1] * spec.groups if transposed else w.shape[0], *shape)
    if plan.data.batch:
        shape = (data.shape[0], *shape)
    result = _empty(shape, plan.data, dtype)
    if not result.size:
        return result
    out = canonical(result, plan.data)
    if transposed:
        engine.conv_transpose(algorithm, spec, data, w, out, bias, compute, packs)
    else:
        engine.conv(algorithm, spec, data, w, out, bias, compute)
    return result


def run_prepared(
    prepared: Prepared, data: NDArray[Any], bias: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Run the plan on an array of the shape that it was made for, of any batch size.

    The first call of a transposed convolution packs the kernel as the plan's algorithm
    needs it, and later calls use that, from any thread. Packs take a few times the memory
    of the kernel; those of `fft` are spectra as large as its blocks.
    """
    return run(prepared.plan, data, prepared.kernel, bias, packs=prepared.packs)


def _settle(
    plan: Plan,
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | None,
    dtype: np.dtype[Any],
) -> tuple[np.dtype[Any], engine.Algorithm]:
    """Settle what needs the values: the computing dtype, and which algorithm is safe."""
    # Sums without terms: the others multiply matrices that would have no columns.
    algorithm = plan.algorithm if first.size and second.size else "direct"
    if algorithm == "fft" and plan.fallback:  # "auto" took it
        folds = values.most_folded(plan.spec)
        careful = promises.careful(plan.form, first, second, dtype, folds)
        if careful is not None:
            return promises.computing_dtype(dtype), careful
        algorithm = plan.fallback
    if dtype_name(dtype) in _HALF:
        dtype = np.dtype(np.float32)
    if dtype.kind in "iu":
        if algorithm != "direct" and values.fit_float64(
            plan.form, plan.spec, first, second, bias
        ):
            dtype = np.dtype(np.float64)
    elif values.pads(plan.form, plan.spec, algorithm):
        multiplied = first if plan.form == "kernel_grad" else second
        if not values.all_finite(multiplied):
            # A padded zero times infinity would be NaN where no tap reaches.
            algorithm = "direct"
    return dtype, engine.ALGORITHMS[algorithm]


def _empty(
    shape: tuple[int, ...], arrangement: Arrangement, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Allocate an array, C-contiguous in the user's layout; all its axes are ``shape``."""
    if arrangement.inverse is not None:
        shape = tuple(shape[axis] for axis in arrangement.inverse)
    return results.empty(shape, dtype)


def _kernel(array: NDArray[Any], arrangement: Arrangement) -> NDArray[Any]:
    """View a kernel with both channel axes, (small, big / groups, *k)."""
    view = canonical(array, arrangement)
    return view[0] if arrangement.channels else view  # type: ignore[no-any-return]
