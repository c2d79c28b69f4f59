"""Settle all statements for every kernel, stride and dilation; find planted mistakes.

python -m tests.proofs.prove
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from time import perf_counter
from typing import Any

import z3

from tests.proofs.claims import Claims, Triple
from tests.proofs.library import load
from tests.proofs.planted import Mistake, mistakes
from tests.proofs.statements import STATEMENTS
from tests.proofs.symbolic import Path, paths

KERNELS, STRIDES, DILATIONS = range(1, 8), range(1, 7), range(1, 5)


def triples() -> Iterator[Triple]:
    """Yield every kernel size, stride and dilation, small ones first."""
    yield from sorted((Triple(*t) for t in product(KERNELS, STRIDES, DILATIONS)), key=sum)


def counterexample(
    statement: Callable[[Any, Triple], Claims], module: Any, triple: Triple
) -> str | None:
    """Return a case where a statement does not hold, or None: it holds for all sizes."""
    for claim in statement(module, triple):
        for path, result in paths(claim.function, claim.assumptions):
            Path.current = path
            try:
                formulas = claim.formulas(result)
            finally:
                Path.current = None
            for formula in formulas:
                if path.possible(z3.Not(formula)):
                    path.solver.add(z3.Not(formula))
                    path.solver.check()
                    return f"{triple}: {path.solver.model()}"
    return None


# Where mistakes are looked for; the first that shows one ends the search.
FEW = tuple(
    Triple(*t)
    for t in ((2, 1, 1), (3, 2, 1), (2, 3, 1), (4, 2, 1), (3, 2, 2), (4, 3, 2), (4, 2, 3))
)
_MOST_SECONDS = 30  # for one mistake; a loop that does not end is found too
_LEAST_FOUND = 10


def found_by(mistake: Mistake) -> str | None:
    """Return which statement a mistake breaks, and where, or None."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(_MOST_SECONDS)
    try:
        module = load(mistake.source)
        for triple in FEW:
            for statement in STATEMENTS:
                case = counterexample(statement, module, triple)
                if case is not None:
                    return f"{statement.__name__} at {case}"
    except TimeoutError:
        return "it does not end"
    except Exception as error:
        return f"it raises {type(error).__name__}"
    finally:
        signal.alarm(0)
    return None


def settle_one(statement: Callable[[Any, Triple], Claims]) -> tuple[str | None, float]:
    """Return a case where a statement does not hold, or None, and the seconds it took."""
    start, module = perf_counter(), load()
    cases = (counterexample(statement, module, triple) for triple in triples())
    wrong = next((case for case in cases if case is not None), None)
    return wrong, perf_counter() - start


def settle() -> bool:
    """Print a line for each statement; return whether all hold."""
    right = True
    with ProcessPoolExecutor() as pool:
        results = pool.map(settle_one, STATEMENTS)
        for statement, (wrong, seconds) in zip(STATEMENTS, results, strict=True):
            words = statement.__name__.replace("_", " ")
            print(f"{words}: {wrong or 'holds'} ({seconds:.0f} s)", flush=True)
            right &= wrong is None
    return right


def find() -> bool:
    """Print what shows each planted mistake; return whether enough are found."""
    every = list(mistakes())
    left = []
    for mistake in every:
        case = found_by(mistake)
        if case is None:
            left.append(mistake)
        change = f"{mistake.function}: {mistake.before}  ->  {mistake.after}"
        print(f"{change}\n    {case or 'NOT FOUND'}", flush=True)
    print(
        f"{len(every) - len(left)} of {len(every)} planted mistakes are found", flush=True
    )
    return len(every) - len(left) >= _LEAST_FOUND


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planted", action="store_true", help="the mistakes alone")
    if parser.parse_args().planted:
        return 0 if find() else 1
    return 0 if settle() and find() else 1


if __name__ == "__main__":
    sys.exit(main())
