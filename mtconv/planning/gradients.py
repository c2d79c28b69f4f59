"""What kernel gradients by matrix products cost on NumPy, in each of three ways.

- "columns", the way of `gemm`: y is gathered once for each tap, and multiplied by x.
- "shifts", of `polyphase`: x is multiplied by phases of y at the shift of each tap.
- "windows", of `polyphase`: what the phases of y read of x is gathered, and multiplied by
  them. This is the least to copy where y has more channels than x.

An estimate is a sum of counts. Each has a weight, in units of one of the machine's rates.
The weights were fitted to times of random layers, and to what the choices by them cost
(`tests/benchmarks/fit_gradients.py`).
"""

from __future__ import annotations

from itertools import product
from math import ceil, prod
from typing import NamedTuple

from mtconv.geometry import Axis, live_phases, phase_axis, phase_groups
from mtconv.planning import tuning
from mtconv.planning.gathers import gathers
from mtconv.planning.work import Cost, Rates
from mtconv.spec import ConvSpec

__all__ = ["CALLS", "PRODUCTS", "WEIGHTS", "cheapest", "counts", "estimate"]

# Counts of multiply-adds: "products" are all, "vectors" those of a product of two vectors.
# "few_rows" and "few_columns" are all divided by the rows and by the columns of a product,
# which is what thin products take besides.
#
# Counts of array operations: "chunks" are parts of the columns, "look_ups" gathers by one
# look-up, "phases" those of y, or groups of phases that share windows.
#
# All other counts are moves of elements. Columns are "moved"; "x" is read, or extended by
# zeros; the gradient, as large as the "kernel", is added up. "windows" are gathered from x
# in "runs". Phases of y are "placed" in arrays of their own, in "placed_runs"; each pass
# over y for one phase reads those of the others too: "placed_again".
PRODUCTS = frozenset({"products", "few_rows", "few_columns", "vectors"})
CALLS = frozenset({"chunks", "look_ups", "phases"})

# The ways of an algorithm.
WAYS = {"gemm": ("columns",), "polyphase": ("shifts", "windows")}

WEIGHTS: dict[str, dict[str, float]] = {
    "columns": {
        "products": 1.1,
        "few_rows": 13.0,
        "few_columns": 1.1,
        "moved": 1.0,
        "x": 3.0,
        "kernel": 15.0,
        "chunks": 290.0,
        "look_ups": 1.2,
    },
    "shifts": {
        "products": 2.6,
        "few_rows": 0.95,
        "few_columns": 9.1,
        "vectors": 0.065,
        "x": 1.3,
        "placed": 6.8,
        "placed_again": 1.9,
        "kernel": 22.0,
        "phases": 140.0,
    },
    "windows": {
        "products": 2.4,
        "few_rows": 1.1,
        "few_columns": 1.0,
        "windows": 6.7,
        "runs": 45.0,
        "placed": 11.0,
        "placed_runs": 79.0,
        "kernel": 62.0,
        "phases": 240.0,
    },
}


class _Problem(NamedTuple):
    """A problem: ``small`` channels of x in a group, and ``share`` channels of y.

    ``block`` is the number of elements of the columns that are made at a time.
    """

    axes: tuple[Axis, ...]
    batch: int
    groups: int
    small: int
    share: int
    block: float

    @property
    def x(self) -> int:
        """Elements of x, of all samples."""
        space = prod(axis.small for axis in self.axes)
        return self.batch * self.groups * self.small * space

    @property
    def y(self) -> int:
        """Elements of y, of all samples."""
        space = prod(axis.big for axis in self.axes)
        return self.batch * self.groups * self.share * space

    @property
    def kernel(self) -> int:
        """Elements of the kernel."""
        taps = prod(axis.kernel for axis in self.axes)
        return self.groups * self.small * self.share * taps

    @property
    def products(self) -> int:
        """Multiply-adds, those of clipped taps included."""
        return self.x * self.share * prod(axis.kernel for axis in self.axes)


def counts(way: str, spec: ConvSpec, batch: int, block: float) -> dict[str, float]:
    """Count what a way multiplies, moves and calls, as `WEIGHTS` lists it.

    "copied" are the elements of the arrays that it makes. ``block`` is the number of
    elements of the columns that are made at a time.
    """
    return _counts(way, _problem(spec, batch, block))


def _problem(spec: ConvSpec, batch: int, block: float) -> _Problem:
    groups = max(spec.groups, 1)
    small, share = spec.kernel_shape[0] // groups, spec.kernel_shape[1]
    return _Problem(spec.axes, batch, groups, small, share, block)


