"""The first axis of a convolution, cut by residue modulo its stride, as indices."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mtconv.geometry import Axis, TapRun, live_phases, phase_axis, spaced_runs

__all__ = ["Residue", "ResidueRows", "far_apart", "residue_rows"]


class Residue(NamedTuple):
    """Rows ``first + stride*t`` of the big side, as an axis of stride 1 with one tap."""

    first: int
    rows: Axis


class ResidueRows(NamedTuple):
    """The first axis of y, cut by residue modulo its stride.

    Small element ``i`` meets row ``i + run.shift`` of a residue through each run of the
    taps; all runs together span ``height`` rows. Residues are counted in steps of
    `geometry.spaced_runs`. ``axes`` has the rows of each residue, or None where y has none.
    """

    runs: tuple[TapRun, ...]
    residues: tuple[int, ...]
    axes: tuple[Residue | None, ...]
    height: int


@lru_cache(maxsize=4096)
def residue_rows(axis: Axis) -> ResidueRows:
    """Cut an axis by residue, and its taps into runs."""
    step, tap_runs = spaced_runs(axis)
    residues = sorted({run.residue + t for run in tap_runs for t in range(run.taps)})
    height = axis.small + max(run.shift for run in tap_runs)
    axes: list[Residue | None] = []
    for residue in residues:
        rows = Axis(height, axis.big, 1, axis.stride, 1, axis.lo - step * residue)
        live = live_phases(rows)
        axes.append(Residue(live[0].start, phase_axis(rows, live[0])) if live else None)
    return ResidueRows(tap_runs, tuple(residues), tuple(axes), height)


def far_apart(axis: Axis) -> bool:
    """Return whether runs of taps read less than half of the rows that they span."""
    rows = residue_rows(axis)
    return rows.height > 2 * axis.small * len(rows.runs)
