"""Two directives: `geometry` draws what `mtconv draw` draws, `result` what a page made."""

from __future__ import annotations

import contextlib
import doctest
import hashlib
import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

from mtconv import cli

FOLDER = "_pictures"


class Geometry(Directive):
    """A geometry in both themes; the argument is the command line after `mtconv draw`."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        words = shlex.split(self.arguments[0])
        name = hashlib.sha256(self.arguments[0].encode()).hexdigest()[:12]
        images = []
        for theme in ("light", "dark"):
            uri = f"{FOLDER}/{name}-{theme}.svg"
            target = folder(self) / Path(uri).name
            status = cli.main(["draw", *words, "--theme", theme, "-o", str(target)])
            if status:
                msg = f"mtconv draw {self.arguments[0]}: status {status}"
                raise self.error(msg)
            images.append(image(self, uri, f"only-{theme}"))
        return images


class Result(Directive):
    """The matplotlib figure that the page's own code leaves in the variable named."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        page = Path(self.state.document["source"])
        uri = f"{FOLDER}/{page.stem}.png"
        namespace = run_page(page)
        namespace[self.arguments[0]].savefig(folder(self) / Path(uri).name, dpi=200)
        return [image(self, uri, "result")]


def folder(directive: Directive) -> Path:
    found = Path(directive.state.document.settings.env.srcdir) / FOLDER
    found.mkdir(exist_ok=True)
    return found


def image(directive: Directive, uri: str, css_class: str) -> nodes.image:
    node = nodes.image(uri=f"/{uri}", alt=directive.options.get("alt", ""))
    node["classes"].append(css_class)
    return node


def run_page(page: Path) -> dict[str, Any]:
    """Run the Python blocks of a page in one namespace, as the test suite does."""
    namespace: dict[str, Any] = {}
    text = page.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            examples = doctest.DocTestParser().get_examples(block)
            for source in [example.source for example in examples] or [block]:
                exec(compile(source, str(page), "exec"), namespace)
    return namespace


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("geometry", Geometry)
    app.add_directive("result", Result)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
