"""Mutation testing: change one operator at a time, and see that a test notices.

Prints for each part of the package the score by file and the mutants that survived. With
``--keep`` outcomes stay in a file: the next run goes on where this one ended, and
``--again`` tries the survivors once more. `mutants` says what is changed, `trial` how the
tests run. Needs cosmic-ray and coverage; forks, so not for Windows.

    python tests/heavy/mutate.py geometry spec functional operators
    python tests/heavy/mutate.py --sample 200 backends/_numpy backends/_jax
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# The tests that hold each part. All run once; a mutant gets those that execute its line.
CORE = "test_notebook.py test_shapes.py test_errors.py test_dtypes.py test_inputs.py"
OPERATORS = " ".join(
    f"operators/test_{name}.py"
    for name in ("operators", "matrix", "norm", "padding_modes", "scipy")
)
TESTS = {
    "geometry": f"test_geometry.py {CORE}",
    "spec": f"test_spec.py test_sketch.py {CORE} {OPERATORS}",
    "functional": f"{CORE} test_spec.py {OPERATORS}",
    "operators": "operators test_notebook.py test_sketch.py",
    "backends/_numpy": f"{CORE} test_agreement.py test_adjoint.py numpy",
    "backends/_sparse+matrix": f"{CORE} test_agreement.py test_adjoint.py {OPERATORS}",
    "backends/_jax": "jax test_notebook.py test_dtypes.py test_inputs.py",
}
# The parts whose tests need JAX; the others leave it out, for it compiles.
WITH_JAX = {"operators": "numpy,sparse,jax", "backends/_jax": "jax"}
# What the children find imported. JAX is imported but not started, for it has threads.
WARM = "numpy.testing scipy.sparse.linalg hypothesis.extra.numpy sybil coverage"


def sources(part: str) -> list[Path]:
    """List the files of a part: of a module, of a folder, or of both sides of a "+"."""
    first, *others = part.split("+")
    found: list[Path] = []
    for name in (first, *others):
        folder = Path("mtconv", name)
        inside = sorted(folder.rglob("*.py"))
        found += inside if folder.is_dir() else [folder.with_suffix(".py")]
    return found


def drawn(part: str, sample: int, seed: int) -> Iterator[Any]:
    """Yield all mutants of a part, or as many drawn at random, each saying something."""
    from mutants import mutants_of

    found = [mutant for path in sources(part) for mutant in mutants_of(path)]
    if sample:
        random.Random(seed).shuffle(found)
    found = deque(found)
    left = sample or len(found)
    while found and left:
        mutant = found.popleft()
        if mutant.source() is not None:
            left -= 1
            yield mutant


class Outcomes(dict[str, Any]):
    """What became of mutants by key, and what the tests execute, in a file if named."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.path = path
        self.baselines: dict[str, Any] = {}
        if path is not None and path.exists():
            mutants, self.baselines = json.loads(path.read_text())
            self.update(mutants)

    def keep(self) -> None:
        if self.path is not None:
            self.path.write_text(json.dumps([self, self.baselines]))

    def baseline(self, part: str, tests: list[str]) -> Any:
        """Run the tests unchanged, unless they and the sources were run before."""
        from trial import Baseline, baseline

        files = [
            f for test in tests for f in (Path(test), *sorted(Path(test).rglob("*.py")))
        ]
        texts = [f.read_bytes() for f in (*sources(part), *files) if f.is_file()]
        key = f"{part} {sha256(b''.join(texts)).hexdigest()[:12]}"
        if key not in self.baselines:
            self.baselines[key] = baseline(tests, sources(part))
            self.keep()
        return Baseline(*self.baselines[key])


def run(part: str, arguments: argparse.Namespace, outcomes: Outcomes) -> bool:
    """Try the mutants of a part, at most some at once; say whether the time sufficed."""
    from trial import try_mutant

    os.environ["MTCONV_TEST_BACKENDS"] = WITH_JAX.get(part, "numpy,sparse")
    tests = [f"tests/{name}" for name in TESTS[part].split()]
    mutants = list(drawn(part, arguments.sample, arguments.seed))
    open_ = [
        mutant
        for mutant in mutants
        if mutant.key not in outcomes or (arguments.again and outcomes[mutant.key] is None)
    ]
    running: deque[tuple[Any, Callable[[], Any]]] = deque()
    end = time.monotonic() + arguments.seconds
    base = outcomes.baseline(part, tests) if open_ else None
    if base is not None:
        print(f"{part}: {len(base.seconds)} tests, {sum(base.seconds.values()):.0f} s")
        base.kills.update(Counter(filter(None, outcomes.values())))
    while running or open_:
        if base is not None and open_ and len(running) < arguments.workers:
            if time.monotonic() > end:
                open_.clear()
                continue
            mutant = open_.pop(0)
            chosen = base.tests_for(mutant)
            wanted = sum(base.seconds[test] for test in chosen)
            running.append((mutant, try_mutant(mutant, chosen, wanted)))
            continue
        mutant, wait = running.popleft()
        outcomes[mutant.key] = killer = wait()
        if base is not None and killer is not None:
            base.kills[killer] += 1
    outcomes.keep()
    report(part, mutants, outcomes)
    return all(mutant.key in outcomes for mutant in mutants)


def report(part: str, mutants: list[Any], outcomes: Outcomes) -> None:
    tried = [mutant for mutant in mutants if mutant.key in outcomes]
    survived = [mutant for mutant in tried if outcomes[mutant.key] is None]
    for path in sources(part):
        here = [mutant for mutant in tried if mutant.path == path]
        left = [mutant for mutant in survived if mutant.path == path]
        if here:
            print(f"{path}: {len(here)} mutants, {len(left)} survived")
        for mutant in sorted(left, key=lambda m: m.line):
            print(f"  {mutant.describe()}")
    score = 1 - len(survived) / max(len(tried), 1)
    print(
        f"{part}: {len(tried)} of {len(mutants)} mutants tried, {len(survived)} survived, "
        f"score {score:.1%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=list(TESTS))
    parser.add_argument("--sample", type=int, default=0, help="mutants of each; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="children at a time")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop each part after")
    parser.add_argument("--keep", type=Path, help="JSON file for the outcomes")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    arguments = parser.parse_args()
    outcomes = Outcomes(arguments.keep and arguments.keep.absolute())
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    jax = ["jax.numpy"] if WITH_JAX.keys() & set(arguments.parts) else []
    for name in (*WARM.split(), *jax):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    complete = [run(part, arguments, outcomes) for part in arguments.parts]
    raise SystemExit(0 if all(complete) else 3)


if __name__ == "__main__":
    main()
