"""The page of the command line: a section with its help for every command."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from mtconv.cli.main import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("docutils")
pytest.importorskip("sphinx")


def load():
    path = DOCS / "_extensions" / "commands.py"
    spec = importlib.util.spec_from_file_location("commands", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_has_its_section_and_its_help():
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(COMMANDS)
    assert re.findall(r"^```{command} (\w+)$", page, re.MULTILINE) == sections


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_help_is_what_the_command_prints(name):
    lines = load().help_of(name).splitlines()
    assert lines[0].startswith(f"usage: mtconv {name}".rstrip())
    assert max(map(len, lines)) <= 80
