"""Breaks into calls in every way that Python has, and counts results that are wrong.

python -m tests.heavy.provoke --scale 1 --seed 5 --kinds interrupts reentry
"""

from __future__ import annotations

import argparse
import secrets
import signal
import time
from contextvars import Context
from random import Random

from tests.provoked.breaking import allocations, exceptions, interrupts, strict
from tests.provoked.families import FORMS, Job, draw_family, large_families
from tests.provoked.hooks import watch
from tests.provoked.nesting import finalizers, handlers, nested, reentry
from tests.provoked.tally import Tally

# Kinds of provocations, and cases of each.
KINDS = {
    interrupts: 400,
    strict: 300,
    allocations: 500,
    exceptions: 600,
    reentry: 400,
    handlers: 400,
    finalizers: 400,
    nested: 300,
}


def main() -> None:
    names = [kind.__name__ for kind in KINDS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--scale", type=float, default=1, help="times the cases of a kind")
    parser.add_argument("--kinds", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    watch()
    # Processes in the background of a shell start with interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.perf_counter()
    random = Random(seed)
    brief = arguments.scale < 0.5
    families = [draw_family(random) for _ in range(12 if brief else 40)]
    families += [draw_family(random, dtype) for dtype in ("float32", "float64", "float16")]
    families += large_families(random)[: 1 if brief else None]
    tally = Tally(random)
    for family in families:  # imports what calls need: imports have tests of their own
        for form in FORMS:
            tally.check(family, Job(form, 0, family.algorithms[-1], "operator"))
    for kind, cases in KINDS.items():
        if kind.__name__ in arguments.kinds:
            tally.begin(kind.__name__)
            cases = max(1, round(cases * arguments.scale))
            # In a context without the variables that an aborted call may have left set.
            Context().run(kind, tally, families, random, cases)
    status = tally.finish()
    print(f"{time.perf_counter() - start:.0f} s")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
