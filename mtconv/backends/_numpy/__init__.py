"""NumPy: matrix products on BLAS, array operations in place, tile by tile.

`run` arranges the axes, picks the compute dtype and hands blocks to an algorithm. The
algorithms see canonical arrays only: x (batch, groups, channels, *small), y (batch,
groups, channels, *big), w (groups, small channels, big channels, *k), all of one dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy import tiles
from mtconv.backends._numpy.padding import fold, pad
from mtconv.backends.arrange import arranged, canonical
from mtconv.errors import BackendError, message
from mtconv.plan import Plan

NAME = "numpy"

_HALF = frozenset({"float16", "bfloat16"})


def asarray(function: str, argument: str, array: Any) -> NDArray[Any]:
    """Convert neutral arrays to NumPy; refuse what cannot be added and multiplied."""
    if isinstance(array, (np.ma.MaskedArray, np.matrix)):
        msg = message(
            function,
            argument,
            "must be a plain array",
            type(array).__name__,
            fix="Use .filled(0) or numpy.asarray first; a mask would be lost.",
        )
        raise BackendError(msg)
    if type(array) is not np.ndarray:
        try:
            array = np.asarray(array)
        except (ValueError, TypeError) as error:
            msg = message(
                function, argument, "must be a regular nested sequence", str(error)
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
    dtypes = {array.dtype for array in arrays if array is not None}
    if len(dtypes) == 1:
        return dtypes.pop().name
    return np.result_type(*dtypes).name


def run(
    plan: Plan,
    first: NDArray[Any],
    second: NDArray[Any],
    bias: NDArray[Any] | None = None,
    precision: Any = None,
) -> NDArray[Any]:
    """Execute a plan; every `precision` is what NumPy always does."""
    del precision
    arrays = [a for a in (first, second, bias) if a is not None]
    dtype = np.result_type(*arrays).newbyteorder("=")
    compute = np.dtype(np.float32) if dtype.name in _HALF else dtype
    spec = plan.spec
    inner = spec if spec.padding_mode == "zeros" else spec.padded
    if plan.form == "kernel_grad":
        x, y = canonical(first, plan.data), canonical(second, plan.data)
        if inner is not spec:
            y = pad(spec, y)
        w = tiles.kernel_grad(plan.algorithm, inner, x, y, compute)
        if not plan.kernel.channels:
            w = w[:, 0]  # a kernel has two channel axes, `arranged` drops one
        return np.ascontiguousarray(arranged(w.astype(dtype, copy=False), plan.kernel))
    w = canonical(second, plan.kernel)[0]
    given = canonical(first, plan.data)
    if plan.form == "conv_transpose":
        result = tiles.conv_transpose(plan.algorithm, inner, given, w, compute)
        if inner is not spec:
            result = fold(spec, result)
    else:
        if inner is not spec:
            given = pad(spec, given)
        result = tiles.conv(plan.algorithm, inner, given, w, compute)
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * spec.rank).astype(compute)
    return np.ascontiguousarray(arranged(result.astype(dtype, copy=False), plan.data))
