"""README and pages say of the project what is so."""

import ast
import re
from pathlib import Path

import pytest

import mtconv

ROOT = Path(__file__).parents[2]


def test_the_test_command_of_the_readme_is_what_ci_runs():
    command = "python -m pip install nox && python -m nox"
    assert f"\n{command}\n" in (ROOT / "README.md").read_text()
    assert f"{{ {command}; }}" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert all((ROOT / link).exists() for link in links), links


def test_the_contributing_page_names_the_default_sessions():
    noxfile = (ROOT / "noxfile.py").read_text()
    (default,) = re.findall(r"^nox\.options\.sessions = (\[.*\])$", noxfile, re.MULTILINE)
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert named == ast.literal_eval(default) == ["lint", "tests", "bare", "doctest"]


def test_changelog_and_citation_have_this_version():
    version = re.escape(mtconv.__version__)
    changelog, citation = (ROOT / "CHANGELOG.md", ROOT / "CITATION.cff")
    assert re.search(rf"^## {version}\b", changelog.read_text(), re.MULTILINE)
    assert re.search(rf"^version: {version}$", citation.read_text(), re.MULTILINE)
