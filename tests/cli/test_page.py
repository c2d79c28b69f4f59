"""The page on the command line shows what the command prints, and every command."""

import re
from pathlib import Path

import pytest

from mtconv.cli.main import COMMANDS, main

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
SESSIONS = re.findall(r"```sh\n\$ mtconv (.*?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("words", "printed"), SESSIONS)
def test_what_the_page_shows_is_printed(capsys, words, printed):
    assert main(words.split()) in (0, 2)
    out, err = capsys.readouterr()
    assert out + err == printed


def test_every_command_is_in_the_table():
    listed = re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert len(SESSIONS) == 2
