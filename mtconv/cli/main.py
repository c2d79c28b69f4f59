"""The command `mtconv`: one module of `mtconv.cli` for each subcommand."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from mtconv import __version__
from mtconv.errors import GeometryError

__all__ = ["main"]

# Modules of mtconv.cli, in the order that the help shows.
COMMANDS = ("demo", "shape", "explain", "draw", "convert", "verify")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 where the input was wrong."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (
        GeometryError,
        TypeError,
        ImportError,
        OSError,
    ) as error:  # BackendError is a TypeError
        print(f"mtconv {parsed.command}: error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtconv",
        description="Transposed convolution and its exact adjoint.",
    )
    parser.add_argument("--version", action="version", version=f"mtconv {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = importlib.import_module(f"mtconv.cli.{name}")
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
