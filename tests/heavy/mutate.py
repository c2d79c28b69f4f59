"""Mutation testing: change one operator at a time, and see that a test notices.

Runs cosmic-ray on a copy of the repository, so that the sources stay as they are, and
prints for each file the score and the mutants that survived. Annotations, docstrings and
``__all__`` have no operators; the cost model is left out, for it changes no result.

    python tests/heavy/mutate.py geometry spec functional operators
    python tests/heavy/mutate.py --sample 200 backends/_numpy
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The fast tests that hold each file; the enumeration for what runs on arrays.
TESTS = {
    "geometry": "tests/test_geometry.py",
    "spec": "tests/test_spec.py",
    "functional": "tests/test_notebook.py tests/test_spec.py tests/test_errors.py "
    "tests/test_dtypes.py tests/test_inputs.py",
    "operators": "tests/operators",
    "resolve": "tests/test_shapes.py tests/test_errors.py tests/test_spec.py",
    "layout": "tests/test_shapes.py tests/test_errors.py tests/test_spec.py",
}
OTHERS = "tests/test_notebook.py tests/test_agreement.py tests/test_inputs.py"

CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"

[cosmic-ray.filters.operators-filter]
exclude-operators = ["core/.*BitOr.*"]
"""


def copy_of_the_repository(folder: Path) -> None:
    skip = shutil.ignore_patterns(
        ".git", ".nox", ".venv", "dist", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, folder, ignore=skip)


def keep_a_sample(session: Path, size: int, seed: int) -> None:
    """Forget all mutants of a session but a random sample."""
    with sqlite3.connect(session) as base:
        jobs = sorted(row[0] for row in base.execute("SELECT job_id FROM work_items"))
        kept = set(random.Random(seed).sample(jobs, min(size, len(jobs))))
        for job in jobs:
            if job not in kept:
                for table in ("mutation_specs", "work_items"):
                    base.execute(f"DELETE FROM {table} WHERE job_id = ?", (job,))


def outcomes(session: Path) -> tuple[int, list[str]]:
    """Number of mutants, and those that survived as "operator at line"."""
    query = """
        SELECT m.operator_name, m.start_pos_row, m.occurrence, r.test_outcome
        FROM mutation_specs m JOIN work_results r ON m.job_id = r.job_id
    """
    with sqlite3.connect(session) as base:
        rows = list(base.execute(query))
    survived = [
        f"line {line}: {operator} ({occurrence})"
        for operator, line, occurrence, outcome in rows
        if "SURVIVED" in str(outcome)
    ]
    return len(rows), sorted(survived)


def mutate(name: str, folder: Path, sample: int, seed: int) -> float:
    """Run all mutants of one file or folder, print the survivors, return the score."""
    module = Path("mtconv", name)
    if not (folder / module).is_dir():
        module = module.with_suffix(".py")
    config, session = folder / "mutation.toml", folder / "mutation.sqlite"
    tests = TESTS.get(name, OTHERS)
    config.write_text(CONFIG.format(module=module, tests=tests, python=sys.executable))
    session.unlink(missing_ok=True)
    tool = Path(sys.executable).with_name("cosmic-ray")
    steps = (
        [tool, "baseline", config],  # the tests pass as long as nothing is changed
        [tool, "init", config, session],
        [tool.with_name("cr-filter-operators"), session, config],
    )
    for step in steps:
        subprocess.run(step, cwd=folder, check=True)
    if sample:
        keep_a_sample(session, sample, seed)
    subprocess.run([tool, "exec", config, session], cwd=folder, check=True)
    count, survived = outcomes(session)
    score = 1 - len(survived) / max(count, 1)
    print(f"{module}: {count} mutants, {len(survived)} survived, score {score:.1%}")
    print("".join(f"  {line}\n" for line in survived), end="", flush=True)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="below mtconv, without .py")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "mtconv")
        copy_of_the_repository(folder)
        for name in arguments.modules:
            mutate(name, folder, arguments.sample, arguments.seed)


if __name__ == "__main__":
    main()
