"""Enlarge a photograph on every backend installed, and prove that they agree."""

from __future__ import annotations

import argparse
from pathlib import Path

from mtconv.errors import GeometryError, message

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv demo
  mtconv demo --output pictures/demo.png
"""
_SUFFIXES = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv demo`."""
    parser.add_argument(
        "--output",
        default="mtconv-demo.png",
        metavar="FILE",
        help="where the picture goes: .png, .svg or .pdf (default: mtconv-demo.png)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration."""
    suffix = Path(arguments.output).suffix
    if suffix not in _SUFFIXES:
        rule = f"must end in {', '.join(_SUFFIXES)}"
        raise GeometryError(message("demo", "output", rule, repr(arguments.output)))
    from mtconv.cli.photograph import demo  # matplotlib is looked for there

    demo(arguments.output)
    return 0
