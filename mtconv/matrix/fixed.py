"""The matrix of a map as a function of its kernel, for data that are fixed.

Every term of the relation is an entry: the datum it multiplies, in the row of its result
and the column of its tap. Padding modes make several terms of one entry; they are added.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv import geometry
from mtconv.folds import fold_index
from mtconv.geometry import Axis
from mtconv.matrix.memory import check_memory
from mtconv.spec import ConvSpec

__all__ = ["Entries", "kernel_map_entries"]

Array = NDArray[Any]


class Entries(NamedTuple):
    """Entries of a matrix, in no order; those of one place are to be added."""

    data: Array
    rows: Array
    columns: Array
    shape: tuple[int, int]


def kernel_map_entries(function: str, form: str, spec: ConvSpec, data: Array) -> Entries:
    """List the entries of the map from kernels to results, all raveled in C order.

    Parameters
    ----------
    function : str
        Name of the caller, for messages.
    form : str
        "conv_transpose", for data on the small side, or "conv".
    spec : ConvSpec
        The geometry.
    data : array, shape (batch, channels, *space)
        What is fixed.

    Raises
    ------
    BackendError
        If the entries need more memory than the machine has available.
    """
    batch = len(data)
    small, share, *taps = spec.kernel_shape
    i, j, o = _terms(function, spec, batch * small * share, data.itemsize)
    big = share * spec.groups
    n, s, b = np.indices((batch, small, share))
    y_channel = s // (small // spec.groups) * share + b
    x_place = (n * small + s)[..., None] * prod(spec.small) + i
    y_place = (n * big + y_channel)[..., None] * prod(spec.big) + o
    columns = (s * share + b)[..., None] * prod(taps) + j
    source, rows = (x_place, y_place) if form == "conv_transpose" else (y_place, x_place)
    cells = (small, spec.small) if form == "conv" else (big, spec.big)
    shape = (batch * cells[0] * prod(cells[1]), prod(spec.kernel_shape))
    return Entries(data.ravel()[source].ravel(), rows.ravel(), columns.ravel(), shape)


def _terms(
    function: str, spec: ConvSpec, channels: int, itemsize: int
) -> tuple[Array, Array, Array]:
    """List small element, tap and big element of every term, each raveled over the axes."""
    axes = [_axis_terms(axis, spec.padding_mode) for axis in spec.axes]
    entries = prod(len(terms[0]) for terms in axes) * channels
    # Values, rows, columns and sources, and what SciPy makes of them.
    fix = "Apply the operator without its matrix."
    check_memory(function, "kernel_size", entries, entries * 2 * (itemsize + 24), fix)
    i, j, o = (np.zeros(1, np.int64) for _ in range(3))
    for terms, axis in zip(axes, spec.axes, strict=True):
        sizes = (axis.small, axis.kernel, axis.big)
        i, j, o = (
            (places[:, None] * size + along).ravel()
            for places, size, along in zip((i, j, o), sizes, terms, strict=True)
        )
    return i, j, o


def _axis_terms(axis: Axis, mode: str) -> tuple[Array, Array, Array]:
    """List the terms of one axis, with the big elements that the padding repeats."""
    folds = None
    if mode != "zeros":
        index = fold_index(axis.big, axis.lo, max(axis.hi, 0), mode)
        folds, axis = np.asarray(index, np.int64), geometry.padded_axis(axis)
    parts: list[tuple[Array, Array, Array]] = []
    for window in geometry.windows(axis):
        i = np.arange(window.small_start, window.small_stop)
        o = window.big_start + axis.stride * np.arange(window.cells)
        parts.append((i, np.full(window.cells, window.tap), o))
    if not parts:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    i, j, o = (np.concatenate(terms) for terms in zip(*parts, strict=True))
    return i, j, o if folds is None else folds[o]
