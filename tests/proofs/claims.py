"""What statements about the functions of `mtconv.geometry` are made of.

Each statement is a generator of (assumptions, function, claim): the function is run on
symbolic integers, and the claims, formulas made from its result, have to follow from the
assumptions and the way that the run has taken. Kernel, stride and dilation are numbers;
sizes, offsets and positions are unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import z3

from tests.proofs.symbolic import Symbol, term_of


class Triple(NamedTuple):
    """Kernel size, stride and dilation of an axis."""

    kernel: int
    stride: int
    dilation: int


class Claim(NamedTuple):
    """A function to run, what is assumed, and what its result has to make true."""

    assumptions: list[Any]
    function: Callable[[], Any]
    formulas: Callable[[Any], list[Any]]


Claims = Iterator[Claim]

n, N, lo, hi, i, o, a, b = map(Symbol, ("n", "N", "lo", "hi", "i", "o", "a", "b"))
q, v = Symbol("q"), Symbol("v")  # quotients of what is taken by its remainder
SIZES = [n.term >= 1, N.term >= 1]


def axis_of(g: Any, t: Triple, low: Any = lo) -> Any:
    return g.Axis(n, N, t.kernel, t.stride, t.dilation, low)


def is_tap(axis: Any, small: Any, j: int, big: Any) -> Any:
    """Write the relation down once more: o = stride*i + dilation*j - lo, all in range."""
    small, big = term_of(small), term_of(big)
    at = axis.stride * small + axis.dilation * j - term_of(axis.lo)
    within = [small >= 0, small < term_of(axis.small), big >= 0, big < term_of(axis.big)]
    return z3.And(big == at, *within, z3.BoolVal(0 <= j < axis.kernel))


def inside(value: Any, start: Any, stop: Any) -> Any:
    value = term_of(value)
    return z3.And(value >= term_of(start), value < term_of(stop))


def count(conditions: list[Any]) -> Any:
    return z3.Sum([z3.If(c, 1, 0) for c in conditions]) if conditions else z3.IntVal(0)


def residues(t: Triple) -> Iterator[Symbol]:
    """Every lo, by its remainder modulo the stride."""
    for remainder in range(t.stride):
        yield t.stride * q + remainder


def plain(phase: Any) -> Any:
    """Make numbers of what is one in a phase, on this path."""
    return phase._replace(start=int(phase.start), tap=int(phase.tap), taps=int(phase.taps))
