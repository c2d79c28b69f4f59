"""One two-dimensional problem as the call of every framework, for comparing conversions."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.compat.registry import FRAMEWORKS
from tests.compat.sizes import Drawn

# Frameworks whose call takes an input and a kernel with channels.
CALLS = [name for name, row in FRAMEWORKS.items() if name != "mtconv" and "C" in row.data]


def function_of(name: str, rank: int) -> str:
    """Name the function of a framework's call under `mtconv.compat`."""
    row = FRAMEWORKS[name]
    function = row.function.__name__.replace("1d", f"{rank}d")
    return f"{row.file.__name__.rpartition('.')[2]}.{function}"


def drawn(name: str, x: np.ndarray, kernel: Any, options: dict[str, Any]) -> Drawn:
    """Write a call on x of shape (1, C_in, *space); the kernel is the framework's own."""
    row = FRAMEWORKS[name]
    data = np.moveaxis(x, 1, -1) if row.data.endswith("C") else x
    if "N" not in row.data:
        data = data[0]
    if "output_shape" in options and None in options["output_shape"]:
        size = [1, *options["output_shape"][1:-1], kernel.shape[-2]]
        options = options | {"output_shape": size}
    if name.startswith(("jax", "flax")):
        options = {"transpose_kernel": False} | options
    arrays = (np.ascontiguousarray(data), np.ascontiguousarray(kernel))
    names = dict(zip(row.file.ARRAYS, arrays, strict=False))
    return Drawn(function_of(name, x.ndim - 2), names, options)


def channels_first(name: str, result: np.ndarray) -> np.ndarray:
    """Bring the result of a call into the order (1, C_out, *space)."""
    row = FRAMEWORKS[name]
    result = result if "N" in row.data else result[None]
    return np.moveaxis(result, -1, 1) if row.data.endswith("C") else result
