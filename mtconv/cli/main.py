"""The command `mtconv`: one module of `mtconv.cli` for each subcommand."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from mtconv import __version__
from mtconv.cli.files import os_text
from mtconv.cli.words import in_words_of_the_command
from mtconv.errors import BackendError, GeometryError

__all__ = ["main"]

# Modules of mtconv.cli, in the order that the help shows.
COMMANDS = ("demo", "shape", "explain", "draw", "convert", "verify", "warm", "rewrite")

WRONG, REFUSED, FAULT, INTERRUPTED, NO_READER = 1, 2, 3, 130, 141

# Characters in a line of help, and at most in an error.
_WIDTH = 78
_LONGEST_ERROR = 1000

_EMPTY = re.compile(r"(--[\w-]+=|-o)--")

_EPILOG = """\
exit status:
  0    all is well
  1    `verify` has found something wrong
  2    wrong input, or what was asked for cannot run here
  3    a fault of mtconv; MTCONV_TRACEBACK=1 shows where it happened

`mtconv COMMAND --help` has options, defaults and examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    # Pictures go to files. A backend with windows, or one that is none, is not wanted.
    os.environ["MPLBACKEND"] = "agg"
    _show_any_name()
    parsed = _parser().parse_args(arguments)
    try:
        status = int(parsed.run(parsed))
        if sys.stdout is not None:  # closed by whoever started the command
            sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return NO_READER
    except KeyboardInterrupt:
        print(f"mtconv {parsed.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _report(parsed.command, os_text(error), REFUSED)
    except (GeometryError, BackendError, ImportError, MemoryError) as error:
        text = str(error) or "there is not enough memory for this"
        # What `rewrite` refuses is about a model: its attributes are no options.
        text = in_words_of_the_command(text, options=parsed.command != "rewrite")
        return _report(parsed.command, text, REFUSED)
    except Exception as error:
        if os.environ.get("MTCONV_TRACEBACK"):
            traceback.print_exc()
        text = (
            f"{type(error).__name__}: {error}. This is a fault of mtconv: please report it "
            "with the command. MTCONV_TRACEBACK=1 shows where it happened."
        )
        return _report(parsed.command, text, FAULT)


def _show_any_name() -> None:
    """Let names of files be printed that have no letters in the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report(command: str, text: str, status: int) -> int:
    line = " ".join(text.splitlines())
    # A value that was typed may have anything in it, and is shown in one harmless line.
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    print(f"mtconv {command}: error: {line}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are short, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        short = message[:_LONGEST_ERROR]
        super().error(short if short == message else f"{short}...")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line; argparse itself reads "--option=--" as an empty list."""
        words = sys.argv[1:] if args is None else args
        empty = next((word for word in words if _EMPTY.fullmatch(word)), None)
        if empty is not None:
            self.error(f"argument {empty.removesuffix('--')}: expected one argument")
        return super().parse_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mtconv",
        description="Transposed convolution and its exact adjoint.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mtconv {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = importlib.import_module(f"mtconv.cli.{name}")
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name,
            help=summary,
            # Raw, for the examples: nothing else wraps it.
            description=textwrap.fill(summary, _WIDTH),
            epilog=getattr(module, "EXAMPLES", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
