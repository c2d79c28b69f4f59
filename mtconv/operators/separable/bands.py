"""The map of one axis as small dense matrices: some rows, and the columns they have."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis
from mtconv.matrix.csr import Csr, build_csr
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
    sums = np.bincount(built.rows, np.abs(built.data))
    bands: list[Band] = []
    kept: dict[tuple[Any, ...], Array] = {}
    step = band_rows(form, axis)
    shifts = _shifts(built, step)
    for number, start in enumerate(range(0, built.shape[0], step)):
        stop, shift = min(start + step, built.shape[0]), shifts.get(number)
        if shift is None:
            cut = _parts(built, start, stop, dtype)
            parts = tuple(_shared(kept, part, last=last) for part in cut)
        else:
            before = bands[-1].parts
            parts = tuple(BandPart(a + shift, b + shift, m) for a, b, m in before)
        bands.append(Band(start, stop, parts))
    return AxisBands(tuple(bands), float(sums.max(initial=0)))


def _shifts(built: Csr, step: int) -> dict[int, int]:
    """Return which bands of ``step`` rows are the one before, moved by so many columns.

    Bands are told by their number. Nearly all bands of an axis are alike, and are compared
    here at once, so that few are looked at one by one.
    """
    whole = built.shape[0] // step
    shifts: dict[int, int] = {}
    starts = built.indptr[: whole * step].reshape(whole, step)
    edges = built.indptr[::step]
    counts = np.diff(edges)
    # Stretches of bands with equally many entries.
    cuts = {0, *(np.flatnonzero(np.diff(counts)) + 1).tolist(), whole}
    for first, stop in pairwise(sorted(cuts)):
        if not counts[first]:
            shifts.update(dict.fromkeys(range(first + 1, stop), 0))
            continue
        entries = slice(edges[first], edges[stop])
        # As bits, since zeros have signs.
        data = built.data[entries].view(np.uint64).reshape(stop - first, -1)
        columns = np.diff(built.indices[entries].reshape(stop - first, -1), axis=0)
        begins = np.diff(starts[first:stop], axis=0)
        alike = (data[1:] == data[:-1]).all(axis=1)
        alike &= (columns == columns[:, :1]).all(axis=1)
        alike &= (begins == begins[:, :1]).all(axis=1)
        same = np.flatnonzero(alike)
        moves = columns[same, 0].tolist()
        shifts.update(zip((same + first + 1).tolist(), moves, strict=True))
    return shifts


def _shared(kept: dict[tuple[Any, ...], Array], part: BandPart, *, last: bool) -> BandPart:
    """Let parts of equal matrices have one."""
    matrix = np.ascontiguousarray(part.matrix.T) if last else part.matrix
    return part._replace(matrix=kept.setdefault((matrix.shape, matrix.tobytes()), matrix))


def _parts(built: Csr, first: int, last: int, dtype: np.dtype[Any]) -> tuple[BandPart, ...]:
    """Cut the entries of rows ``first..last`` where columns are missing."""
    entries = slice(built.indptr[first], built.indptr[last])
    columns, data = built.indices[entries], built.data[entries].astype(dtype)
    rows = np.repeat(np.arange(last - first), np.diff(built.indptr[first : last + 1]))
    present = np.unique(columns)
    cuts = np.flatnonzero(np.diff(present) > _GAP) + 1
    parts = []
    for run in np.split(present, cuts) if len(present) else []:
        start, stop = int(run[0]), int(run[-1]) + 1
        inside = (columns >= start) & (columns < stop)
        matrix = np.zeros((last - first, stop - start), dtype)
        matrix[rows[inside], columns[inside] - start] = data[inside]
        parts.append(BandPart(start, stop, matrix))
    return tuple(parts)
