"""Two directives: `geometry` draws what `mtconv draw` draws, `result` what a page made."""

from __future__ import annotations

import contextlib
import doctest
import hashlib
import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, ClassVar

import matplotlib as mpl
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

from mtconv.cli import main as cli
from mtconv.drawing.theme import THEMES

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
        for theme in THEMES:
            uri = f"{FOLDER}/{name}-{theme}.svg"
            target = folder(self) / Path(uri).name
            status = cli.main(["draw", *words, "--theme", theme, "-o", str(target)])
            if status:
                msg = f"mtconv draw {self.arguments[0]}: status {status}"
                raise self.error(msg)
            images.append(image(self, uri, f"only-{theme}"))
        return images


class Result(Directive):
    """The matplotlib figure that the page's own code leaves in the variable named.

    The last block of the page draws it, and is run once in the colours of each theme.
    """

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        page = Path(self.state.document["source"])
        *blocks, last = python_blocks(page)
        namespace: dict[str, Any] = {}
        images = []
        with TemporaryDirectory() as elsewhere, contextlib.chdir(elsewhere):
            for condition, code in blocks:
                if not (condition and eval(condition, namespace)):
                    exec(code, namespace)
            for theme in THEMES:
                uri = f"{FOLDER}/{page.stem}-{theme}.png"
                with mpl.rc_context(colours(theme)):
                    exec(last[1], namespace)
                    figure = namespace[self.arguments[0]]
                    figure.savefig(folder(self) / Path(uri).name, dpi=200)
                images.append(image(self, uri, f"only-{theme}"))
        return images


def colours(theme: str) -> dict[str, str]:
    """Write a theme as matplotlib's settings."""
    ground = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    ink = ("text.color", "axes.labelcolor", "axes.titlecolor")
    edge = ("axes.edgecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(ground, THEMES[theme].ground),
        **dict.fromkeys(ink, THEMES[theme].ink),
        **dict.fromkeys(edge, THEMES[theme].edge),
    }


def folder(directive: Directive) -> Path:
    found = Path(directive.state.document.settings.env.srcdir) / FOLDER
    found.mkdir(exist_ok=True)
    return found


def image(directive: Directive, uri: str, css_class: str) -> nodes.image:
    node = nodes.image(uri=f"/{uri}", alt=directive.options.get("alt", ""))
    node["classes"].append(css_class)
    return node


# A block of Python, and the condition in a comment before it on which it is skipped.
_BLOCK = re.compile(
    r"^(?:<!--- skip: next if\(([^\n]*), reason=[^\n]*\) -->\n+)?```python\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def python_blocks(page: Path) -> list[tuple[str | None, CodeType]]:
    """Compile the Python blocks of a page, which the test suite runs too.

    The first of each pair is the condition on which the block is skipped, if it has one.
    Examples that show an error are left out.
    """
    blocks = []
    for condition, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        examples = doctest.DocTestParser().get_examples(block)
        lasting = [example.source for example in examples if example.exc_msg is None]
        source = "".join(lasting) if examples else block
        blocks.append((condition or None, compile(source, str(page), "exec")))
    return blocks


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("geometry", Geometry)
    app.add_directive("result", Result)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
