"""A directive: `speed` draws a chart of the tables of the performance page."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import matplotlib as mpl
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from pictures import folder, image
from sphinx.application import Sphinx

from mtconv.drawing.theme import THEMES
from tests.benchmarks import charts

CHARTS = {"public": charts.draw_comparisons, "layers": charts.draw_layers}


class Speed(Directive):
    """A chart in both themes; the argument is its name in `CHARTS`."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        tables = Path(environment.srcdir, "performance.md")
        environment.note_dependency(str(tables))
        name = self.arguments[0]
        images = []
        for theme, colours in THEMES.items():
            uri = f"_pictures/speed-{name}-{theme}.svg"
            figure = CHARTS[name](tables.read_text(encoding="utf-8"), colours)
            with mpl.rc_context({"svg.hashsalt": "mtconv"}):
                figure.savefig(folder(self) / Path(uri).name, metadata={"Date": None})
            images.append(image(self, uri, f"only-{theme}"))
        return images


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("speed", Speed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
