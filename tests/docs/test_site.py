"""The built site: complete, its links lead somewhere, and it asks nobody for anything.

`nox -s docs` builds it and runs this file; MTCONV_SITE names the folder.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
SITE = Path(os.environ.get("MTCONV_SITE", ROOT / "docs" / "_build" / "html")).resolve()

pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists(), reason="the site is not built: nox -s docs"
)

# What a browser fetches by itself when it opens a page.
FETCHED = {
    "script": ["src"],
    "link": ["href"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "object": ["data"],
    "embed": ["src"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "use": ["href", "xlink:href"],
    "image": ["href", "xlink:href"],
    "input": ["src"],
    "body": ["background"],
}
IN_STYLE = re.compile(r"@import\s+(?:url\()?['\"]?([^'\");]+)|url\(\s*['\"]?([^'\")]+)")


class Page(HTMLParser):
    """Collects what a page fetches, what it links to, and its ids."""

    def __init__(self, path):
        super().__init__()
        self.fetched, self.links, self.ids, self.tags = [], [], set(), set()
        self.style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        got = dict(attributes)
        self.style = tag == "style"
        self.fetched += [got[name] for name in FETCHED.get(tag, []) if got.get(name)]
        self.fetched += in_style(got.get("style") or "")
        if tag == "a" and got.get("href"):
            self.links.append(got["href"])
        self.ids |= {got[name] for name in ("id", "name") if got.get(name)}

    def handle_data(self, data):
        if self.style:
            self.fetched += in_style(data)
            self.style = False


def in_style(text):
    return [first or second for first, second in IN_STYLE.findall(text)]


def outside(address):
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp", "ws", "wss")


def pages():
    return {path: Page(path) for path in sorted(SITE.rglob("*.html"))}


def test_no_page_fetches_anything_from_elsewhere():
    got = {
        (str(path.relative_to(SITE)), address)
        for path, page in pages().items()
        for address in page.fetched
        if outside(address)
    }
    assert got == set()


def test_no_stylesheet_or_picture_fetches_anything_from_elsewhere():
    got = set()
    for path in [*SITE.rglob("*.css"), *SITE.rglob("*.svg")]:
        text = path.read_text(encoding="utf-8")
        addresses = in_style(text)
        if path.suffix == ".svg":
            addresses += re.findall(r"<(?:image|use|script)[^>]*href=\"([^\"]+)", text)
        got |= {(path.name, a) for a in addresses if outside(a)}
    assert got == set()


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "<style>@import 'https://fonts.example/css';</style>",
        '<p style="background: url(http://example.org/a.png)">',
        '<img alt="" srcset="https://example.org/a.png 2x">',
    ],
)
def test_the_check_above_can_fail(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text)
    assert [address for address in Page(path).fetched if outside(address)]


def test_every_page_is_reached_and_every_local_link_leads_somewhere():
    got = pages()
    broken, reached = set(), {SITE / "index.html"}
    for path, page in got.items():
        for link in page.links + page.fetched:
            parts = urlsplit(link)
            if outside(link) or parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            reached.add(target)
            if not target.exists():
                broken.add((path.name, link))
            elif parts.fragment and target in got:
                known = unquote(parts.fragment) in got[target].ids
                broken |= set() if known else {(path.name, link)}
    assert broken == set()
    by_design = {SITE / "search.html", SITE / "genindex.html", SITE / "py-modindex.html"}
    assert set(got) - reached - by_design == set()


def test_formulas_are_mathml_and_pictures_come_for_both_themes():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SITE.glob("*.html")}
    assert "<math" in texts["the-lesson"]
    for name, text in texts.items():
        assert text.count("only-light") == text.count("only-dark"), name
    assert not [name for name, text in texts.items() if "MathJax" in text]


def test_no_page_shows_where_it_was_built_or_what_python_calls_an_object():
    for path in SITE.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, path.name
        assert not re.search(r"&lt;(module|function|class) |object at 0x", text), path.name


def test_every_page_of_the_source_is_in_the_site_and_in_the_search_index():
    index = (SITE / "searchindex.js").read_text(encoding="utf-8")
    for source in (ROOT / "docs").glob("*.md"):
        assert (SITE / f"{source.stem}.html").exists()
        assert f'"{source.stem}"' in index