def _counts(way: str, problem: _Problem) -> dict[str, float]:
    return {"kernel": problem.kernel, **_COUNTS[way](problem)}


def _of_columns(p: _Problem) -> dict[str, float]:
    columns = p.products // max(p.small, 1)
    taps = prod(axis.kernel for axis in p.axes)
    chunks = 1 + columns / p.block
    planes, rows = p.batch * p.groups * p.share, p.groups * p.small
    moves = gathers(p.axes, planes, p.share, rows, ceil(chunks), "kernel_grad")
    looked_up = max(columns, p.y) <= tuning.FEW_COLUMNS
    return {
        "products": p.products,
        "few_rows": p.products / max(p.small, 1),
        "few_columns": p.products / max(p.share * taps, 1),
        "moved": min(moves.by_rows, moves.taps_last),
        "x": p.x,
        "chunks": 0 if looked_up else chunks,
        "look_ups": int(looked_up),
        "copied": columns,
    }


def _of_shifts(p: _Problem) -> dict[str, float]:
    # Zeros make rows of x longer, and phases of y longer along all axes.
    longer = [max(axis.full for axis in reads) for reads in map(_reads, p.axes)]
    inner = prod(longer[1:]) / max(prod(axis.small for axis in p.axes[1:]), 1)
    outer = longer[0] / max(p.axes[0].small, 1)
    live = prod(len(live_phases(axis)) for axis in p.axes)
    phases = live * p.x // max(p.small, 1) * p.share * inner * outer
    products = p.products * inner
    extended = p.x * inner if inner > 1 else 0
    return {
        "products": products,
        "few_rows": products / max(p.small, 1),
        "few_columns": products / max(p.share, 1),
        "vectors": products if p.small * p.share == 1 else 0,
        "x": extended,
        "placed": phases,
        "copied": extended + phases,
        # Each phase is a pass over the lines of y.
        "placed_again": phases * (min(live, 64) - 1),
        "phases": live,
    }


def _reads(axis: Axis) -> list[Axis]:
    """Relate small elements to those of each phase of an axis."""
    phases = live_phases(axis)
    return [phase_axis(axis, phase) for phase in phases] or [axis]


def _of_windows(p: _Problem) -> dict[str, float]:
    total = dict.fromkeys(WEIGHTS["windows"].keys() - {"kernel"} | {"copied"}, 0.0)
    strided = any(axis.stride > 1 for axis in p.axes)
    for groups in product(*map(phase_groups, p.axes)):
        reads = [group.reads for group in groups]
        row = max(reads[-1].small, 1)
        each = prod(axis.small for axis in reads)
        elements = p.batch * p.groups * each
        rows = p.small * prod(axis.kernel for axis in reads)
        columns = p.share * prod(len(group.phases) for group in groups)
        # The only phase is read where it lies, unless small samples are put side by side,
        # as by `im2col.folds`.
        copied = strided or (p.batch > 1 and each < tuning.FOLDED_ELEMENTS)
        placed = columns * elements if copied else 0
        terms = {
            "products": elements * rows * columns,
            "few_rows": elements * columns,
            "few_columns": elements * rows,
            "windows": rows * elements,
            "runs": rows * elements / row,
            "placed": placed,
            "copied": rows * elements + placed,
            "placed_runs": placed / row,
            "phases": 1,
        }
        total = {name: total[name] + term for name, term in terms.items()}
    return total


_COUNTS = {"columns": _of_columns, "shifts": _of_shifts, "windows": _of_windows}


def estimate(way: str, spec: ConvSpec, batch: int, itemsize: int, rates: Rates) -> Cost:
    """Estimate the cost of one way; ``batch`` samples of elements of ``itemsize`` bytes."""
    problem = _problem(spec, batch, rates.block / itemsize)
    counted = _counts(way, problem)
    seconds = moves = calls = 0.0
    for name, weight in WEIGHTS[way].items():
        number = weight * counted[name]
        if name in PRODUCTS:
            seconds += number / rates.gemm
        elif name in CALLS:
            calls += number
        else:
            moves += number
    seconds += moves * rates.element + calls * rates.call
    # What is copied is written, and read again.
    moved = itemsize * (problem.x + problem.y + 2 * counted["copied"])
    return Cost(int(counted["products"]), int(moved), int(calls), seconds)


def cheapest(
    algorithm: str, spec: ConvSpec, batch: int, itemsize: int, rates: Rates
) -> tuple[str, Cost]:
    """Return the way of an algorithm with the smallest estimated time, and its cost."""
    problem = (spec, batch, itemsize, rates)
    costs = {way: estimate(way, *problem) for way in WAYS[algorithm]}
    return min(costs.items(), key=lambda item: item[1].seconds)
