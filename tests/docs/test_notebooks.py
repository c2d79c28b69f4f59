"""The notebooks that the site offers: made from pages, and run from top to bottom."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
EXTENSION = DOCS / "_extensions" / "notebook.py"

pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("notebook", EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_text_and_code_become_cells_and_pictures_are_left_out(extension):
    page = (
        "# Title\n\nA word.\n\n```python\n>>> a = 1\n>>> a + 1\n2\n```\n\n"
        "```{geometry} 3 3\n:alt: three\n```\n\nAnother.\n\n```python\nb = 2\n```\n"
    )
    cells = extension.notebook(page)["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == [
        ("markdown", "# Title\n\nA word."),
        ("code", "a = 1\na + 1"),
        ("markdown", "Another."),
        ("code", "b = 2"),
    ]


def test_every_notebook_runs(extension, tmp_path, monkeypatch):
    pytest.importorskip("jax")
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["notebook"])
    for name in extension.PAGES:
        page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        made = json.loads(json.dumps(extension.notebook(page)))
        namespace = {}
        code = ["".join(c["source"]) for c in made["cells"] if c["cell_type"] == "code"]
        assert len(code) >= 5
        for source in code:
            exec(source, namespace)
