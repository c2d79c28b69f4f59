"""Enlarge a photograph on every backend installed, and prove that they agree."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv demo`."""
    parser.add_argument(
        "--output", default="mtconv-demo.png", metavar="FILE", help="where the picture goes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration."""
    from mtconv.cli.photograph import demo  # matplotlib is looked for there

    demo(arguments.output)
    return 0
