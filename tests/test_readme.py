"""The README's commands are the ones that the automatic check runs."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_test_command_of_the_readme_is_what_ci_runs():
    command = "python -m pip install nox && python -m nox"
    assert f"\n{command}\n" in (ROOT / "README.md").read_text()
    assert f"{{ {command}; }}" in (ROOT / ".ci" / "run").read_text()
