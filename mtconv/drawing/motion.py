"""Moving pictures: frames one after another as GIF, or over one another as SVG."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from mtconv.drawing.picture import Picture

__all__ = ["animated_svg", "svg_text", "write_gif"]

_DPI = 110


def write_gif(picture: Picture, path: Path, seconds: float) -> None:
    """Write one image per frame, again and again."""
    picture.figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(picture.figure)
    images = []
    for number in range(len(picture.frames)):
        picture.show(number)
        canvas.draw()
        images.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    duration = round(1000 * seconds)
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0)


def animated_svg(picture: Picture, seconds: float) -> str:
    """Return the picture as SVG text; rules of style show one frame at a time."""
    for marks in picture.frames:
        for mark in marks:
            mark.set_visible(True)
    for line in picture.figure.axes[0].lines:
        if str(line.get_gid()).startswith("tap"):
            line.set_alpha(0.35)
    return svg_text(picture).replace("<defs>", f"{_style(picture, seconds)}<defs>", 1)


def svg_text(picture: Picture) -> str:
    """Return a figure as SVG text that is the same whenever it is made."""
    buffer = StringIO()
    with mpl.rc_context({"svg.hashsalt": "mtconv"}):
        picture.figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None}
        )
    return buffer.getvalue()


def _style(picture: Picture, seconds: float) -> str:
    """Write the rules: each frame is seen for its share of one round."""
    count = len(picture.frames)
    share = 100 / count
    rules = [
        f"@keyframes turn {{ 0% {{ visibility: visible }} "
        f"{share:.4f}%, 100% {{ visibility: hidden }} }}",
        f'[id^="frame-"] {{ animation: turn {seconds * count:g}s step-end infinite }}',
    ]
    for number in range(count):
        # A negative delay starts the round in its midst, at the same moment for all.
        delay = seconds * (number - count)
        rules.append(f"{_selector(number)} {{ animation-delay: {delay:g}s }}")
    still = f'[id^="frame-"] {{ animation: none; visibility: hidden }} {_selector(0)} '
    rules.append(
        f"@media (prefers-reduced-motion: reduce) {{ {still} {{ visibility: visible }} }}"
    )
    return "<style>\n" + "\n".join(rules) + "\n</style>\n"


def _selector(number: int) -> str:
    return f'[id="frame-{number}"], [id^="frame-{number}-"]'
