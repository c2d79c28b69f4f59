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
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# The tests that hold each part. All run once; a mutant gets those that execute its line.
CORE = (
    "functional/test_notebook.py functional/test_dtypes.py functional/test_inputs.py "
    "problem/test_shapes.py problem/test_wrong_calls.py"
)
RANDOM = "functional/test_giants.py functional/test_agreement.py"
OPERATORS = " ".join(
    f"operators/test_{name}.py"
    for name in ("operators", "matrix", "norm", "padding_modes", "scipy")
)
JAX = " ".join(
    f"jax/test_{name}.py"
    for name in ("algorithms", "compilation", "dtypes", "padding", "transforms")
)
# What prepares compiled kernels; the kernels themselves are compiled, and kept in files.
KERNELS = "+".join(
    f"backends/_numba/{name}"
    for name in ("facts", "plan_lanes", "plan_planes", "plan_rows", "units")
)
TESTS = {
    "geometry": f"test_geometry.py {CORE}",
    "folds": f"test_folds.py test_geometry.py {CORE}",
    "spec": f"test_spec.py sketch {CORE} {OPERATORS}",
    "functional": f"{CORE} test_spec.py test_public_api.py {OPERATORS}",
    "operators": "operators functional/test_notebook.py sketch",
    "backends/_numpy": f"{CORE} {RANDOM} numpy",
    "backends/host": f"{CORE} host numpy",
    "planning": f"planning explaining backends/test_register.py {CORE}",
    KERNELS: "numba",
    "backends/_sparse+matrix": f"{CORE} {RANDOM} {OPERATORS}",
    "backends/_jax": f"functional/test_notebook.py functional/test_dtypes.py {JAX}",
}
# The parts whose tests need JAX; the others leave it out, for it compiles.
WITH_JAX = {"operators": "numpy,sparse,jax", "backends/_jax": "jax"}
WITH_NUMBA = {KERNELS: "numba"}
# The outcome of a mutant that says nothing; it does not count.
NOTHING = "nothing"
# What the children find imported. JAX is imported but not started, for it has threads.
WARM = "numpy.testing scipy.sparse.linalg hypothesis.extra.numpy sybil coverage"


def sources(part: str) -> list[Path]:
    """List the files of a part: of a module, of a folder, or of both sides of a "+"."""
    first, *others = part.split("+")
    got: list[Path] = []
    for name in (first, *others):
        folder = Path("mtconv", name)
        inside = sorted(folder.rglob("*.py"))
        got += inside if folder.is_dir() else [folder.with_suffix(".py")]
    return got


def drawn(part: str, sample: int, seed: int, outcomes: Outcomes) -> Iterator[Any]:
    """Yield all mutants of a part, or as many drawn at random, each saying something."""
    from mutants import mutants_of

    got = [mutant for path in sources(part) for mutant in mutants_of(path)]
    if sample:
        random.Random(seed).shuffle(got)
    left = sample or len(got)
    for mutant in got:
        key = mutant.key
        if key not in outcomes and mutant.source() is None:
            outcomes[key] = NOTHING
        if outcomes.get(key) != NOTHING:
            yield mutant
            left -= 1
            if not left:
                return


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
        base = Baseline(*self.baselines[key])
        base.kills.update(filter(None, self.values()))
        return base


def run(part: str, arguments: argparse.Namespace, outcomes: Outcomes) -> bool:
    """Try the mutants of a part, some at a time; say whether the time sufficed."""
    from trial import try_mutant

    os.environ["MTCONV_TEST_BACKENDS"] = (WITH_JAX | WITH_NUMBA).get(part, "numpy,sparse")
    tests = [f"tests/{name}" for name in TESTS[part].split()]
    base, complete, tried = None, True, []
    running: deque[tuple[Any, Callable[[], Any]]] = deque()

    def collect() -> None:
        mutant, wait = running.popleft()
        outcomes[mutant.key] = killer = wait()
        base.kills[killer] += killer is not None

    end = time.monotonic() + arguments.seconds
    for mutant in drawn(part, arguments.sample, arguments.seed, outcomes):
        key = mutant.key
        if key not in outcomes or (arguments.again and outcomes[key] is None):
            if base is None:
                base = outcomes.baseline(part, tests)
            if time.monotonic() > end:
                complete = False
                break
            if len(running) == arguments.workers:
                collect()
            chosen = base.tests_for(mutant)
            wanted = sum(base.seconds[test] for test in chosen)
            running.append((mutant, try_mutant(mutant, chosen, wanted)))
        tried.append(mutant)
    while running:
        collect()
    outcomes.keep()
    report(part, tried, outcomes, complete)
    return complete


def report(part: str, tried: list[Any], outcomes: Outcomes, complete: bool) -> None:
    survived = [mutant for mutant in tried if outcomes[mutant.key] is None]
    for path in sources(part):
        here = [mutant for mutant in tried if mutant.path == path]
        left = [mutant for mutant in survived if mutant.path == path]
        if here:
            print(f"{path}: {len(here)} mutants, {len(left)} survived")
        for mutant in sorted(left, key=lambda m: m.line):
            print(f"  {mutant.describe()}")
    print(
        f"{part}: {len(tried)} mutants tried{'' if complete else ' so far'}, "
        f"{len(survived)} survived, score {1 - len(survived) / max(len(tried), 1):.1%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=list(TESTS))
    parser.add_argument("--others", action="store_true", help="all parts but these")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="children at a time")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop each part after")
    parser.add_argument("--keep", type=Path, help="JSON file for the outcomes")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    arguments = parser.parse_args()
    if arguments.others:
        arguments.parts = [part for part in TESTS if part not in arguments.parts]
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
