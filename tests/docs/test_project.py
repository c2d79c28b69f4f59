"""The project's own files: supported versions are said once, and sessions are there."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SESSIONS = re.findall(
    r"@nox\.session.*?\n(?:@.*\n)*def (\w+)\(", (ROOT / "noxfile.py").read_text()
)
SESSIONS = {name.replace("property_tests", "property") for name in SESSIONS}


def workflow(name):
    return (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()


def test_no_dependency_has_an_upper_bound():
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    for requirement in PROJECT["dependencies"] + extras:
        assert not re.search(r"[<~]|==", requirement), requirement


def test_every_python_that_is_tested_has_a_classifier():
    versions = re.search(r"python: \[(.*)\]", workflow("tests"))[1]
    listed = [
        line.rpartition(" ")[2]
        for line in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", line)
    ]
    assert [version.strip('" ') for version in versions.split(",")] == listed
    assert PROJECT["requires-python"] == f">={listed[0]}"


@pytest.mark.parametrize("name", ["tests", "nightly"])
def test_workflows_run_sessions_that_are_there(name):
    text = workflow(name)
    named = re.findall(r"session: (\w+)", text) + re.findall(r"^ +- (\w+)$", text, re.M)
    named += re.findall(r"-s \"?(\w+)", text)
    for sessions in re.findall(r"session: \[(.*)\]", text):
        named += sessions.replace(" ", "").split(",")
    assert len(named) >= 5
    assert set(named) <= SESSIONS


def test_hooks_have_the_versions_of_the_group_lint():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    for requirement in PYPROJECT["dependency-groups"]["lint"]:
        if str(requirement).startswith(("ruff", "mypy")):
            assert f'"{requirement}"' in hooks
