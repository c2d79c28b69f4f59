"""Code blocks of the README and the pages under docs are tests.

Blocks of `python` run, with or without prompts; what prompts show is compared. Blocks of
`console` run too: lines that start with "$ " are commands, the lines below are compared
with what they print. Blocks of `sh` are only shown: they install packages.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_console(example: Example) -> str | None:
    """Run the commands of a console block; return what differs, None if nothing does."""
    for part in ("\n" + example.parsed).split("\n$ ")[1:]:
        command, _, wanted = part.partition("\n")
        words = shlex.split(command)
        if words[0] == "mtconv":  # of this environment, whatever PATH says
            words[:1] = [sys.executable, "-m", "mtconv"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        got = done.stdout + done.stderr
        if not doctest.OutputChecker().check_output(wanted.strip(), got.strip(), FLAGS):
            return f"$ {command}\nexpected:\n{wanted.strip()}\ngot:\n{got.strip()}"
    return None


# The layers import their framework, which need not be installed.
collect_ignore = [
    f"mtconv/nn/{name}.py"
    for name in ("flax", "equinox")
    if importlib.util.find_spec(name) is None
]


def enter_folder(namespace: dict[str, Any]) -> None:
    """Run a page in a folder of its own, where it may write files."""
    namespace["_folder"] = folder = contextlib.ExitStack()
    folder.enter_context(contextlib.chdir(folder.enter_context(TemporaryDirectory())))


def leave_folder(namespace: dict[str, Any]) -> None:
    """Go back and remove the page's folder."""
    namespace["_folder"].close()


pytest_collect_file = Sybil(
    parsers=[
        SkipParser(),
        PythonCodeBlockParser(doctest_optionflags=FLAGS),
        CodeBlockParser(language="console", evaluator=run_console),
    ],
    path=str(Path(__file__).parent),
    patterns=["README.md", "docs/*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
