"""Run Python functions on symbolic integers: z3 terms that take both ways at a branch.

A function is run once for every path through it. At a comparison of symbolic integers the
solver says which ways are possible; where both are, one is taken and the other noted for a
later run. So what is put to the solver is what the function itself computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import z3


class Unsettled(RuntimeError):
    """The solver does not know, or a function takes too many ways."""


class Path:
    """One run: the decisions to repeat, what is known, and the alternatives met."""

    current: Path | None = None

    def __init__(self, assumptions: list[Any], decisions: tuple[bool, ...]) -> None:
        self.solver = z3.SolverFor("QF_LIA")
        self.solver.add(*assumptions)
        self.decisions = list(decisions)
        self.taken = 0
        self.alternatives: list[tuple[bool, ...]] = []

    def possible(self, condition: Any) -> bool:
        self.solver.push()
        self.solver.add(condition)
        result = self.solver.check()
        self.solver.pop()
        if result == z3.unknown:
            raise Unsettled
        return result == z3.sat

    def decide(self, condition: Any) -> bool:
        """Return one of the possible values of a condition, and go on with it."""
        condition = z3.simplify(condition)
        if z3.is_true(condition) or z3.is_false(condition):
            return z3.is_true(condition)
        if self.taken < len(self.decisions):
            answer = self.decisions[self.taken]
        else:
            yes, no = self.possible(condition), self.possible(z3.Not(condition))
            answer = yes
            if yes and no:
                self.alternatives.append((*self.decisions, False))
            self.decisions.append(answer)
        self.taken += 1
        self.solver.add(condition if answer else z3.Not(condition))
        return answer

    def value(self, term: Any) -> int:
        """Return one of the possible values of an integer, and go on with it."""
        while True:
            if self.solver.check() != z3.sat:
                raise Unsettled
            guess = self.solver.model().eval(term, model_completion=True)
            if self.decide(term == guess):
                return int(guess.as_long())


def paths(
    function: Callable[[], Any], assumptions: list[Any], most: int = 5000
) -> Iterator[tuple[Path, Any]]:
    """Run a function on every path, and yield each path with its result."""
    waiting: list[tuple[bool, ...]] = [()]
    count = 0
    while waiting:
        count += 1
        if count > most:
            raise Unsettled
        path = Path(assumptions, waiting.pop())
        Path.current = path
        try:
            result = function()
        finally:
            Path.current = None
        waiting += path.alternatives
        yield path, result


class Truth:
    """A symbolic condition; asking for its truth takes a way."""

    def __init__(self, term: Any) -> None:
        self.term = term

    def __bool__(self) -> bool:
        assert Path.current is not None
        return Path.current.decide(self.term)


def term_of(value: Any) -> Any:
    return value.term if isinstance(value, Symbol) else value


class Symbol:
    """A symbolic integer with the operations that geometry needs."""

    def __init__(self, term: Any) -> None:
        self.term = z3.Int(term) if isinstance(term, str) else term

    def __hash__(self) -> int:
        return 0  # equal values must have one hash

    def __index__(self) -> int:
        assert Path.current is not None
        return Path.current.value(self.term)

    __int__ = __index__

    def __add__(self, other: Any) -> Symbol:
        return Symbol(z3.simplify(self.term + term_of(other)))

    __radd__ = __add__

    def __neg__(self) -> Symbol:
        return Symbol(z3.simplify(-self.term))

    def __sub__(self, other: Any) -> Symbol:
        return self + (-other)

    def __rsub__(self, other: Any) -> Symbol:
        return -self + other

    def __mul__(self, other: int) -> Symbol:
        assert isinstance(other, int), "products of two unknowns are not linear"
        return Symbol(z3.simplify(self.term * other))

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> Symbol:
        assert isinstance(other, int)
        assert other > 0
        return Symbol(self.term / other)  # of integers, and rounded down

    def __mod__(self, other: int) -> Symbol:
        assert isinstance(other, int)
        assert other > 0
        return Symbol(self.term % other)

    def __divmod__(self, other: int) -> tuple[Symbol, Symbol]:
        return self // other, self % other

    def __lt__(self, other: Any) -> Truth:
        return Truth(self.term < term_of(other))

    def __le__(self, other: Any) -> Truth:
        return Truth(self.term <= term_of(other))

    def __gt__(self, other: Any) -> Truth:
        return Truth(self.term > term_of(other))

    def __ge__(self, other: Any) -> Truth:
        return Truth(self.term >= term_of(other))

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]
        return Truth(self.term == term_of(other))

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]
        return Truth(self.term != term_of(other))


class Span:
    """A range with symbolic ends."""

    def __init__(self, *ends: Any) -> None:
        self.start, self.stop = ends if len(ends) == 2 else (0, ends[0])

    def __iter__(self) -> Iterator[int]:
        return iter(range(int(self.start), int(self.stop)))
