"""Check what this machine has against plain loops; or export the proof."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from mtconv.backends.dispatch import BACKENDS
from mtconv.cli.files import file_name
from mtconv.cli.geometry import integer, refuse_together
from mtconv.errors import GeometryError, message
from mtconv.explaining.formatting import table
from mtconv.verify import Report, Tally, export_conformance, verify
from mtconv.verify.conformance import FORMATS
from mtconv.verify.frameworks import live
from mtconv.verify.tally import CHECKS

__all__ = ["EXAMPLES", "add_arguments", "run"]

THOROUGH = 2 * 60 * 60.0
_WIDTH = 30


EXAMPLES = """\
examples:
  mtconv verify
  mtconv verify --backend numpy --backend jax --seconds 10
  mtconv verify --framework torch
  mtconv verify --export conformance
  mtconv verify --export conformance --format onnx
  mtconv verify --export conformance --format stablehlo --cases 500 --seed 7

exit status:
  0    all equal
  1    something is wrong
  2    wrong input, or what was asked for cannot run here
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv verify`."""
    add = parser.add_argument
    add("--seconds", type=_number, help="time for everything (default: 40)")
    add("--thorough", action="store_true", help="take two hours")
    add("--seed", type=integer, help="of the random problems (default: 0)")
    add(
        "--backend",
        action="append",
        choices=list(BACKENDS),
        metavar="NAME",
        help="only this one; repeat. One of: " + ", ".join(BACKENDS),
    )
    add(
        "--framework",
        action="append",
        choices=list(live()),
        metavar="NAME",
        help="only this one through mtconv.compat; repeat. One of: " + ", ".join(live()),
    )
    add("--json", action="store_true", help="print JSON")
    add(
        "--export",
        type=file_name,
        metavar="DIR",
        help="write the conformance set there instead",
    )
    add("--format", choices=FORMATS, help="of what --export writes (default: json)")
    add("--cases", type=integer, help="random problems to export (default: the core set)")


def run(arguments: argparse.Namespace) -> int:
    """Verify, print a table, and return 0, or 1 where anything failed."""
    others = ("seconds", "thorough", "backend", "framework", "json")
    refuse_together(arguments, "export", *others)
    refuse_together(arguments, "thorough", "seconds")
    if arguments.export is not None:
        return _export(arguments)
    for name in ("cases", "format"):
        if getattr(arguments, name) is not None:
            rule = "must be left out without --export, which it is for"
            raise GeometryError(message("verify", name, rule, getattr(arguments, name)))
    seconds = 40.0 if arguments.seconds is None else arguments.seconds
    show = _bar if sys.stderr.isatty() else None
    backends, frameworks = arguments.backend, arguments.framework
    report = verify(
        seconds=THOROUGH if arguments.thorough else seconds,
        seed=arguments.seed or 0,
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


def _export(arguments: argparse.Namespace) -> int:
    if arguments.cases is None and arguments.seed is not None:
        rule = "must be left out without --cases: the core set is always the same"
        raise GeometryError(message("verify", "seed", rule, arguments.seed))
    choice = arguments.format or "json", arguments.seed or 0
    try:
        print(export_conformance(arguments.export, arguments.cases, *choice))
    except OSError as error:
        rule = "must name a folder that can be made and written to"
        got = f"{arguments.export} ({error.strerror or error})"
        raise GeometryError(message("verify", "export", rule, got)) from None
    return 0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f"must be a number of seconds, for example 40; got {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def _bar(line: Tally, share: float) -> None:
    done = round(_WIDTH * share)
    bar = "#" * done + "." * (_WIDTH - done)
    text = f"\r\033[K[{bar}] {line.backend} {line.algorithm}: {line.cases} problems"
    print(text, end="", file=sys.stderr, flush=True)


def _outcome(line: Tally, check: str) -> str:
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
    for name, reason in report.skipped.items():
        parts.append(f"cannot run here: {name}: {reason}")
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
