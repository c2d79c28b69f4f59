"""The built site in a real browser: no barriers, and nothing wider than the window.

Needs the built site (`nox -s docs`; MTCONV_SITE names its folder) and a browser.
"""

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chromium import AXE, chromium, needs_axe

ROOT = Path(__file__).parent.parent.parent
SITE = Path(os.environ.get("MTCONV_SITE", ROOT / "docs" / "_build" / "html")).resolve()
if not (SITE / "index.html").exists():
    pytest.skip("the site is not built: nox -s docs", allow_module_level=True)

PAGES = sorted(path.stem for path in SITE.glob("*.html"))
MAIN_PAGES = ["index", "quickstart", "api", "performance", "questions", "explorer-page"]
PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page; whatever the console says is a failure."""
    noise, opened = [], []

    def open_one(name, width, scheme="light"):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.goto((SITE / f"{name}.html").as_uri())
        opened.append(page)
        return page

    yield open_one
    for page in opened:
        page.close()
    assert noise == []


def violations(page):
    """List what axe-core minds on a page: the rule, and the first element."""
    page.add_script_tag(path=AXE)
    # It would fetch stylesheets a second time, which files may not.
    report = page.evaluate("() => axe.run({ preload: false })")
    return [(rule["id"], rule["nodes"][0]["html"]) for rule in report["violations"]]


@needs_axe
@pytest.mark.parametrize(("scheme", "width"), [("light", DESK), ("dark", PHONE)])
@pytest.mark.parametrize("name", MAIN_PAGES)
def test_axe_finds_no_violation(open_page, name, scheme, width):
    assert violations(open_page(name, width, scheme)) == []


@needs_axe
def test_axe_finds_what_is_broken(open_page):
    page = open_page("index", DESK)
    page.evaluate("() => document.querySelector('article img').removeAttribute('alt')")
    assert [rule for rule, _ in violations(page)] == ["image-alt"]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_is_wider_than_the_window(open_page, width):
    widths = {
        name: open_page(name, width).evaluate("document.documentElement.scrollWidth")
        for name in PAGES
    }
    assert {name: wide for name, wide in widths.items() if wide > width} == {}


WIDE_CODE = (
    "[...document.querySelectorAll('pre')]"
    ".filter(pre => pre.scrollWidth > pre.clientWidth).map(pre => pre.textContent)"
)


def test_code_on_the_front_page_does_not_scroll_on_a_phone(open_page):
    assert open_page("index", PHONE).evaluate(WIDE_CODE) == []


def test_wide_code_and_tables_are_reached_by_the_tab_key(open_page):
    page = open_page("performance", PHONE)
    wide = "[...document.querySelectorAll('article .table-wrapper')].filter(%s).length"
    scrolling = page.evaluate(wide % "box => box.scrollWidth > box.clientWidth")
    assert scrolling > 0
    assert page.evaluate(wide % "box => box.tabIndex === 0") == scrolling


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    """Serve the site, since its search reads the pages that it has found."""
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "words",
    [
        "my output is one pixel too small",
        "how do I move a Keras layer to flax",
        "why is my picture checkered",
        "upsample an image two times",
        "undo a blur",
        "same weights different results PyTorch JAX",
        "decode audio in real time chunk by chunk",
        "ONNX runtime has no ConvTranspose",
        "is it faster than PyTorch",
        "it runs out of memory",
    ],
)
def test_the_search_leads_from_users_words_to_the_page_of_questions(
    browser, address, words
):
    page = browser.new_page()
    page.goto(f"{address}/search.html?q={words.replace(' ', '+')}")
    page.wait_for_selector("#search-results li a")
    first = "results => results.slice(0, 4).map(result => result.pathname)"
    results = page.eval_on_selector_all("#search-results li a", first)
    page.close()
    assert "/questions.html" in results
