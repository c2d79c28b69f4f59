"""Run what this machine has on random problems: backends, algorithms, other frameworks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from time import perf_counter

import mtconv
from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.planning.choose import INEXACT
from mtconv.testing.agreement import implementations, problem_of, tolerance
from mtconv.testing.case import Case
from mtconv.testing.reference import reference_conv_transpose
from mtconv.testing.report import compare
from mtconv.verify import frameworks as live
from mtconv.verify.cases import random_cases
from mtconv.verify.conformance import solve

__all__ = ["CHECKS", "Line", "Report", "verify"]

# The three maps equal the plain loops; and they are derivatives of one form.
CHECKS = ("conv_transpose", "conv", "kernel_grad", "adjoint")

# However little time there is, this many problems are tried.
_LEAST_CASES = 3

# What the names of frameworks begin with in lines.
_COMPAT = "compat."


@dataclass
class Line:
    """What one algorithm of one backend did, or another framework.

    Parameters
    ----------
    backend, algorithm : str
        Which it was; "compat.torch" and "its own", for example, for a framework.
    cases : int
        Number of problems tried.
    seconds : float
        Time it took.
    failures : dict of str to list of str
        Messages by check; empty lists where all is well. A framework has one check,
        "conv_transpose".
    refusals : list of str
        What a framework raised in place of results.
    """

    backend: str
    algorithm: str
    cases: int = 0
    seconds: float = 0.0
    failures: dict[str, list[str]] = field(
        default_factory=lambda: {check: [] for check in CHECKS}
    )
    refusals: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no check failed, and not everything was refused."""
        refused = 0 < self.cases == len(self.refusals)
        return not refused and not any(self.failures.values())


@dataclass
class Report:
    """Lines of algorithms and frameworks, and the backends that are not installed.

    Parameters
    ----------
    lines : list of Line
        One for each algorithm of each backend, and one for each framework.
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
    frameworks: Collection[str] | None = None,
    progress: Callable[[Line, float], None] | None = None,
) -> Report:
    """Check what is installed against plain loops: backends, algorithms and frameworks.

    Frameworks run with the options and kernels that `mtconv.compat` converts for them.

    Parameters
    ----------
    seconds : float
        Time for all of them together, shared out equally; each tries at least three
        problems.
    seed : int
        Seed of the random problems.
    backends : collection of str, optional
        Names of backends; by default all that are installed.
    frameworks : collection of str, optional
        Names of frameworks, those not installed being left out; by default all that are
        installed, or none where backends are named.
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
    report = Report([], {})
    for name in BACKENDS if backends is None else ():
        absent = missing_packages(name)
        if absent:
            report.missing[name] = absent
    lines = _lines(backends, frameworks)
    for line in lines:
        check = _check_framework if line.backend.startswith(_COMPAT) else _check
        start = perf_counter()
        for case in random_cases(seed):
            line.cases += check(line, case)
            line.seconds = perf_counter() - start
            share = line.seconds * len(lines) / max(seconds, 1e-9)
            if progress is not None:
                progress(line, min(share, 1.0))
            if share >= 1 and line.cases >= _LEAST_CASES:
                break
        report.lines.append(line)
    return report


def _lines(
    backends: Collection[str] | None, frameworks: Collection[str] | None
) -> list[Line]:
    """List what there is to check."""
    lines = [Line(backend, algorithm) for backend, algorithm in implementations(backends)]
    named: Iterable[str] = ()
    if frameworks is not None or backends is None:
        named = live.installed(frameworks)
    return lines + [
        Line(_COMPAT + name, "its own", failures={"conv_transpose": []}) for name in named
    ]


def _check_framework(line: Line, case: Case) -> int:
    """Compare a framework's result, if it can say the problem; return the number tried."""
    name = line.backend.removeprefix(_COMPAT)
    call = live.converted(name, case)
    if call is None:
        return 0
    wanted = reference_conv_transpose(case.x, case.kernel, **call.options)
    found = problem_of("conv_transpose", case.x, case.kernel, call.options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the frameworks' own
            got = live.run(name, call)
    except Exception as error:
        line.refusals.append(f"{call.theirs}: {type(error).__name__}: {error}")
        return 1
    try:
        compare(f"{name} with {call.theirs}", "conv_transpose", found, got, wanted, 0.0)
    except AssertionError as error:
        line.failures["conv_transpose"].append(str(error))
    return 1


def _check(line: Line, case: Case) -> int:
    """Try all checks on one problem; exceptions are failures too."""
    expected = solve(case)
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
    return 1
