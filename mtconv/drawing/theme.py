"""Colours: eight that people with any colour vision tell apart, on light and on dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_rgb

from mtconv.errors import GeometryError, message
from mtconv.sketch.line import PHASE_COLOURS

__all__ = ["THEMES", "Theme", "theme_named"]


@dataclass(frozen=True)
class Theme:
    """The colours of a picture.

    Parameters
    ----------
    ground, ink, edge, faint, mark : str
        Background, text, outlines of cells, what should step back, and outlines on the
        colours of phases.
    blend : float
        Share of the phase colours in the fill of a cell; the rest is white.
    """

    ground: str
    ink: str
    edge: str
    faint: str
    mark: str
    blend: float

    def phase(self, number: int) -> tuple[float, float, float]:
        """Fill of the cells of a phase; more than eight phases repeat the colours."""
        colour = to_rgb(PHASE_COLOURS[number % len(PHASE_COLOURS)])
        red, green, blue = (self.blend * part + 1 - self.blend for part in colour)
        return red, green, blue

    def phase_line(self, number: int) -> str:
        """Colour of the lines of a phase."""
        return PHASE_COLOURS[number % len(PHASE_COLOURS)]


THEMES = {
    "light": Theme(
        ground="#ffffff",
        ink="#1b1f24",
        edge="#57606a",
        faint="#9aa3ad",
        mark="#1b1f24",
        blend=0.65,
    ),
    "dark": Theme(
        ground="#131416",
        ink="#ffffff",
        edge="#626b76",
        faint="#6b7480",
        mark="#000000",
        blend=0.85,
    ),
}


def theme_named(name: Any) -> Theme:
    """Return the theme of this name."""
    if name not in THEMES:
        names = ", ".join(map(repr, THEMES))
        msg = message("draw", "theme", f"must be one of {names}", repr(name))
        raise GeometryError(msg)
    return THEMES[name]
