"""An explorer of geometry: one HTML page without anything external.

The page holds a port of the integer arithmetic of `mtconv.geometry` in JavaScript; the
tests hold it against mtconv in a real browser.
"""

from mtconv.explorer.page import explorer_page as explorer_page
from mtconv.explorer.page import write_explorer as write_explorer

__all__ = ["explorer_page", "write_explorer"]
