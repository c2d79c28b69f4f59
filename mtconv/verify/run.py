"""Run all backends and algorithms of this machine on random problems, and report."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import perf_counter

import mtconv
from mtconv.dispatch import BACKENDS, missing_packages
from mtconv.ladders import INEXACT
from mtconv.testing.agreement import implementations, problem_of, tolerance
from mtconv.testing.report import compare
from mtconv.verify.cases import random_cases
from mtconv.verify.conformance import Expected, solve

__all__ = ["CHECKS", "Line", "Report", "verify"]

# The three maps equal the plain loops; and they are derivatives of one form.
CHECKS = ("conv_transpose", "conv", "kernel_grad", "adjoint")

# However little time there is, this many problems are tried.
_LEAST_CASES = 3


@dataclass
class Line:
    """What one algorithm of one backend did.

    Parameters
    ----------
    backend, algorithm : str
        Which it was.
    cases : int
        Number of problems tried.
    seconds : float
        Time it took.
    failures : dict of str to list of str
        Messages by check; empty lists where all is well.
    """

    backend: str
    algorithm: str
    cases: int = 0
    seconds: float = 0.0
    failures: dict[str, list[str]] = field(
        default_factory=lambda: {check: [] for check in CHECKS}
    )

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(self.failures.values())


@dataclass
class Report:
    """Lines of all algorithms, and the backends that are not installed.

    Parameters
    ----------
    lines : list of Line
        One for each algorithm of each backend.
    missing : dict of str to tuple of str
        Backends that were not tried, and the packages that they need.
    """

    lines: list[Line]
    missing: dict[str, tuple[str, ...]]

    @property
    def passed(self) -> bool:
        """Whether no check of any algorithm failed."""
        return all(line.passed for line in self.lines)


def verify(
    *,
    seconds: float = 40.0,
    seed: int = 0,
    backends: Collection[str] | None = None,
    progress: Callable[[Line, float], None] | None = None,
) -> Report:
    """Check every installed backend and algorithm against plain loops.

    Parameters
    ----------
    seconds : float
        Time for all of them together, shared out equally; each tries at least three
        problems.
    seed : int
        Seed of the random problems.
    backends : collection of str, optional
        Names of backends; by default all that are installed.
    progress : callable, optional
        Called after each problem with the line so far and the share of its time, 0 to 1.

    Returns
    -------
    Report
        What each algorithm did; ``passed`` says whether all is well.

    Examples
    --------
    >>> verify(seconds=0.1, backends=["numpy"]).passed
    True
    """
    ways = list(implementations(backends))
    report = Report([], {})
    for name in BACKENDS if backends is None else ():
        absent = missing_packages(name)
        if absent:
            report.missing[name] = absent
    for backend, algorithm in ways:
        line = Line(backend, algorithm)
        start = perf_counter()
        for case in random_cases(seed):
            _check(line, solve(case))
            line.cases += 1
            line.seconds = perf_counter() - start
            share = line.seconds * len(ways) / max(seconds, 1e-9)
            if progress is not None:
                progress(line, min(share, 1.0))
            if share >= 1 and line.cases >= _LEAST_CASES:
                break
        report.lines.append(line)
    return report


def _check(line: Line, expected: Expected) -> None:
    """Try all checks on one problem; exceptions are failures too."""
    case = expected.case
    how = {"backend": line.backend, "algorithm": line.algorithm}
    calls = {
        "conv_transpose": (case.x, case.kernel, case.options, expected.conv_transpose),
        "conv": (case.y, case.kernel, case.conv_options, expected.conv),
        "kernel_grad": (case.x, case.y, case.grad_options, expected.kernel_grad),
    }
    forms: dict[str, float] = {}
    for form, (first, second, options, wanted) in calls.items():
        found = problem_of(form, first, second, options)
        allowed = 0.0
        if line.algorithm in INEXACT:
            allowed = tolerance(found, wanted, first, second)
        try:
            got = getattr(mtconv, form)(first, second, **options, **how)
            compare(repr(case), form, found, got, wanted, allowed)
        except Exception as error:
            line.failures[form].append(f"{type(error).__name__}: {error}")
            continue
        other = {"conv_transpose": case.y, "conv": case.x, "kernel_grad": case.kernel}
        forms[form] = float((got * other[form]).sum())
    if line.algorithm not in INEXACT and len(set(forms.values())) > 1:
        line.failures["adjoint"].append(f"{case!r}: {forms}")
