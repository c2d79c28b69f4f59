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
    for name in (
        *("algorithms", "compilation", "dtypes", "inputs", "padding", "symbolic_sizes"),
        "transforms",
    )
)
TORCH = " ".join(
    f"backends/torch/test_{name}.py"
    for name in ("autocast", "contract", "exported", "maps", "native", "plain", "shared")
)
# Of a folder not these, whose single tests take as long as all tests of a mutant may.
SLOW = {f"tests/{name}" for name in ("numpy/test_guards.py", "numpy/test_memory.py")}
CONTRACT = "backends/test_contract.py::Test"
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
    "backends/_sparse+matrix": f"{CORE} {RANDOM} {OPERATORS} operators/test_kernel_maps.py",
    "backends/_array_api": f"{CORE} backends/test_array_api.py {CONTRACT}ArrayApi",
    "backends/_dask": f"backends/dask {CONTRACT}Dask",
    "backends/_torch": TORCH,
    "backends/_jax": f"functional/test_notebook.py functional/test_dtypes.py {JAX}",
}
# The backends that tests of a part use, where those are others than NumPy and SciPy, which
# compile nothing; and what its tests import.
ENGINES = {
    "operators": "numpy,sparse,jax",
    "backends/_jax": "jax",
    "backends/_array_api": "array_api",
    "backends/_dask": "dask,jax",
    "backends/_torch": "torch",
    KERNELS: "numba",
}
IMPORTS = {
    "operators": ["jax.numpy"],
    "backends/_jax": ["jax.numpy"],
    "backends/_array_api": ["array_api_strict"],
    "backends/_dask": ["dask.array", "jax.numpy"],
    "backends/_torch": ["torch", "numba"],
    KERNELS: ["numba"],
}
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

    def baseline(self, engines: str, tests: list[str], watched: list[Path]) -> Any:
        """Run the files of tests unchanged, less those that ran before on these sources."""
        from trial import Baseline, baseline

        sources = b"".join(file.read_bytes() for file in watched)
        base = Baseline({}, {str(file): {} for file in watched})
        for test in tests:
            text = Path(test.partition("::")[0]).read_bytes()
            digest = sha256(sources + text).hexdigest()[:12]
            key = f"{engines} {test} {digest}"
            if key not in self.baselines:
                self.baselines[key] = baseline(test, watched)
                self.keep()
            base.add(*self.baselines[key])
        base.kills.update(filter(None, self.values()))
        return base


def files_of(tests: str) -> list[str]:
    """List files of tests, those of folders too, and classes of a file as they are."""
    got: list[str] = []
    for name in tests.split():
        path = Path("tests", name)
        inside = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        got += map(str, inside)
    return [name for name in dict.fromkeys(got) if name not in SLOW]


def run(part: str, arguments: argparse.Namespace, outcomes: Outcomes, end: float) -> bool:
    """Try the mutants of a part, some at a time; say whether the time sufficed."""
    from trial import try_mutant

    engines = os.environ["MTCONV_TEST_BACKENDS"] = ENGINES.get(part, "numpy,sparse")
    together = [p for p in sorted(arguments.parts) if ENGINES.get(p) == ENGINES.get(part)]
    watched = [path for p in together for path in sources(p)]
    base, complete, tried = None, True, []
    running: deque[tuple[Any, Callable[[], Any]]] = deque()

    def collect() -> None:
        mutant, wait = running.popleft()
        outcomes[mutant.key] = killer = wait()
        base.kills[killer] += killer is not None

    for mutant in drawn(part, arguments.sample, arguments.seed, outcomes):
        key = mutant.key
        if key not in outcomes or (arguments.again and outcomes[key] is None):
            if base is None:
                base = outcomes.baseline(engines, files_of(TESTS[part]), watched)
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
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so many")
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
    for part in arguments.parts:
        for name in (*WARM.split(), *IMPORTS.get(part, ())):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    end = time.monotonic() + arguments.seconds
    complete = [run(part, arguments, outcomes, end) for part in arguments.parts]
    raise SystemExit(0 if all(complete) else 3)


if __name__ == "__main__":
    main()
