"""The sparse matrix of a map from kernels to results, in the user's layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.arrange import canonical
from mtconv.importing import imported
from mtconv.matrix import kernel_map_entries
from mtconv.operators.formats import raveled, stored
from mtconv.problem.layout import Arrangement, resolve_layouts
from mtconv.spec import ConvSpec

__all__ = ["kernel_map_matrix"]


def kernel_map_matrix(form: str, spec: ConvSpec, data: NDArray[Any], order: str) -> Any:
    """Build the matrix of a map in compressed sparse rows, duplicates added up."""
    sparse = imported("scipy.sparse")
    with_channels = spec.small_channels is not None
    layout = spec.layout
    if layout is None and not with_channels and spec.rank > 2:
        layout = "DHW"
    ndim = spec.rank + 2 * with_channels
    layouts = resolve_layouts(
        "to_sparse", "x", data.ndim, ndim, layout, spec.kernel_layout, "I"
    )
    fixed = np.ascontiguousarray(canonical(stored(data), layouts.data))
    entries = kernel_map_entries("to_sparse", form, spec, fixed)
    places = (entries.rows, entries.columns)
    matrix = sparse.coo_array((entries.data, places), shape=entries.shape).tocsr()
    rows = raveled(_result_shape(form, spec, len(fixed), layouts.data), layouts.data, order)
    taps = spec.kernel_shape if with_channels else spec.kernel_size
    return matrix[rows][:, raveled(taps, layouts.kernel, order)]


def _result_shape(
    form: str, spec: ConvSpec, batch: int, data: Arrangement
) -> tuple[int, ...]:
    """Return the shape of the result, its axes in canonical order."""
    transposed = form == "conv_transpose"
    channels = spec.big_channels if transposed else spec.small_channels
    leading = ((batch,) if data.batch else ()) + ((channels,) if channels else ())
    return (*leading, *(spec.big if transposed else spec.small))
