"""Pages that a screen reader and the keyboard get along with.

The theme, docutils and numpydoc write a few elements in ways that assistive programs cannot
use; this mends them when the site has been built. Code and tables that are wider than the
window get into the order of the tab key by `_static/scroll.js`. tests/docs/test_browser.py
looks for barriers on the built pages.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

# What is written, and what is to be written in its place.
MENDED = {
    # A heading has a level.
    ' role="heading">': ' role="heading" aria-level="2">',
    # Landmarks of one kind have names.
    ' class="sidebar-drawer">': ' class="sidebar-drawer" aria-label="All pages">',
    ' class="toc-drawer">': ' class="toc-drawer" aria-label="This page">',
    # The members of a list of references are its items; their own role is deprecated.
    ' role="doc-biblioentry"': ' role="listitem"',
}


def mend(html: str) -> str:
    """Return a page with what is listed above mended."""
    for written, wanted in MENDED.items():
        html = html.replace(written, wanted)
    return html


def mend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page of the site."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).glob("*.html"):
        path.write_text(mend(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", mend_pages)
    app.add_js_file("scroll.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
