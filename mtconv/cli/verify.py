"""Check what this machine has against plain loops; or export the proof."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from mtconv.backends.dispatch import BACKENDS
from mtconv.explaining.formatting import table
from mtconv.verify import Line, Report, export_conformance, verify
from mtconv.verify.frameworks import live
from mtconv.verify.run import CHECKS

__all__ = ["add_arguments", "run"]

THOROUGH = 2 * 60 * 60.0
_WIDTH = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv verify`."""
    parser.add_argument("--seconds", type=float, default=40.0, help="time for everything")
    parser.add_argument("--thorough", action="store_true", help="take two hours")
    parser.add_argument("--seed", type=int, default=0, help="of the random problems")
    parser.add_argument(
        "--backend", action="append", choices=list(BACKENDS), help="only this one; repeat"
    )
    parser.add_argument(
        "--framework",
        action="append",
        choices=list(live()),
        help="only this one through mtconv.compat; repeat",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--export", metavar="DIR", help="write the conformance set there instead"
    )
    parser.add_argument("--cases", type=int, default=200, help="problems to export")


def run(arguments: argparse.Namespace) -> int:
    """Verify, print a table, and return 0, or 1 where anything failed."""
    if arguments.export is not None:
        print(export_conformance(arguments.export, arguments.cases))
        return 0
    seconds = THOROUGH if arguments.thorough else arguments.seconds
    show = _bar if sys.stderr.isatty() else None
    backends, frameworks = arguments.backend, arguments.framework
    report = verify(
        seconds=seconds,
        seed=arguments.seed,
        backends=backends if frameworks is None else backends or (),
        frameworks=frameworks,
        progress=show,
    )
    if show is not None:
        print("\r\033[K", end="", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"passed": report.passed, **asdict(report)}))
    else:
        print(_text(report))
    return 0 if report.passed else 1


def _bar(line: Line, share: float) -> None:
    done = round(_WIDTH * share)
    bar = "#" * done + "." * (_WIDTH - done)
    text = f"\r\033[K[{bar}] {line.backend} {line.algorithm}: {line.cases} problems"
    print(text, end="", file=sys.stderr, flush=True)


def _outcome(line: Line, check: str) -> str:
    if check not in line.failures or line.cases == len(line.refusals):
        return "-"
    failed = len(line.failures[check])
    return f"{failed} wrong" if failed else "ok"


def _text(report: Report) -> str:
    rows = [
        (
            line.backend,
            line.algorithm,
            line.cases,
            *(_outcome(line, check) for check in CHECKS),
            f"{line.seconds:.1f} s",
        )
        for line in report.lines
    ]
    parts = [table(("backend", "algorithm", "problems", *CHECKS, "time"), rows, left=2)]
    for name, packages in report.missing.items():
        command = BACKENDS[name].install
        hint = f": {command}" if command else ""
        parts.append(f"not installed: {name} ({', '.join(packages)}){hint}")
    for line in report.lines:
        for check, messages in line.failures.items():
            if messages:
                parts.append(f"{line.backend} {line.algorithm}, {check}:\n{messages[0]}")
        if line.refusals:
            count = f"{len(line.refusals)} of {line.cases} problems"
            parts.append(f"{line.backend} refused {count}, first {line.refusals[0]}")
    total = sum(line.cases for line in report.lines)
    verdict = "all equal to the plain loops" if report.passed else "NOT all right"
    return "\n".join([*parts, f"{total} problems: {verdict}"])
