"""The small picture that notebooks show of a spec: SVG text, made without a library."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from mtconv.geometry import Axis
from mtconv.sketch.line import PHASE_COLOURS, AxisStrip

__all__ = ["html", "svg"]

# Lengths in pixels: a cell, the gap between the two rows, and the longest row in cells.
_CELL, _GAP, _LONGEST = 18, 34, 20


def html(caption: str, axes: tuple[Axis, ...], mode: str = "zeros") -> str:
    """Return a caption above the picture of some axes.

    Parameters
    ----------
    caption : str
        Plain text.
    axes : tuple of Axis
        One relation per spatial axis.
    mode : str
        Padding mode.

    Returns
    -------
    str
        HTML without scripts, links or styles from elsewhere.
    """
    return f"<div><code>{escape(caption)}</code><br>{svg(axes, mode)}</div>"


def svg(axes: tuple[Axis, ...], mode: str = "zeros") -> str:
    """Draw the relation of each axis: small cells above, big cells below, a line a tap.

    Colours are phases; lines and text take the colour of the page's text, so that the
    picture suits light and dark pages. Of long axes the first cells are drawn.

    Examples
    --------
    >>> picture = svg((Axis(small=2, big=3, kernel=2),))
    >>> picture.count("<line"), picture.count("<rect")
    (4, 5)
    """
    strips = [AxisStrip.of(axis, mode, _LONGEST) for axis in axes]
    tall = 2 * _CELL + 2 * _GAP
    width = max((len(strip.shown) * _CELL for strip in strips), default=0)
    width = max(width, 17 * _CELL) + 4
    parts = [
        part
        for number, strip in enumerate(strips)
        for part in (
            f'<g transform="translate(2 {number * tall})">',
            *_strip(strip),
            "</g>",
        )
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{len(strips) * tall}" font-size="11" font-family="sans-serif" '
        f'stroke="currentColor" fill="currentColor">{"".join(parts)}</svg>'
    )


def _strip(strip: AxisStrip) -> Iterator[str]:
    """Draw one axis: its numbers, then taps, small cells and big cells."""
    axis, whole = strip.axis, strip.whole
    ellipsis = " …" if strip.cut else ""
    text = (
        f"n={whole.small} k={whole.kernel} N={whole.big} stride={whole.stride} "
        f"dilation={whole.dilation} lo={whole.lo}{ellipsis}"
    )
    yield f'<text x="0" y="14" stroke="none">{text}</text>'
    above, below = 22, 22 + _CELL + _GAP

    def big(o: float) -> float:
        return (o - strip.shown.start + 0.5) * _CELL

    def small(i: int) -> float:
        return big(axis.stride * i + (axis.extent - 1) / 2 - axis.lo)

    for i, j, o in strip.taps:
        colour = PHASE_COLOURS[strip.tap_phase(j) % len(PHASE_COLOURS)]
        style = f'stroke="{colour}" stroke-width="2"'
        if o not in strip.source:
            style = 'stroke-opacity=".4" stroke-dasharray="3"'
        yield (
            f'<line x1="{small(i):g}" y1="{above + _CELL}" x2="{big(o):g}" y2="{below}" '
            f"{style}/>"
        )
    for i in range(axis.small):
        yield _cell(small(i), above, "none")
    reached = {o for _, _, o in strip.taps}
    for o in strip.shown:
        inside = 0 <= o < axis.big
        colour = PHASE_COLOURS[strip.phase(o) % len(PHASE_COLOURS)]
        fill = colour if inside and o in reached else "none"
        yield _cell(big(o), below, fill, "" if inside else ' stroke-dasharray="2"')


def _cell(middle: float, top: float, fill: str, attributes: str = "") -> str:
    left = middle - _CELL / 2
    size = f'width="{_CELL}" height="{_CELL}"'
    return f'<rect x="{left:g}" y="{top}" {size} fill="{fill}"{attributes}/>'
