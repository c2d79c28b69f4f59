"""NumPy: matrix products on BLAS, array operations in place, tile by tile.

`run` arranges the axes, picks the compute dtype and hands blocks to an algorithm. The
algorithms see canonical arrays only: x (batch, groups, channels, *small), y (batch,
groups, channels, *big), w (groups, small channels, big channels, *k), all of one dtype.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import engine, promises, results, values
from mtconv.backends._numpy.prepared import Prepared, prepare
from mtconv.backends._numpy.weights import Packs
from mtconv.backends.arrange import canonical
from mtconv.errors import BackendError, message
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement

__all__ = ["NAME", "asarray", "prepare", "result_dtype", "run", "run_prepared"]

NAME = "numpy"

_HALF = frozenset({"float16", "bfloat16"})


def asarray(function: str, argument: str, array: Any) -> NDArray[Any]:
    """Convert neutral arrays to NumPy; refuse what cannot be added and multiplied."""
    if type(array) is not np.ndarray:
        if isinstance(array, (np.ma.MaskedArray, np.matrix)):
            msg = message(
                function,
                argument,
                "must be a plain array",
                type(array).__name__,
                fix="Use .filled(0) or numpy.asarray first; a mask would be lost.",
            )
            raise BackendError(msg)
        try:
            array = np.asarray(array)
        except (ValueError, TypeError) as error:
            msg = message(
                function,
                argument,
                "must be a regular nested sequence",
                str(error).rstrip("."),
            )
            raise BackendError(msg) from None
    if array.dtype.kind not in "iufc" and array.dtype.name != "bfloat16":
        msg = message(
            function,
            argument,
            "must have integer, floating or complex elements",
            f"dtype {array.dtype}",
            fix="Convert it, for example with .astype(float).",
        )
        raise BackendError(msg)
    return array  # type: ignore[no-any-return]


def result_dtype(*arrays: NDArray[Any] | None) -> str:
    """Name the dtype that NumPy promotes these arrays to."""
    return _name(_promoted(*arrays))


@lru_cache(maxsize=64)
def _name(dtype: np.dtype[Any]) -> str:
    """Name a dtype; NumPy works the name out every time."""
    return dtype.name


def _promoted(*arrays: NDArray[Any] | None) -> np.dtype[Any]:
    dtypes = [array.dtype for array in arrays if array is not None]
    first = dtypes[0]
    for dtype in dtypes:
        if dtype is not first:
            return np.result_type(*dtypes)
    return first


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
    dtype = _promoted(first, second, bias)
    if not dtype.isnative:
        dtype = dtype.newbyteorder("=")
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
    if _name(dtype) in _HALF:
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
