"""Run what this machine has on random problems: backends, algorithms, other frameworks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from math import inf
from time import perf_counter

import mtconv
from mtconv.backends.dispatch import BACKENDS, load, missing_packages
from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError, message, shown
from mtconv.planning.choose import INEXACT, support_of
from mtconv.planning.support import refusal
from mtconv.testing.agreement import implementations, problem_of, tolerance
from mtconv.testing.case import Case
from mtconv.testing.reference import reference_conv_transpose
from mtconv.testing.report import compare
from mtconv.testing.words import check_words
from mtconv.verify import frameworks as live
from mtconv.verify.cases import random_cases
from mtconv.verify.conformance import solve
from mtconv.verify.tally import COMPAT, Report, Tally

__all__ = ["verify"]

_NAME = "verify"

# However little time there is, this many problems are tried.
_LEAST_CASES = 3

# A framework that can say none of so many problems can say none.
_MOST_UNSAID = 1000


def verify(
    *,
    seconds: float = 40.0,
    seed: int = 0,
    backends: Collection[str] | None = None,
    frameworks: Collection[str] | None = None,
    progress: Callable[[Tally, float], None] | None = None,
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
        Names of frameworks; by default all that are installed, or none where backends are
        named.
    progress : callable, optional
        Called after each problem with the tally so far and the share of its time, 0 to 1.

    Returns
    -------
    Report
        What each algorithm did; ``passed`` says whether all is well. Frameworks that are
        installed but cannot start are left out, and named in ``skipped``.

    Raises
    ------
    GeometryError
        If a name or a number is not one that can be asked for.
    ImportError
        If a backend or framework that was named is not installed or cannot start.

    Examples
    --------
    >>> verify(seconds=0.1, backends=["numpy"]).passed
    True
    """
    _check_numbers(seconds, seed)
    report = Report([])
    tallies = _tallies(report, *_checked_names(backends, frameworks))
    for tally in tallies:
        check = _check_framework if tally.backend.startswith(COMPAT) else _check
        start = perf_counter()
        for number, case in enumerate(random_cases(seed)):
            tally.cases += check(tally, case)
            tally.seconds = perf_counter() - start
            share = tally.seconds * len(tallies) / max(seconds, 1e-9)
            if progress is not None:
                progress(tally, min(share, 1.0))
            enough = tally.cases >= _LEAST_CASES or number >= _MOST_UNSAID
            if share >= 1 and enough:
                break
        report.lines.append(tally)
    return report


def _check_numbers(seconds: float, seed: int) -> None:
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 <= seconds < inf:
        rule = "must be a finite number of seconds, and not negative"
        raise GeometryError(message(_NAME, "seconds", rule, shown(seconds)))
    if type(seed) is not int or seed < 0:
        rule = "must be an integer, and not negative"
        raise GeometryError(message(_NAME, "seed", rule, shown(seed)))


def _checked_names(
    backends: Collection[str] | None, frameworks: Collection[str] | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Check the names; raise ImportError for those that are not installed."""
    if backends is not None:
        backends = check_words(
            _NAME, "backends", backends, tuple(BACKENDS), may_be_empty=bool(frameworks)
        )
    if frameworks is not None:
        frameworks = check_words(
            _NAME, "frameworks", frameworks, tuple(live.live()), may_be_empty=bool(backends)
        )
    for name in backends or ():
        _refuse_missing(name, missing_packages(name), BACKENDS[name].install)
    for name in frameworks or ():
        packages = FRAMEWORKS[name].packages
        missing = tuple(p for p in packages if not live.is_installed(p))
        _refuse_missing(name, missing, f"pip install {' '.join(packages)}")
    return backends, frameworks


def _refuse_missing(name: str, packages: tuple[str, ...], install: str) -> None:
    if packages:
        msg = f"{name} was asked for, but {' and '.join(packages)} cannot be found here"
        raise ImportError(f"{msg}. Install it with: {install}" if install else msg)


def _tallies(
    report: Report,
    backends: tuple[str, ...] | None,
    frameworks: tuple[str, ...] | None,
) -> list[Tally]:
    """List what there is to check; note in the report what is not there."""
    if backends is None:
        absent = {name: missing_packages(name) for name in BACKENDS}
        report.missing.update({name: names for name, names in absent.items() if names})
    tallies = []
    for backend, algorithm in implementations(backends):
        if backend not in report.skipped and _starts(report, backend, backends):
            tallies.append(Tally(backend, algorithm))
    if frameworks is None and backends is not None:
        return tallies
    for name in live.installed(frameworks):
        reason = live.why_not(name)
        if reason is None:
            failures: dict[str, list[str]] = {"conv_transpose": []}
            tallies.append(Tally(COMPAT + name, "its own", failures=failures))
        elif frameworks is None:
            report.skipped[name] = reason
        else:
            msg = f"{name} was asked for, but cannot start: {reason}"
            raise ImportError(msg)
    return tallies


def _starts(report: Report, backend: str, named: tuple[str, ...] | None) -> bool:
    """Import a backend; note in the report, or raise, that its library cannot start."""
    try:
        load(backend)
    except ImportError as error:
        if named is not None:
            raise
        report.skipped[backend] = str(error)
        return False
    return True


def _check_framework(line: Tally, case: Case) -> int:
    """Compare a framework's result, if it can say the problem; return the number tried."""
    name = line.backend.removeprefix(COMPAT)
    call = live.converted(name, case)
    if call is None:
        return 0
    wanted = reference_conv_transpose(case.x, case.kernel, **call.options)
    geometry = problem_of("conv_transpose", case.x, case.kernel, call.options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the frameworks' own
            got = live.run(name, call)
    except Exception as error:
        line.refusals.append(f"{call.theirs}: {type(error).__name__}: {error}")
        return 1
    try:
        compare(f"{name} with {call.theirs}", "conv_transpose", geometry, got, wanted, 0.0)
    except AssertionError as error:
        line.failures["conv_transpose"].append(str(error))
    return 1


def _check(line: Tally, case: Case) -> int:
    """Try all checks on one problem; exceptions are failures too."""
    expected = solve(case)
    choice = {"backend": line.backend, "algorithm": line.algorithm}
    support = support_of(line.backend)
    calls = {
        "conv_transpose": (case.x, case.kernel, case.options, expected.conv_transpose),
        "conv": (case.y, case.kernel, case.conv_options, expected.conv),
        "kernel_grad": (case.x, case.y, case.grad_options, expected.kernel_grad),
    }
    forms: dict[str, float] = {}
    for form, (first, second, options, wanted) in calls.items():
        geometry = problem_of(form, first, second, options)
        dtype = wanted.dtype.name
        if refusal(support, line.backend, form, geometry.spec, dtype) is not None:
            continue  # not declared, so not asked for
        allowed = 0.0
        if line.algorithm in INEXACT:
            allowed = tolerance(geometry, wanted, first, second)
        try:
            got = getattr(mtconv, form)(first, second, **options, **choice)
            compare(repr(case), form, geometry, got, wanted, allowed)
        except Exception as error:
            line.failures[form].append(f"{type(error).__name__}: {error}")
            continue
        other = {"conv_transpose": case.y, "conv": case.x, "kernel_grad": case.kernel}
        forms[form] = float((got * other[form]).sum())
    if line.algorithm not in INEXACT and len(set(forms.values())) > 1:
        line.failures["adjoint"].append(f"{case!r}: {forms}")
    return 1
