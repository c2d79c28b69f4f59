"""What it costs to apply a kernel axis by axis, as products with bands of matrices."""

from __future__ import annotations

from math import prod

from mtconv.geometry import Axis
from mtconv.planning.cost import product_seconds
from mtconv.planning.work import Cost, Rates
from mtconv.spec import ConvSpec

__all__ = ["band_rows", "fits_scratch", "inner_elements", "separable_cost"]

# Rows of the matrix of an axis that are multiplied together, or a few more.
_ROWS = 8

# Bytes between the axes that a band of the first two may take.
_MOST_BYTES = 2**25

# Array operations that each axis of a tile costs, and a call beside its products.
_OPERATIONS = 8
_CALLS = 90


def separable_cost(
    form: str, spec: ConvSpec, batch: int, itemsize: int, rates: Rates
) -> Cost:
    """Estimate the cost of a map with one channel a group whose kernel is separable."""
    sources, targets = _sides(form, spec)
    items = batch * spec.groups
    multiply_adds, operations, seconds, moved = 0, 0, 0.0, items * prod(sources)
    for number, axis in enumerate(spec.axes):
        elements = items * prod(targets[: number + 1]) * prod(sources[number + 1 :])
        width, rows = min(_columns(form, axis), sources[number]), band_rows(form, axis)
        multiply_adds += elements * width
        seconds += product_seconds(elements * width, width, rows, rates)
        seconds += 2 * elements * rates.element
        moved += 2 * elements
        operations += items * -(-targets[0] // (4 * _ROWS)) * _OPERATIONS
    seconds += (operations + _CALLS) * rates.call
    return Cost(multiply_adds, moved * itemsize, operations + _CALLS, seconds)


def fits_scratch(form: str, spec: ConvSpec, itemsize: int) -> bool:
    """Return whether what lies between the axes of one band of two axes is small."""
    rows = [band_rows(form, axis) for axis in spec.axes[:2]]
    columns = [_columns(form, axis) for axis in spec.axes[:2]]
    cells = rows[0] * (rows[1] + columns[1]) + columns[0] * columns[1]
    return cells * inner_elements(form, spec) * itemsize <= _MOST_BYTES


def inner_elements(form: str, spec: ConvSpec) -> int:
    """Count the elements behind one of the second axis, at most, while axes are applied."""
    sources, targets = _sides(form, spec)
    return max(
        prod(targets[2:number]) * prod(sources[number:])
        for number in range(2, spec.rank + 1)
    )


def _sides(form: str, spec: ConvSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of what a map takes and gives."""
    return (spec.big, spec.small) if form == "conv" else (spec.small, spec.big)


def band_rows(form: str, axis: Axis) -> int:
    """Return how many rows of a matrix of an axis are multiplied together.

    Those of a transposed convolution are whole strides, so that all bands are alike.
    """
    stride = 1 if form == "conv" else axis.stride
    return stride * -(-_ROWS // stride)


def _columns(form: str, axis: Axis) -> int:
    """Return how many columns the rows of a band have."""
    rows = band_rows(form, axis)
    if form == "conv":
        return axis.stride * (rows - 1) + axis.extent
    return (rows + axis.extent - 2) // axis.stride + 1
