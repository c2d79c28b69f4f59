"""Run tests in forked children of a process that has everything imported but mtconv.

A child costs a fork, the import of mtconv and the collection of a few test files. One
child runs all tests and says which lines each of them executes; the child of a mutant
runs those of its line, what killed others first, until one fails.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from mutants import Mutant, statement_at

# Enough for every test file here; a mutant that wants more has changed the memory.
MEMORY = 12 * 2**30
# The tests of a mutant stop after about as many seconds; all of them would be too many.
MOST_SECONDS = 10.0

# The same examples every time, and none is shrunk: whether a test fails is all we ask.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=list(hypothesis.HealthCheck),
)
# Without what costs more than the tests: plugins, rewriting of assertions, collections of
# garbage at the end.
PYTEST = ["--hypothesis-profile=mutants", "--assert=plain", "--disable-plugin-autoload"]
PYTEST += ["-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
PYTEST += ["-p", "no:unraisableexception", "-p", "no:threadexception"]
PYTEST += ["--confcutdir=tests"]

# Exit statuses of tests that were collected, or of a file that has none to run here.
COLLECTED = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)


@dataclass
class Baseline:
    """What the tests do where nothing is changed."""

    seconds: dict[str, float]
    # By file, by line: the tests that execute it.
    lines: dict[str, dict[int, list[str]]]
    kills: Counter[str] = field(default_factory=Counter)

    def add(
        self, seconds: dict[str, float], lines: dict[str, dict[str, list[int]]]
    ) -> None:
        """Add what the tests of another file do."""
        self.seconds.update(seconds)
        for file, lines_of in lines.items():
            for test, numbers in lines_of.items():
                for number in numbers:
                    self.lines[file].setdefault(number, []).append(test)

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Choose and order the tests of a mutant's statement; of its file for imports."""
        statement = statement_at(mutant.path, mutant.line)
        lines = self.lines.get(str(mutant.path), {})
        if statement is None:
            got = {test for tests in lines.values() for test in tests}
            got = got or set(self.seconds)
        else:
            got = {test for line in statement for test in lines.get(line, ())}
        # A change of a table may be seen by few of the many tests that look into it.
        most = MOST_SECONDS if statement is not None else 3 * MOST_SECONDS
        chosen, total = [], 0.0
        own = f"/test_{mutant.path.stem.strip('_')}.py::"  # the tests of the file itself

        def order(test: str) -> tuple[int, float, str]:
            return -self.kills[test], self.seconds[test] * (0.2 if own in test else 1), test

        for test in sorted(got, key=order):
            # A long test that does not fit leaves the time to shorter ones.
            if not chosen or total + self.seconds[test] <= most:
                chosen.append(test)
                total += self.seconds[test]
        return chosen


class Chosen:
    """Keeps the chosen tests in their order, and says which one failed."""

    def __init__(self, tests: list[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}
        self.failed: str | None = None

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid


class Watch:
    """Notes the time of each test, and tells the coverage which test is running."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        forget_caches()  # what a test finds cached, it would not be seen to execute
        self.coverage.switch_context(item.nodeid)
        began = sum(os.times()[:4])  # others may use the processor meanwhile
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = sum(os.times()[:4]) - began

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def forget_caches() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("mtconv"):
            for value in list(vars(module).values()):
                getattr(value, "cache_clear", lambda: None)()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


class Changed(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):
    """Loads one module from a changed source."""

    def __init__(self, mutant: Mutant) -> None:
        parts = mutant.path.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        super().__init__(name, str(mutant.path.absolute()))
        self.mutated = mutant.source() or ""

    def find_spec(self, fullname: str, *_: Any) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, _fullname: str) -> Any:
        return compile(self.mutated, self.path, "exec")


def baseline(tests: str, sources: list[Path]) -> tuple[Any, Any]:
    """Run a file of tests once; return the time of each, and the lines it executes."""

    def work() -> Any:
        from coverage import Coverage

        watched = [str(file.absolute()) for file in sources]
        coverage = Coverage(data_file=None, include=watched, config_file=False)
        coverage.start()
        watch = Watch(coverage)
        code = pytest.main([*PYTEST, tests], plugins=[watch])
        coverage.stop()
        data = coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = {}
        for file in sources:
            by_line = data.contexts_by_lineno(str(file.absolute()))
            by_test = lines[str(file)] = {}
            for line, contexts in by_line.items():
                for test in filter(None, contexts):
                    by_test.setdefault(test, []).append(line)
        return watch.seconds, lines, watch.failed, code

    seconds, lines, failed, code = in_child(work, seconds=3600)()
    if code not in COLLECTED:
        msg = f"{tests}: pytest cannot run it (exit status {int(code)})"
        raise SystemExit(msg)
    if failed:
        raise SystemExit("the tests fail where nothing is changed:\n" + "\n".join(failed))
    print(f"{tests}: {len(seconds)} tests, {sum(seconds.values()):.0f} s", flush=True)
    return seconds, lines


def try_mutant(mutant: Mutant, tests: list[str], seconds: float) -> Callable[[], Any]:
    """Start the tests of a mutant; returns what waits for the outcome.

    The outcome is the test that failed, "import" or "limit" for a child that did not get
    so far or did not end, and None where every test passed, or none executes the statement.
    """
    if not tests:
        return lambda: None

    def work() -> Any:
        sys.meta_path.insert(0, Changed(mutant))
        chosen = Chosen(tests)
        files = sorted({test.split("::")[0] for test in tests})
        status = pytest.main(["-x", *PYTEST, *files], plugins=[chosen])
        if status == pytest.ExitCode.OK:
            return None
        return chosen.failed or "import"

    return in_child(work, seconds=int(10 + 5 * seconds))


def in_child(work: Callable[[], Any], seconds: int) -> Callable[[], Any]:
    """Fork, do the work under limits of time and memory; return what waits for it."""
    output = tempfile.NamedTemporaryFile(suffix=".json")  # noqa: SIM115 - of both
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # For what waits without computing. Whoever shares the processor may stop us.
            signal.alarm(150 + 10 * seconds)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            result = [work()]
        except BaseException:
            result = [None, traceback.format_exc()]
        try:
            Path(output.name).write_text(json.dumps(result))
        finally:
            os._exit(0)

    def wait() -> Any:
        os.waitpid(child, 0)
        text = Path(output.name).read_text()
        output.close()
        result, *error = json.loads(text) if text else ["limit"]
        if error:
            raise RuntimeError(error[0])
        return result

    return wait
