"""A directive: `command` shows the help of a subcommand, written by its parser."""

from __future__ import annotations

import contextlib
import io
import os
from typing import ClassVar
from unittest import mock

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from mtconv.cli import main as cli

# Characters in a line of help.
WIDTH = 80


def help_of(name: str) -> str:
    """Return what `mtconv NAME --help` prints; of `mtconv --help` for no name."""
    words = [name] if name else []
    text = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": str(WIDTH)}),
        contextlib.redirect_stdout(text),
        contextlib.suppress(SystemExit),  # argparse leaves this way
    ):
        cli.main([*words, "--help"])
    return text.getvalue()


class Command(Directive):
    """The help of the subcommand that the argument names."""

    required_arguments = 0
    optional_arguments = 1
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        text = help_of(self.arguments[0] if self.arguments else "")
        block = nodes.literal_block(text, text, language="text")
        return [block]


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("command", Command)
