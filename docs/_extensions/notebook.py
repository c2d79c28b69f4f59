"""A page as a notebook to download: its text as cells, and its code without prompts.

Pictures that the site draws are left out; a note at the top leads to the page.
"""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PAGES = ("the-lesson",)

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

# A fenced block: its language or directive, and what it holds.
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```\n?", re.MULTILINE)


def notebook(markdown: str) -> dict[str, Any]:
    """Make a notebook of a page in Markdown."""
    cells = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        cells.append(_text(markdown[end : fence.start()]))
        language, body = fence.groups()
        if language == "python":
            cells.append(_code(body))
        elif not language.startswith("{"):
            cells.append(_text(fence.group()))
        end = fence.end()
    cells.append(_text(markdown[end:]))
    filled = [cell for cell in cells if cell["source"]]
    for number, cell in enumerate(filled):
        cell["id"] = f"cell-{number}"
    return {
        "cells": filled,
        "metadata": {"kernelspec": _KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _text(markdown: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(markdown.strip())}


def _code(block: str) -> dict[str, Any]:
    """Make a code cell; what prompts show is left to be computed."""
    if block.startswith(">>>"):
        examples = doctest.DocTestParser().get_examples(block)
        block = "".join(example.source for example in examples)
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _lines(block.strip()),
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebooks beside their pages."""
    if exception is not None or app.builder.format != "html":
        return
    for name in PAGES:
        page = Path(app.srcdir, f"{name}.md").read_text(encoding="utf-8")
        target = Path(app.outdir, f"{name}.ipynb")
        target.write_text(json.dumps(notebook(page), indent=1), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Write the notebooks when the site is built."""
    app.connect("build-finished", write)
