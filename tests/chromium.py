"""A real browser for tests of pages, and axe-core, which looks for barriers in them.

Test files that import this are skipped without playwright or Chromium. MTCONV_CHROMIUM
names the program where it is not called chromium, and MTCONV_AXE names axe.min.js.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager

import pytest

playwright = pytest.importorskip("playwright.sync_api")
PROGRAM = os.environ.get("MTCONV_CHROMIUM") or shutil.which("chromium")
if PROGRAM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

AXE = os.environ.get("MTCONV_AXE")
needs_axe = pytest.mark.skipif(AXE is None, reason="needs MTCONV_AXE")


@contextmanager
def chromium():
    """Start a browser, and end it afterwards."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()
