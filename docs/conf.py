"""Configuration of the documentation site; build it with `nox -s docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_extensions"), str(HERE.parent)]

import mtconv  # noqa: E402
from mtconv import explorer  # noqa: E402

project = "mtconv"
author = "The mtconv developers"
version = release = mtconv.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "mathml",
    "pictures",
    "notebook",
    "commands",
    "speed",
    "accessible",
]
exclude_patterns = ["_build", "_extensions"]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"mtconv {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def escape_stars(app, what, name, obj, options, lines):  # noqa: ARG001
    """Keep the star of a shape such as (N, C, *k), which is no emphasis."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")  # every other part is literal
            parts[::2] = [
                re.sub(r"(?<=[(, ])\*(?=\w)", r"\\*", part) for part in parts[::2]
            ]
            lines[number] = "``".join(parts)


def skip_modules(app, what, name, obj, skip, options):  # noqa: ARG001
    """Leave out attributes that are modules: they are no part of the API."""
    return True if isinstance(obj, ModuleType) else None


def list_pages(app, docname, source):  # noqa: ARG001
    """List pages that index.md does not name before the last of its table of contents."""
    if docname == "index":
        named, end, rest = source[0].rpartition("changelog\n```")
        found = sorted(path.stem for path in HERE.glob("*.md"))
        new = [page for page in found if page != "index" and f"\n{page}\n" not in source[0]]
        source[0] = named + "".join(f"{page}\n" for page in new) + end + rest


def write_explorer(app, exception):
    """Put the explorer of geometry beside the pages."""
    if exception is None and app.builder.format == "html":
        explorer.write_explorer(Path(app.outdir) / "explorer-page.html")


def setup(app):
    app.connect("build-finished", write_explorer)
    app.connect("source-read", list_pages)
    app.connect("autodoc-skip-member", skip_modules)
    app.connect("autodoc-process-docstring", escape_stars, priority=400)
