"""The map of one axis as small dense matrices: some rows, and the columns they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis
from mtconv.matrix.csr import build_csr
from mtconv.planning.separable import band_rows
from mtconv.spec import ConvSpec

__all__ = ["AxisBands", "Band", "BandPart", "BandRun", "axis_bands", "runs_of"]

Array = NDArray[Any]

# Columns without an entry that are multiplied nevertheless, to save a product.
_GAP = 16


class BandPart(NamedTuple):
    """Neighbouring columns of some rows; ``matrix`` is transposed for the last axis."""

    start: int
    stop: int
    matrix: Array


class Band(NamedTuple):
    """Neighbouring rows, and the parts that they consist of; around a circle two."""

    start: int
    stop: int
    parts: tuple[BandPart, ...]


class BandRun(NamedTuple):
    """Bands that follow one another, alike but for their columns, ``shift`` apart."""

    first: Band
    repeats: int
    shift: int

    @property
    def rows(self) -> slice:
        """All rows of the bands."""
        start, stop, _ = self.first
        return slice(start, start + self.repeats * (stop - start))


class AxisBands(NamedTuple):
    """All rows of an axis, and the largest sum of the magnitudes of a row."""

    bands: tuple[Band, ...]
    most: float


def runs_of(bands: Iterable[Band]) -> tuple[BandRun, ...]:
    """Join bands that are alike."""
    runs: list[BandRun] = []
    last: Band | None = None
    for band in bands:
        shift = _shift(last, band)
        if shift and runs[-1].shift in (0, shift):
            runs[-1] = runs[-1]._replace(repeats=runs[-1].repeats + 1, shift=shift)
        else:
            runs.append(BandRun(band, 1, 0))
        last = band
    return tuple(runs)


def _shift(first: Band | None, second: Band) -> int:
    """Return by how many columns a band is moved from the one before; 0 if they differ."""
    if first is None or not len(first.parts) == len(second.parts) == 1:
        return 0
    if first.parts[0].matrix is not second.parts[0].matrix:
        return 0
    return max(second.parts[0].start - first.parts[0].start, 0)


def axis_bands(
    form: str,
    axis: Axis,
    padding_mode: str,
    factor: Array,
    dtype: np.dtype[Any],
    *,
    last: bool,
) -> AxisBands:
    """Cut the matrix of an axis, of which ``factor`` is the kernel, into bands.

    The matrices are transposed for the last axis, where they are on the right.
    """
    spec = ConvSpec((axis,), padding_mode=padding_mode)
    built = build_csr(form, form, spec, factor.reshape(spec.kernel_shape))
    rows = np.repeat(np.arange(built.shape[0]), np.diff(built.indptr))
    sums = np.bincount(rows, np.abs(built.data), built.shape[0])
    bands = []
    kept: dict[tuple[Any, ...], Array] = {}
    step = band_rows(form, axis)
    for start in range(0, built.shape[0], step):
        stop = min(start + step, built.shape[0])
        entries = slice(built.indptr[start], built.indptr[stop])
        places = (rows[entries] - start, built.indices[entries])
        parts = _parts(stop - start, *places, built.data[entries].astype(dtype))
        bands.append(Band(start, stop, tuple(_shared(kept, p, last=last) for p in parts)))
    return AxisBands(tuple(bands), float(sums.max(initial=0)))


def _shared(kept: dict[tuple[Any, ...], Array], part: BandPart, *, last: bool) -> BandPart:
    """Let parts of equal matrices have one."""
    matrix = np.ascontiguousarray(part.matrix.T) if last else part.matrix
    return part._replace(matrix=kept.setdefault((matrix.shape, matrix.tobytes()), matrix))


def _parts(count: int, rows: Array, columns: Array, data: Array) -> tuple[BandPart, ...]:
    """Cut the entries of some rows where columns are missing."""
    present = np.unique(columns)
    cuts = np.flatnonzero(np.diff(present) > _GAP) + 1
    parts = []
    for run in np.split(present, cuts) if len(present) else []:
        start, stop = int(run[0]), int(run[-1]) + 1
        inside = (columns >= start) & (columns < stop)
        matrix = np.zeros((count, stop - start), data.dtype)
        matrix[rows[inside], columns[inside] - start] = data[inside]
        parts.append(BandPart(start, stop, matrix))
    return tuple(parts)
