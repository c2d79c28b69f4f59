"""What it costs to gather the columns of a convolution, in each of three ways.

A cost is a number of moves: one move copies an element in a long run. The plan compares
algorithms by these costs, and the backend takes the way that is cheapest for a block.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd, inf, prod
from typing import NamedTuple

from mtconv.geometry import Axis, spaced_runs
from mtconv.planning import tuning

__all__ = ["Gathers", "extended_elements", "gathers", "shared_columns", "shared_rows"]


class Gathers(NamedTuple):
    """Moves of each way; infinite where a way does not exist.

    Parameters
    ----------
    direct : float
        Rows of space, each read from y with the stride.
    by_phase : float
        Rows of space; first what lies a stride apart is put side by side, for all taps.
    taps_last : float
        Rows of taps and channels, from y with its channels last.
    """

    direct: float
    by_phase: float
    taps_last: float

    @property
    def by_rows(self) -> float:
        """Moves of the cheaper way in rows of space."""
        return min(self.direct, self.by_phase)


@lru_cache(maxsize=4096)
def gathers(
    axes: tuple[Axis, ...],
    planes: int,
    share: int,
    rows: int = 0,
    calls: int = 1,
    form: str = "conv",
) -> Gathers:
    """Count the moves of gathering ``planes`` channels of all samples and groups.

    A group has ``share`` of them. The product that follows has a kernel of ``rows`` in all
    groups, which changes its order too where taps come last; to multiply it by the columns,
    as a convolution does, BLAS then takes longer to pack them. All is done in ``calls``
    parts.
    """
    last = axes[-1]
    taps = prod(axis.kernel for axis in axes)
    columns = planes * taps * prod(axis.small for axis in axes)
    extended = planes * extended_elements(axes)
    runs = tuning.RUN_MOVES * columns / max(last.small, 1)
    return Gathers(
        _direct(axes, columns, extended) + runs,
        _by_phase(last, columns, extended, calls) + runs,
        _taps_last(axes, columns, extended, planes, share)
        + rows * share * taps * tuning.KERNEL_MOVES
        + columns * (tuning.PACK_COLUMN if form == "conv" else 0),
    )


def _direct(axes: tuple[Axis, ...], columns: int, extended: int) -> float:
    last = axes[-1]
    each = 1.0
    if last.stride > 1:
        # With a wide stride every element comes from a cache line of its own.
        each = tuning.STRIDED_MOVES + tuning.WIDE_MOVES * min(last.stride, 16)
    moves = columns * each
    if any(axis.lo > 0 or axis.hi > 0 for axis in axes):
        moves += extended * (tuning.EXTENDED_MOVES + tuning.RUN_MOVES / max(last.full, 1))
    return moves


def _by_phase(last: Axis, columns: int, extended: int, calls: int) -> float:
    if not last.kernel > last.stride > 1:
        return inf
    apart = gcd(last.stride, last.dilation)
    moves = extended / apart * (tuning.PHASE_MOVES + tuning.RUN_MOVES / max(last.full, 1))
    return moves + columns + tuning.PHASE_CALL * calls * last.stride / apart


def _taps_last(
    axes: tuple[Axis, ...], columns: int, extended: int, planes: int, share: int
) -> float:
    if extended > tuning.MOST_TURNED * columns or not columns:
        return inf
    last = axes[-1]
    read = planes * prod(axis.big for axis in axes)
    turned = share if share > 1 else last.big
    run = share if last.dilation > 1 else share * last.kernel
    moves = extended + read * (tuning.TURN_MOVES + tuning.RUN_MOVES / max(turned, 1))
    return moves + columns * (2 + tuning.RUN_MOVES / max(run, 1))


def extended_elements(axes: tuple[Axis, ...]) -> int:
    """Count the elements of one channel of y with the zeros that taps meet."""
    return prod(max(axis.full, 0) for axis in axes)


def shared_rows(axis: Axis) -> tuple[int, int]:
    """Count the residues of y along an axis, and the rows of each that its taps share."""
    step, runs = spaced_runs(axis)
    most = max((run.shift for run in runs), default=0)
    rows = min(axis.small + most, axis.small * len(runs))
    return min(axis.kernel, axis.stride // step), rows


def shared_columns(axes: tuple[Axis, ...], share: int) -> int:
    """Count the columns of a small element where taps of the first axis share rows."""
    first, *rest = axes
    residues, rows = shared_rows(first)
    columns = share * residues * rows * prod(axis.kernel for axis in rest)
    return -(-columns // max(first.small, 1))
